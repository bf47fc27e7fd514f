"""A suite that is like none that ships: credit in parts, a formula of its own, a subset in two sections."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rmeval import Suite
from rmeval.eval.scorers.base import Pointwise
from rmeval.eval.suites import Formula, Section
from rmeval.eval.suites.credit_rules import CreditRule
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Outcome, OutcomeKind, Progress, Score, ScoredExample


def credit(example: ScoredExample) -> Outcome:
    """The share of wrong answers that the right one beats."""
    scores = (*example.chosen, *example.rejected)
    if not all(map(math.isfinite, scores)):
        return Outcome("invalid", math.nan)
    gaps = [example.chosen[0] - each for each in example.rejected]
    share = sum(gap > 0 for gap in gaps) / len(gaps)
    kind: OutcomeKind = "right" if share == 1 else "wrong" if share == 0 else "partial"
    return Outcome(kind, min(gaps, key=abs), share)


def ratio(examples: Sequence[ScoredExample], weights: Sequence[float]) -> float:
    """Mean of the right answers' scores over the mean of the best wrong ones', at most 1: no mean of credits."""
    right = sum(weight * each.chosen[0] for each, weight in zip(examples, weights, strict=True))
    wrong = sum(weight * max(each.rejected) for each, weight in zip(examples, weights, strict=True))
    return right / (right + wrong)


TOY = Suite(
    name="toy",
    title="Toy",
    description="a toy",
    rule=CreditRule(
        credit, lambda right, wrong: [((0,), (place,)) for place in range(1, 1 + wrong)], "the share it beats"
    ),
    formulas={"ratio": Formula(ratio, lambda example: example.prompt_hash)},
    weights={
        "only": {
            "Parts": Section(2, {"a": 3, "b": 1}),
            "Ratio": Section(1, {"ratio": 1}),
            "View": Section(0, {"a": 1, "ratio": 1}),
        }
    },
)


class Numbers(Pointwise):
    """Gives each completion the number that it says, times a factor for each subset's letter in the prompt."""

    def __init__(self, name: str, **factors: float) -> None:
        self.info = ModelInfo(name, "script", f"script:{name}")
        self._factors = factors

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        found = []
        for each in conversations:
            factor = self._factors.get(each.prompt[0].content.split()[0], 1.0) if each.index == 0 else 1.0
            found.append(Score(factor * float(each.completion[0].content), 1))
        return found

    def findings(self) -> Sequence[Finding]:
        return []


def rows(n: int = 12) -> list[dict[str, object]]:
    """``n`` rows of each subset. In a and b the right answer beats 0, 1, 2, 3 of three wrong ones in turn."""
    found: list[dict[str, object]] = []
    for subset in ("a", "b"):
        found += [
            {"id": f"{subset}{k}", "subset": subset, "prompt": f"{subset} {k}", "chosen": str(k % 4 + 0.5),
             "rejected": ["1", "2", "3"]}
            for k in range(n)
        ]  # fmt: skip
    found += [
        {"id": f"r{k}", "subset": "ratio", "prompt": f"ratio {k}", "chosen": str(k + 2), "rejected": [str(k + 1), "0"]}
        for k in range(n)
    ]
    return found
