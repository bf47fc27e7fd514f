"""The fast way to compute a pack: many sequences in one row of tokens. The model's own is in ``plain``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rmeval.eval.engine.body import RowWise, text_model
from rmeval.eval.engine.gated import GatedHead, states_at
from rmeval.eval.engine.kernels import attention
from rmeval.eval.engine.kernels.compiled import CompiledLayers
from rmeval.eval.engine.kernels.layout import Layout, current_layout, in_flight
from rmeval.eval.engine.kernels.processor import cpu_has
from rmeval.eval.engine.plan import Pack
from rmeval.eval.engine.precision import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Values = NDArray[np.float64]

PACKABLE = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"})
"""Types of text models whose packed scores the tests hold against their own unpadded forward."""

_LENGTH_DEPENDENT_ROPE = {"dynamic", "longrope"}
"""Rotary embeddings that change all rows of a pass with the longest position in it."""


class Executor(Protocol):
    """Computes packs."""

    shares_prefixes: bool
    """True if its packs may share prefixes, False if it takes whole sequences."""
    pads: bool
    """True if a pack may hold more than one sequence."""

    @property
    def path(self) -> str:
        """Names the way it computes: part of what decides a score's last digits."""
        ...

    @property
    def attention_dtype(self) -> torch.dtype:
        """What attention computes in now."""
        ...

    def score(self, pack: Pack) -> Values:
        """Return the scores of a pack's sequences, float64 of shape (sequences,)."""
        ...


class PackedExecutor:
    """Scores many sequences in one row of tokens, shared prefixes once, through the model's own modelling code."""

    shares_prefixes = True
    pads = True
    reads_last_only = True
    """Scores hang on the last row of each sequence alone: most of the last layer is not computed elsewhere."""

    def __init__(
        self,
        model: PreTrainedModel,
        precision: Precision,
        *,
        flex: bool | None = None,
        compile_flex: bool | None = None,
        low_attention: bool | None = None,
    ) -> None:
        """Prepare the model.

        Args:
            model: A decoder that ``why_not_packable`` finds nothing against.
            precision: What its linear layers compute in.
            flex: Use FlexAttention; None for only on CUDA.
            compile_flex: Compile it; None for only on CUDA. Else it makes a matrix of rows times rows.
            low_attention: Let attention compute in what the linear layers do, not in the model's own dtype, which
                narrows the drift; None for only where there are matrix instructions for it, on GPUs and AMX
                processors, beside which float32 would take long.
        """
        attention.register()
        self._model = model
        self._precision = precision
        cuda = model.device.type == "cuda"
        self._flex = cuda if flex is None else flex
        self.compiles_attention = self._flex and (cuda if compile_flex is None else compile_flex)
        """True where a pack of a new size has to wait for a compiler."""
        fast = self._flex or _multiplies_matrices(precision.dtype)
        self._low_attention = fast if low_attention is None else low_attention
        self._own_attention = model.config._attn_implementation
        body = text_model(model)
        if body is None:
            raise TypeError(f"{type(model).__name__} has no text model with layers")
        self._body: nn.Module = body
        if self.reads_last_only:
            last = list(self._body.get_submodule("layers").children())[-1]
            setattr(last.get_submodule("self_attn"), attention.LAST, True)
            last.mlp = _LastRowsOnly(last.get_submodule("mlp"))
        self._layers: CompiledLayers | None = None
        self.compiled = False
        """True while packs run through compiled layers; the model's own forward never does."""

    @property
    def path(self) -> str:
        """``packed``, or ``packed-compiled`` while the layers are compiled ones."""
        return "packed-compiled" if self.compiled else "packed"

    @property
    def attention_dtype(self) -> torch.dtype:
        """What attention computes in now."""
        return self._precision.active if self._low_attention else self._precision.own

    def compile(self, on: bool) -> None:
        """Use compiled layers from now on, or no longer."""
        if on and self._layers is None:
            # Most of the last layer runs at a few rows only: it would have to be compiled for itself.
            self._layers = CompiledLayers(list(self._body.get_submodule("layers").children())[:-1])
        self.compiled = on

    @torch.inference_mode()
    def score(self, pack: Pack) -> Values:
        """Score a pack; sequences end at the token whose output gives their score."""
        model, device = self._model, self._model.device
        compiled = self._layers.in_use() if self.compiled and self._layers is not None else nullcontext()
        flight = in_flight(
            pack, dtype=self.attention_dtype, device=device, flex=self._flex, compiled=self.compiles_attention
        )
        model.set_attn_implementation(attention.IMPLEMENTATION)
        try:
            with compiled, flight as layout:
                ids = torch.from_numpy(pack.ids).to(device, torch.long)[None]
                hidden = self._body(input_ids=ids, position_ids=layout.positions[None], use_cache=False)
                return self._read(hidden.last_hidden_state[0], pack, layout)
        finally:
            model.set_attn_implementation(self._own_attention)

    def _read(self, states: Tensor, pack: Pack, layout: Layout) -> Values:
        """Return the scores of a pack's sequences; ``states`` has shape (rows, hidden size)."""
        return to_values(self._model.get_submodule("score")(states[layout.last_rows]))


