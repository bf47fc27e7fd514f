"""RewardBench 2 (Malik et al., 2025, arXiv:2506.01937).

Five subsets are best of four: the right completion stands first and gets 1/k if it shares the highest score with k in
all (``rewardbench/utils.py`` of that package). The sixth, Ties, asks that all right answers be told from all wrong ones
by more than they differ among themselves. Its prompts come in two kinds with the same number: ``ref:<n>`` has one right
answer, ``tied:<n>`` has several. With M a prompt's lowest right score minus its highest wrong one, and D the spread of
its right ones, its number is

    0.30 · share of tied prompts with M > 0
  + 0.30 · share of ref prompts with M > 0
  + 0.20 · share of numbers with M_tied > D_tied
  + 0.20 · share of numbers with min(M_ref, M_tied) > D_tied
  + 0.01 · mean of tanh(min(M_ref, M_tied) / D_tied − 1),

at most 1.01; x/0 is ±infinite, 0/0 counts 0. The last three are over numbers that have both prompts. The overall number
is the plain mean of the six subsets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Formula, Read, Section, Suite
from rmeval.eval.suites.credit_rules import ALL_BEAT_ALL, FIRST_IS_BEST, CreditRule
from rmeval.types import Example, Outcome, ScoredExample

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["REWARDBENCH2", "ties"]

_TIES = "Ties"
_BEST_OF_4 = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495}
_SUBSETS = {**_BEST_OF_4, _TIES: 102}
_KINDS = ("ref", "tied")


def _read(rows: Rows) -> Read:
    """Turn rows into examples; the tag of one of Ties is its own id, which says its number and its kind."""
    from rmeval.data_prep.rows.examples import to_examples

    examples, findings = to_examples(rows, default_subset=_TIES)
    # Several completions are what the benchmark is made of, and ids that repeat between subsets are told apart.
    findings = [each for each in findings if each.code != "several-completions"]
    examples = [replace(each, tag=_tag(each, rows)) if each.subset == _TIES else each for each in examples]
    seen: set[str] = set()
    for each in examples:
        if each.tag and each.tag in seen:
            raise DataError(f"{rows.locate(each.row)}, column 'id': {each.tag!r} is there twice")
        seen.add(each.tag)
    return examples, findings


def _tag(example: Example, rows: Rows) -> str:
    from rmeval.data_prep.rows.reader import mend

    tag = mend(str(rows.rows[example.row].get("id", "")))
    kind, _, number = tag.partition(":")
    if kind not in _KINDS or not number:
        raise DataError(f"{rows.locate(example.row)}, column 'id': {tag!r}: of Ties it is ref:NUMBER or tied:NUMBER")
    return tag


@dataclass(frozen=True, slots=True)
class _Prompt:
    """One prompt of Ties."""

    gap: float
    """M: lowest right score minus highest wrong one."""
    spread: float
    """D: highest right score minus lowest."""
    right: int
    """Right completions."""
    weight: float


def ties(examples: Sequence[ScoredExample], weights: Sequence[float]) -> float:
    """Return the number of Ties; the formula is at the top of the module.

    Args:
        examples: Valid examples; their tags are ``ref:<n>`` or ``tied:<n>``.
        weights: Of each, alike for all examples of a number.
    """
    prompts: dict[str, dict[str, _Prompt]] = {kind: {} for kind in _KINDS}
    for example, weight in zip(examples, weights, strict=True):
        kind, _, number = example.tag.partition(":")
        gap, spread = min(example.chosen) - max(example.rejected), max(example.chosen) - min(example.chosen)
        prompts[kind][number] = _Prompt(gap, spread, len(example.chosen), weight)
    ref, tied = prompts["ref"], prompts["tied"]
    # Of one right answer there is no spread.
    both = [(ref[number], each) for number, each in tied.items() if number in ref and each.right > 1]
    own = [each.weight for _, each in both]
    nearest = [min(one.gap, several.gap) for one, several in both]
    spreads = [several.spread for _, several in both]
    return (
        0.30 * _mean([each.gap > 0 for each in tied.values()], [each.weight for each in tied.values()])
        + 0.30 * _mean([each.gap > 0 for each in ref.values()], [each.weight for each in ref.values()])
        + 0.20 * _mean([several.gap > several.spread for _, several in both], own)
        + 0.20 * _mean([gap > spread for gap, spread in zip(nearest, spreads, strict=True)], own)
        + 0.01 * _mean([_margin(gap, spread) for gap, spread in zip(nearest, spreads, strict=True)], own)
    )


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted mean; 0 of nothing."""
    total = math.fsum(weights)
    return math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else 0.0


def _margin(gap: float, spread: float) -> float:
    """Return tanh(gap / spread − 1), with 0/0 counting 0."""
    if spread == 0:
        return math.copysign(1.0, gap) if gap else 0.0
    return math.tanh(gap / spread - 1)


def _credit(example: ScoredExample) -> Outcome:
    """Judge an example; of Ties it is shown whether all right answers beat all wrong ones, which counts in no mean."""
    return (ALL_BEAT_ALL if example.subset == _TIES else FIRST_IS_BEST).credit(example)


def _number(example: ScoredExample) -> str:
    return example.tag.partition(":")[2]


REWARDBENCH2 = Suite(
    name="rewardbench2",
    title="RewardBench 2",
    description="best of four in five subsets, and answers that tie (allenai/reward-bench-2)",
    dataset="allenai/reward-bench-2",
    split="test",
    revision="7ff08853b0d5686e79b13fda8677024f566a104a",
    is_row=lambda row: {"chosen", "rejected", "num_correct", "total_completions", "subset"} <= set(row),
    read=_read,
    rule=CreditRule(_credit, FIRST_IS_BEST.hangs_on, FIRST_IS_BEST.meaning),
    formulas={_TIES: Formula(ties, _number)},
    weights={"equal": {name: Section(1, {name: n}) for name, n in _SUBSETS.items()}},
    expected=_SUBSETS,
    about=About(
        measures=(
            "Whether a model finds the one right answer among four, to new prompts of factuality, precise"
            " instructions, mathematics, safety and focus; and whether it scores several right answers (Ties) closer"
            " to each other than to wrong ones."
        ),
        reading=(
            "A subset is the share of prompts whose right answer has the highest score, a quarter by chance; Ties"
            " has a formula of its own, whose greatest value is 1.01 (`rmeval.eval.suites.rewardbench2`). The overall"
            " number is the plain mean of the six."
        ),
        ties=(
            "The right answer gets 1/k if k answers share the highest score and it is one of them, in the source and"
            " here. In Ties a right answer that scores as high as a wrong one does not beat it."
        ),
        licence="ODC-BY",
        paper="https://arxiv.org/abs/2506.01937",
        source="https://github.com/allenai/reward-bench (05a9005); the data is on the Hub alone",
        problems=(
            "The authors' script cuts at 2,048 tokens on the right and computes in float16 by default; some owners"
            " ask for 16,384 tokens.",
            "In the files of published results the rows of Ties have best-of-n credits, whose mean is not the number"
            " of Ties.",
            "In 179 of 188 files of published scores the first ten ids of Factuality are shifted: join them by"
            " position.",
            "Published numbers of judges cannot be repeated: six times the same command, up to 4 points apart a"
            " subset.",
        ),
        unverified=("the rows, which could not be had when the suite was written",),
    ),
)
