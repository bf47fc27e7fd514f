"""RMB (Zhou et al., 2024, arXiv:2410.09893; ICLR 2025): helpful and harmless answers, as pairs and best of n.

A pair is right if the chosen answer scores strictly higher, a list if the best answer beats every loser strictly. Each
of the four goals (pairs and lists, helpful and harmless) is the share over its rows, not a mean of its scenarios. The
repository has no script that puts them together; the number that papers report is the plain mean of the four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Having, Read, Section, Suite

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["RMB"]

_GOALS = {
    "Pairs, helpful": ("Pairwise_set/Helpfulness/*", 10_067),
    "Pairs, harmless": ("Pairwise_set/Harmlessness/*", 7_064),
    "Best of n, helpful": ("BoN_set/Helpfulness/*", 2_109),
    "Best of n, harmless": ("BoN_set/Harmlessness/*", 1_677),
}
"""Title, subsets and rows of each goal."""
_SETS = {"BoN_set": ("bon_uid", "bon_best", "loser_list"), "Pairwise_set": ("pair_uid", "chosen", "reject")}
"""How the paths of a set's scenarios begin, and its columns: the id, the better answer, the worse ones."""


def _read(rows: Rows) -> Read:
    """Turn the rows of both sets into examples; a subset is a scenario, by the path that a row names."""
    from rmeval.data_prep.rows.examples import to_examples

    plain = [_row(row, rows.locate(place)) for place, row in enumerate(rows.rows)]
    examples, findings = to_examples(replace(rows, rows=plain), default_subset="")
    return examples, [each for each in findings if each.code != "several-completions"]


def _row(row: Mapping[str, object], place: str) -> dict[str, object]:
    path = row.get("category_path")
    kind, _, rest = path.partition("/") if isinstance(path, str) else ("", "", "")
    goal = rest.partition("/")[0]
    if kind not in _SETS or goal not in ("Helpfulness", "Harmlessness"):
        raise DataError(
            f"{place}, column 'category_path': {path!r} is no scenario of RMB, such as BoN_set/Harmlessness/S1"
        )
    uid, best, losers = _SETS[kind]
    losers = "rejected" if losers == "reject" and losers not in row else losers  # Copies spell it so.
    turns = row.get("conversation_input")
    if not isinstance(turns, list) or not all(isinstance(each, Mapping) for each in turns):
        raise DataError(f"{place}, column 'conversation_input': expected a list of messages")
    worse = row.get(losers)
    return {
        "id": f"{kind}/{row.get(uid)}",
        "subset": path,
        # Messages name their language as well, which no model is told.
        "prompt": [{key: value for key, value in each.items() if key != "language"} for each in turns],
        "chosen": _answer(row.get(best), best, place),
        "rejected": [_answer(each, losers, place) for each in worse]
        if isinstance(worse, list)
        else _answer(worse, losers, place),
    }


def _answer(value: object, column: str, place: str) -> str:
    text = value.get("answer") if isinstance(value, Mapping) else None
    if not isinstance(text, str):
        raise DataError(f"{place}, column {column!r}: expected an object with the text 'answer'")
    return text


RMB = Suite(
    name="rmb",
    title="RMB",
    description=(
        "helpful and harmless answers in 49 scenarios, pairs and best of n (Zhou-Zoey/RMB-Reward-Model-Benchmark)"
    ),
    layout=(("*Pairwise_set/*.json", "*BoN_set/*.json"), ("*.json",)),
    is_row=Having(("conversation_input", "category_path")),
    read=_read,
    weights={"goals": {title: Section(1, {subsets: 1}) for title, (subsets, _) in _GOALS.items()}},
    expected=dict(_GOALS.values()),
    about=About(
        measures=(
            "Whether a model prefers the more helpful, or the more harmless, of answers that many models gave to what"
            " people really asked, in 37 scenarios of help and 12 of harm: between two answers, and between one best"
            " answer and several worse ones."
        ),
        reading=(
            "Four goals: pairs and best of n, helpful and harmless. A goal's number is the share over its rows; the"
            " overall number is the plain mean of the four. A subset is a scenario. Best of n is the harder one: the"
            " best answer must beat every other."
        ),
        ties="A tie is wrong, in the source and here: the better answer must score strictly higher.",
        licence="none: the repository has no licence file",
        paper="https://arxiv.org/abs/2410.09893",
        source=(
            "https://github.com/Zhou-Zoey/RMB-Reward-Model-Benchmark (2be3180), not on the Hub:"
            " `--dataset FOLDER_OF_THE_REPOSITORY`, or any folder or file in it"
        ),
        problems=(
            "The authors' code falls back to the template of another model without saying so, computes in float16 and"
            " keeps the last 2,048 tokens: published numbers of long conversations need not repeat.",
        ),
        unverified=(
            "how many rows the two sets of pairs have: 10,067 helpful and 7,064 harmless follow from published numbers"
            " and were not counted",
            "the mean of the four goals as the overall number: the repository has no script for it; this is how"
            " RM-R1 does it",
        ),
    ),
)
