"""Where a run comes from, as lists to read: everything needed to believe it and to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.reports.run.summary import describe
from rmeval.reports.shell.page import count, decimal
from rmeval.run_info import RunInfo

__all__ = ["FactGroup", "command_line", "provenance"]


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts that belong together."""

    name: str
    facts: Sequence[tuple[str, str]]


def command_line(info: RunInfo) -> str | None:
    """Return the command that repeats a run, its Hub revisions pinned; None where no command made it."""
    if not info.command:
        return None
    command = list(info.command)
    own = info.model.fingerprint.removeprefix("hub:")  # That of an adapter names two commits, none of them asked for.
    model = info.model.revision or (own if own != info.model.fingerprint and "+" not in own else None)
    for option, commit in (("--revision", model), ("--dataset-revision", info.data.revision)):
        if commit:
            command = [*_without(command, option), option, commit]
    return shlex.join(command)


def _without(command: Sequence[str], option: str) -> list[str]:
    """Return a command without an option and its value."""
    kept: list[str] = []
    skip = False
    for part in command:
        if not skip and part != option and not part.startswith(f"{option}="):
            kept.append(part)
        skip = not skip and part == option
    return kept


def provenance(info: RunInfo, path: Path | None) -> list[FactGroup]:
    """Return what a run says of itself; facts that it does not know are left out.

    Args:
        info: What ``run.json`` says.
        path: The run's folder; None for one that is in memory only.
    """
    model, data = info.model, info.data
    groups: list[tuple[str, Mapping[str, object]]] = [
        (
            "Model",
            {
                "name": model.name,
                "kind": model.kind,
                "fingerprint": model.fingerprint,
                "revision": model.revision,
                "architecture": model.architecture,
                "sha256 of its Python code, which ran": model.own_code,
                "weights": None if model.parameters is None else count(model.parameters),
                "dtype": model.dtype,
                "between the layers": model.residual_dtype,
                "device": model.device,
                "path": model.path,
                "why not the fast path": model.why_path,
                "attention": " in ".join(filter(None, (model.attention, model.attention_dtype))) or None,
                "maximum length": None if model.max_length is None else f"{count(model.max_length)} tokens",
                "tokenizer": model.tokenizer,
                "fingerprint of the tokenizer": model.tokenizer_fingerprint,
                "chat template": model.template_source,
                "date for the template": model.template_date,
                "sha256 of the template": model.template_hash,
                "outputs that make the score": ", ".join(
                    f"{weight:g} × {name}" for name, weight in model.outputs.items()
                )
                or None,
                "head": "untrained" if model.untrained_head else model.head,
                "drift": None if info.drift is None else f"{decimal(info.drift, 4)}: margins within it are undecided",
            },
        ),
        (
            "Data",
            {
                "suite": info.suite,
                "weights": info.weights,
                "data set": data.dataset,
                "split": data.split,
                "revision": data.revision,
                "fingerprint": data.fingerprint,
                "examples": count(data.rows),
                "only subsets": ", ".join(data.subsets) or None,
                "limit": None if data.limit is None else count(data.limit),
                "limit per subset": None if data.limit_per_subset is None else count(data.limit_per_subset),
                "added": ", ".join(f"{name}: {revision}" for name, revision in data.added.items()) or None,
            },
        ),
        ("Settings", dict(info.settings)),
        ("Environment", {"rmeval": info.rmeval_version, **info.environment}),
        ("Run", _run(info, path)),
    ]
    return [FactGroup(name, _facts(facts)) for name, facts in groups]


def _run(info: RunInfo, path: Path | None) -> dict[str, str | None]:
    timing, tokens = info.timing, info.accounting
    seconds = {
        "loading": timing.load_seconds,
        "planning": timing.plan_seconds,
        "scoring": timing.scoring_seconds,
        "float32 again": timing.refine_seconds,
    }
    findings = [item for item in info.audit if item.severity == "info"]
    return {
        "folder": str(path) if path else None,
        "created": info.created,
        "time": f"{decimal(timing.total_seconds, 1)} s ("
        + ", ".join(f"{name} {decimal(value, 1)}" for name, value in seconds.items())
        + ")",
        "tokens": None
        if tokens is None
        else f"{count(tokens.given)} given, {count(tokens.distinct)} distinct, {count(tokens.computed)} computed,"
        f" {count(tokens.padded)} with padding",
        "comparisons": None if tokens is None or tokens.comparisons is None else count(tokens.comparisons),
        "from the journal": None
        if tokens is None or not tokens.recalled
        else f"{count(tokens.recalled)} conversations, computed by "
        + "; ".join(f"{origin} ({count(number)})" for origin, number in tokens.recalled_from.items()),
        **{f"sha256 of {name}": digest for name, digest in info.files.items()},
        "findings": "; ".join(describe(item.code, item.count, item.examples) for item in findings) or None,
    }


def _facts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in facts.items() if value is not None]
