"""The ways to compute a model's scores, and what is left when one of them fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rmeval.data_prep.text.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.engine.execute import ForwardError
from rmeval.eval.engine.gated import GatedHead
from rmeval.eval.engine.kernels import compiled
from rmeval.eval.engine.kernels import flex as flex_attention
from rmeval.eval.engine.packed import Executor, PackedExecutor, PackedGated, why_not_packable
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Plan
from rmeval.eval.engine.precision import Precision, lower_whole
from rmeval.eval.model_options import CompileMode

if TYPE_CHECKING:
    from transformers import PreTrainedModel


NOT_ASKED = "it was not asked for"
"""Why the fast path is not used where somebody wants another."""
_NOT_LINEAR = "its linear layers are not what computes in low precision"


class Ways:
    """Up to three: packs of the fast path, padded batches, one sequence at a time; and up to three precisions.

    Args:
        model: A classifier with one output, in evaluation mode.
        precision: What it computes in.
        pad_token_id: Fills padded batches; None for an id that no conversation of a batch holds.
        one_by_one: Leave padded batches out, because nothing would ever be padded.
        fast: Use the fast path where it is proved.
        flex: Let packs attend by compiled FlexAttention; None for only on CUDA.
        audit: Told of what is left.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        precision: Precision,
        *,
        pad_token_id: int | None,
        one_by_one: bool,
        fast: bool,
        flex: bool | None = None,
        audit: Audit,
    ) -> None:
        self._model = model
        self._precision = precision
        self._audit = audit
        self.why_plain = why_not_packable(model) if fast else NOT_ASKED
        """Why the fast path is not used; None where it is."""
        if self.why_plain is None and precision.copy is not None:
            self.why_plain = _NOT_LINEAR
        if self.why_plain and fast:
            audit.note("slow-path", self.why_plain)
        self.single = PlainExecutor(model, precision, pad_token_id=pad_token_id, pads=False)
        """The model's own unpadded forward: what all others are held against."""
        padded = PlainExecutor(model, precision, pad_token_id=pad_token_id)
        of_packs = PackedGated if isinstance(getattr(model, "score", None), GatedHead) else PackedExecutor
        packed = [] if self.why_plain else [of_packs(model, precision, flex=flex, compile_flex=flex)]
        self._left: list[Executor] = [*packed, *([] if one_by_one else [padded]), self.single]

    def use(
        self, *, single: PlainExecutor, padded: Executor, packed: PackedExecutor | None, why_plain: str | None
    ) -> None:
        """Compute something else than a classifier's logit, in these ways instead; ``why_plain`` as above."""
        one_by_one = len(self._left) == 1
        self.why_plain = why_plain
        if packed is not None and self._precision.copy is not None:
            self.why_plain, packed = _NOT_LINEAR, None
        if self.why_plain and why_plain != NOT_ASKED:
            self._audit.note("slow-path", self.why_plain)
        self.single = single
        self._left = [*([] if packed is None else [packed]), *([] if one_by_one else [padded]), single]

    @property
    def first(self) -> Executor:
        """The way in use, but for work that is too small for it."""
        return self._left[0]

    @property
    def second(self) -> Executor:
        """The way for work that is too small for packs; there is one where the first is packs."""
        return self._left[1]

    def leave(self, left: Executor, why: str) -> None:
        """Go on without a way.

        Raises:
            ModelError: if there is no other.
        """
        if left is self.single:
            raise ModelError(f"the model's own forward cannot be relied on, one conversation at a time: {why}")
        if isinstance(left, PackedExecutor):
            self.why_plain = why
            self._audit.note("fast-path-refused", why)
        else:
            self._audit.note("one-at-a-time", why)
        self._left.remove(left)

    def leave_failed(self, left: Executor, failed: ForwardError) -> None:
        """Go on with another precision, or without a way, which fails on a pack.

        Raises:
            ModelError: if there is none.
        """
        precision = self._precision
        if precision.low and not self._fails_in_float32(left, failed):
            low = str(precision.dtype).removeprefix("torch.")
            if precision.copy is None and not isinstance(left, PackedExecutor):
                self._audit.note("mixed-precision-refused", f"{low}: {failed}")
                lower_whole(self._model, precision)
            else:
                self._audit.note("low-precision-refused", f"{low}: {failed}")
                precision.give_up()
        elif left is self.single:
            dtype = str(precision.own).removeprefix("torch.")
            other = "" if dtype == "float32" else "; --dtype float32 may work, and needs more memory"
            what = f"the model's own forward fails in {dtype} on a conversation of {failed.longest:,} tokens"
            raise ModelError(f"{what}: {failed}{other}") from failed
        else:
            self.leave(left, str(failed))

    def _fails_in_float32(self, executor: Executor, failed: ForwardError) -> bool:
        try:
            with self._precision.exact():
                executor.score(failed.pack)
        except Exception:  # Whatever the model's code raises.
            return True
        return False


def worth_compiling(mode: CompileMode, plan: Plan, model: PreTrainedModel) -> bool:
    """Return whether to compile the layers for a plan of packs."""
    config = model.config.get_text_config()
    return compiled.pays(
        mode,
        tokens=plan.distinct_tokens,
        width=config.hidden_size * config.num_hidden_layers,
        threads=torch.get_num_threads(),
        device=model.device,
    )


def why_too_small(plan: Plan, model: PreTrainedModel, precision: Precision) -> str | None:
    """Say why a plan of packs is not worth compiling their attention for; None if it is.

    Only what is known before anything runs counts, so that a run that is resumed computes as an undisturbed one does.
    """
    table = model.get_input_embeddings().weight
    weights = model.num_parameters() - (table.numel() if isinstance(table, torch.Tensor) else 0)
    saved = int(plan.lengths.sum()) - plan.distinct_tokens
    kinds = len(set(getattr(model.config.get_text_config(), "layer_types", None) or [None]))
    precisions = 2 if precision.low else 1  # The self-check is in float32.
    if flex_attention.pays(saved_tokens=saved, flops=2.0 * weights, kinds=kinds, precisions=precisions):
        return None
    return f"packs would save {saved:,} tokens, and compiling their attention would take longer"
