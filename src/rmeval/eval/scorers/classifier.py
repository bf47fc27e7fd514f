"""Sequence classifiers: ``AutoModelForSequenceClassification``, one output of it or a sum of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.max_length import usable_length
from rmeval.data_prep.text.template import load_template
from rmeval.eval.engine.body import embedding_rows
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.eval.engine.packed import Values
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.models.folder import locate, locate_tokenizer
from rmeval.eval.models.held import Held, context_of, describe
from rmeval.eval.models.loading import load_model, load_tokenizer, position_limit, runs_own_code, template_day
from rmeval.eval.models.outputs import head_of, output_names
from rmeval.eval.models.own_code import code_digest, is_own_code
from rmeval.eval.models.padding import is_decoder, padding_of
from rmeval.eval.scorers.base import Pointwise, conversations_of
from rmeval.eval.scorers.encoded import encode, see_that_they_fit, why_all_lost
from rmeval.run_info import Accounting, ModelInfo
from rmeval.types import Conversation, Finding, Item, Progress, Score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rmeval.eval.models.folder import ModelFolder
    from rmeval.eval.models.heads import Head


class ClassifierScorer(Pointwise):
    """Scores conversations with a sequence classifier; other kinds that score one conversation at a time build on it.

    Args:
        source: A folder, a Hub id, ``quickstart``, or a model in memory, which is taken as it is.
        options: How to load and run it.
        journal: Where scores are kept; None for nowhere. Whoever opened it closes it.

    Raises:
        ModelError: if the model, its tokenizer or its template cannot be used.
        UsageError: if an option has a value that does not exist.
    """

    kind = "classifier"

    def __init__(self, source: str | Held, options: ModelOptions, journal: Journal | None = None) -> None:
        today = template_day(options)
        self._audit = Audit()
        held = self._load(source, options, journal) if isinstance(source, str) else source
        self._given = source if isinstance(source, Held) else None
        if self._given is not None and _name(held.precision.own) != "float32":
            self._audit.note("no-float32-copy", f"the model in memory is in {_name(held.precision.own)}")
        model, tokenizer = held.model, held.tokenizer
        own = held.head.max_length if held.head else None
        max_length = usable_length(position_limit(model), tokenizer.model_max_length, options.max_length, own=own)
        self.encoder = self._encoder_of(held, max_length, today)
        self._rows = embedding_rows(model)
        self._tokenizer = tokenizer
        self._engine = self._engine_of(held, options, journal)
        self._precision = held.precision
        self.own_attention: str | None = getattr(model.config, "_attn_implementation", None)
        """Transformers' name of the attention that the model's own forward uses."""
        self._today = today
        self._info = replace(describe(held), kind=self.kind, max_length=max_length)
        self.lost: str | None = None
        """Why nothing of the last ``score`` is a score of what was asked; None where some is."""
        self.accounting: Accounting | None = None
        """Where the tokens of the last ``score`` went."""
        self.plan_seconds = 0.0
        """How long the last ``score`` planned and checked itself."""
        self._last: tuple[list[Encoded], Values] | None = None
        self._ahead: dict[tuple[Item, ...], tuple[list[Conversation], list[Encoded], Audit]] = {}
        """What was encoded ahead of time, by what was asked."""
        self.identity = self.info
        """Which model this is, whatever it turns out to compute in."""
        self._noticed = Audit()
        """What loading noticed."""
        self._noticed.merge(self._audit)

    def _load(self, name: str, options: ModelOptions, journal: Journal | None) -> Held:
        """Load the model of that name; as ``__init__``."""
        return _load(name, options, journal, self._audit)

    def _encoder_of(self, held: Held, max_length: int, today: date) -> Encoder:
        """Return what makes tokens of conversations for a model."""
        padding = padding_of(held.model, held.tokenizer.pad_token_id)
        if is_decoder(held.model) and not (held.head and held.head.at_end):
            _note_pad(padding.read_before, held.tokenizer.eos_token_id, self._audit)
        gate = held.head.gate if held.head else None
        return Encoder(held.tokenizer, held.template, max_length, padding.read_before, today, gate=gate)

    def _engine_of(self, held: Held, options: ModelOptions, journal: Journal | None) -> Engine:
        """Return what runs a model."""
        return Engine(
            held.model,
            held.precision,
            pad_token_id=padding_of(held.model, held.tokenizer.pad_token_id).fills,
            batch_size=options.batch_size,
            journal=journal,
            context=held.context,
            audit=self._audit,
            # Whoever asks for an attention gets the model's own forward with it.
            fast=options.attn_implementation is None,
            compile=options.compile,
        )

    @property
    def info(self) -> ModelInfo:
        """Which model this is, and what it computes in: that may change with the first conversations."""
        engine, precision = self._engine, self._precision
        packed = engine.path.startswith("packed")
        fast = "packed-flex" if (self._info.device or "").startswith("cuda") else "packed"
        return replace(
            self._info,
            dtype=_name(precision.active),
            residual_dtype=_name(precision.between),
            attention=fast if packed else self.own_attention,
            attention_dtype=_name(engine.attention_dtype),
            path=engine.path,
            why_path=engine.why_plain,
            template_date=self._today.isoformat() if self.encoder.reads_clock else None,
        )

    @property
    def can_refine(self) -> bool:
        """True where ``rescore`` says more than ``score`` did."""
        return self._engine.can_refine

    @property
    def drift(self) -> float | None:
        """Margins of the last ``score`` within this could be decided otherwise in float32; None where that is moot.

        Measured when asked for: a few conversations are scored in float32. Infinite where too few scores were finite.
        """
        return None if self._last is None else self._engine.margin_drift(*self._last)

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Score the completions of all items; what was prepared of them is used.

        Raises:
            ModelError: if the template or the model fails on a conversation.
            RunError: if the journal cannot be written.
        """
        prepared = self._ahead.pop(tuple(items), None)
        if prepared is None:
            return super().score(items, progress)
        conversations, encoded, audit = prepared
        self._audit.merge(audit)
        left = iter(self._score(conversations, encoded, progress))
        return [[next(left) for _ in item.completions] for item in items]

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        """Score each conversation: one logit each, whatever it was computed beside; errors are those of ``score``."""
        return self._score(conversations, encode(self.encoder, conversations, self._audit), progress)

    def _score(
        self, conversations: Sequence[Conversation], encoded: list[Encoded], progress: Progress | None
    ) -> list[Score]:
        if self._given is not None:
            self._given.check()
        self.lost = why_all_lost(conversations, encoded, self._audit)
        see_that_they_fit(conversations, encoded, self._rows, self._tokenizer)
        scored = self._engine.score(encoded, progress)
        self.accounting, self.plan_seconds = scored.accounting, scored.plan_seconds
        self._last = encoded, scored.values
        values = scored.values.copy()
        # What overflows in low precision may well be a number in float32.
        bad = np.flatnonzero(~np.isfinite(values)).tolist() if self.can_refine else []
        again = [place for place in bad if not encoded[place].lost]
        if again:
            values[again] = self._engine.rescore([encoded[place] for place in again]).values
        refined = set(again)
        return [
            Score(math.nan if item.lost else float(value), len(item.ids), item.truncated, place in refined)
            for place, (value, item) in enumerate(zip(values, encoded, strict=True))
        ]

    def try_out(self, conversations: Sequence[Conversation]) -> tuple[list[Score], float | None] | None:
        """Score a few conversations of many, and measure their drift, before all are scored.

        Nothing of it is kept in the journal, or counted. None where the journal has them: then others like them, too.
        """
        encoded = list(self.encoder.encode(conversations, Audit()))
        self.encoder.look_again()  # What it looks at in the first ones must be told to the audit.
        if self._engine.knows(encoded):
            return None
        with self._engine.unkept():
            values = self._engine.score(encoded).values
            drift = self._engine.margin_drift(encoded, values)
        return [Score(float(value), len(item.ids)) for value, item in zip(values, encoded, strict=True)], drift

    def begin(self) -> None:
        """Forget what was noticed of other data, and that low precision would have decided too little of it."""
        self._audit.go_back_to(self._noticed)
        self.encoder.look_again()
        self._engine.begin()

    def use_float32(self) -> None:
        """Compute in float32 from now on, because low precision would decide too little."""
        self._audit.note("low-precision-in-vain")
        self._engine.use_float32()

    def prefetch(self, items: Sequence[Item]) -> None:
        """Tokenize what will be scored next, in a thread of the caller's while something else is scored."""
        audit, conversations = Audit(), conversations_of(items)
        self._ahead[tuple(items)] = conversations, encode(self.encoder, conversations, audit), audit

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score each conversation in float32, whatever the dtype is otherwise."""
        encoded = list(self.encoder.encode(conversations, Audit()))  # Audited when first scored.
        scored = self._engine.rescore(encoded, progress)
        return [
            Score(math.nan if item.lost else float(value), len(item.ids), item.truncated, refined=True)
            for value, item in zip(scored.values, encoded, strict=True)
        ]

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        return self._audit.findings()


def _load(name: str, options: ModelOptions, journal: Journal | None, audit: Audit) -> Held:
    """Load a model from its folder or the Hub."""
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    if device.type == "cpu":
        keep_freed_memory()
    folder = locate(
        name,
        revision=options.revision,
        allow_pickle=options.allow_pickle,
        trust_remote_code=options.trust_remote_code,
        journal=journal,
    )
    tokenizer = load_tokenizer(folder, options)
    head = head_of(folder, options)
    template = load_template(tokenizer, options.chat_template, None if head is None else head.template)
    model, precision, untrained = load_model(folder, options, dtype, device, audit)
    outputs = output_names(folder, options)
    return Held(
        model,
        tokenizer,
        template,
        precision,
        name=folder.name,
        fingerprint=folder.fingerprint,
        context=context_of(folder, model, untrained, outputs, head),
        outputs=outputs,
        head=head,
        revision=folder.revision,
        own_code=_own_code(folder, options, head, tokenizer),
        untrained=untrained,
        tokenizer_name=options.tokenizer,
        tokenizer_fingerprint=None if options.tokenizer is None else locate_tokenizer(options.tokenizer)[1],
    )


def _own_code(
    folder: ModelFolder, options: ModelOptions, head: Head | None, tokenizer: PreTrainedTokenizerBase
) -> str | None:
    """Return the sha256 of the code of its own that made a model or its tokenizer; None where none did."""
    if runs_own_code(folder, options, head):
        return code_digest(folder.path)
    own = options.tokenizer is None and is_own_code(tokenizer)
    return code_digest(folder.tokenizer_path) if own else None


def _note_pad(pad: int | None, eos: int | None, audit: Audit) -> None:
    """Tell the audit of a decoder's pad token that is missing, or that ends a text as well."""
    if pad is None:
        audit.note("no-pad-token")
    elif pad == eos:
        audit.note("pad-is-eos")


def _name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
