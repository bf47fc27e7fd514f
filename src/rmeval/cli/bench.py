"""``rmeval bench``: how fast, how large, and what it costs in decisions."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from rmeval.cli.exit_codes import ExitCode
from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import with_model_options
from rmeval.errors import UsageError
from rmeval.eval.model_options import ModelOptions

if TYPE_CHECKING:
    from rmeval.bench.compare import BenchRule
    from rmeval.bench.plan import Sweep
    from rmeval.bench.run import Announcement
    from rmeval.bench_info import BenchComparison, BenchDocument

_model, _timed, _compare, _output = map(opt.panel, ("Model", "Sweep", "Compare", "Output"))
_New: TypeAlias = Annotated[
    Path | None, typer.Argument(metavar="NEW.json", help="With --compare: this bench, none is run.")
]
_Model: TypeAlias = Annotated[str | None, _model("Any of `rmeval list kinds`, or config:PATH for random weights.")]
_RandomWeights: TypeAlias = Annotated[bool, _model("Take only the model's configuration.", "--random-weights")]
_Device: TypeAlias = Annotated[str | None, _model("auto, cpu, cuda, cuda:1 or mps.")]
_BatchSizes: TypeAlias = Annotated[
    str | None, _timed("Conversations (of kinds without a dtype, items) in a request. Default: 1,2,4,8,16,32.")
]
_Dtypes: TypeAlias = Annotated[str | None, _timed("Default: float32,bfloat16,float16,int8.")]
_Lengths: TypeAlias = Annotated[str | None, _timed("Tokens a conversation, made up. Default: 512.")]
_Dataset: TypeAlias = Annotated[str | None, _timed("Time its rows; decisions are compared on it. Default: mini.")]
_Split: TypeAlias = Annotated[str | None, _timed("Split of the data set.")]
_Attention: TypeAlias = Annotated[
    str | None, _timed("Such as auto,eager,sdpa. Default: auto.", "--attn-implementation", "--attn")
]
_Compile: TypeAlias = Annotated[str | None, _timed("off, on, or off,on. Default: off.", "--compile")]
_MaxTime: TypeAlias = Annotated[float | None, _timed("Seconds of timed rounds a cell. Default: 20.")]
_Against: TypeAlias = Annotated[str | None, _compare("pipeline: time transformers' beside it.")]
_Old: TypeAlias = Annotated[
    Path | None, _compare("Hold this bench against; without --model, repeat its sweep.", metavar="OLD.json")
]
_FailOn: TypeAlias = Annotated[
    list[str] | None, _compare("Exit 1 for throughput:10%, latency:20%, memory:5% or flips:0; may be repeated.")
]
_FailOnNoise: TypeAlias = Annotated[
    bool, _compare("Exit 1 also where the noise is larger than the limit.", "--fail-on-noise")
]
_OutputDir: TypeAlias = Annotated[Path | None, _output("Folder of the files. Default: runs/bench-MODEL-TIME.")]
_Overwrite: TypeAlias = Annotated[bool, _output("Replace another bench there.", "--overwrite")]
_HELP = """Time a model over batch sizes and dtypes: throughput, latency, memory, and the decisions that flip.

The cells are planned and shown first, with the time they will take. Ctrl-C keeps what is finished; the same command
goes on from there. The files are read by pytest-benchmark's tools as well."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help=_HELP)(command)


@with_model_options(
    after="random_weights",
    without=(
        "dtype", "batch_size", "max_length", "attn_implementation", "compile", "refine", "cache", "steps",
    ),
)  # fmt: skip
def command(
    context: typer.Context,
    new: _New = None,
    model: _Model = None,
    random_weights: _RandomWeights = False,
    device: _Device = None,
    batch_sizes: _BatchSizes = None,
    dtypes: _Dtypes = None,
    lengths: _Lengths = None,
    dataset: _Dataset = None,
    split: _Split = None,
    attention: _Attention = None,
    compile: _Compile = None,
    max_time: _MaxTime = None,
    against: _Against = None,
    compare: _Old = None,
    fail_on: _FailOn = None,
    fail_on_noise: _FailOnNoise = False,
    output_dir: _OutputDir = None,
    overwrite: _Overwrite = False,
    as_json: opt.Json = False,
) -> None:
    """Measure or compare, and print what came of it."""
    from rmeval.bench import storage
    from rmeval.bench.compare import compare as compare_benches
    from rmeval.bench.compare import parse_rule

    if compare is None and (fail_on or new is not None):
        raise UsageError("--fail-on and NEW.json need a bench to hold against: pass --compare OLD.json")
    if fail_on_noise and not fail_on:
        raise UsageError("--fail-on-noise is about the limits of --fail-on: pass that too, such as throughput:10%")
    if new is not None and model is not None:
        raise UsageError("NEW.json is compared as it is; leave --model out, or leave NEW.json out to run a bench")
    rules = [replace(parse_rule(rule), fail_on_noise=fail_on_noise) for rule in fail_on or ()]
    old = None if compare is None else storage.read(compare)
    if new is not None and old is not None:
        judged = compare_benches(old, storage.read(new), rules)
        _print_comparison(judged, as_json)
        raise typer.Exit(ExitCode.FINE if judged.passed else ExitCode.NO)
    document = _run(_sweep(context, old), context, old, rules)
    found = None if old is None else compare_benches(old, document, rules)
    if as_json:
        print(json.dumps(document if found is None else {**document, "comparison": asdict(found)}, default=str))
    else:
        from rmeval.reports.bench.console import print_bench

        print_bench(document)
        if found is not None:
            _print_comparison(found, as_json)
    if found is not None and not found.passed:
        raise typer.Exit(ExitCode.NO)


