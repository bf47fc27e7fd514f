"""Sequence classifiers with one output: ``AutoModelForSequenceClassification`` with ``num_labels=1``."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.data_prep.audit import Audit
from rmeval.data_prep.encode import Encoder, load_template, usable_length
from rmeval.errors import UsageError
from rmeval.eval.engine.execute import run
from rmeval.eval.scorers.device import pick_device, pick_dtype
from rmeval.eval.scorers.folder import locate
from rmeval.eval.scorers.loading import is_decoder, load_model, load_tokenizer
from rmeval.eval.scorers.options import ModelOptions
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
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        folder = locate(
            name,
            revision=options.revision,
            allow_pickle=options.allow_pickle,
            trust_remote_code=options.trust_remote_code,
        )
        self._audit = Audit()
        tokenizer = load_tokenizer(folder, options)
        template = load_template(tokenizer, options.chat_template)
        self._model, untrained = load_model(folder, options, dtype, device, self._audit)
        config = self._model.config.get_text_config()
        self._max_length = usable_length(
            getattr(config, "max_position_embeddings", None), tokenizer.model_max_length, options.max_length
        )
        # Only a decoder picks a token by its pad id; an encoder has a pooling token of its own.
        decoder = is_decoder(self._model)
        pad = config.pad_token_id
        if decoder and pad is None:
            self._audit.note("no-pad-token")
        if decoder and pad is not None and pad == tokenizer.eos_token_id:
            self._audit.note("pad-is-eos")
        # transformers refuses batches of a decoder without a pad token.
        self._batch_size = 1 if decoder and pad is None else options.batch_size
        self._pad = next((token for token in (pad, tokenizer.pad_token_id) if token is not None), 0)
        self._encoder = Encoder(tokenizer, template, self._max_length, pad if decoder else None, self._audit)
        self._info = ModelInfo(
            name=name,
            kind="classifier",
            fingerprint=folder.fingerprint,
            revision=folder.revision,
            architecture=type(self._model).__name__,
            parameters=self._model.num_parameters(),
            dtype=str(dtype).removeprefix("torch."),
            device=str(device),
            attention=getattr(self._model.config, "_attn_implementation", None),
            max_length=self._max_length,
            template_hash=template.sha256,
            template_source=template.source,
            tokenizer=options.tokenizer,
            untrained_head=untrained,
        )
        self.accounting: Accounting | None = None

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    def score(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score each conversation: one logit each, whatever the batch it was computed in."""
        encoded = list(self._encoder.encode(conversations))
        values, self.accounting = run(
            self._model,
            [item.ids for item in encoded],
            pad_token_id=self._pad,
            batch_size=self._batch_size,
            progress=progress,
        )
        return [Score(float(value), len(item.ids), item.truncated) for value, item in zip(values, encoded, strict=True)]

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        return self._audit.findings()
