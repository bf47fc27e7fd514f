"""What the finished model reaches on pairs that it was not trained on, each scored once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.eval.evaluate import evaluate
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.shipped import folder_name
from rmeval.files import OutputFolder, write_text
from rmeval.records import WRITTEN, RunRecord, scored_examples
from rmeval.trainer.data.pairs import opening_of
from rmeval.trainer.loop.metrics import pair_metrics
from rmeval.training_info import PairResult
from rmeval.types import Example, Messages, Progress

__all__ = ["HELD_OUT", "overlaps", "report", "write_pairs"]

HELD_OUT = "held-out"


def overlaps(datasets: Sequence[str], train: Sequence[Example]) -> dict[str, int]:
    """Return how many pairs of each data set have a prompt that is among the training pairs.

    Raises:
        RmevalError: if one cannot be read; it is better known before training than after.
    """
    known = {opening_of(example) for example in train}
    return {
        name: sum(opening_of(example) in known for example in to_examples(load_rows(name), default_subset="pairs")[0])
        for name in datasets
    }


def report(
    output: OutputFolder,
    held_out: Sequence[Example],
    datasets: Mapping[str, int],
    options: ModelOptions,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> list[PairResult]:
    """Score the held-out pairs and other data sets with the model in a folder, and write a run of each into it.

    ``datasets`` has for each data set what ``overlaps`` says of it.
    ``rmeval pairs --model MODEL --dataset MODEL/held-out/pairs.jsonl`` gives the same numbers.

    Raises:
        RmevalError: if a data set cannot be read.
    """
    model, folder = output.path, output.path / HELD_OUT
    sets: list[tuple[str, str]] = []
    if held_out:
        pairs = folder / "pairs.jsonl"
        output.claim([f"{HELD_OUT}/{pairs.name}"])
        write_pairs(pairs, held_out)
        sets.append((HELD_OUT, str(pairs)))
    sets += [(name, name) for name in datasets]
    results = []
    for number, (name, dataset) in enumerate(sets):
        place = folder / ("run" if name == HELD_OUT else f"{number}-{_slug(name)}")
        output.claim(f"{HELD_OUT}/{place.name}/{name}" for name in WRITTEN)
        run = evaluate(
            folder_name(model),
            "pairs",
            dataset=dataset,
            model_options=options,
            output_dir=place,
            overwrite=True,
            progress=progress,
        )
        results.append(_result(name, str(place.relative_to(model)), run, datasets.get(name, 0)))
        if note:
            note(_line(results[-1]))
    return results


def write_pairs(path: Path, pairs: Sequence[Example]) -> None:
    """Write pairs as ``rmeval pairs`` reads them: ``id``, ``subset``, and whole conversations."""
    rows = (
        {
            "id": pair.id,
            "subset": pair.subset,
            "chosen": _plain(pair.prompt + pair.chosen[0]),
            "rejected": _plain(pair.prompt + pair.rejected[0]),
            **({"tools": pair.tools} if pair.tools else {}),
        }
        for pair in pairs
    )
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _plain(messages: Messages) -> list[dict[str, object]]:
    return [message.turn() for message in messages]


def _result(name: str, place: str, run: RunRecord, overlap: int) -> PairResult:
    results = run.info.results
    scored = [(each.chosen[0], each.rejected[0]) for each in scored_examples(run)]
    margins = np.array([chosen - rejected for chosen, rejected in scored], dtype=np.float64)
    margins = margins[np.isfinite(margins)]
    overall = results.overall
    return PairResult(
        name=name,
        run=place,
        n=len(margins),
        accuracy=overall.accuracy if overall else None,
        low=overall.low if overall else None,
        high=overall.high if overall else None,
        ties=int((margins == 0).sum()),
        prompts_that_train=overlap,
        reference_lines={line: result.overall for line, result in results.reference_lines.items()},
        metrics=pair_metrics(margins) if len(margins) else {},
        subsets={key: (each.n, each.accuracy, each.low, each.high) for key, each in results.subsets.items()},
    )


def _line(one: PairResult) -> str:
    if one.accuracy is None:
        return f"{one.name}: no pair has finite scores"
    return f"{one.name}: {one.accuracy:.1%} of {one.n:,} pairs, 95% interval {one.low:.1%} to {one.high:.1%}"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem).strip(".-")[-40:] or "pairs"
