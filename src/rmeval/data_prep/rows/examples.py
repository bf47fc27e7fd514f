"""Rows become examples: three forms of rows, one shape of example.

=============================  =======================================================================================
columns                        prompt and completions
=============================  =======================================================================================
prompt, chosen, rejected       the prompt is a string (one user message) or messages; completions are strings (one
                               assistant message) or messages, which may repeat the prompt's at their start
chosen, rejected               message lists; the prompt is their longest common beginning
chosen, rejected               hh-rlhf transcripts; parsed, then the same
=============================  =======================================================================================

A column ``system`` is the first message, a column ``tools`` the tools that the chat template is given. Texts that all
begin with the text of the prompt lose it there. A ``prompt`` that is an hh-rlhf transcript up to ``Assistant:`` is
parsed. ``chosen`` and ``rejected`` may each be a list of several completions: the example is right only if every chosen
one beats every rejected one. Messages may stand in a cell as JSON text, as CSV and Parquet exports hold them; lists
that became text in another way are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from rmeval.data_prep.rows.in_memory import Rows
from rmeval.data_prep.rows.reader import RowReader, mend
from rmeval.data_prep.text.audit import finding
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError, UsageError
from rmeval.types import Conversation, Example, Finding, Lists, Messages

__all__ = ["NO_SUBSET", "conversations", "fingerprint", "to_examples", "unroll"]


NO_SUBSET = "(none)"
"""The subset of rows that name none, where others do."""


def to_examples(
    rows: Rows, *, subset_column: str = "subset", default_subset: str
) -> tuple[list[Example], list[Finding]]:
    """Turn every row into an example, in order.

    Args:
        rows: the data set.
        subset_column: the column that names a row's subset.
        default_subset: the subset of all rows where there is no such column.

    Returns:
        As many examples as rows, and what was noticed: the codes of rows in ``rmeval.data_prep.text.audit``.

    Raises:
        DataError: if a column is missing or a value is not what it should be; the message names row and column.
    """
    columns = rows.columns
    for column in ("chosen", "rejected"):
        if column not in columns:
            raise DataError(_lacking(rows, column))
    contents = []
    noticed: dict[str, list[int]] = {
        "invalid-unicode": [],
        "json-text": [],
        "prompt-repeated": [],
        "system-column": [],
        "no-subset": [],
    }
    unread: Counter[str] = Counter()
    for index, row in enumerate(rows.rows):
        reader = RowReader(row, rows.locate(index))
        subset = reader.name(subset_column) if subset_column in columns else default_subset
        contents.append(
            (subset or NO_SUBSET, *reader.prompt_and_completions(explicit="prompt" in columns), reader.tools())
        )
        for code, holds in (
            ("invalid-unicode", reader.mended),
            ("json-text", reader.parsed),
            ("prompt-repeated", reader.repeated),
            ("system-column", reader.system),
            ("no-subset", not subset),
        ):
            if holds:
                noticed[code].append(index)
        unread.update(reader.unread)
    digests = [_digest(*content) for content in contents]
    own, unusable = _column_ids(rows)
    noticed["ids-not-used"] = unusable if "id" in columns else []
    ids = _numbered(digests) if unusable else own
    examples = [Example(ids[row], row, *content) for row, content in enumerate(contents)]
    findings = _findings(examples, digests, noticed)
    if unread:
        findings.append(finding("unread-columns", max(unread.values()), tuple(sorted(unread))))
    return examples, findings


def unroll(examples: Iterable[Example], lists: Lists) -> list[Example]:
    """Return an example for each right completion, or for each pair of a right and a wrong one; or all as they are.

    Raises:
        UsageError: if ``lists`` is none of these ways.
    """
    if lists not in get_args(Lists):
        raise UsageError(f"lists is {', '.join(get_args(Lists))}, not {lists!r}")
    if lists == "all":
        return list(examples)
    if lists == "each":
        return [each for example in examples for each in _each(example)]
    return [
        replace(each, id=f"{each.id}-{place}", rejected=(wrong,))
        for example in examples
        for each in _each(example)
        for place, wrong in enumerate(each.rejected)
    ]


def _each(example: Example) -> list[Example]:
    """Return an example for each right completion; the id says which."""
    return [replace(example, id=f"{example.id}/{place}", chosen=(right,)) for place, right in enumerate(example.chosen)]


def _lacking(rows: Rows, column: str) -> str:
    """Say that a column is missing, which may be meant, and what a row has to have."""
    columns = rows.columns
    lists = [name for name, value in rows.rows[0].items() if _is_rows(value)] if len(rows.rows) == 1 else []
    if lists:
        return f"{rows.name} is one object; its {lists[0]!r} may be the rows (--map rows=PATH)"
    meant, there = did_you_mean(column, columns), ", ".join(map(repr, columns)) or "none"
    needed = "row needs 'chosen' and 'rejected': answers to a 'prompt', or else whole conversations (or --map)"
    return f"{rows.name} has no column {column!r} (it has: {there}){meant}{' A' if meant else '; a'} {needed}"


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, Mapping) and "role" not in e for e in value)


def conversations(examples: Iterable[Example]) -> list[Conversation]:
    """Return every completion as a conversation, in data-set order, right completions of an example first."""
    return [
        Conversation(example.prompt, completion, example.id, index, example.tools)
        for example in examples
        for index, completion in enumerate(example.completions)
    ]


def fingerprint(examples: Iterable[Example]) -> str:
    """Return ``sha256:<digest>`` over ids, subsets, tools and all messages, in order."""
    digest = hashlib.sha256()
    for example in examples:
        content = _content(example.subset, example.prompt, example.chosen, example.rejected, example.tools)
        tag = {"tag": example.tag} if example.tag else {}
        digest.update(_canonical({"id": example.id, **tag, **content}) + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _column_ids(rows: Rows) -> tuple[list[str], list[int]]:
    """Return the values of the ``id`` column, and the rows whose value is missing, empty or another row's too."""
    ids: list[str] = []
    seen: set[str] = set()
    unusable = []
    for row, value in enumerate(each.get("id") for each in rows.rows):
        usable = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
        ids.append(mend(str(value)))
        if not usable or ids[-1] in seen:
            unusable.append(row)
        seen.add(ids[-1])
    return ids, unusable


