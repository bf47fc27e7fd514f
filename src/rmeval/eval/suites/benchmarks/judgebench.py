"""JudgeBench (Tan et al., 2024, arXiv:2410.12784): pairs whose better answer is right and whose other one is wrong.

There are two splits, by who wrote the answers; papers report the first, so each is a suite. A reward model of the
source decides for A only if it scores strictly higher (``utils/judges.py`` of ScalerLab/JudgeBench), so that a tie
counts as B, which may be right. Here a tie is wrong; what it is under the source's rule is given beside the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Having, Read, Section, Suite
from rmeval.eval.suites.credit_rules import ALL_BEAT_ALL, CreditRule
from rmeval.types import Outcome, ScoredExample

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["JUDGEBENCH", "JUDGEBENCH_CLAUDE", "TIES_AS_B"]

_CATEGORIES = {
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
"""How sources begin, and what papers call the category."""
_MAP = {
    "prompt": "question",
    "a": "response_A",
    "b": "response_B",
    "label": "label",
    "chosen-when": "A>B",
    "rejected-when": "B>A",
    "id": "pair_id",
}
_WRITERS = {"gpt": "judgebench", "claude": "judgebench-claude"}
"""How the writers' names begin, and the suite of their answers."""


_CLAUDE = "sha256:dc133acb2239c7925b9b1d9a0f6024edccd095cd39c0d526d29a0151462fbdcf"


def _read(rows: Rows) -> Read:
    """Turn rows into pairs; the tag of one is the place of its right answer, A or B."""
    from rmeval.data_prep.rows.column_map import ColumnMap
    from rmeval.data_prep.rows.examples import to_examples

    named = [
        {**row, "subset": _category(row, rows.locate(place)), "right": row.get("label")}
        for place, row in enumerate(rows.rows)
    ]
    rows, ties = ColumnMap.parse(_MAP).apply(replace(rows, rows=named))
    examples, findings = to_examples(rows, default_subset="")
    tagged = [replace(each, tag=str(rows.rows[each.row]["right"])[0]) for each in examples]
    return tagged, [*ties, *findings]


def _category(row: Mapping[str, object], place: str) -> str:
    source = row.get("source")
    for name in _CATEGORIES:
        if isinstance(source, str) and source.startswith(name):
            return name
    known = ", ".join(_CATEGORIES)
    raise DataError(f"{place}, column 'source': {source!r} is of no category; sources begin with {known}")


def _writer(rows: Rows) -> str | None:
    """Return the suite of those who wrote the answers; None where rows do not say it.

    Raises:
        DataError: if several did.
    """
    names = dict.fromkeys(str(row["response_model"]) for row in rows.rows if row.get("response_model"))
    found = {suite for name in names for start, suite in _WRITERS.items() if name.startswith(start)}
    if len(found) > 1:
        raise DataError(f"{rows.name} has answers of {' and '.join(names)}: JudgeBench counts its two splits apart")
    return next(iter(found), None)


def _ties_as_b(example: ScoredExample) -> Outcome:
    found = ALL_BEAT_ALL.credit(example)
    return replace(found, credit=float(example.tag == "B")) if found.kind == "tie" else found


TIES_AS_B = CreditRule(_ties_as_b, ALL_BEAT_ALL.hangs_on, "right if the right answer scores higher; a tie counts as B")


def _about(writer: str) -> About:
    return About(
        measures=(
            "Whether a model tells the right answer to a hard question of knowledge, reasoning, mathematics or code"
            " from"
            f" a wrong one. Both answers are {writer}'s, so that style gives little away."
        ),
        reading=(
            "The overall number is over all pairs, not a mean of the categories; chance is 50%. Papers"
            " report the gpt split alone; the claude split has a suite of its own, `judgebench-claude`."
        ),
        ties=(
            "In the source a reward model's tie counts as B, which is right where B is the right answer. Here a tie is"
            " wrong, and the number by the source's rule stands beside it as `ties-as-b`. The source shows judges both"
            " orders and counts +1 for a verdict that is right, −1 for its opposite; a sum above 0 is right."
        ),
        licence="MIT (as the card says)",
        paper="https://arxiv.org/abs/2410.12784",
        source=(
            "https://github.com/ScalerLab/JudgeBench (e2c52c2): `--dataset FOLDER_OF_THE_REPOSITORY`, or the split's"
            " file"
        ),
        problems=(
            "By the source's rule for ties a model that cannot tell any two answers apart gets the share of pairs whose"
            " right answer is B: 157 of 350 (gpt), 127 of 270 (claude).",
            "Answers are long: with a small maximum length many lose their beginning.",
        ),
    )


def _suite(name: str, split: str, title: str, writer: str, sizes: tuple[int, ...], fingerprint: str | None) -> Suite:
    return Suite(
        name=name,
        title=title,
        description=f"right and wrong answers of {writer} to hard questions (ScalerLab/JudgeBench, split {split})",
        dataset="ScalerLab/JudgeBench",
        split=split,
        layout=(
            (f"*data/*judgebench,response_model={split}*.jsonl",),
            (f"dataset=judgebench,response_model={split}*.jsonl",),
            (f"*judgebench-{split}.jsonl",),
        ),
        is_row=Having(("question", "source", "response_A", "response_B", "label")),
        sibling=_writer,
        read=_read,
        rules={"ties-as-b": TIES_AS_B},
        weights={"categories": {title: Section(1, {name: 1}) for name, title in _CATEGORIES.items()}},
        overall="examples",
        expected=dict(zip(_CATEGORIES, sizes, strict=True)),
        fingerprint=fingerprint,
        about=_about(writer),
    )


JUDGEBENCH = _suite("judgebench", "gpt", "JudgeBench", "GPT-4o", (154, 98, 56, 42), None)
JUDGEBENCH_CLAUDE = _suite(
    "judgebench-claude", "claude", "JudgeBench (claude)", "Claude 3.5 Sonnet", (154, 51, 34, 31), _CLAUDE
)
