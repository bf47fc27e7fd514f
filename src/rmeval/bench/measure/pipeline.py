"""The engine beside the model card's pipeline: the same rows, the same dtype, rounds in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import transformers

from rmeval.bench.measure.ceiling import clock
from rmeval.bench.subjects.model import DoesNotFitError, Subject
from rmeval.bench.subjects.rows import RequestRow, Texts
from rmeval.bench_info import PipelineInfo
from rmeval.data_prep.text.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.engine.execute import out_of_memory

_MOST = 50
"""Pairs of rounds at the most."""
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long the pipeline takes."""

    rounds: int
    median: float
    low: float
    """Quartiles of the ratios of neighbouring rounds."""
    high: float
    ours: float
    """Median seconds."""
    theirs: float

    @property
    def verdict(self) -> Literal["faster", "slower", "none"]:
        """``none`` where the quartiles lie on both sides of 1: an inconclusive difference."""
        return "faster" if self.low > 1 else "slower" if self.high < 1 else "none"

    def info(self, cell: str) -> PipelineInfo:
        """Return it as ``bench.json`` has it, with the name of the cell."""
        return {
            "cell": cell,
            "rounds": self.rounds,
            "median": self.median,
            "low": self.low,
            "high": self.high,
            "ours": self.ours,
            "theirs": self.theirs,
            "verdict": self.verdict,
        }


def load_pipeline(model: str, texts: Texts, dtype: str, device: torch.device) -> Callable[..., object]:
    """Load what a model card tells its readers to.

    Args:
        model: Its folder.
        texts: Whose tokenizer is used.
        dtype: A dtype of torch.
        device: Where to.

    Raises:
        DoesNotFitError: if memory is short.
        ModelError: if transformers cannot make a pipeline of it.
    """
    make: Any = transformers.pipeline  # Its overloads know not every tokenizer.
    log: Any = transformers.logging
    log.disable_progress_bar()
    try:
        with _as_result():
            made: Callable[..., object] = make(
                "text-classification", model=model, tokenizer=texts.tokenizer, dtype=dtype, device=device
            )
            return made
    finally:
        log.enable_progress_bar()


@contextmanager
def _as_result() -> Iterator[None]:
    """Turn whatever the pipeline raises into what a sweep goes on from."""
    try:
        yield
    except DoesNotFitError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise DoesNotFitError("the pipeline does not fit into memory") from None
        raise ModelError(f"the pipeline fails: {' '.join(str(error).split())[:200]}") from None


def score_both(
    subject: Subject,
    classify: Callable[..., object],
    texts: Texts,
    rows: Sequence[RequestRow],
    device: torch.device,
    max_time: float,
) -> Ratio:
    """Time one request both ways, tokenization included on either side.

    Args:
        subject: The engine's side.
        classify: The pipeline.
        texts: Encodes the conversations.
        rows: The request.
        device: Where both run.
        max_time: Seconds for the rounds.

    Raises:
        DoesNotFitError: if memory is short.
        ModelError: if the pipeline fails, such as for want of a pad token.
    """
    items = [row.conversation for row in rows if row.conversation is not None]
    limit = texts.encoder.max_length
    prompts = [texts.encoder.text(item, Audit()) for item in items]

    def ours() -> object:
        encoded = texts.encoder.encode(items, Audit())
        return subject.request([RequestRow(each) for each in encoded])

    def theirs() -> object:
        return classify(prompts, function_to_apply="none", batch_size=len(prompts), truncation=True, max_length=limit)

    with _as_result():
        return compare_times(ours, theirs, clock(device), max_time)


def compare_times(
    ours: Callable[[], object], theirs: Callable[[], object], now: Callable[[], float], max_time: float
) -> Ratio:
    """Time two things in turn, each first every other time, after one warm-up of both.

    Neighbouring rounds share what else the machine does, so their ratio is steadier than either time.
    """
    times: tuple[list[float], list[float]] = [], []
    works = ours, theirs
    for work in works:
        work()
    began = now()
    while len(times[0]) < _FEWEST or (now() - began < max_time and len(times[0]) < _MOST):
        for which in (0, 1) if len(times[0]) % 2 == 0 else (1, 0):
            start = now()
            works[which]()
            times[which].append(now() - start)
        if now() - began > 2 * max_time:
            break
    ratios = np.array(times[1]) / np.array(times[0])
    low, median, high = (float(value) for value in np.percentile(ratios, (25, 50, 75)))
    return Ratio(len(ratios), median, low, high, statistics.median(times[0]), statistics.median(times[1]))
