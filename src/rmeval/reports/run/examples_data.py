"""The examples of one or more runs as JSON for the browser: numbers in one value, texts in another.

Arrays run over examples, or over completions in the order of the examples (*flat*). Numbers are rounded to seven
significant digits, which is what float32 has; outcomes and margins are computed before that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypedDict, TypeVar

from rmeval.eval.numbers.compare import pair
from rmeval.records import RunRecord
from rmeval.reports.run.arrays import UNKNOWN, RunArrays

__all__ = ["ExamplesIndex", "ExamplesText", "examples_index", "examples_text", "first_line"]

_T = TypeVar("_T")
_LETTERS = {"right": "r", "wrong": "w", "tie": "t", "partial": "p", "invalid": "i", "unparsed": "u"}
ABSENT = "-"
"""Stands for an outcome where a run lacks the example."""


class RunNumbers(TypedDict):
    """One run's numbers."""

    label: str
    unit: str
    """What ``tokens`` counts."""
    outcomes: str
    """A letter an example: ``r`` right, ``w`` wrong, ``t`` tie, ``p`` partly right, ``i`` invalid, ``u`` unparsed,
    ``-`` not in this run."""
    undecided: list[int]
    """Places of the examples whose margin is within the dtype's drift."""
    margins: list[float | None]
    scores: list[float | None]
    """Flat; None where it is not finite or not there."""
    tokens: list[int | None]
    """Flat."""
    truncated: list[int]
    """Flat places of truncated completions."""
    refined: list[int]
    """Flat places of scores that were computed again in float32."""
    notes: dict[int, str]
    """What the scorer said of completions, by their flat place; of most it says nothing."""


class ExamplesIndex(TypedDict):
    """What the list of examples needs."""

    ids: list[str]
    rows: list[int]
    """Positions in the data set."""
    subsets: list[str]
    subset: list[int]
    """Index into ``subsets``."""
    chosen: list[int]
    """How many of the example's completions are right; they come first."""
    completions: list[int]
    """How many it has."""
    prompt_hashes: list[str] | None
    """Only where there are no texts."""
    hashes: list[str] | None
    """Flat; only where there are no texts."""
    chars: list[int]
    """Flat: characters of each completion."""
    runs: list[RunNumbers]


class ExamplesText(TypedDict):
    """The texts; a message is [role, content]."""

    prompts: list[list[list[str]]]
    """Distinct prompts; the tools beside a prompt are a message before it."""
    prompt: list[int]
    """Index into ``prompts``."""
    completions: list[list[list[str]]]
    """Distinct completions: examples of a grid share theirs."""
    completion: list[int]
    """Flat: index into ``completions``."""


def examples_index(
    runs: Sequence[RunRecord], arrays: Sequence[RunArrays], labels: Sequence[str], *, with_text: bool
) -> ExamplesIndex:
    """Return the numbers of the first run's examples, as each run has them.

    Args:
        runs: The runs.
        arrays: The same runs as arrays.
        labels: What to call each.
        with_text: False to add hashes in place of the texts.

    Raises:
        UsageError: if another run has none of the first one's examples.
    """
    first = runs[0].examples_table
    names = first.column("subset").to_pylist()
    subsets = {name: place for place, name in enumerate(dict.fromkeys(names))}
    counts = [len(each.chosen) + len(each.rejected) for each in arrays[0].scored]
    return {
        "ids": first.column("example_id").to_pylist(),
        "rows": first.column("row").to_pylist(),
        "subsets": list(subsets),
        "subset": [subsets[name] for name in names],
        "chosen": [len(each.chosen) for each in arrays[0].scored],
        "completions": counts,
        "prompt_hashes": None if with_text else first.column("prompt_hash").to_pylist(),
        "hashes": None if with_text else _flat(first.column("completion_hashes").to_pylist()),
        "chars": _flat(first.column("completion_chars").to_pylist()),
        "runs": [
            _numbers(run, own, _places(runs[0], run), counts, label)
            for run, own, label in zip(runs, arrays, labels, strict=True)
        ],
    }


def _flat(lists: Sequence[Sequence[_T]]) -> list[_T]:
    return [item for items in lists for item in items]


