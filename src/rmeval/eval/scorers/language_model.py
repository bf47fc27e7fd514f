"""One of the models of a scorer that has several: in memory while it is needed."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from rmeval.data_prep.text.answers import Answer
from rmeval.data_prep.text.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.engine.body import embedding_rows
from rmeval.eval.engine.log_probs import LogProbEngine
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.precision import Precision
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import LogProbs, ModelOptions
from rmeval.eval.models.causal import load_language_model
from rmeval.eval.models.folder import ModelFolder
from rmeval.eval.scorers.encoded import see_that_they_fit
from rmeval.types import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class LanguageModel:
    """A language model that gives answers their log-probabilities.

    Args:
        folder: Where it is.
        options: How to load and run it.
        dtype: What it computes in.
        device: Where.
        kind: What of the log-probabilities counts.
        journal: Where they are kept; None for nowhere.
        audit: Told of what is noticed.
    """

    def __init__(
        self,
        folder: ModelFolder,
        options: ModelOptions,
        dtype: torch.dtype,
        device: torch.device,
        kind: LogProbs,
        journal: Journal | None,
        audit: Audit,
    ) -> None:
        self.folder = folder
        self._how = options, dtype, device
        self._kind = kind
        self._journal = journal
        self._audit = audit
        self._engine: LogProbEngine | None = None
        self._precision = Precision(dtype)
        self._own_attention: str | None = None
        self._float32 = False
        self._rows: int | None = None
        self._loads = 0
        self.can_refine = dtype != torch.float32
        """True where it computes in low precision and can compute in float32 too."""
        self.architecture: str | None = None
        self.parameters: int | None = None
        self._state: dict[str, Any] = {}

    @property
    def engine(self) -> LogProbEngine:
        """What scores.

        Raises:
            ModelError: if the model cannot be loaded.
        """
        self.load()
        assert self._engine is not None  # noqa: S101
        return self._engine

    @property
    def state(self) -> dict[str, Any]:
        """What it computes in, or computed in when it was last in memory: fields of ``ModelInfo``."""
        self._look()
        return self._state

    def load(self) -> LanguageModel:
        """Load the model if it is not in memory.

        Raises:
            ModelError: if it cannot be loaded.
        """
        if self._engine is not None:
            return self
        options, dtype, device = self._how
        audit = self._audit if not self._loads else Audit()  # What it notices again counts once.
        model, precision = load_language_model(self.folder, options, dtype, device, audit)
        own: str | None = getattr(model.config, "_attn_implementation", None)
        self._precision, self._own_attention = precision, own
        self._rows = embedding_rows(model)
        self.architecture, self.parameters = type(model).__name__, model.num_parameters()
        self._engine = LogProbEngine(
            model,
            precision,
            kind=self._kind,
            context=f"{self.folder.fingerprint}\0{device.type}\0{own}",
            batch_size=options.batch_size,
            journal=self._journal,
            audit=audit,
            fast=options.attn_implementation is None,
            compile=options.compile,
        )
        self._loads += 1
        if self._float32:
            self._engine.use_float32()
        self._look()
        return self

    def free(self) -> None:
        """Let go of the model's memory."""
        self._look()
        self._engine, self._precision = None, Precision(self._how[1])
        gc.collect()  # A model and its compiled layers point at each other.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def use_float32(self) -> None:
        """Compute in float32 from now on."""
        self._float32 = True
        if self._engine is not None:
            self._engine.use_float32()

    def margin_drift(self, answers: Sequence[Answer], values: Values, scale: Values) -> float | None:
        """Bound how far a margin of values divided by ``scale`` may lie from float32's; see the engine's."""
        return self.engine.margin_drift(answers, values, scale)

    def check_fits(
        self, conversations: Sequence[Conversation], answers: Sequence[Answer], tokenizer: PreTrainedTokenizerBase
    ) -> None:
        """See that the model knows all tokens.

        Raises:
            ModelError: if it does not.
        """
        try:
            see_that_they_fit(conversations, answers, self._rows, tokenizer)
        except ModelError as error:
            raise ModelError(f"{self.folder.name}: {error}") from None

    def begin(self) -> None:
        """Forget that low precision would have decided too little of other data."""
        self._float32 = False
        if self._engine is not None:
            self._engine.begin()

    def _look(self) -> None:
        """Note what is computed in."""
        if self._engine is None:
            return
        engine, precision = self._engine, self._precision
        fast = "packed-flex" if self._how[2].type == "cuda" else "packed"
        self.can_refine = engine.can_refine
        self._state = {
            "dtype": _name(precision.active),
            "residual_dtype": _name(precision.between),
            "attention": fast if engine.path.startswith("packed") else self._own_attention,
            "attention_dtype": _name(engine.attention_dtype),
            "path": engine.path,
            "why_path": engine.why_plain,
        }


def _name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
