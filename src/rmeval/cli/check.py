"""``rmeval check``: did this model get worse? Exit 0 no, 1 yes, 2 a mistake."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from rmeval.cli.exit_codes import ExitCode
from rmeval.cli.shared import options as opt
from rmeval.errors import RmevalError, UsageError

if TYPE_CHECKING:
    from rmeval.eval.gate.check import Gate

_runs, _rules, _output = map(opt.panel, ("Runs", "Rules", "Output"))
_Candidate: TypeAlias = Annotated[Path, _runs("Folder of the run to judge.")]
_Baseline: TypeAlias = Annotated[Path | None, _runs("Folder of the run to compare with.")]
_CommonOnly: TypeAlias = Annotated[bool, _runs("Compare the examples that both runs have.", "--common-only")]
_FailOn: TypeAlias = Annotated[
    list[str] | None,
    _rules(
        "Such as overall:1%, section:Safety:0.02, subset:*:5%, throughput:10%, invalid:0, truncated:0; may be"
        " repeated. Default: overall:0 and section:*:0."
    ),
]
_Alpha: TypeAlias = Annotated[str | None, _rules("Significance level of all rules together. Default: 0.05.")]
_Mode: TypeAlias = Annotated[
    str | None,
    _rules(
        "regression: fail on a significant drop. noninferiority: fail unless the drop is shown to be below the margin."
        " Default: regression."
    ),
]
_Margin: TypeAlias = Annotated[str | None, _rules("Margin of rules with limit 0, for noninferiority: 1%.")]
_Thresholds: TypeAlias = Annotated[Path | None, _rules("YAML of floors, with or without a baseline.")]
_Junit: TypeAlias = Annotated[Path | None, _output("File for JUnit XML.")]
_Markdown: TypeAlias = Annotated[Path | None, _output("File for Markdown, for a pull request.")]
_Report: TypeAlias = Annotated[str | None, _output("Path or address of the HTML comparison, to link to.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", help="Compare a run with a baseline, for CI: exit 1 on a significant regression.")(command)


def command(
    candidate: _Candidate,
    baseline: _Baseline = None,
    common_only: _CommonOnly = False,
    fail_on: _FailOn = None,
    alpha: _Alpha = None,
    mode: _Mode = None,
    margin: _Margin = None,
    thresholds: _Thresholds = None,
    junit: _Junit = None,
    markdown: _Markdown = None,
    report: _Report = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Judge a run by rules, by floors, or by both."""
    from rmeval.eval.gate.check import check
    from rmeval.eval.gate.rules import find_settings, parse_mode, parse_rule, parse_share, read_floors
    from rmeval.eval.numbers.differences import ALPHA
    from rmeval.records import load_run

    if junit is not None and markdown is not None and junit.resolve() == markdown.resolve():
        raise UsageError("--junit and --markdown are the same file")
    with _an_error_is_written(junit, markdown):
        found = find_settings(Path())
        baseline, thresholds = baseline or found.baseline, thresholds or found.thresholds
        if baseline is None and thresholds is None:
            raise UsageError("nothing to compare with: pass --baseline RUN, --thresholds FILE, or both")
        if baseline is None and any(value is not None for value in (fail_on, mode, margin)):
            raise UsageError("--fail-on, --mode and --margin compare with a baseline: pass --baseline RUN")
        gate = check(
            load_run(candidate),
            None if baseline is None else load_run(baseline),
            rules=[parse_rule(rule) for rule in fail_on] if fail_on else found.rules,
            floors=[] if thresholds is None else read_floors(thresholds),
            alpha=parse_share(alpha, "--alpha") if alpha is not None else ALPHA if found.alpha is None else found.alpha,
            mode=(found.mode or "regression") if mode is None else parse_mode(mode, "--mode"),
            margin=found.margin if margin is None else parse_share(margin, "--margin"),
            common_only=common_only,
        )
    _write(gate, junit, markdown, report)
    _print(gate, report, as_json=as_json, verbose=verbose)
    if not gate.passed:
        raise typer.Exit(ExitCode.NO)


@contextmanager
def _an_error_is_written(junit: Path | None, markdown: Path | None) -> Iterator[None]:
    """Write what stopped the check to the files of CI too: an older file there would go on saying that it passed."""
    from rmeval.files import write_own
    from rmeval.reports.gate import files

    try:
        yield
    except Exception as error:
        said = str(error) if isinstance(error, RmevalError) else f"internal error: {type(error).__name__}: {error}"
        with suppress(RmevalError):  # Where they cannot be written either, what came first is what to say.
            if junit is not None:
                write_own(junit, files.junit_of_error(said), files.JUNIT_MARK)
            if markdown is not None:
                write_own(markdown, files.markdown_of_error(said), files.MARKDOWN_MARK)
            if os.environ.get("GITHUB_ACTIONS") == "true":
                print(files.command_of_error(said), file=sys.stderr)
                if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
                    files.append_file(Path(summary), files.markdown_of_error(said))
        raise


def _write(gate: Gate, junit: Path | None, markdown: Path | None, report: str | None) -> None:
    from rmeval.files import write_own
    from rmeval.reports.gate import files

    if junit is not None:
        write_own(junit, files.junit(gate), files.JUNIT_MARK)
    if markdown is not None:
        write_own(markdown, files.markdown(gate, report), files.MARKDOWN_MARK)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            files.append_file(Path(summary), files.markdown(gate, report))
        outputs = os.environ.get("GITHUB_OUTPUT")
        if outputs:
            files.append_file(Path(outputs), files.step_outputs(gate))
        for line in files.workflow_commands(gate):
            print(line, file=sys.stderr)


def _print(gate: Gate, report: str | None, *, as_json: bool, verbose: bool) -> None:
    from rmeval.reports.gate import console as tables

    if as_json:
        print(json.dumps({**tables.as_json(gate), "report": report}, ensure_ascii=False, allow_nan=False))
    else:
        tables.print_gate(gate, report, verbose=verbose)
