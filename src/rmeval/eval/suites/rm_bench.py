"""RM-Bench (Liu et al., 2024, arXiv:2410.16184; ICLR 2025): right and wrong answers in three styles each.

A row has three right and three wrong answers, each concise, detailed, and detailed in markdown, in this order. They
make nine pairs (``scripts/utils.py`` of THU-KEG/RM-Bench): *hard* where the wrong answer's style is the richer one,
*normal* where both have the same, *easy* where the right one's is. A subset is a domain at a level; a domain's number
is the mean of its three levels, the overall number that of the four domains. A level's number is the mean over domains:
a view of the same subsets, so that the mean of the levels is the overall number too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Read, Section, Suite
from rmeval.types import Example

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["RM_BENCH"]

_STYLES = 3
_LEVELS = ("easy", "normal", "hard")
_ROWS = {"chat": 129, "math": 529, "code": 228, "safety": 441}
_ORIGINS = {
    "chat": ("alpacaeval", "mt-bench", "llmbar"),
    "math": ("math",),
    "code": ("hep", "humaneval", "code"),
    "safety": ("xstest", "refusals", "donotanswer", "safety"),
}
"""How the names of the subsets begin that the files of one domain have in the place of the domain."""


def _is_row(row: Mapping[str, object]) -> bool:
    sides = [row.get(side) for side in ("chosen", "rejected")]
    return _told(row) is not None and all(
        isinstance(side, list) and len(side) == _STYLES and isinstance(side[0], str) for side in sides
    )


def _read(rows: Rows) -> Read:
    """Turn rows into pairs, nine a row."""
    from rmeval.data_prep.rows.examples import to_examples, unroll

    named = [
        {**row, "subset": _domain(row, rows.file(index), rows.locate(index))} for index, row in enumerate(rows.rows)
    ]
    examples, findings = to_examples(replace(rows, rows=named), default_subset="")
    for example in examples:
        if not len(example.chosen) == len(example.rejected) == _STYLES:
            found = f"{len(example.chosen)} chosen and {len(example.rejected)} rejected answers"
            raise DataError(f"{rows.locate(example.row)}: {found}; a row of RM-Bench has three of each")
    findings = [each for each in findings if each.code != "several-completions"]
    return [_at_level(pair, place) for place, pair in enumerate(unroll(examples, "grid"))], findings


def _domain(row: Mapping[str, object], file: str, place: str) -> str:
    """Return a row's domain; of the files of one domain, the name says it where no column does."""
    stem = file.replace("\\", "/").rpartition("/")[2].lower()
    words = re.split(r"[^a-z]+", stem) if "domain" not in row else []
    of_file = next((domain for domain in _ROWS if domain in words), None)
    if (found := _told(row) or of_file) is None:
        name, known = row.get("domain", row.get("subset")), ", ".join(_ROWS)
        raise DataError(f"{place}: its domain cannot be told by {name!r}; the column 'domain' is one of {known}")
    return found


def _told(row: Mapping[str, object]) -> str | None:
    """Return the domain that the column ``domain`` says, or in the files of one domain ``subset``."""
    name = row.get("domain", row.get("subset"))
    for domain, origins in _ORIGINS.items():
        if isinstance(name, str) and name.startswith((domain, *origins)):
            return domain
    return None


def _at_level(pair: Example, place: int) -> Example:
    right, wrong = divmod(place % _STYLES**2, _STYLES)
    level = _LEVELS[1 if right == wrong else 0 if right > wrong else 2]
    return replace(pair, subset=f"{pair.subset}-{level}")


RM_BENCH = Suite(
    name="rm-bench",
    title="RM-Bench",
    description="chat, math, code and safety: nine pairs of styles a row, at three levels (THU-KEG/RM-Bench)",
    dataset="THU-KEG/RM-Bench",
    split="train",
    layout=(("*total_dataset.json",), tuple(f"*{domain}*_filtered.json" for domain in _ROWS)),
    is_row=_is_row,
    read=_read,
    weights={
        "equal": {
            **{domain.capitalize(): Section(1, {f"{domain}-{level}": 1 for level in _LEVELS}) for domain in _ROWS},
            **{level.capitalize(): Section(0, {f"{domain}-{level}": 1 for domain in _ROWS}) for level in _LEVELS},
        }
    },
    expected={f"{domain}-{level}": 3 * rows for domain, rows in _ROWS.items() for level in _LEVELS},
    about=About(
        measures=(
            "Whether a model prefers the right answer where the wrong one differs in a detail, and whatever the"
            " style: each row has both in three styles, concise, detailed, and detailed in markdown."
        ),
        reading=(
            "Nine pairs a row: hard where the wrong answer has the richer style, normal where both have the same,"
            " easy where the right one has. A domain is the mean of its three levels, the overall number the mean of"
            " the four domains, and of the three levels too. A model that follows style alone does well in easy and"
            " badly in hard."
        ),
        ties="A tie is wrong, in the source and here.",
        licence="ODC-BY (as the card says)",
        paper="https://arxiv.org/abs/2410.16184",
        source=(
            "https://github.com/THU-KEG/RM-Bench (73c52d7): `--dataset FOLDER_OF_THE_REPOSITORY`, or a file of"
            " data/; the file of all rows is read where it is there, else those of the domains"
        ),
        problems=(
            "Of the rows of its leaderboard that have all seven numbers, 8 of 40 do not fit their own overall number.",
            "Numbers of RM-R1 for three of the nine cells are not measurements of them: its script opens one of"
            " three files twice.",
        ),
        unverified=("the rows of math (529 of the 1,327) and of the file of all rows, which could not be had",),
    ),
)
