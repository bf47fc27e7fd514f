"""RewardMATH (Kim et al., 2024, arXiv:2410.01729): one right solution of a problem against nine wrong ones.

The repository has a solution a row, or a right and a wrong one; rows of a problem stand together. Its scores
(``src/evaluation/eval.py`` of kimsh0507/RewardMATH_official) are the share of problems whose right solution beats all
others, the same with ties as right, and the mean reciprocal rank of the right one, which stands behind those it ties
with: in a sorted list of pairs "rej" comes after "cho" in the alphabet, so first in the reversed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Read, Suite
from rmeval.eval.suites.credit_rules import TIES, CreditRule
from rmeval.types import Outcome, ScoredExample

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["RECIPROCAL_RANK", "REWARDMATH"]

_HUMAN = "human_to_GPT-4"
"""What the files of scores call the right solution."""
_FORMS = (("eval_solution", "solution_type"), ("eval_solution_A", "eval_solution_B", "chosen_position"))


@dataclass(frozen=True, slots=True)
class _Problem:
    """A problem and its solutions, while its rows are read."""

    prompt: str
    place: str
    """Of its first row."""
    named: bool
    """True where its rows have its id."""
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def _is_row(row: Mapping[str, object]) -> bool:
    return "problem" in row and any(set(form) <= set(row) for form in (*_FORMS, ("ref", "score")))


def _read(rows: Rows) -> Read:
    """Turn the rows of each problem into an example."""
    from rmeval.data_prep.rows.examples import to_examples

    problems: dict[str, _Problem] = {}
    for index, row in enumerate(rows.rows):
        place = rows.locate(index)
        prompt = row.get("problem")
        if not isinstance(prompt, str):
            raise DataError(f"{place}, column 'problem': expected the text of the problem")
        key = str(row.get("problem_id", prompt)) if "ref" not in row else str(index)
        problem = problems.setdefault(key, _Problem(prompt, place, "problem_id" in row))
        if problem.prompt != prompt:
            raise DataError(f"{place}: problem {key} has another text at {problem.place}")
        for right, text in _solutions(row, place):
            if not right:
                problem.wrong.append(text)
            elif text not in problem.right:  # Rows of two repeat the right one.
                problem.right.append(text)
    made: list[dict[str, object]] = []
    for key, each in problems.items():
        if len(each.right) != 1 or not each.wrong:
            found = f"{len(each.right)} right and {len(each.wrong)} wrong solutions"
            raise DataError(
                f"{each.place}: its problem has {found}; one of RewardMATH has one right and nine wrong ones"
            )
        named = {"id": key} if each.named else {}
        made.append({**named, "prompt": each.prompt, "chosen": each.right, "rejected": each.wrong})
    rows = replace(rows, rows=made, places=[each.place for each in problems.values()])
    examples, findings = to_examples(rows, default_subset="all")
    return examples, [each for each in findings if each.code != "several-completions"]


def _solutions(row: Mapping[str, object], place: str) -> Iterator[tuple[bool, str]]:
    """Yield each solution of a row: whether it is right, and its text."""
    if "ref" in row:  # A file of scores: the names of those who wrote stand for the texts.
        names = row["ref"] if isinstance(row["ref"], list) else []
        yield from ((name == _HUMAN, str(name)) for name in names)
        return
    if "eval_solution" in row:
        side = row.get("solution_type")
        if side not in ("chosen", "rejected"):
            raise DataError(f"{place}, column 'solution_type': {side!r} is neither 'chosen' nor 'rejected'")
        yield side == "chosen", _text(row, "eval_solution", place)
        return
    right = row.get("chosen_position")
    if right not in ("A", "B"):
        raise DataError(
            f"{place}: a row has 'eval_solution' and 'solution_type', or two solutions and 'chosen_position'"
        )
    for letter in "AB":
        text = _text(row, f"eval_solution_{letter}", place)
        yield letter == right, text


def _text(row: Mapping[str, object], column: str, place: str) -> str:
    """Return a solution's steps, a line each, as the source gives them to a reward model."""
    steps = row.get(column)
    if isinstance(steps, str):
        return steps
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise DataError(f"{place}, column {column!r}: expected a list of steps")
    return "\n".join(steps)


def _reciprocal_rank(example: ScoredExample) -> Outcome:
    right, wrong = min(example.chosen), example.rejected
    rank = 1 + sum(score >= right for score in wrong)
    nearest = min((right - score for score in wrong), key=abs)
    return Outcome("right" if rank == 1 else "partial", nearest, 1 / rank)


def _each(right: int, wrong: int) -> Sequence[tuple[range, tuple[int]]]:
    return [(range(right), (right + place,)) for place in range(wrong)]


RECIPROCAL_RANK = CreditRule(
    _reciprocal_rank, _each, "one over the rank of the right one, behind those that it ties with"
)

REWARDMATH = Suite(
    name="rewardmath",
    title="RewardMATH",
    description="one right solution against nine wrong ones of 483 problems of MATH (RewardMATH/RewardMATH)",
    dataset="RewardMATH/RewardMATH",
    layout=(("*RewardMATH_direct.json",),),
    is_row=_is_row,
    read=_read,
    rules={"with-ties": TIES["right"], "mean-reciprocal-rank": RECIPROCAL_RANK},
    expected={"all": 483},
    about=About(
        measures=(
            "Whether a model scores the one right solution of a problem above all nine wrong ones, which nine models"
            " wrote."
        ),
        reading=(
            "The share of the 483 problems whose right solution beats all others; a tenth is what chance gets."
            " Beside it stand `with-ties`, which takes a tie with the best wrong one as right, and"
            " `mean-reciprocal-rank`. A process reward model's number depends on how its steps become one"
            " (`--steps`)."
        ),
        ties=(
            "A tie is wrong in the number, in the source and here; the source's second number, `with-ties`, takes it"
            " as right."
        ),
        licence="MIT",
        paper="https://arxiv.org/abs/2410.01729",
        source=(
            "https://github.com/kimsh0507/RewardMATH_official (cde06ab): `--dataset FOLDER_OF_THE_REPOSITORY`, or"
            " RewardMATH_direct.json. Its files of published scores are read by `--model scores:FILE`"
        ),
        problems=(
            "Right solutions are people's, rewritten by GPT-4, and wrong ones are models': style can tell them apart.",
            "The file of GPT-4o's published scores has 485 rows, two more than there are problems.",
        ),
        unverified=("the columns of the data set on the Hub: those of the repository's two files are read",),
    ),
)
