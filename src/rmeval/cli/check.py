"""``rmeval check``: did this model get worse? Exit 0 no, 1 yes, 2 a mistake."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli import options as opt
from rmeval.errors import UsageError

if TYPE_CHECKING:
    from rmeval.eval.gate.check import Gate

_RUNS, _RULES, _OUTPUT = "Runs", "Rules", "Output"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", help="Compare a run with a baseline, for CI: exit 1 if it got worse, and not by chance.")(
        command
    )


def command(
    candidate: Annotated[Path, typer.Option(help="Folder of the run to judge.", rich_help_panel=_RUNS)],
    baseline: Annotated[
        Path | None, typer.Option(help="Folder of the run to compare with.", rich_help_panel=_RUNS)
    ] = None,
    common_only: Annotated[
        bool,
        typer.Option("--common-only", help="Compare the examples that both runs have.", rich_help_panel=_RUNS),
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as overall:1%, section:Safety:0.02, subset:*:5%, throughput:10%, invalid:0, truncated:0; may be"
            " repeated. Default: overall:0 and section:*:0.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option(help="How often all rules together may fail by chance. Default: 0.05.", rich_help_panel=_RULES),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="regression: fail on a drop that is shown. noninferiority: fail unless a drop below the margin is"
            " shown. Default: regression.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option(help="Margin of rules with limit 0, for noninferiority: 1%.", rich_help_panel=_RULES),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="YAML of floors, with or without a baseline.", rich_help_panel=_RULES),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="File for JUnit XML.", rich_help_panel=_OUTPUT)] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="File for Markdown, for a pull request.", rich_help_panel=_OUTPUT)
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(help="Path or address of the HTML comparison, to link to.", rich_help_panel=_OUTPUT),
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Judge a run by rules, by floors, or by both."""
    from rmeval.eval.gate.check import check
    from rmeval.eval.gate.rules import find_settings, parse_mode, parse_rule, parse_share, read_floors
    from rmeval.eval.numbers.differences import ALPHA
    from rmeval.records import load_run

    if baseline is None and thresholds is None:
        raise UsageError("nothing to compare with: pass --baseline RUN, --thresholds FILE, or both")
    if baseline is None and any(value is not None for value in (fail_on, mode, margin)):
        raise UsageError("--fail-on, --mode and --margin compare with a baseline: pass --baseline RUN")
    found = find_settings(Path())
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
    _print(gate, report, as_json)
    if not gate.passed:
        raise typer.Exit(1)


def _write(gate: Gate, junit: Path | None, markdown: Path | None, report: str | None) -> None:
    from rmeval.files import write_text
    from rmeval.reports.gate import files

    if junit is not None:
        write_text(junit, files.junit(gate))
    if markdown is not None:
        write_text(markdown, files.markdown(gate, report))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            files.append_file(Path(summary), files.markdown(gate, report))
        for line in files.workflow_commands(gate):
            print(line, file=sys.stderr)


def _print(gate: Gate, report: str | None, as_json: bool) -> None:
    from rmeval.reports.gate import console as tables

    if as_json:
        print(json.dumps({**tables.as_json(gate), "report": report}, ensure_ascii=False, allow_nan=False))
    else:
        tables.print_gate(gate, report)