class PackedGated(PackedExecutor):
    """The same for a head that reads another token beside the last one, which several sequences may share."""

    reads_last_only = False

    def _read(self, states: Tensor, pack: Pack, layout: Layout) -> Values:
        head = self._model.get_submodule("score")
        assert isinstance(head, GatedHead)  # noqa: S101
        rows: list[int | None] = []
        for segment in pack.segments:
            path = np.concatenate([np.arange(*part) for part in segment.path])
            place = head.gate.position(pack.ids[path])
            rows.append(None if place is None else int(path[place]))
        return to_values(head(states[layout.last_rows], states_at(states, rows)))


def why_not_packable(model: PreTrainedModel) -> str | None:
    """Say why a model must be scored with its own padded forward; None if the fast path is proved for its kind."""
    config = model.config.get_text_config()
    if config.model_type in PACKABLE and not _row_wise(getattr(model, "score", None)):
        return "its head is not made of linear layers and called score"
    return why_body_not_packable(model)


def why_body_not_packable(model: PreTrainedModel) -> str | None:
    """Say why a model's layers cannot run over packs, whatever reads their output; None if they can."""
    config = model.config.get_text_config()
    if config.model_type not in PACKABLE or not type(model).__module__.startswith("transformers."):
        return f"the fast path is not proved for {type(model).__name__}"
    if text_model(model) is None:
        return "its text model was not found"
    if getattr(config, "use_bidirectional_attention", None) or not getattr(config, "is_causal", True):
        return "its attention is not causal"
    ropes = _rope_types(getattr(config, "rope_parameters", None) or {}) & _LENGTH_DEPENDENT_ROPE
    if ropes:
        return f"its rotary embedding depends on the length of a pass ({', '.join(sorted(ropes))})"
    return None


def _row_wise(head: object) -> bool:
    """True for a head that gives a row the same whatever rows are beside it."""
    parts = head if isinstance(head, nn.Sequential) else [head]
    return all(isinstance(part, nn.Linear | nn.ReLU | RowWise) for part in parts)


class _LastRowsOnly(nn.Module):
    """In a pack, runs a row-wise module at the rows that are scored and gives zeros elsewhere."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, states: Tensor) -> Tensor:
        """Return what the module gives of states of shape (1, tokens, width), or of any outside a pack."""
        layout = current_layout()
        if layout is None:
            whole: Tensor = self.inner(states)
            return whole
        some: Tensor = self.inner(states[:, layout.last_rows])
        return some.new_zeros(*states.shape[:-1], some.shape[-1]).index_copy_(1, layout.last_rows, some)


def _multiplies_matrices(dtype: torch.dtype) -> bool:
    """True where the processor has matrix instructions for this dtype."""
    names = {torch.bfloat16: "amx_bf16", torch.float16: "amx_fp16"}
    return dtype in names and cpu_has(names[dtype])


def _rope_types(parameters: dict[str, object]) -> set[str]:
    """Return the rope types of a configuration; Gemma 3 nests them by layer type."""
    nested = [value for value in parameters.values() if isinstance(value, dict)]
    return {str(entry.get("rope_type", "default")) for entry in nested or [parameters]}


def to_values(logits: Tensor) -> Values:
    """Return the only column of logits, of shape (sequences, 1), as scores."""
    values: Values = logits[:, 0].cpu().double().numpy()
    return values
