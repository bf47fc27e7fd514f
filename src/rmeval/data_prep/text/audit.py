"""What the audit can find, in one table, and the tally that counts it.

A finding never changes a score. It says what a reader must know before believing one.
"""

from __future__ import annotations

from rmeval.types import Finding, Severity

CODES: dict[str, tuple[Severity, str]] = {
    # Rows.
    "identical-completions": ("warning", "a right and a wrong completion are the same text: the example can only tie"),
    "duplicate-rows": ("warning", "the same example occurs more than once in the data"),
    "invalid-unicode": ("warning", "the text holds a broken character (a lone surrogate); it was replaced by U+FFFD"),
    "blank-completion": ("warning", "a completion says nothing: it is empty or white space"),
    "several-completions": (
        "warning",
        "several chosen or rejected completions: right only if every chosen one beats every rejected one",
    ),
    "label-ties": ("info", "the label of a row says that neither answer is better: the row was left out"),
    "json-text": ("info", "the messages stand in the data as JSON text; they were read as messages"),
    "no-subset": ("info", "the row names no subset, where others do: it is counted as (none)"),
    "ids-not-used": ("warning", "the column id has values that repeat or are missing: ids are made of the content"),
    "prompt-repeated": ("warning", "all completions of a row begin with the text of its prompt: it was read once"),
    "system-column": (
        "info",
        "a column of its own holds the system message: it was read as the first message",
    ),
    "unread-columns": ("warning", "columns or keys of messages that belong to the conversation were not read"),
    # Encoding.
    "truncated": (
        "warning",
        "completions longer than the maximum length: the beginning of the conversation was truncated",
    ),
    "system-folded": ("info", "the chat template takes no system message: it was put before the first user message"),
    "content-as-parts": ("info", "the chat template wants content as a list of parts: it was given one"),
    "text-dropped": (
        "error",
        "nothing of a message is in what the model reads (a role that the chat template does not know, a tokenizer "
        "without its vocabulary): the example is invalid",
    ),
    "text-cut": ("warning", "the chat template leaves out part of a message, such as its reasoning"),
    "tools-unread": ("warning", "the chat template writes nothing of the tools that stand beside the messages"),
    "same-tokens": (
        "warning",
        "completions of different text became the same tokens: they can only tie",
    ),
    "unknown-tokens": ("warning", "most of the text became unknown tokens: the tokenizer may be another model's"),
    "text-lost-in-tokens": (
        "warning",
        "the tokens of a text spell less than half of it, or glue its words: the tokenizer may lack a file",
    ),
    "bos-once": ("info", "template and tokenizer both add a BOS token: one was removed, so that one is left"),
    "double-bos": ("warning", "the text starts with more than one BOS token"),
    "missing-bos": (
        "warning",
        "the tokenizer has a BOS token and the text does not start with it: truncation cuts off one that only the "
        "template writes",
    ),
    "template-reads-the-clock": (
        "warning",
        "the chat template writes today's date: it was given the same date for every run (--template-date)",
    ),
    "missing-eos": ("warning", "no special token ends the last answer: the template leaves it open"),
    "special-token-in-text": ("warning", "a message spells a special token, which the tokenizer reads as one"),
    "pooled-not-last": (
        "warning",
        "the score is read before the last token, because that is the model's pad token",
    ),
    "header-apart": (
        "info",
        "one token would hold the end of a header and the beginning of its answer: they were tokenized apart, as a "
        "model writes that goes on from the header",
    ),
    "answer-cut": (
        "error",
        "the answer alone is longer than the maximum length, so that it has no probability: the example is invalid",
    ),
    "too-long": (
        "error",
        "the conversation is longer than the maximum length, and the model's own call cannot be given a part of it: "
        "the example is invalid",
    ),
    "no-answer": ("error", "nothing of a completion is the assistant's: the example is invalid"),
    "unreadable-turns": (
        "error",
        "the model cannot be given such a conversation (turns that do not alternate or answers that differ before "
        "their last message for a pairwise one, tools for one with a call of its own): the example is invalid",
    ),
    # Model.
    "pad-is-eos": (
        "info",
        "pad and EOS token are the same: the model does not see a final EOS as its last token",
    ),
    "no-pad-token": (
        "info",
        "the model has no pad token that it knows: where batches are padded, an id that they do not hold stands for it",
    ),
    "adapter-beside": (
        "warning",
        "an adapter lies beside the weights: it was not added to them, since merged weights hold it already",
    ),
    "code-not-run": ("info", "the folder names code of its own, which transformers' own class made unnecessary"),
    "untrained-head": ("error", "the head that gives the score was newly initialised: scores mean nothing"),
    "unused-weights": ("warning", "the folder holds weights that the model does not use"),
    "journal": ("warning", "the journal of scores could not be used as it was"),
    # Engine.
    "slow-path": ("info", "the model's own forward was used, which is slower than the fast path"),
    "one-at-a-time": (
        "warning",
        "the model's own forward gives other scores in a padded batch: conversations were scored one at a time",
    ),
    "mixed-precision-refused": (
        "info",
        "the model cannot compute with only its matrix products in low precision: the whole model did",
    ),
    "low-precision-refused": ("warning", "the model cannot compute in low precision: float32 was used instead"),
    "low-precision-in-vain": (
        "info",
        "low precision would have decided less than half of the examples: float32 was used instead",
    ),
    "drift-unknown": (
        "warning",
        "too few scores were finite to measure how far low precision moves them: close decisions are not marked",
    ),
    "fast-path-refused": ("warning", "the fast path disagreed with the model's own forward, which was used instead"),
    "not-compiled": ("warning", "the layers could not be compiled, and run as they are"),
    "out-of-memory": ("info", "memory was short: the batches were halved"),
    "no-float32-copy": (
        "warning",
        "there is no float32 copy of the model beside the low one: close decisions are not looked at again",
    ),
    "undecided": ("warning", "the margin is within the dtype's drift: float32 could decide the other way"),
    # Scores.
    "position-bias": (
        "info",
        "two answers of which a pairwise model prefers whichever stands first, or second: the order decides, not they",
    ),
    "non-finite-score": ("error", "the model gave NaN or infinity: the example is left out of the accuracy"),
}
"""Code -> (severity, meaning)."""

_PLACES = 5


def finding(code: str, count: int, places: tuple[str, ...] = ()) -> Finding:
    """Build the finding of a code in the table.

    Raises:
        KeyError: if the table has no such code.
    """
    return Finding(code, CODES[code][0], count, tuple(dict.fromkeys(places))[:_PLACES])


class Audit:
    """Counts findings and keeps the first few places of each."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def note(self, code: str, place: str = "") -> None:
        """Count one occurrence of ``code``, at ``place`` if there is one to name."""
        self._counts[code] = self._counts.get(code, 0) + 1
        places = self._places.setdefault(code, [])
        if place and place not in places and len(places) < _PLACES:
            places.append(place)

    def merge(self, other: Audit) -> None:
        """Count what another audit counted as well."""
        for code, count in other._counts.items():
            self._counts[code] = self._counts.get(code, 0) + count
            places = self._places.setdefault(code, [])
            places += [place for place in other._places[code] if place not in places][: _PLACES - len(places)]

    def go_back_to(self, earlier: Audit) -> None:
        """Forget everything but what another audit counted."""
        self._counts, self._places = {}, {}
        self.merge(earlier)

    def findings(self) -> list[Finding]:
        """Return what was counted, in the table's order."""
        return [finding(code, self._counts[code], tuple(self._places[code])) for code in CODES if code in self._counts]
