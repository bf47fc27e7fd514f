"""Rows that a suite made pairs of, put together again: all answers of a row as one example, for best of n.

A row of RM-Bench is nine examples, each of its three right answers beside each of its three wrong ones. The six answers
are answers to one prompt, so that a pick among them is well defined, though no example holds them all.

Only a whole grid is put together: every right answer of the row beside every wrong one. What ``--subset`` or a limit
left of a row is no sample of its answers, and neither are the pairs that PPE Correctness draws out of 32 answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rmeval.records import RunRecord
from rmeval.types import ScoredExample

__all__ = ["whole_rows"]


def whole_rows(run: RunRecord, scored: Sequence[ScoredExample]) -> Sequence[ScoredExample]:
    """Return the examples, with one in place of the pairs of each whole grid; the pairs of the others are left out.

    An answer that a row has twice counts once. Examples of other rows are returned as they are, and so are all for a
    model whose scores compare within an example only, and after ``--limit-per-subset``, which draws single pairs.

    Args:
        run: Says which row each example is of, and which of their completions are the same.
        scored: Its examples with their scores, in the run's order.
    """
    rows, prompts = (run.examples_table.column(name).to_pylist() for name in ("row", "prompt_hash"))
    groups: dict[tuple[int, str], list[int]] = {}
    for place, key in enumerate(zip(rows, prompts, strict=True)):
        groups.setdefault(key, []).append(place)
    data = run.info.data
    if run.info.model.scale != "pointwise" or len(groups) == len(rows) or data.limit_per_subset is not None:
        return scored
    if data.limit == len(rows):
        groups.popitem()  # The last row may have been cut to a smaller grid.
    hashes = run.examples_table.column("completion_hashes").to_pylist()
    return [
        each
        for places in groups.values()
        for each in _together([scored[place] for place in places], [hashes[place] for place in places])
    ]


def _together(own: Sequence[ScoredExample], hashes: Sequence[Sequence[str]]) -> Sequence[ScoredExample]:
    """Return one example with the answers of a row's pairs, nothing where a pair is missing; lists as they are."""
    if len(own) == 1 or any(len(each) > 2 for each in hashes):
        return own
    right: dict[str, tuple[float, int]] = {}
    wrong: dict[str, tuple[float, int]] = {}
    for pair, (one, other) in zip(own, hashes, strict=True):
        right[one] = pair.chosen[0], pair.chosen_chars[0]
        wrong[other] = pair.rejected[0], pair.rejected_chars[0]
    if len({tuple(each) for each in hashes}) < len(right) * len(wrong):
        return []
    chosen, chosen_chars = _columns(right)
    rejected, rejected_chars = _columns(wrong)
    return [
        replace(
            own[0],
            chosen=chosen,
            rejected=rejected,
            chosen_chars=chosen_chars,
            rejected_chars=rejected_chars,
            unparsed=any(pair.unparsed for pair in own),
        )
    ]


def _columns(answers: Mapping[str, tuple[float, int]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    return tuple(score for score, _ in answers.values()), tuple(chars for _, chars in answers.values())
