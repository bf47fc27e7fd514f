"""Pairs as token ids, in a file that all processes map into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from rmeval.data_prep.rows.examples import conversations
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.errors import ModelError
from rmeval.files import replacing
from rmeval.types import Example, Progress

__all__ = ["Lost", "lengths", "open_encoded", "unreadable", "write_encoded"]

Lost: TypeAlias = dict[int, str]
"""Place of a pair -> why it cannot be read."""

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
) -> Lost:
    """Encode pairs and write them as an Arrow stream, whole or not at all.

    The columns are those that TRL's ``RewardTrainer`` takes as already tokenized: ``chosen_ids``, ``rejected_ids``
    (lists of int32) and, with margins, ``margin`` (float32).

    Returns:
        The pairs that are left out, because nothing of one of their messages is in what the model reads.

    Raises:
        ModelError: if the chat template fails on one of them, or if all that are left are twice the same tokens.
    """
    lost: Lost = {}
    schema = pa.schema({"chosen_ids": _IDS, "rejected_ids": _IDS} | ({"margin": pa.float32()} if margins else {}))
    with (
        replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        for batch in _batches(pairs, encoder, audit, schema, margins, progress, lost):
            writer.write_batch(batch)
    return lost


def unreadable(pairs: Sequence[Example], encoder: Encoder) -> Lost:
    """Return the pairs of which nothing of a message would be in what a model reads."""
    encoded = encoder.encode(conversations(pairs), Audit())
    return {place: why for place, why in enumerate(map(_lost, encoded, encoded)) if why}  # Two at a time.


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
    lost: Lost,
) -> Iterator[pa.RecordBatch]:
    same = 0
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        encoded = list(encoder.encode(conversations(chunk), audit))
        found = {place: why for place, why in enumerate(map(_lost, encoded[::2], encoded[1::2])) if why}
        lost |= {start + place: why for place, why in found.items()}
        kept = [place for place in range(len(chunk)) if place not in found]
        alike = [place for place in kept if np.array_equal(encoded[2 * place].ids, encoded[2 * place + 1].ids)]
        for place in alike:
            audit.note("same-tokens", chunk[place].id)
        same += len(alike)
        if same and same + len(lost) == start + len(chunk) == len(pairs):
            raise ModelError(
                "chosen and rejected are the same tokens in every pair, so that there is nothing to learn: the chat "
                "template or the tokenizer leaves out what they differ in"
            )
        columns = [_ids([encoded[2 * place + side] for place in kept]) for side in (0, 1)]
        if margins is not None:
            columns.append(pa.array([margins[start + place] for place in kept], pa.float32()))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if progress:
            progress(start + len(chunk), len(pairs))


def _lost(chosen: Encoded, rejected: Encoded) -> str | None:
    return chosen.lost or rejected.lost


def _ids(encoded: Sequence[Encoded]) -> pa.Array:
    return pa.array([item.ids for item in encoded], _IDS)
