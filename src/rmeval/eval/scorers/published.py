"""Scores that somebody published or made: ``--model scores:FILE`` reads them where a model would compute them.

A row has what was scored and what it got:

=====================================  =================================================================================
columns                                what they say
=====================================  =================================================================================
example_id (or id), scores             the scores of an example's completions, right ones first
prompt, scores                         the same by the prompt's text; rows of one prompt are taken in order
prompt, completion, score              the score of one completion
=====================================  =================================================================================

``score`` may stand for ``scores``, and a prompt may be called question, problem, instruction, input or query. A score
may be a list, one number a step, if it is said how they become one.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from rmeval.data_prep.rows import Rows, load_rows
from rmeval.errors import ModelError, UsageError
from rmeval.eval.scorers.options import Steps
from rmeval.types import Finding, Item, Messages, ModelInfo, Progress, Scale, Score

__all__ = ["PREFIX", "PublishedScores"]

PREFIX = "scores:"
_PROMPTS = ("prompt", "question", "problem", "instruction", "input", "query")
_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "prod": math.prod,
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "last": lambda steps: steps[-1],
}


class PublishedScores:
    """Looks scores up in a file.

    Raises:
        DataError: if the file cannot be read.
        ModelError: if its rows have no scores, or not of anything.
    """

    scale: Scale = "pointwise"

    def __init__(self, file: str, steps: Steps | None = None) -> None:
        path = Path(file).expanduser()
        if not path.is_file():
            raise UsageError(f"no file of scores: {file}")
        if steps is not None and steps not in get_args(Steps):
            raise UsageError(f"--steps takes {', '.join(get_args(Steps))}, not {steps!r}")
        self._steps = steps
        self._by_id: dict[str, deque[list[float]]] = {}
        self._by_prompt: dict[str, deque[list[float]]] = {}
        self._by_text: dict[tuple[str, str], float] = {}
        self._read(load_rows(str(path)))
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.info = ModelInfo(f"{PREFIX}{file}", "scores", f"sha256:{digest}")

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Look every completion up; one that is not there has failed, and its example is invalid."""
        found = [self._scores(item) for item in items]
        if items and all(score.status == "failed" for scores in found for score in scores):
            raise ModelError(f"{self.info.name} has no score of any example: its rows are of other ids and prompts")
        return found

    def findings(self) -> Sequence[Finding]:
        """What was noticed up to now: nothing; examples without a score are invalid, and counted as such."""
        return ()

    def _read(self, rows: Rows) -> None:
        for index, row in enumerate(rows.rows):
            place = rows.locate(index)
            value = row["scores"] if "scores" in row else row.get("score")
            name = row["example_id"] if "example_id" in row else row.get("id")
            prompt = next((row[each] for each in _PROMPTS if isinstance(row.get(each), str)), None)
            if isinstance(row.get("completion"), str) and isinstance(prompt, str):
                self._by_text[prompt, str(row["completion"])] = self._number(value, place)
                continue
            scores = [self._number(each, place) for each in value] if isinstance(value, list) else None
            if scores is None:
                raise ModelError(f"{place}: needs scores, a list, or prompt, completion and score")
            if name is not None:
                self._by_id.setdefault(str(name), deque()).append(scores)
            if isinstance(prompt, str):
                self._by_prompt.setdefault(prompt, deque()).append(scores)
            if name is None and prompt is None:
                raise ModelError(f"{place}: needs example_id or prompt, to say what was scored")

    def _number(self, value: object, place: str) -> float:
        if isinstance(value, list) and value and all(_is_number(each) for each in value):
            if self._steps is None:
                raise ModelError(f"{place}: a score is a list of steps: say with --steps how they become one number")
            return float(_REDUCE[self._steps](value))
        if value is None:
            return math.nan
        if not _is_number(value):
            raise ModelError(f"{place}: a score is a {type(value).__name__}, not a number")
        return float(value)  # type: ignore[arg-type]  # _is_number saw to it.

    def _scores(self, item: Item) -> list[Score]:
        own = self._row(self._by_id, item.id, item) or self._row(self._by_prompt, _text(item.prompt), item)
        if own is None:
            prompt = _text(item.prompt)
            texts = [_text(each) for each in item.completions]
            own = [self._by_text.get((prompt, each), math.nan) for each in texts]
        return [Score(each) if math.isfinite(each) else Score(math.nan, status="failed") for each in own]

    @staticmethod
    def _row(rows: dict[str, deque[list[float]]], name: str, item: Item) -> list[float] | None:
        """Return the scores of a row that is this item's: of several, the first that was not taken yet."""
        left = rows.get(name)
        if not left or len(left[0]) != len(item.completions):
            return None
        return left.popleft() if len(left) > 1 else left[0]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(messages: Messages) -> str:
    """Return the text of the last message: of a prompt in one turn, or of an answer, all that it says."""
    return messages[-1].content if messages else ""
