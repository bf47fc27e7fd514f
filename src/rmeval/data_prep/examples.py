"""Rows become examples: three forms of rows, one shape of example.

=============================  =======================================================================================
columns                        prompt and completions
=============================  =======================================================================================
prompt, chosen, rejected       the prompt is a string (one user message) or messages; completions are strings (one
                               assistant message) or messages, which may repeat the prompt's at their start
chosen, rejected               message lists; the prompt is their longest common beginning
chosen, rejected               hh-rlhf transcripts; parsed, then the same
=============================  =======================================================================================

``chosen`` and ``rejected`` may each be a list of several completions.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from rmeval.data_prep.audit import finding
from rmeval.data_prep.row_reader import RowReader, mend
from rmeval.data_prep.rows import Rows
from rmeval.errors import DataError
from rmeval.types import Conversation, Example, Finding, Messages

__all__ = ["conversations", "fingerprint", "to_examples"]


def to_examples(
    rows: Rows, *, subset_column: str = "subset", default_subset: str
) -> tuple[list[Example], list[Finding]]:
    """Turn every row into an example, in order.

    Args:
        rows: the data set.
        subset_column: the column that names a row's subset.
        default_subset: the subset of all rows where there is no such column.

    Returns:
        As many examples as rows, and what was noticed: ``duplicate-rows``, ``identical-completions`` and
        ``invalid-unicode``, all warnings.

    Raises:
        DataError: if a column is missing or a value is not what it should be; the message names row and column.
    """
    columns = rows.columns
    for column in ("chosen", "rejected"):
        if column not in columns:
            raise DataError(f"{rows.name} has no column {column!r} (it has: {', '.join(map(repr, columns)) or 'none'})")
    contents = []
    broken: list[int] = []  # rows with text that is not Unicode
    for index, row in enumerate(rows.rows):
        reader = RowReader(row, rows.locate(index))
        subset = reader.text(subset_column) if subset_column in columns else default_subset
        contents.append((subset, *reader.sides(explicit="prompt" in columns)))
        if reader.mended:
            broken.append(index)
    digests = [_digest(*content) for content in contents]
    ids = _column_ids(rows) or _numbered(digests)
    examples = [Example(ids[row], row, *content) for row, content in enumerate(contents)]
    return examples, _findings(examples, digests, broken)


def conversations(examples: Iterable[Example]) -> list[Conversation]:
    """Return every completion as a conversation, in data-set order, right completions of an example first."""
    return [
        Conversation(example.prompt, completion, example.id, index)
        for example in examples
        for index, completion in enumerate(example.completions)
    ]


def fingerprint(examples: Iterable[Example]) -> str:
    """Return ``sha256:<digest>`` over ids, subsets and all messages, in order."""
    digest = hashlib.sha256()
    for example in examples:
        content = _content(example.subset, example.prompt, example.chosen, example.rejected)
        digest.update(_canonical({"id": example.id, **content}) + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _column_ids(rows: Rows) -> list[str] | None:
    """Return the values of the ``id`` column, or None where one is missing, empty or not unique."""
    values = [row.get("id") for row in rows.rows]
    if any(not isinstance(value, (str, int)) or isinstance(value, bool) or value == "" for value in values):
        return None
    ids = [mend(str(value)) for value in values]
    return ids if len(set(ids)) == len(ids) else None


def _numbered(digests: Iterable[str]) -> list[str]:
    """Return the first 16 digits of each digest; the second with the same ones gets ``#2``, and so on."""
    seen: Counter[str] = Counter()
    ids = []
    for digest in digests:
        short = digest[:16]
        seen[short] += 1
        ids.append(short if seen[short] == 1 else f"{short}#{seen[short]}")
    return ids


def _findings(examples: Sequence[Example], digests: Sequence[str], broken: Sequence[int]) -> list[Finding]:
    first: dict[str, int] = {}
    places = {
        "duplicate-rows": [row for row, digest in enumerate(digests) if first.setdefault(digest, row) != row],
        "identical-completions": [e.row for e in examples if not set(e.chosen).isdisjoint(e.rejected)],
        "invalid-unicode": broken,
    }
    return [
        finding(code, len(found), tuple(examples[row].id for row in found[:5]))
        for code, found in places.items()
        if found
    ]


def _content(
    subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages]
) -> dict[str, object]:
    def plain(messages: Messages) -> list[dict[str, str]]:
        return [{"role": message.role, "content": message.content} for message in messages]

    return {
        "subset": subset,
        "prompt": plain(prompt),
        "chosen": [plain(each) for each in chosen],
        "rejected": [plain(each) for each in rejected],
    }


def _digest(subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages]) -> str:
    return hashlib.sha256(_canonical(_content(subset, prompt, chosen, rejected))).hexdigest()


def _canonical(value: object) -> bytes:
    # ASCII, so that any string at all, even half a surrogate pair, has one encoding
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
