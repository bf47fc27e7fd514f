"""Pairs as token ids, in a file that all processes map into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from rmeval.data_prep.audit import Audit
from rmeval.data_prep.encode import Encoded, Encoder
from rmeval.data_prep.examples import conversations
from rmeval.errors import ModelError
from rmeval.files import replacing
from rmeval.types import Example, Progress

__all__ = ["lengths", "open_encoded", "write_encoded"]

_CHUNK = 500
"""Pairs encoded and written at a time."""
_IDS = pa.list_(pa.int32())


def write_encoded(
    path: Path,
    pairs: Sequence[Example],
    encoder: Encoder,
    audit: Audit,
    *,
    margins: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> None:
    """Encode pairs and write them as an Arrow stream, whole or not at all.

    The columns are those that TRL's ``RewardTrainer`` takes as already tokenized: ``chosen_ids``, ``rejected_ids``
    (lists of int32) and, with margins, ``margin`` (float32).

    Raises:
        ModelError: if the chat template fails on one of them or writes nothing of a message, or if all are twice the
            same tokens.
    """
    schema = pa.schema({"chosen_ids": _IDS, "rejected_ids": _IDS} | ({"margin": pa.float32()} if margins else {}))
    with (
        replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        for batch in _batches(pairs, encoder, audit, schema, margins, progress):
            writer.write_batch(batch)


def open_encoded(path: Path) -> Dataset:
    """Map encoded pairs into memory."""
    return Dataset.from_file(str(path))


def lengths(pairs: Dataset) -> NDArray[np.int64]:
    """Return the tokens of chosen and rejected: shape (pairs, 2)."""
    table = pairs.data.table
    columns = [pc.list_value_length(table.column(name)).to_numpy() for name in ("chosen_ids", "rejected_ids")]
    return np.stack(columns, axis=1).astype(np.int64)


def _batches(
    pairs: Sequence[Example],
    encoder: Encoder,
    audit: Audit,
    schema: pa.Schema,
    margins: Sequence[float] | None,
    progress: Progress | None,
) -> Iterator[pa.RecordBatch]:
    same = 0
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        encoded = list(encoder.encode(conversations(chunk), audit))
        same += _check(chunk, encoded, audit)
        if same == start + len(chunk) == len(pairs):
            raise ModelError(
                "chosen and rejected are the same tokens in every pair, so that there is nothing to learn: the chat "
                "template or the tokenizer leaves out what they differ in"
            )
        columns = [_ids(encoded[::2]), _ids(encoded[1::2])]
        if margins is not None:
            columns.append(pa.array(margins[start : start + len(chunk)], pa.float32()))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if progress:
            progress(start + len(chunk), len(pairs))


def _check(pairs: Sequence[Example], encoded: Sequence[Encoded], audit: Audit) -> int:
    """See that nothing of a pair is lost on its way to the model; return how many are twice the same tokens."""
    same = 0
    for pair, chosen, rejected in zip(pairs, encoded[::2], encoded[1::2], strict=True):
        if lost := chosen.lost or rejected.lost:
            raise ModelError(f"pair {pair.id} cannot train: {lost}; mend the row or leave it out")
        if np.array_equal(chosen.ids, rejected.ids):
            same += 1
            audit.note("same-tokens", pair.id)
    return same


def _ids(encoded: Sequence[Encoded]) -> pa.Array:
    return pa.array([item.ids for item in encoded], _IDS)
