"""How fast? A 7B shape over as many pairs as RewardBench has, beside transformers' pipeline and padded batches."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers import models as vocabularies

from benchmarks.device_parts import lengths, models, scoring
from benchmarks.device_parts.report import Part, Row
from rmeval.bench.measure.ceiling import clock, matrix_rate
from rmeval.bench.measure.memory import Peak
from rmeval.bench.subjects.configured import shape_of
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.engine import PACK_TOKENS, Engine
from rmeval.eval.engine.kernels.flex import block_mask, kernels_made, padded_rows
from rmeval.eval.engine.kernels.layout import in_flight
from rmeval.eval.engine.plan import Pack, Plan, make_plan
from rmeval.eval.models.loading import skeleton

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROWS = [
    Row("matrix rate before", "TFLOP/s"),
    Row("matrix rate after", "TFLOP/s"),
    Row("pipeline at its best batch size", "tokens/s"),
    Row("length-sorted padded batches", "tokens/s"),
    Row("engine, first pass: self-check and compiling in it", "s", goal=60, must=60, less=True, speed=True),
    Row("engine, later pass", "s"),
    Row("engine / pipeline", "x", goal=5, must=3, speed=True),
    Row("engine / length-sorted padded batches", "x"),
    Row("share of the matrix rate", "", goal=0.70, must=0.55, speed=True),
    Row("planning", "s"),
    Row("packs, copies and masks", "s"),
    Row("peak memory on the device", "GiB"),
    Row("kernels compiled"),
    Row("compiling a kernel", "s"),
    Row("padding in attention alone", "share"),
]  # fmt: skip
_BATCH_SIZES = (1, 8, 32)
_ASIDE = 64
"""Pairs that the pipeline and the padded batches score: at even steps through all."""
_GUESS = 0.45
"""Share of the matrix rate that is reckoned with when time is short."""


@dataclass(slots=True)
class _Work:
    lengths: lengths.Lengths
    encoded: list[Encoded]
    sample: list[Encoded]

    @property
    def given(self) -> int:
        """Tokens of all conversations."""
        return sum(len(each.ids) for each in self.encoded)


def run(part: Part) -> None:
    """Fill the rows."""
    device, dtype = torch.device(part.device), "float32" if part.small else "bfloat16"
    before = matrix_rate(dtype, device, 0.01 if part.small else 0.15)
    part.put("matrix rate before", before / 1e12, dtype=dtype)
    work = _work(part, before)
    pipeline = part.attempt(_pipeline, part, work.sample, dtype)
    gc.collect()
    peak = Peak(device)
    model, precision = models.own("7b", dtype, part.device, small=part.small)
    plain = _rate(scoring.engine(model, precision, fast=False, audit=Audit()), work.sample, device)
    part.put("length-sorted padded batches", plain, pairs=len(work.sample) // 2)
    best = _engine(part, scoring.engine(model, precision, audit=Audit()), work, dtype)
    after = matrix_rate(dtype, device, 0.01 if part.small else 0.15)
    part.put("matrix rate after", after / 1e12)
    part.put("engine / pipeline", work.given / best / pipeline if pipeline else None,
             reason=None if pipeline else "the pipeline failed")  # fmt: skip
    part.put("engine / length-sorted padded batches", work.given / best / plain)
    shape = shape_of(skeleton("7b", models.config("7b", small=part.small)))
    flops = shape.flops([len(each.ids) for each in work.encoded], _shared(work)) or 0.0
    part.put("share of the matrix rate", flops / best / max(before, after), teraflop=flops / 1e12)
    on_device = peak.on_device
    part.put("peak memory on the device", None if on_device is None else on_device / 2**30,
             reason="there is no device beside the processor" if on_device is None else None)  # fmt: skip
    _overheads(part, work, device)


def _work(part: Part, rate: float) -> _Work:
    """Draw the pairs: all of RewardBench's, or as many as the minutes allow."""
    configuration = models.config("7b", small=part.small)
    shape = shape_of(skeleton("7b", configuration))
    pairs = 24 if part.small else lengths.REWARDBENCH
    rows = lengths.read(part.lengths, pairs)
    tokens = float((rows[:, :2].sum(axis=1) - rows[:, 2]).sum())
    seconds = 2 * 2.0 * (shape.linear_weights or 0) * tokens / (_GUESS * rate)  # Two passes.
    if not part.small and seconds > part.left - 60:
        pairs = max(_ASIDE, int(pairs * max(0.0, part.left - 60) / seconds))
        rows = lengths.read(part.lengths, pairs)
    encoded = lengths.draw(rows, vocabulary=shape.vocabulary, longest=shape.limit or 4096)
    aside = min(_ASIDE, pairs) if not part.small else 4
    places = [2 * (place * pairs // aside) + side for place in range(aside) for side in (0, 1)]
    return _Work(rows, encoded, [encoded[place] for place in places])


def _engine(part: Part, engine: Engine, work: _Work, dtype: str) -> float:
    """Score all twice; return the seconds of the better pass."""
    now, before = clock(torch.device(part.device)), kernels_made()
    start = now()
    scored = engine.score(work.encoded)
    first = now() - start
    pairs = len(work.lengths)
    scale = 1.0 if part.small else lengths.REWARDBENCH / pairs
    part.put("engine, first pass: self-check and compiling in it", first * scale, pairs=pairs,
             measured_seconds=first, path=engine.path, why_plain=engine.why_plain, dtype=dtype)  # fmt: skip
    made = kernels_made()
    kernels = made.kernels - before.kernels
    part.put("kernels compiled", kernels)
    part.put("compiling a kernel", (made.seconds - before.seconds) / kernels if kernels else None,
             reason=None if kernels else "none was: only CUDA compiles its attention")  # fmt: skip
    part.put("planning", scored.plan_seconds, note="of the first pass: the self-check is in it")
    if not part.small and part.left < 1.3 * first:
        part.put("engine, later pass", None, reason="out of time: the first pass counts")
        return first
    start = now()
    again = engine.score(work.encoded)
    later = now() - start
    part.put("engine, later pass", later, tokens_per_second=work.given / later, computed=again.accounting.computed)
    part.put("planning", again.plan_seconds)
    return min(first, later)


def _rate(engine: Engine, encoded: Sequence[Encoded], device: torch.device) -> float:
    """Return the tokens a second of a pass that is not the first."""
    now = clock(device)
    engine.score(encoded)
    start = now()
    engine.score(encoded)
    return sum(len(each.ids) for each in encoded) / (now() - start)


# --- the pipeline -----------------------------------------------------------------------------------------------


def _pipeline(part: Part, sample: Sequence[Encoded], dtype: str) -> float:
    """Time transformers' pipeline on the same ids, spelled as numbers; return its best tokens a second."""
    configuration = models.config("7b", small=part.small)
    own: torch.dtype = getattr(torch, dtype)
    torch.manual_seed(0)
    with torch.device(part.device):
        model: PreTrainedModel = transformers.AutoModelForSequenceClassification.from_config(configuration, dtype=own)
    classify: Any = transformers.pipeline(
        "text-classification", model=model.eval(), tokenizer=_numbers(configuration.vocab_size), device=part.device
    )
    texts = [" ".join(map(str, each.ids.tolist())) for each in sample]
    tokens, now = sum(len(each.ids) for each in sample), clock(torch.device(part.device))
    found: dict[str, float] = {}
    for size in _BATCH_SIZES:
        classify(texts[:2], function_to_apply="none", batch_size=size)
        start = now()
        classify(texts, function_to_apply="none", batch_size=size)
        found[str(size)] = tokens / (now() - start)
    best = max(found.values())
    part.put("pipeline at its best batch size", best, by_batch_size=found, pairs=len(sample) // 2)
    return best


def _numbers(vocabulary: int) -> transformers.PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are numbers between spaces."""
    words = {str(number): number for number in range(vocabulary)}
    core = Tokenizer(vocabularies.WordLevel(words, unk_token="0"))  # noqa: S106 - not that kind of token
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, pad_token="0")  # noqa: S106 - as above


# --- what is not arithmetic -------------------------------------------------------------------------------------


def _overheads(part: Part, work: _Work, device: torch.device) -> None:
    """Make every pack, copy it to the device and make its mask, without the model."""
    plan = make_plan([each.ids for each in work.encoded], share_prefixes=True)
    now = clock(device)
    start, rows = now(), []
    for pack in _packs(plan, PACK_TOKENS.get(device.type, PACK_TOKENS["cpu"])):
        rows.append(len(pack.ids))
        with in_flight(pack, dtype=torch.float32, device=device, flex=True) as layout:
            torch.from_numpy(pack.ids).to(device, torch.long)
            block_mask(layout, None, padded_rows(rows[-1]))
    part.put("packs, copies and masks", now() - start, packs=len(rows))
    padded = sum(map(padded_rows, rows))
    part.put("padding in attention alone", 1 - sum(rows) / padded, sizes=sorted(set(map(padded_rows, rows))))


def _packs(plan: Plan, budget: int) -> Iterator[Pack]:
    first = 0
    while first < len(plan.lengths):
        last = plan.next_cut(first, budget)
        yield plan.pack(first, last)
        first = last


def _shared(work: _Work) -> list[int]:
    """Return, for each conversation, the tokens that its pair's other one has computed."""
    found = []
    for place, shared in enumerate(work.lengths[:, 2].tolist()):
        found += [0, min(shared, *(len(work.encoded[2 * place + side].ids) for side in (0, 1)))]
    return found