def examples_text(runs: Sequence[RunRecord]) -> ExamplesText | None:
    """Return the texts of the first run's examples, from the first run that has kept them all; None where none has."""
    wanted = runs[0].examples_table.column("example_id").to_pylist()
    for run in runs:
        if {"prompt", "completions"} <= set(run.examples_table.column_names):
            kept = {"example_id", "prompt", "completions", "tools"}
            table = run.examples_table.select([name for name in run.examples_table.column_names if name in kept])
            rows = {row["example_id"]: row for row in table.to_pylist()}
            shared = _places(runs[0], run)
            if None not in shared:
                return _texts([rows[each] for each in wanted])
    return None


def first_line(texts: ExamplesText, place: int) -> str:
    """Return the beginning of an example's last user message, on one line, as the page's list of examples shows it."""
    messages = texts["prompts"][texts["prompt"][place]]
    asked = [content for role, content in messages if role == "user"] or [content for _, content in messages]
    return " ".join(asked[-1][:240].split())[:180] if asked else ""


def _texts(rows: Sequence[dict[str, str]]) -> ExamplesText:
    prompts: dict[tuple[str, str], int] = {}
    prompt = [prompts.setdefault((row["prompt"], row.get("tools") or ""), len(prompts)) for row in rows]
    texts: dict[str, int] = {}
    answers = [json.dumps(each) for row in rows for each in json.loads(row["completions"])]
    completion = [texts.setdefault(text, len(texts)) for text in answers]
    return {
        "prompts": [[["tools", tools]] * bool(tools) + _messages(json.loads(text)) for text, tools in prompts],
        "prompt": prompt,
        "completions": [_messages(json.loads(text)) for text in texts],
        "completion": completion,
    }


def _messages(items: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [[item["role"], _shown(item)] for item in items]


def _shown(item: dict[str, Any]) -> str:
    """Return a message's content, and below it what else the chat template could read, such as calls of tools."""
    more = {key: value for key, value in item.items() if key not in ("role", "content")}
    shown = [item["content"] or ""] * bool(item["content"] or not more)
    return "\n".join([*shown, json.dumps(more, ensure_ascii=False)] if more else shown)


def _places(first: RunRecord, run: RunRecord) -> list[int | None]:
    """Return where each of the first run's examples is in another run; None where that run lacks it."""
    ids = first.examples_table.column("example_id").to_pylist()
    if run is first:
        return list(range(len(ids)))
    own = {name: place for place, name in enumerate(run.examples_table.column("example_id").to_pylist())}
    shared = {ours.id for ours, _ in pair(first, run, common_only=True)[0]}
    return [own[name] if name in shared else None for name in ids]


def _numbers(
    run: RunRecord, arrays: RunArrays, places: Sequence[int | None], counts: Sequence[int], label: str
) -> RunNumbers:
    rows = run.scores_table.select(["truncated", "refined"]).to_pydict()
    notes = run.scores_table.column("note").to_pylist() if "note" in run.scores_table.column_names else []
    drift = run.info.drift
    starts = [0, *accumulate(len(each.chosen) + len(each.rejected) for each in arrays.scored)]
    flat: list[int | None] = []
    for place, size in zip(places, counts, strict=True):
        flat += [None] * size if place is None else range(starts[place], starts[place] + size)
    own = [None if place is None else arrays.outcomes[place] for place in places]
    return {
        "label": label,
        "unit": "characters" if run.info.model.kind == "baseline" else "tokens",
        "outcomes": "".join(ABSENT if each is None else _LETTERS[each.kind] for each in own),
        "undecided": [
            number
            for number, (place, each) in enumerate(zip(places, own, strict=True))
            if place is not None
            and each is not None
            and drift is not None
            and abs(each.margin) <= drift
            and not arrays.scored[place].exact
        ],
        "margins": [None if each is None else _short(each.margin) for each in own],
        "scores": [None if place is None else _short(float(arrays.completion_score[place])) for place in flat],
        "tokens": [None if place is None else _known(int(arrays.completion_tokens[place])) for place in flat],
        "truncated": [number for number, place in enumerate(flat) if place is not None and rows["truncated"][place]],
        "refined": [number for number, place in enumerate(flat) if place is not None and rows["refined"][place]],
        "notes": {n: notes[place] for n, place in enumerate(flat) if notes and place is not None and notes[place]},
    }


def _known(tokens: int) -> int | None:
    return None if tokens == UNKNOWN else tokens


def _short(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None
