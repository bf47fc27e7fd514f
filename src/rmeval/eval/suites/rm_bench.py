"""RM-Bench (Liu et al., 2024, arXiv:2410.16184; ICLR 2025): right and wrong answers in three styles each.

A row has three right and three wrong answers, each concise, detailed, and detailed in markdown, in this order. They
make nine pairs (``scripts/utils.py`` of THU-KEG/RM-Bench): *hard* where the wrong answer's style is the richer one,
*normal* where both have the same, *easy* where the right one's is. A subset is a domain at a level; a domain's number
is the mean of its three levels, the overall number that of the four domains. A level's number is the mean over domains:
a view of the same subsets, so that the mean of the levels is the overall number too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import Read, Section, Suite
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


def _read(rows: Rows) -> Read:
    """Turn rows into pairs, nine a row."""
    from rmeval.data_prep.rows.examples import to_examples, unroll

    named = [{**row, "subset": _domain(row, rows.locate(index))} for index, row in enumerate(rows.rows)]
    examples, findings = to_examples(replace(rows, rows=named), default_subset="")
    for example in examples:
        if not len(example.chosen) == len(example.rejected) == _STYLES:
            found = f"{len(example.chosen)} chosen and {len(example.rejected)} rejected answers"
            raise DataError(f"{rows.locate(example.row)}: {found}; a row of RM-Bench has three of each")
    findings = [each for each in findings if each.code != "several-completions"]
    return [_at_level(pair, place) for place, pair in enumerate(unroll(examples, "grid"))], findings


def _domain(row: Mapping[str, object], place: str) -> str:
    """Return a row's domain: by its column ``domain``, or in the files of one domain by ``subset``."""
    name = row.get("domain", row.get("subset"))
    for domain, origins in _ORIGINS.items():
        if isinstance(name, str) and name.startswith((domain, *origins)):
            return domain
    known = ", ".join(_ROWS)
    raise DataError(f"{place}: its domain cannot be told by {name!r}; the column 'domain' is one of {known}")


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
    read=_read,
    weights={
        "equal": {
            **{domain.capitalize(): Section(1, {f"{domain}-{level}": 1 for level in _LEVELS}) for domain in _ROWS},
            **{level.capitalize(): Section(0, {f"{domain}-{level}": 1 for domain in _ROWS}) for level in _LEVELS},
        }
    },
    expected={f"{domain}-{level}": 3 * rows for domain, rows in _ROWS.items() for level in _LEVELS},
)
