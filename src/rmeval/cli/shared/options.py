"""The options that several verbs share: one name, one help text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias, get_args

import typer

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.model_options import CompileMode, ModelOptions
from rmeval.eval.scorers import kind_of
from rmeval.types import Lists

_MODEL, _DATA, _OUTPUT = "Model", "Data", "Output"


def _option(panel: str, text: str, *flags: str, metavar: str | None = None) -> object:
    return typer.Option(*flags, help=text, rich_help_panel=panel, metavar=metavar)


Model: TypeAlias = Annotated[str, _option(_MODEL, "Hub id, folder, quickstart, … (rmeval list kinds).")]
Revision: TypeAlias = Annotated[str | None, _option(_MODEL, "Branch, tag or commit of a Hub model.")]
Tokenizer: TypeAlias = Annotated[str | None, _option(_MODEL, "Folder or Hub id, if not the model's own.")]
ChatTemplate: TypeAlias = Annotated[str | None, _option(_MODEL, "File of a Jinja chat template.")]
TemplateDate: TypeAlias = Annotated[
    str | None, _option(_MODEL, "Today's date for templates that ask for it. Default: 2024-07-26.")
]
Dtype: TypeAlias = Annotated[str, _option(_MODEL, "auto, float32, bfloat16 or float16.")]
Device: TypeAlias = Annotated[str, _option(_MODEL, "auto, cpu, cuda, cuda:1 or mps.")]
BatchSize: TypeAlias = Annotated[str, _option(_MODEL, "Conversations a batch, or auto.")]
MaxLength: TypeAlias = Annotated[int | None, _option(_MODEL, "Tokens. Default: what the model takes, at most 4096.")]
Attention: TypeAlias = Annotated[str | None, _option(_MODEL, "eager, sdpa, flash_attention_2, …")]
Compile: TypeAlias = Annotated[
    CompileMode, _option(_MODEL, "Compile the layers: auto (only where it pays), on or off.", "--compile")
]
Refine: TypeAlias = Annotated[bool, _option(_MODEL, "Decide close calls in float32.", "--refine/--no-refine")]
Cache: TypeAlias = Annotated[bool, _option(_MODEL, "Keep scores in the journal.", "--cache/--no-cache")]
TrustRemoteCode: TypeAlias = Annotated[bool, _option(_MODEL, "Run the model's own code.", "--trust-remote-code")]
AllowPickle: TypeAlias = Annotated[bool, _option(_MODEL, "Load pickled weights, which can run code.", "--allow-pickle")]
AllowUntrainedHead: TypeAlias = Annotated[bool, _option(_MODEL, "Go on with a random head.", "--allow-untrained-head")]
OutputIndex: TypeAlias = Annotated[int | None, _option(_MODEL, "Which of several outputs is the score, from 0.")]
OutputName: TypeAlias = Annotated[
    str | None, _option(_MODEL, "Which of several outputs is the score, by its label; of token-prob:MODEL, the token.")
]
OutputWeights: TypeAlias = Annotated[
    str | None, _option(_MODEL, "The score as a sum of outputs, such as helpfulness=1,verbosity=-0.5.")
]
Question: TypeAlias = Annotated[
    str | None, _option(_MODEL, "Of token-prob:MODEL: what is asked after the conversation.", "--question")
]
StepsOption: TypeAlias = Annotated[
    str | None,
    _option(_MODEL, "scores:FILE where each is a list: min, max, prod, mean or last of it.", "--steps"),
]
Reference: TypeAlias = Annotated[
    str | None, _option(_MODEL, "Of dpo:POLICY: the model that the policy started from, or none.", "--reference")
]
LogProbsOption: TypeAlias = Annotated[
    str | None, _option(_MODEL, "Of dpo:POLICY: sum (the default), mean (without reference), or norm.", "--log-probs")
]
Sequential: TypeAlias = Annotated[
    bool, _option(_MODEL, "Of dpo:POLICY: hold one model in memory at a time.", "--sequential")
]

DatasetName: TypeAlias = Annotated[str | None, _option(_DATA, "Hub id, file, folder or mini. Default: the suite's.")]
DatasetRevision: TypeAlias = Annotated[str | None, _option(_DATA, "Branch, tag or commit of a Hub data set.")]
Split: TypeAlias = Annotated[str | None, _option(_DATA, "Split of the data set.")]
Subset: TypeAlias = Annotated[
    list[str] | None, _option(_DATA, "Only this subset; * stands for anything. May be repeated.")
]
Limit: TypeAlias = Annotated[int | None, _option(_DATA, "Only the first N examples, after --subset.")]
LimitPerSubset: TypeAlias = Annotated[
    int | None, _option(_DATA, "A quick look: only N examples of each subset, by --seed.")
]
Map: TypeAlias = Annotated[
    list[str] | None,
    _option(_DATA, "FIELD=PATH: which column is what, such as prompt=question. May be repeated.", "--map"),
]
ListsOption: TypeAlias = Annotated[
    str, _option(_DATA, "Of several right and wrong answers: all (one example), each (right one), grid (pair).")
]

OutputDir: TypeAlias = Annotated[Path | None, _option(_OUTPUT, "The run's folder. Default: runs/SUITE-MODEL-TIME.")]
Overwrite: TypeAlias = Annotated[bool, _option(_OUTPUT, "Replace a finished run there.", "--overwrite")]
Text: TypeAlias = Annotated[bool, _option(_OUTPUT, "Keep prompts and answers in the run.", "--text/--no-text")]
Seed: TypeAlias = Annotated[int, _option(_OUTPUT, "Seed of baseline:random and of --limit-per-subset.")]
Json: TypeAlias = Annotated[bool, _option(_OUTPUT, "Print the results as JSON on stdout.", "--json")]
Verbose: TypeAlias = Annotated[bool, _option(_OUTPUT, "Print every warning, not one line of them.", "--verbose")]


def panel(name: str) -> Callable[..., object]:
    """Return what declares an option of a panel of ``--help``, given its help text and its flags."""
    return partial(_option, name)


def data_option(text: str, *flags: str) -> object:
    """Return an option of the Data panel that one suite has."""
    return _option(_DATA, text, *flags)


def columns(given: Sequence[str]) -> dict[str, str]:
    """Return what ``--map`` options say, each ``field=path``.

    Raises:
        UsageError: if one is not of this form, or a field stands there twice.
    """
    found: dict[str, str] = {}
    for option in given:
        name, marked, path = option.partition("=")
        if not marked or not name:
            raise UsageError(f"--map takes FIELD=PATH, such as prompt=question, not {option!r}")
        if name in found:
            raise UsageError(f"--map: {name} stands there twice")
        found[name] = path
    return found


def paths(given: Sequence[str], flag: str, takes: str) -> dict[str, str]:
    """Return what options of the form ``NAME=PATH`` say, by name.

    Args:
        given: What was given, option by option.
        flag: The option, for messages.
        takes: What it takes, for messages.

    Raises:
        UsageError: if one is not of this form, or a name stands there twice.
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not (name and equals and path):
            raise UsageError(f"{flag} takes {takes}, not {each!r}")
        if name in found:
            raise UsageError(f"{flag} names {name} twice")
        found[name] = path
    return found


