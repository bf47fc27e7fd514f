"""Units of rows become columns of pairs: what each worker does with a batch.

Columns, not rows: a list of messages is two flat lists and an offset, which Arrow takes as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from rmeval.data_prep.rows.files import Row, reason
from rmeval.data_prep.rows.reader import mend
from rmeval.data_prep.sources import Source
from rmeval.data_prep.sources.base import Dropped, Pair
from rmeval.data_prep.text.normalise import pair_opening
from rmeval.errors import DataError
from rmeval.types import Message, Messages

__all__ = ["MESSAGES", "PAIRS", "Tally", "decode_pairs", "encode_units", "make_pairs"]

MESSAGES = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
PAIRS = pa.schema(
    {
        "chosen": MESSAGES,  # whole conversations, the prompt at their start
        "rejected": MESSAGES,
        "prompt_messages": pa.int32(),  # how many messages the prompt has
        "group": pa.string(),
        "key": pa.string(),
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
        "digest": pa.string(),  # of prompt and completions
        "opening": pa.string(),
        "prompt_chars": pa.int64(),
        "chosen_chars": pa.int64(),  # without the prompt
        "rejected_chars": pa.int64(),
    }
)
"""A pair, with what is needed to choose among pairs without reading their text again."""
_DIGEST = 16  # hex digits: two of a million different pairs share them once in 40 million builds


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some rows."""

    rows: int = 0
    used_rows: int = 0
    candidates: int = 0
    dropped_rows: Mapping[str, int] = field(default_factory=dict)
    dropped_pairs: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def total(tallies: Iterable[Tally]) -> Tally:
        """Return the sum, its reasons in order of their names."""
        numbers: Counter[str] = Counter()
        rows: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for each in tallies:
            numbers.update(rows=each.rows, used_rows=each.used_rows, candidates=each.candidates)
            rows.update(each.dropped_rows)
            pairs.update(each.dropped_pairs)
        return Tally(
            numbers["rows"],
            numbers["used_rows"],
            numbers["candidates"],
            dict(sorted(rows.items())),
            dict(sorted(pairs.items())),
        )


def encode_units(units: Sequence[Sequence[Row]]) -> str:
    """Return units as JSON text that Arrow can hold, whatever the rows hold.

    Half a surrogate pair, which no text file can hold, becomes U+FFFD here, before any rule looks at it; a date, bytes
    or a decimal number of a Parquet file becomes its text.

    Raises:
        DataError: if a row is nested too deeply.
    """
    try:
        return mend(json.dumps(units, ensure_ascii=False, separators=(",", ":"), default=str))
    except (RecursionError, ValueError) as error:
        raise DataError(f"a row that cannot be written as JSON ({reason(error)})") from error


def make_pairs(units: Sequence[Sequence[Row]], source: Source) -> tuple[pa.Table, Tally]:
    """Apply a source's rules to units; return the pairs, with the columns ``PAIRS``, and what became of the rows.

    Raises:
        RuntimeError: if the source breaks its promise that each row is dropped or takes part: its code is wrong.
    """
    pairs: list[Pair] = []
    dropped: dict[str, Counter[str]] = {"row": Counter(), "pair": Counter()}
    rows = candidates = used = 0
    for unit in units:
        made = list(source.pairs(unit))
        kept = [each for each in made if isinstance(each, Pair)]
        lost = [each for each in made if isinstance(each, Dropped)]
        lost_rows = sum(each.unit == "row" for each in lost)
        if lost_rows > len(unit) or (lost_rows == len(unit)) != (lost_rows == len(made)):
            raise RuntimeError(f"source {source.name}: {lost_rows} of {len(unit)} rows dropped, {len(kept)} pairs made")
        for each in lost:
            dropped[each.unit][each.reason] += 1
        pairs += kept
        rows += len(unit)
        used += len(unit) - lost_rows
        candidates += len(made) - lost_rows
    return _table(pairs), Tally(rows, used, candidates, dict(dropped["row"]), dict(dropped["pair"]))


def decode_pairs(rows: pa.Table) -> Iterator[Pair]:
    """Yield the pairs of rows that have at least the first three columns of ``PAIRS``; their groups are left out."""
    numbers = rows.column("prompt_messages").to_pylist()
    roles = (_texts(rows.column(name).combine_chunks()) for name in ("chosen", "rejected"))
    for number, chosen, rejected in zip(numbers, *roles, strict=True):
        conversation, other = tuple(map(Message, *chosen)), tuple(map(Message, *(each[number:] for each in rejected)))
        yield Pair(conversation[:number], conversation[number:], other, group="")


def _texts(conversations: pa.ListArray) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the roles and the contents of each conversation."""
    messages = conversations.flatten()
    roles, contents = (messages.field(name).to_pylist() for name in ("role", "content"))
    start = 0
    for length in conversations.value_lengths().to_pylist():
        yield roles[start : start + length], contents[start : start + length]
        start += length


def _table(pairs: Sequence[Pair]) -> pa.Table:
    chosen = [pair.prompt + pair.chosen for pair in pairs]
    rejected = [pair.prompt + pair.rejected for pair in pairs]
    columns = {
        "chosen": _messages(chosen),
        "rejected": _messages(rejected),
        "prompt_messages": [len(pair.prompt) for pair in pairs],
        "group": [mend(pair.group) for pair in pairs],
        "key": [mend(pair.key) for pair in pairs],
        "chosen_score": [pair.chosen_score for pair in pairs],
        "rejected_score": [pair.rejected_score for pair in pairs],
        "digest": [_digest(pair) for pair in pairs],
        "opening": _openings(pairs),
        "prompt_chars": [_chars(pair.prompt) for pair in pairs],
        "chosen_chars": [_chars(pair.chosen) for pair in pairs],
        "rejected_chars": [_chars(pair.rejected) for pair in pairs],
    }
    return pa.table(columns, PAIRS)


def _messages(conversations: Sequence[Messages]) -> pa.Array:
    offsets = [0]
    for each in conversations:
        offsets.append(offsets[-1] + len(each))
    roles = pa.array([message.role for each in conversations for message in each], pa.string())
    contents = pa.array([message.content for each in conversations for message in each], pa.string())
    messages = pa.StructArray.from_arrays([roles, contents], fields=list(MESSAGES.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), messages, type=MESSAGES)


def _openings(pairs: Sequence[Pair]) -> list[str]:
    """Return each pair's opening; pairs of one prompt are neighbours, and share it."""
    openings: list[str] = []
    for number, pair in enumerate(pairs):
        same = number > 0 and pair.prompt and pair.prompt == pairs[number - 1].prompt
        openings.append(openings[-1] if same else pair_opening(pair.prompt, pair.chosen))
    return openings


def _digest(pair: Pair) -> str:
    """Return hex digits of a SHA-256 over a pair's text; numbers and lengths keep what is next to each other apart."""
    parts = []
    for messages in (pair.prompt, pair.chosen, pair.rejected):
        parts.append(f"{len(messages)}\n")
        parts += [f"{len(each.role)},{len(each.content)}\n{each.role}{each.content}" for each in messages]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:_DIGEST]


def _chars(messages: Messages) -> int:
    return sum(len(message.content) for message in messages)
