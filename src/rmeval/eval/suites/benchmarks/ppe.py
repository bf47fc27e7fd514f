"""PPE, Preference Proxy Evaluations (Frick et al., 2024, arXiv:2410.14872): people's preferences, and right answers.

*Preference* is the share of people's votes between two answers that a model agrees with; rows that are ties are left
out. *Correctness* is over pairs of a right and a wrong answer among 32 to a prompt of five benchmarks: each set is the
share of its sampled pairs whose right answer scores higher, the overall number the mean of the five.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Having, Part, Read, Section, Suite
from rmeval.types import Finding

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["PPE_CORRECTNESS", "PPE_PREFERENCE"]

_GROUPS = {
    "is_code": "code",
    "is_refusal": "refusal",
    "hard_prompt": "hard prompt",
    "easy_prompt": "easy prompt",
    "if_prompt": "instruction following",
    "math_prompt": "math",
}
"""Columns that are true of a row's prompt, and what the group is called."""
_TRUE = ("true", "1", "1.0")
"""How a copy of the data may write it."""
_MAP = {
    "prompt": "prompt",
    "a": "response_1",
    "b": "response_2",
    "label": "winner",
    "chosen-when": "model_a",
    "rejected-when": "model_b",
    "id": "question_id",
    "subset": "language",
}
_SETS = {
    "mmlu-pro": ("MMLU-Pro", "lmarena-ai/PPE-MMLU-Pro-Best-of-K", "d3a309b"),
    "math": ("MATH", "lmarena-ai/PPE-MATH-Best-of-K", "c46ce3c"),
    "gpqa": ("GPQA", "lmarena-ai/PPE-GPQA-Best-of-K", "2f85cea"),
    "ifeval": ("IFEval", "lmarena-ai/PPE-IFEval-Best-of-K", "a4f7fae"),
    "mbpp-plus": ("MBPP-Plus", "lmarena-ai/PPE-MBPP-Plus-Best-of-K", "afa8146"),
}
"""Title, Hub data set and commit of each set of correctness."""
_PAPER = "https://arxiv.org/abs/2410.14872"
_UNVERIFIED = (
    "the authors' own code, which could not be had: how ties of scores and repeated pairs count there, and how they put"
    " numbers together",
    "the commits, of which the first seven digits are known, where any is",
    "the rows: none could be had when the suite was written, so that it was tested on rows made by its published"
    " columns",
)


def _read_votes(rows: Rows) -> Read:
    from rmeval.data_prep.rows.column_map import ColumnMap
    from rmeval.data_prep.rows.examples import to_examples

    rows, ties = ColumnMap.parse(_MAP).apply(rows)
    examples, findings = to_examples(rows, default_subset="")
    return [replace(each, tag=_tag(rows.rows[each.row])) for each in examples], [*ties, *findings]


def _tag(row: Mapping[str, object]) -> str:
    return "\n".join(name for column, name in _GROUPS.items() if str(row.get(column)).lower() in _TRUE)


def _read_pairs(rows: Rows) -> Read:
    """Turn each sampled pair of a row into an example."""
    from rmeval.data_prep.rows.examples import to_examples
    from rmeval.data_prep.text.audit import finding

    pairs: list[dict[str, object]] = []
    places: list[str] = []
    equal: list[str] = []
    for index, row in enumerate(rows.rows):
        place = rows.locate(index)
        part = _part(row, rows.name, rows.file(index), place)
        for number, (right, wrong) in enumerate(_sampled(row, place)):
            name = f"{part}/{row.get('question_id', index)}/{row.get('model_name', '')}/{number}"
            labels = _score(row, right, place), _score(row, wrong, place)
            if labels[0] == labels[1]:
                equal.append(name)
                continue
            better, worse = (right, wrong) if labels[0] > labels[1] else (wrong, right)
            places.append(place)
            pairs.append(
                {
                    "id": name,
                    "subset": part,
                    "prompt": row.get("prompt"),
                    "chosen": row.get(f"response_{better + 1}"),
                    "rejected": row.get(f"response_{worse + 1}"),
                }
            )
    if not pairs:
        raise DataError(f"{rows.name}: no row has a pair of answers with other labels in 'sampled_conflict_pairs'")
    noticed: list[Finding] = [finding("label-ties", len(equal), tuple(equal[:5]))] if equal else []
    examples, findings = to_examples(replace(rows, rows=pairs, places=places), default_subset="")
    return examples, [*noticed, *findings]