def lists(value: str) -> Lists:
    """Return what ``--lists`` says.

    Raises:
        UsageError: if it is none of the three.
    """
    known: tuple[Lists, ...] = get_args(Lists)
    if value not in known:
        raise UsageError(f"--lists takes {', '.join(known)}, not {value!r}{did_you_mean(value, known)}")
    return value


def model_options(context: typer.Context) -> ModelOptions:
    """Collect the options of the Model panel that a command has; the others keep their defaults.

    Raises:
        UsageError: if ``--batch-size`` is neither a number nor ``auto``, or an option is not the model's kind's.
    """
    given = {field.name: context.params[field.name] for field in fields(ModelOptions) if field.name in context.params}
    if "batch_size" in given:
        given["batch_size"] = _parse_batch_size(given["batch_size"])
    check_kind(context, given)
    return ModelOptions(**given)


def check_kind(context: typer.Context, given: Iterable[str]) -> None:
    """Refuse an option that would change nothing of this kind of model; that the journal is left out always holds.

    Raises:
        UsageError: naming the first of the options ``given`` that was typed and is not the kind's.
    """
    model = context.params.get("model")
    if not isinstance(model, str):
        return
    kind = kind_of(model)
    for name in given:
        source = context.get_parameter_source(name)
        typed = source is not None and source.name == "COMMANDLINE"
        if typed and name not in kind.options and name != "cache":
            own = ", ".join(f"--{each.replace('_', '-')}" for each in sorted(kind.options)) or "none"
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} changes nothing of {model}, a model of the kind {kind.name} (its options: {own})"
            )


def _parse_batch_size(value: str) -> int | None:
    if value == "auto":
        return None
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"--batch-size takes a number or auto, not {value!r}") from None
