"""The ways to compute a model's scores, and what is left when one of them fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.data_prep.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.engine.execute import ForwardError
from rmeval.eval.engine.executors import Executor, PackedExecutor, why_not_packable
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.precision import Precision, lower_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Ways:
    """Up to three: packs of the fast path, padded batches, one sequence at a time; and up to three precisions.

    Args:
        model: A classifier with one output, in evaluation mode.
        precision: What it computes in.
        pad_token_id: Fills padded batches; None for an id that no conversation of a batch holds.
        one_by_one: Leave padded batches out, because nothing would ever be padded.
        fast: Use the fast path where it is proved.
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
        audit: Audit,
    ) -> None:
        self._model = model
        self._precision = precision
        self._audit = audit
        self.why_plain = why_not_packable(model) if fast else "it was not asked for"
        """Why the fast path is not used; None where it is."""
        if self.why_plain is None and precision.copy is not None:
            self.why_plain = "its linear layers are not what computes in low precision"
        if self.why_plain and fast:
            audit.note("slow-path", self.why_plain)
        self.single = PlainExecutor(model, precision, pad_token_id=pad_token_id, pads=False)
        """The model's own unpadded forward: what all others are held against."""
        padded = PlainExecutor(model, precision, pad_token_id=pad_token_id)
        packed = [] if self.why_plain else [PackedExecutor(model, precision)]
        self._left: list[Executor] = [*packed, *([] if one_by_one else [padded]), self.single]

    @property
    def first(self) -> Executor:
        """The way in use."""
        return self._left[0]

    def leave(self, why: str) -> None:
        """Go on with the next way.

        Raises:
            ModelError: if there is none.
        """
        left = self._left[0]
        if left is self.single:
            raise ModelError(f"the model's own forward cannot be relied on, one conversation at a time: {why}")
        if isinstance(left, PackedExecutor):
            self.why_plain = why
            self._audit.note("fast-path-refused", why)
        else:
            self._audit.note("one-at-a-time", why)
        del self._left[0]

    def leave_failed(self, failed: ForwardError) -> None:
        """Go on with another precision or way than the one in use, which fails on a pack.

        Raises:
            ModelError: if there is none.
        """
        precision, left = self._precision, self._left[0]
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
            self.leave(str(failed))

    def _fails_in_float32(self, executor: Executor, failed: ForwardError) -> bool:
        try:
            with self._precision.exact():
                executor.score(failed.pack)
        except Exception:  # Whatever the model's code raises.
            return True
        return False
