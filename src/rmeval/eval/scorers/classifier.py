"""Sequence classifiers with one output: ``AutoModelForSequenceClassification`` with ``num_labels=1``."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.data_prep.audit import Audit
from rmeval.data_prep.encode import Encoded, Encoder, load_template, usable_length
from rmeval.errors import UsageError
from rmeval.eval.engine.allocator import keep_freed_memory
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.executors import Values
from rmeval.eval.engine.journal import Journal
from rmeval.eval.scorers.device import pick_device, pick_dtype
from rmeval.eval.scorers.folder import locate
from rmeval.eval.scorers.loading import is_decoder, load_model, load_tokenizer
from rmeval.eval.scorers.options import COMPILE_MODES, ModelOptions
from rmeval.types import Accounting, Conversation, Finding, ModelInfo, Progress, Score


class ClassifierScorer:
    """Scores conversations with a sequence classifier.

    Raises:
        ModelError: if the model, its tokenizer or its template cannot be used.
        UsageError: if an option has a value that does not exist.
    """

    def __init__(self, name: str, options: ModelOptions) -> None:
        if options.batch_size is not None and options.batch_size < 1:
            raise UsageError(f"--batch-size must be at least 1, not {options.batch_size}")
        if options.compile not in COMPILE_MODES:
            raise UsageError(f"--compile is auto, on or off, not {options.compile!r}")
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        if device.type == "cpu":
            keep_freed_memory()
        self._journal = Journal.open() if options.cache else None
        folder = locate(
            name,
            revision=options.revision,
            allow_pickle=options.allow_pickle,
            trust_remote_code=options.trust_remote_code,
            journal=self._journal,
        )
        self._audit = Audit()
        tokenizer = load_tokenizer(folder, options)
        template = load_template(tokenizer, options.chat_template)
        model, precision, untrained = load_model(folder, options, dtype, device, self._audit)
        config = model.config.get_text_config()
        max_length = usable_length(
            getattr(config, "max_position_embeddings", None), tokenizer.model_max_length, options.max_length
        )
        # Only a decoder picks a token by its pad id; an encoder has a pooling token of its own.
        decoder = is_decoder(model)
        pad = config.pad_token_id
        if decoder and pad is None:
            self._audit.note("no-pad-token")
        if decoder and pad is not None and pad == tokenizer.eos_token_id:
            self._audit.note("pad-is-eos")
        self.encoder = Encoder(tokenizer, template, max_length, pad if decoder else None)
        self._engine = Engine(
            model,
            precision,
            pad_token_id=pad if decoder else next((id for id in (pad, tokenizer.pad_token_id) if id is not None), 0),
            batch_size=options.batch_size,
            journal=self._journal,
            context=f"{folder.fingerprint}\0{device.type}\0{options.attn_implementation}\0{untrained}",
            audit=self._audit,
            # Whoever asks for an attention gets the model's own forward with it.
            fast=options.attn_implementation is None,
            compile=options.compile,
        )
        self._info = ModelInfo(
            name=name,
            kind="classifier",
            fingerprint=folder.fingerprint,
            revision=folder.revision,
            architecture=type(model).__name__,
            parameters=model.num_parameters(),
            dtype=str(dtype).removeprefix("torch."),
            device=str(device),
            attention=getattr(model.config, "_attn_implementation", None),
            max_length=max_length,
            template_hash=template.sha256,
            template_source=template.source,
            tokenizer=options.tokenizer,
            untrained_head=untrained,
        )
        self.accounting: Accounting | None = None
        """Where the tokens of the last ``score`` went."""
        self.plan_seconds = 0.0
        """How long the last ``score`` planned and checked itself."""
        self._last: tuple[list[Encoded], Values] | None = None
        self._ahead: dict[int, tuple[Sequence[Conversation], list[Encoded], Audit]] = {}

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    @property
    def can_refine(self) -> bool:
        """True where ``rescore`` says more than ``score`` did."""
        return self._engine.can_refine

    @property
    def drift(self) -> float | None:
        """Margins of the last ``score`` within this could be decided otherwise in float32; None where that is moot.

        Measured when asked for: a few conversations are scored in float32.
        """
        return None if self._last is None else self._engine.margin_drift(*self._last)

    def score(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score each conversation: one logit each, whatever it was computed beside."""
        encoded = self._encode(conversations)
        scored = self._engine.score(encoded, progress)
        self.accounting, self.plan_seconds = scored.accounting, scored.plan_seconds
        self._last = encoded, scored.values
        return [
            Score(float(value), len(item.ids), item.truncated)
            for value, item in zip(scored.values, encoded, strict=True)
        ]

    def prefetch(self, conversations: Sequence[Conversation]) -> None:
        """Tokenize what will be scored next, in a thread of the caller's while something else is scored."""
        audit = Audit()
        # The list is kept with its tokens, so that its id stays its own.
        self._ahead[id(conversations)] = conversations, list(self.encoder.encode(conversations, audit)), audit

    def _encode(self, conversations: Sequence[Conversation]) -> list[Encoded]:
        if id(conversations) not in self._ahead:
            return list(self.encoder.encode(conversations, self._audit))
        _, encoded, audit = self._ahead.pop(id(conversations))
        self._audit.merge(audit)
        return encoded

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score each conversation in float32, whatever the dtype is otherwise."""
        encoded = list(self.encoder.encode(conversations, Audit()))  # Audited when first scored.
        scored = self._engine.rescore(encoded, progress)
        return [
            Score(float(value), len(item.ids), item.truncated, refined=True)
            for value, item in zip(scored.values, encoded, strict=True)
        ]

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        return self._audit.findings()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the journal and of the path that was taken, a line each."""
        return tuple(self._journal.warnings) if self._journal is not None else ()
