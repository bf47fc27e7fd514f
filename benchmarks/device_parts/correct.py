"""Are the scores right? Every way of the engine against the model's own unpadded forward, and what can go wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.device_parts import lengths, models, scoring
from benchmarks.device_parts.report import Part, Row
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.check import CHECK_BOUND, LOW_CHECK_BOUND
from rmeval.eval.engine.execute import execute
from rmeval.eval.engine.kernels.flex import kernels_made
from rmeval.eval.engine.packed import Executor, PackedExecutor, Values
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Ids, make_plan
from rmeval.eval.engine.precision import Precision
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.selftest import selftest
from tests.eval.engine.test_packed import sequences, worst
from tests.support.models.tiny import save_tiny_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MODELS = [*models.FAMILIES, "1b"]
_BOUNDS = {"float32": CHECK_BOUND["packed"], "bfloat16": LOW_CHECK_BOUND}
_WAYS = (("loop", False, False), ("flex", True, False), ("flex compiled", True, True))
"""How packs attend: name, by FlexAttention, compiled."""
_IN_SMALL = {"loop": ("float32", "bfloat16"), "flex": ("float32",), "flex compiled": ()}
"""Dtypes of each way on a CPU. Beside these, ``llama`` is compiled in float32: a kernel takes it many seconds."""
ROWS = [
    *(
        Row(f"{name}, {dtype}: furthest from its own forward", must=bound, less=True)
        for name in _MODELS
        for dtype, bound in _BOUNDS.items()
    ),
    Row("kernels compiled"),
    Row("decisions that refinement leaves otherwise than float32", must=0, less=True),
    Row("decisions that the self-test moves", must=0, less=True),
    Row("out of memory: furthest from float32's own forward", must=_BOUNDS["float32"], less=True),
    Row("not a number: conversations that are hit and should not be", must=0, less=True),
    Row("as long as the model can take: furthest from its own forward", must=_BOUNDS["float32"], less=True),
]


def run(part: Part) -> None:
    """Fill the rows."""
    before = kernels_made()
    for check in (_refinement, _selftest, _memory, _not_a_number, _longest):
        part.need(1)
        part.attempt(check, part)
    for name in _MODELS:
        for dtype in _BOUNDS:
            part.need(3 if part.small else 10)
            part.attempt(_family, part, name, dtype)
            made = kernels_made()
            part.put("kernels compiled", made.kernels - before.kernels, seconds=made.seconds - before.seconds)


def _family(part: Part, name: str, dtype: str) -> None:
    """Score the same sequences in every way, in packs of several sizes."""
    rows = sequences()
    model, precision = _build(part, name, dtype)
    expected = _own(model, precision, rows)
    found: dict[str, float | None] = {}
    budgets = (100_000,) if part.small else (300, 100_000)
    for way, flex, compiled in _WAYS:
        found[way] = None
        if part.small and dtype not in _IN_SMALL[way] and (way, name, dtype) != ("flex compiled", "llama", "float32"):
            continue
        model, precision = _build(part, name, dtype)
        executor = PackedExecutor(model, precision, flex=flex, compile_flex=compiled)
        found[way] = max(_furthest(executor, rows, expected, budget) for budget in budgets)
    model, precision = _build(part, name, dtype)
    found["plain"] = _furthest(PlainExecutor(model, precision, pad_token_id=_pad(model)), rows, expected, 4096)
    furthest = max(each for each in found.values() if each is not None)
    part.put(f"{name}, {dtype}: furthest from its own forward", furthest, found)


def _build(part: Part, name: str, dtype: str) -> tuple[PreTrainedModel, Precision]:
    if name == "1b":
        return models.own("1b", dtype, part.device, small=part.small)
    return models.tiny(name, dtype, part.device)


def _pad(model: PreTrainedModel) -> int | None:
    pad: int | None = model.config.get_text_config().pad_token_id
    return pad


def _own(model: PreTrainedModel, precision: Precision, rows: list[Ids]) -> Values:
    single = PlainExecutor(model, precision, pad_token_id=_pad(model), pads=False)
    return execute(make_plan(rows, share_prefixes=False), single, budget=1, batch_size=1).values


def _furthest(executor: Executor, rows: list[Ids], expected: Values, budget: int) -> float:
    plan = make_plan(rows, share_prefixes=executor.shares_prefixes)
    return worst(execute(plan, executor, budget=budget).values, expected)


# --- decisions --------------------------------------------------------------------------------------------------


def _refinement(part: Part) -> None:
    pairs = lengths.read(part.lengths, 12 if part.small else 300)
    model, precision = models.own("1b", "bfloat16", part.device, small=part.small)
    encoded = lengths.draw(pairs, vocabulary=model.config.vocab_size, longest=model.config.max_position_embeddings)
    engine = scoring.engine(model, precision, audit=Audit())
    values = engine.score(encoded).values
    after = scoring.refined(engine, encoded, values)
    exact = engine.rescore(encoded).values
    part.put(
        "decisions that refinement leaves otherwise than float32",
        scoring.moved([score.value for score in after.scores], exact),
        pairs=len(pairs),
        before=scoring.moved(values, exact),
        rescored=after.rescored,
        drift=after.drift,
        path=engine.path,
    )


def _selftest(part: Part) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = save_tiny_model(Path(folder) / "model")
        dtypes = ["float32"] if part.small else ["float32", "bfloat16"]
        found = [selftest(str(model), model_options=ModelOptions(dtype=each, device=part.device)) for each in dtypes]
    largest = {each.dtype: max(one.largest for one in each.variations) for each in found}
    part.put("decisions that the self-test moves", sum(each.moved for each in found), largest)


# --- what can go wrong ------------------------------------------------------------------------------------------


def _memory(part: Part) -> None:
    """Score where a whole pack does not fit, and half of one does."""
    rows = [each.ids for each in lengths.draw(lengths.read(part.lengths, 16), vocabulary=250, longest=400)]
    model, precision = models.tiny("llama", "float32", part.device)
    expected = _own(model, precision, rows)
    engine = scoring.engine(model, precision, audit=(audit := Audit()))
    limit = sum(map(len, rows)) // 4
    with _short_of_memory(model, limit):
        values = engine.score([Encoded(ids, len(ids) - 1, False) for ids in rows]).values
    retreats = sum(finding.count for finding in audit.findings() if finding.code == "out-of-memory")
    name = "out of memory: furthest from float32's own forward"
    part.put(name, worst(values, expected) if retreats else None, reason=None if retreats else "no retreat was seen",
             retreats=retreats, limit_tokens=limit)  # fmt: skip
    if not retreats:
        raise RuntimeError(f"a limit of {limit:,} tokens a pass made no pass run out of memory")


@contextmanager
def _short_of_memory(model: PreTrainedModel, limit: int) -> Iterator[None]:
    """Ask the device for more than it has, in every pass of more tokens than ``limit``: its own allocator's error."""

    def greedy(_module: Any, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        ids: torch.Tensor = given[0] if given else options["input_ids"]
        if ids.numel() > limit:
            torch.empty(1 << 60, dtype=torch.uint8, device=ids.device)  # An exabyte.

    handle = model.base_model.register_forward_pre_hook(greedy, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _not_a_number(part: Part) -> None:
    """A token with a broken embedding stands in some conversations, in places that others share a beginning with."""
    model, precision = models.tiny("llama", "float32", part.device)
    with torch.no_grad():
        model.get_parameter("model.embed_tokens.weight")[3] = float("nan")
    encoded = lengths.draw(lengths.read(part.lengths, 8), vocabulary=250, longest=300)
    rows = [np.where(each.ids == 3, 4, each.ids).astype(np.int32) for each in encoded]
    for place in (1, 6):
        rows[place][-1] = 3
    values = scoring.engine(model, precision, audit=Audit()).score(
        [Encoded(ids, len(ids) - 1, False) for ids in rows]
    ).values  # fmt: skip
    hit = set(np.flatnonzero(~np.isfinite(values)).tolist())
    part.put("not a number: conversations that are hit and should not be", len(hit ^ {1, 6}), conversations=len(rows))


def _longest(part: Part) -> None:
    model, precision = _build(part, "1b", "float32")
    longest = model.config.max_position_embeddings
    ids = np.random.default_rng(0).integers(3, model.config.vocab_size, (2, longest), dtype=np.int32)
    rows = [ids[0], np.concatenate([ids[0][: longest // 2], ids[1]])[:longest]]
    expected = _own(model, precision, rows)
    engine = scoring.engine(model, precision, audit=Audit())
    values = engine.score([Encoded(each, len(each) - 1, False) for each in rows]).values
    part.put("as long as the model can take: furthest from its own forward", worst(values, expected), tokens=longest,
             path=engine.path)  # fmt: skip