def _numbered(digests: Iterable[str]) -> list[str]:
    """Return the first 16 digits of each digest; the second with the same ones gets ``#2``, and so on."""
    seen: Counter[str] = Counter()
    ids = []
    for digest in digests:
        short = digest[:16]
        seen[short] += 1
        ids.append(short if seen[short] == 1 else f"{short}#{seen[short]}")
    return ids


def _findings(
    examples: Sequence[Example], digests: Sequence[str], noticed: Mapping[str, Sequence[int]]
) -> list[Finding]:
    first: dict[str, int] = {}
    places = {
        "duplicate-rows": [row for row, digest in enumerate(digests) if first.setdefault(digest, row) != row],
        "identical-completions": [e.row for e in examples if not set(e.chosen).isdisjoint(e.rejected)],
        "blank-completion": [e.row for e in examples if any(map(_is_blank, e.completions))],
        "several-completions": [e.row for e in examples if len(e.completions) > 2],
        **noticed,
    }
    return [
        finding(code, len(found), tuple(examples[row].id for row in found[:5]))
        for code, found in places.items()
        if found
    ]


def _is_blank(completion: Messages) -> bool:
    return not any(message.content.strip() or message.extra for message in completion)


def _content(
    subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages], tools: str
) -> dict[str, object]:
    def plain(messages: Messages) -> list[dict[str, str]]:
        """Return messages as the fingerprint takes them."""
        # Without keys for what most rows have not: their ids stay what they were.
        return [
            {"role": message.role, "content": message.content, **({"extra": message.extra} if message.extra else {})}
            for message in messages
        ]

    return {
        "subset": subset,
        "prompt": plain(prompt),
        "chosen": [plain(each) for each in chosen],
        "rejected": [plain(each) for each in rejected],
        **({"tools": tools} if tools else {}),
    }


def _digest(subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages], tools: str) -> str:
    return hashlib.sha256(_canonical(_content(subset, prompt, chosen, rejected, tools))).hexdigest()


def _canonical(value: object) -> bytes:
    # ASCII, so that any string at all, even half a surrogate pair, has one encoding
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
