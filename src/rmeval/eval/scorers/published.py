"""Scores that somebody published or made: ``--model scores:FILE`` reads them where a model would compute them.

A row has what was scored and what it got:

=====================================  =================================================================================
columns                                what they say
=====================================  =================================================================================
example_id (or id), scores             the scores of an example's completions, right ones first
prompt, scores                         the same by the prompt; several rows of one prompt are taken in order, if all of
                                       their examples are asked for
prompt, completion, score              the score of one completion
=====================================  =================================================================================

``score`` may stand for ``scores``, and a prompt may be called question, problem, instruction, input or query. A prompt
or completion is the text of its one message, or a list of messages. A score may be a list, one number a step, if it is
said how they become one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.data_prep.rows.message_forms import plain
from rmeval.errors import ModelError, UsageError
from rmeval.eval.model_options import Steps
from rmeval.run_info import ModelInfo
from rmeval.types import Finding, Item, Messages, Progress, Scale, Score

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
        self._by_id: dict[str, list[list[float]]] = {}
        self._by_prompt: dict[str, list[list[float]]] = {}
        self._by_text: dict[tuple[str, str], float] = {}
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.info = ModelInfo(f"{PREFIX}{file}", "scores", f"sha256:{digest}")
        self._read(load_rows(str(path)))

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Look every completion up; one that is not there has failed, and its example is invalid."""
        asked = Counter(_text(item.prompt) for item in items)
        seen: Counter[str] = Counter()
        found = []
        for item in items:
            prompt = _text(item.prompt)
            found.append(self._scores(item, seen[prompt], asked[prompt]))
            seen[prompt] += 1
        if items and all(score.status == "failed" for scores in found for score in scores):
            raise ModelError(f"{self.info.name} has no score of any example: its rows are of other ids and prompts")
        return found

    def findings(self) -> Sequence[Finding]:
        """What was noticed up to now: nothing; examples without a score are invalid, and counted as such."""
        return ()

    def _read(self, rows: Rows) -> None:
        for index, row in enumerate(rows.rows):
            place = rows.locate(index)
            value = _parsed(row["scores"] if "scores" in row else row.get("score"))
            name = row["example_id"] if "example_id" in row else row.get("id")
            prompt = next((_key(row[each]) for each in _PROMPTS if _key(row.get(each)) is not None), None)
            completion = _key(row.get("completion"))
            if completion is not None and prompt is not None:
                score = self._number(value, place)
                if self._by_text.setdefault((prompt, completion), score) != score:
                    raise ModelError(f"{place}: another score of the same prompt and completion")
                continue
            if not isinstance(value, list):
                raise ModelError(f"{place}: needs scores, a list, or prompt, completion and score")
            if name is None and prompt is None:
                raise ModelError(f"{place}: needs example_id or prompt, to say what was scored")
            scores = [self._number(each, place) for each in value]
            if name is not None:
                self._by_id.setdefault(str(name), []).append(scores)
            if prompt is not None:
                self._by_prompt.setdefault(prompt, []).append(scores)

    def _number(self, value: object, place: str) -> float:
        if isinstance(value, list) and value and all(_is_number(each) for each in value):
            if self._steps is None:
                raise ModelError(f"{place}: a score is a list of steps: say with --steps how they become one number")
            return float(_REDUCE[self._steps](value))
        if value is None:
            return math.nan
        if not _is_number(value):
            raise ModelError(f"{place}: a score is a {type(value).__name__}, not a number")
        try:
            return float(value)  # type: ignore[arg-type]  # _is_number saw to it.
        except OverflowError:
            raise ModelError(f"{place}: a score is larger than any number of 64 bits") from None

    def _scores(self, item: Item, number: int, asked: int) -> list[Score]:
        """Return the scores of an item, the one with that number of those asked for that have its prompt."""
        prompt = _text(item.prompt)
        own = self._row(self._by_id.get(item.id, []), item, 0, 1)
        own = own or self._row(self._by_prompt.get(prompt, []), item, number, asked)
        if own is None:
            own = [self._by_text.get((prompt, _text(each)), math.nan) for each in item.completions]
        return [Score(each) if math.isfinite(each) else Score(math.nan, status="failed") for each in own]

    def _row(self, rows: Sequence[list[float]], item: Item, number: int, asked: int) -> list[float] | None:
        """Return the scores of a row that is this item's; None where there is none.

        Raises:
            ModelError: if it cannot be told which of several is.
        """
        fit = [row for row in rows if len(row) == len(item.completions)]
        if len(fit) < 2 or all(row == fit[0] for row in fit):
            return fit[0] if fit else None
        if len(fit) != asked:
            raise ModelError(
                f"{self.info.name} has {len(fit)} rows of one id or prompt with other scores, and {asked} such examples"
                f" are asked for (one is {item.id}): give the rows an example_id"
            )
        return fit[number]


def _parsed(value: object) -> object:
    """Return text that is a number or a list, as CSV has it, as what it says."""
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if _is_number(found) or isinstance(found, list) else value


def _key(value: object) -> str | None:
    """Return what tells a prompt or completion apart: its text, or all messages where there are several."""
    if isinstance(value, str):
        return value
    messages = plain(value)
    if not isinstance(messages, list) or not messages or not all(isinstance(each, Mapping) for each in messages):
        return None
    turns = [(each.get("role"), each.get("content")) for each in messages]
    return str(turns[0][1]) if len(turns) == 1 else json.dumps(turns)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(messages: Messages) -> str:
    """Return the same of messages."""
    turns = [(each.role, each.content) for each in messages]
    return turns[0][1] if len(turns) == 1 else json.dumps(turns)