def _run(sweep: Sweep, context: typer.Context, old: BenchDocument | None, rules: Sequence[BenchRule]) -> BenchDocument:
    """Measure, and say where the files are."""
    from rmeval.bench import storage
    from rmeval.bench.compare import compare
    from rmeval.bench.folder import check_free
    from rmeval.eval.scorers import kind_of

    folder, overwrite = context.params["output_dir"], context.params["overwrite"]
    if folder is not None and not overwrite and "dtype" in kind_of(sweep.model).options:
        check_free(folder, sweep)
    from rmeval.bench.run import bench
    from rmeval.reports.bench.page import write_bench_page

    def write_page(document: BenchDocument, folder: Path) -> None:
        complete = document["rmeval"]["complete"]
        comparison = compare(old, document, rules) if complete and old is not None else None
        path = write_bench_page(document, folder / storage.PAGE, comparison)
        page = shlex.quote(str(path))
        if complete:
            _note(f"bench written to {shlex.quote(str(folder))}; the page is {page}")
        else:
            _note(f"finished cells are in {page}")

    return bench(
        sweep,
        folder,
        overwrite=overwrite,
        command=["rmeval", *sys.argv[1:]],
        announce=_announce,
        note=_note,
        page=write_page,
    )


def _sweep(context: typer.Context, old: BenchDocument | None) -> Sweep:
    """Make the sweep of the options; without a model, that of the old bench where options do not say otherwise."""
    from rmeval.bench.plan import Sweep, repeated

    given = context.params
    known: dict[str, Any] = {
        "batch_sizes": _numbers(given["batch_sizes"], "--batch-sizes"),
        "dtypes": _names(given["dtypes"]),
        "lengths": _numbers(given["lengths"], "--lengths"),
        "attention": _names(given["attention"]),
        "compile": _names(given["compile"]),
        **{name: given[name] for name in ("dataset", "split", "device", "max_time", "against")},
    }
    if given["lengths"] is not None and given["dataset"] is not None:
        raise UsageError("give --lengths for made-up tokens or --dataset for rows, not both")
    asked = {name: value for name, value in known.items() if value is not None}
    if given["model"] is not None:
        bounded = not {"batch_sizes", "dtypes", "lengths", "max_time"} & asked.keys()
        # What has a sweep's name here is its own: a device, and what is tried of dtypes, attention and compiling.
        own = {field.name for field in fields(Sweep)}
        options = {field.name: given[field.name] for field in fields(ModelOptions) if field.name in given.keys() - own}
        opt.check_kind(context, (*options, "device"))
        asked |= {"model": given["model"], "random_weights": given["random_weights"], "bounded": bounded}
        return Sweep(**asked, options=ModelOptions(**options))
    if old is None:
        raise UsageError("which model? pass --model MODEL, or --compare OLD.json to repeat that bench")
    return repeated(old["rmeval"]["sweep"], asked)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str | None, flag: str) -> tuple[int, ...] | None:
    try:
        return None if text is None else tuple(int(part) for part in _names(text) or ())
    except ValueError:
        raise UsageError(f"{flag} takes whole numbers such as 1,8,32, not {text!r}") from None


def _announce(found: Announcement) -> None:
    from rmeval.reports.bench.console import print_plan

    print_plan(found.planned, found.seconds, found.done)


def _note(line: str) -> None:
    from rmeval.reports.bench.console import print_note

    print_note(line)


def _print_comparison(found: BenchComparison, as_json: bool) -> None:
    from rmeval.reports.bench.console import print_comparison

    if as_json:
        print(json.dumps({**asdict(found), "passed": found.passed}))
        return
    print_comparison(found)
