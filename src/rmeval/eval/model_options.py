"""How to load and run a model; torch is not needed to say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import ModelError, UsageError

CompileMode: TypeAlias = Literal["auto", "on", "off"]
COMPILE_MODES: tuple[str, ...] = get_args(CompileMode)
Steps: TypeAlias = Literal["min", "max", "prod", "mean", "last"]
"""How the scores of steps become one."""
LogProbs: TypeAlias = Literal["sum", "mean", "norm"]
"""How the log-probabilities of an answer's tokens become one."""
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How to load and run a model; the names are Hugging Face's."""

    revision: str | None = None
    """Branch, tag or commit of a Hub model."""
    tokenizer: str | None = None
    """Folder or Hub id of the tokenizer; None for the model's own."""
    chat_template: str | None = None
    """File of a chat template; None for the tokenizer's own."""
    template_date: str | None = None
    """ISO 8601; what a chat template that asks for today's date is told. None for 2024-07-26."""
    dtype: str = "auto"
    """``float32``, ``bfloat16``, ``float16``, or ``auto``: bfloat16 where the hardware has it, else float32."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``: the first of cuda, mps, cpu that is there."""
    batch_size: int | None = None
    """Conversations a batch; None to choose by their lengths."""
    max_length: int | None = None
    """Tokens; None for what the model can take, at most 4096."""
    attn_implementation: str | None = None
    """``eager``, ``sdpa``, ``flash_attention_2``, …; None for transformers' own choice."""
    compile: CompileMode = "auto"
    """Compile the fast path's layers: ``on``, ``off``, or ``auto``, only for work long enough to pay for it."""
    refine: bool = True
    """Below float32: score the completions of close decisions again in float32."""
    cache: bool = True
    """Keep scores in the journal, and take from it what it has."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""
    allow_pickle: bool = False
    """Load pickled weights, which can run code, where there are no safetensors."""
    allow_untrained_head: bool = False
    """Go on with a randomly initialised head; the run says so."""
    output_index: int | None = None
    """Of several outputs: which is the score, counted from 0."""
    output_name: str | None = None
    """Of several outputs: the label of the one that is the score."""
    output_weights: str | None = None
    """Of several outputs: ``NAME=WEIGHT,…``, a sum that is the score."""
    question: str | None = None
    """Of ``token-prob:MODEL``: what a user asks after the conversation; None where the chat template asks it."""
    steps: Steps | None = None
    """Of scores that are lists, one number a step: what makes one of them."""
    reference: str | None = None
    """Of ``dpo:POLICY``: the model that the policy started from, or ``none``."""
    log_probs: LogProbs | None = None
    """Of ``dpo:POLICY``: what of an answer's log-probabilities counts; None for the sum, without reference the mean."""
    sequential: bool = False
    """Of ``dpo:POLICY``: hold one of the two models in memory at a time."""

    def __post_init__(self) -> None:
        """Check what can be known without the model: before data are read and torch is imported.

        Raises:
            UsageError: if an option has a value that does not exist.
            ModelError: if there is no such file of a chat template.
        """
        if self.dtype not in ("auto", *DTYPES):
            known = f"(known: auto, {', '.join(DTYPES)})"
            raise UsageError(f"unknown dtype {self.dtype!r}{did_you_mean(self.dtype, DTYPES)} {known}")
        for name, value in (("--batch-size", self.batch_size), ("--max-length", self.max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}")
        if self.compile not in COMPILE_MODES:
            raise UsageError(f"--compile is auto, on or off, not {self.compile!r}")
        if self.chat_template is not None and not Path(self.chat_template).exists():
            raise ModelError(f"cannot read the chat template {self.chat_template}: no such file")
        if self.template_date is not None:
            try:
                date.fromisoformat(self.template_date)
            except ValueError:
                given = repr(self.template_date)
                raise UsageError(f"--template-date takes a date such as 2024-07-26, not {given}") from None
