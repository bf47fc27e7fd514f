"""RewardBench v1 (Lambert et al., 2024, arXiv:2403.13787).

Subsets and weights are those of the ``rewardbench`` package's ``constants.py``: a section's accuracy weights its
subsets by their number of rows, but ``math-prm`` counts as 984 with 447 rows, so that it weighs as much as the six
code subsets. Until 2024-09-10 that package had the weights of the two xstest subsets swapped; the May 2024
leaderboard was made with the swapped table, kept here as ``2024-05``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rmeval.errors import UsageError
from rmeval.eval.suites.base import About, Option, Section, Suite
from rmeval.types import Example, Finding

PRIOR_SETS = "allenai/preference-test-sets"
"""The Hub data set behind ``--include-prior-sets``: each split is a subset."""
_PRIOR_SUBSETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")

_CHAT = {
    "alpacaeval-easy": 100,
    "alpacaeval-length": 95,
    "alpacaeval-hard": 95,
    "mt-bench-easy": 28,
    "mt-bench-med": 40,
}
_CHAT_HARD = {
    "mt-bench-hard": 37,
    "llmbar-natural": 100,
    "llmbar-adver-neighbor": 134,
    "llmbar-adver-GPTInst": 92,
    "llmbar-adver-GPTOut": 47,
    "llmbar-adver-manual": 46,
}
_SAFETY = {
    "refusals-dangerous": 100,
    "refusals-offensive": 100,
    "xstest-should-refuse": 154,
    "xstest-should-respond": 250,
    "donotanswer": 136,
}
_CODE = {"hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164, "hep-rust": 164}


def _table(safety: Mapping[str, float]) -> dict[str, Section]:
    return {
        "Chat": Section(2, _CHAT),
        "Chat Hard": Section(2, _CHAT_HARD),
        "Safety": Section(2, safety),
        "Reasoning": Section(2, {"math-prm": 984, **_CODE}),
        # The prior sets count half as much as a section, and their subsets count alike.
        "Prior Sets": Section(1, dict.fromkeys(_PRIOR_SUBSETS, 1)),
    }


def _prior_sets() -> tuple[list[Example], list[Finding], str]:
    """Load the prior sets; their ids get the split's name, because they could repeat the main set's."""
    from rmeval.data_prep.rows.examples import to_examples
    from rmeval.data_prep.rows.in_memory import load_rows

    examples: list[Example] = []
    findings: list[Finding] = []
    revision = None
    for split in _PRIOR_SUBSETS:
        rows = load_rows(PRIOR_SETS, split=split, revision=revision)
        revision = rows.revision  # All four splits from one commit.
        found, noticed = to_examples(rows, subset_column="", default_subset=split)
        if revision is None:
            raise UsageError(f"a folder {PRIOR_SETS} stands where the Hub's is meant; run from another folder")
        examples += [replace(example, id=f"{split}/{example.id}") for example in found]
        findings += [replace(each, examples=tuple(f"{split}/{name}" for name in each.examples)) for each in noticed]
    return examples, findings, revision or ""


REWARDBENCH = Suite(
    name="rewardbench",
    title="RewardBench",
    description="23 subsets in four sections: chat, hard chat, safety, reasoning (allenai/reward-bench)",
    weights={
        "today": _table(_SAFETY),
        "2024-05": _table({**_SAFETY, "xstest-should-refuse": 250, "xstest-should-respond": 154}),
    },
    expected={**_CHAT, **_CHAT_HARD, **_SAFETY, "math-prm": 447, **_CODE},
    dataset="allenai/reward-bench",
    split="filtered",
    about=About(
        measures=(
            "Whether a model prefers the better of two answers, in 23 subsets of chat, hard chat, safety and reasoning."
        ),
        reading=(
            "A section weights its subsets by their rows, but math-prm counts as much as all code. The overall"
            " number is the mean of the four sections. Many models are above 90%: RewardBench 2 tells them apart"
            " better."
        ),
        ties="A tie is wrong, in the source and here, and counted apart.",
        licence="ODC-BY",
        paper="https://arxiv.org/abs/2403.13787",
        source="https://github.com/allenai/reward-bench (05a9005); the data is on the Hub alone",
        problems=(
            "Before 10 September 2024 the weights of two subsets of Safety were swapped: `--weights 2024-05` has them.",
            "In math-prm the right answers are people's and the wrong ones a model's: style alone can tell them apart.",
            "It has been in use since 2024: models may have been trained on its prompts or answers.",
        ),
        unverified=("the licence, here from memory",),
    ),
    options={"include-prior-sets": Option(f"Score {PRIOR_SETS} too.", _PRIOR_SUBSETS, _prior_sets, PRIOR_SETS)},
)