def _part(row: Mapping[str, object], data: str, file: str, place: str) -> str:
    """Return the set that a row is of: by the column ``part``, its file's path in the data, or the data's name."""
    if isinstance(part := row.get("part"), str) and part in _SETS:
        return part
    for path in (file.removeprefix(data), data.rstrip("/").rpartition("/")[2]):
        words = path.lower().replace("_", "-")
        found = [name for name in _SETS if name in words] or [each for each in _SETS if each.partition("-")[0] in words]
        if len(found) == 1:
            return found[0]
    known = ", ".join(_SETS)
    raise DataError(
        f"{place}: which set of PPE Correctness is it of? Its file or folder has one of these names: {known}"
    )


def _sampled(row: Mapping[str, object], place: str) -> list[tuple[int, int]]:
    pairs = row.get("sampled_conflict_pairs")
    found = []
    for pair in pairs if isinstance(pairs, list) else [] if pairs is None else [None]:
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(each) is int and each >= 0 for each in pair):
            raise DataError(f"{place}, column 'sampled_conflict_pairs': expected a list of two places each")
        found.append((pair[0], pair[1]))
    return found


def _score(row: Mapping[str, object], answer: int, place: str) -> float:
    scores = row.get("scores")
    found = scores[answer] if isinstance(scores, list) and answer < len(scores) else None
    if not isinstance(found, int | float) or not math.isfinite(found):
        raise DataError(f"{place}, column 'scores': no number for answer {answer + 1} of 'sampled_conflict_pairs'")
    return float(found)


PPE_PREFERENCE = Suite(
    name="ppe-preference",
    title="PPE Preference",
    description="people's votes between two answers in 121+ languages (lmarena-ai/PPE-Human-Preference-V1)",
    dataset="lmarena-ai/PPE-Human-Preference-V1",
    split="test",
    is_row=Having(("winner", "response_1", "response_2", "language")),
    read=_read_votes,
    views=tuple(_GROUPS.values()),
    about=About(
        measures=(
            "How often a model prefers the answer that a person preferred, in single turns of Chatbot Arena between 20"
            " models, in many languages."
        ),
        reading=(
            "The share over all votes that are no ties. A subset is a language; groups of prompts (code, math, hard,"
            " easy, instruction following, refusals) stand beside them and overlap. People disagree: a perfect model"
            " does not reach 100%."
        ),
        ties=(
            "Votes that are ties are left out and counted. A tie of scores is wrong here; what it is in the source"
            " is unverified."
        ),
        licence="user prompts CC-BY-4.0, answers under the terms of their models; for evaluation only",
        paper=_PAPER,
        source="https://github.com/lmarena/PPE",
        problems=("People's votes follow style and length as well as substance.",),
        unverified=(*_UNVERIFIED, "how many of the 16,038 rows are no ties"),
    ),
)
PPE_CORRECTNESS = Suite(
    name="ppe-correctness",
    title="PPE Correctness",
    description="right and wrong answers among 32 to prompts of five benchmarks (lmarena-ai/PPE-*-Best-of-K)",
    parts={name: Part(hub, "train", revision) for name, (_, hub, revision) in _SETS.items()},
    layout=(("*.parquet",), ("*.jsonl", "*.json")),
    is_row=Having(("scores", "sampled_conflict_pairs")),
    read=_read_pairs,
    weights={"equal": {title: Section(1, {name: 1}) for name, (title, _, _) in _SETS.items()}},
    about=About(
        measures=(
            "Whether a model scores a right answer above a wrong one of the same model to the same prompt, where"
            " right is checked by a program: 512 prompts each of MMLU-Pro, MATH, GPQA, IFEval and MBPP-Plus, 32"
            " answers a prompt."
        ),
        reading=(
            "Each set is the share of its sampled pairs whose right answer scores higher, the overall number the"
            " mean of the five; chance is 50%. Pairs of one prompt are not independent; the intervals know"
            " it."
        ),
        ties=(
            "Pairs whose answers have the same label are left out and counted. A tie of scores is wrong here; what"
            " it is in the source is unverified."
        ),
        licence="user prompts CC-BY-4.0, answers under the terms of their models; for evaluation only",
        paper=_PAPER,
        source=(
            "https://github.com/lmarena/PPE; a local copy is a folder with a file or folder a set, whose names have"
            " mmlu-pro, math, gpqa, ifeval and mbpp-plus in them"
        ),
        problems=(
            "Sampled pairs can repeat, also with their members the other way around: each counts as often as it is"
            " there, as in the loaders of others; `duplicate-rows` says how many do.",
        ),
        unverified=(*_UNVERIFIED, "how many pairs each set has"),
    ),
)
