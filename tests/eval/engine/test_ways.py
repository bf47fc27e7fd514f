"""What the engine does where a way to compute, or a precision, fails: each on a model that really does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.errors import ModelError
from rmeval.eval.engine import check
from rmeval.eval.engine.check import agreement, rope_break
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.kernels import attention
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Ids, Pack
from rmeval.eval.engine.precision import Precision, lower, lower_whole
from rmeval.eval.journal.journal import Journal
from tests.eval.engine.test_packed import build, one_at_a_time, sequences, worst
from tests.support.models.tiny import tiny_config


def encoded(rows: list[Ids]) -> list[Encoded]:
    return [Encoded(ids, len(ids) - 1, False) for ids in rows]


def engine(model: PreTrainedModel, precision: Precision | None = None, **options: object) -> tuple[Engine, Audit]:
    audit = Audit()
    given = {"pad_token_id": 2, "batch_size": None, "journal": None, "context": "test", "audit": audit, **options}
    return Engine(model, precision or Precision(torch.float32), **given), audit  # type: ignore[arg-type]


def codes(audit: Audit) -> list[str]:
    return [finding.code for finding in audit.findings()]


def classifier(model_type: str, **changes: object) -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config(model_type, **changes), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    found: PreTrainedModel = model.eval()
    return found


# --- the self-check ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_a_window_that_is_forgotten_is_found_at_any_scale_of_scores(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of the order of 1e-5 differ by less than any bound that is relative to 1."""
    model = build("mistral window")
    with torch.no_grad():
        model.get_parameter("score.weight").mul_(scale)
    rows = sequences()
    expected = one_at_a_time(model, rows)
    attend = attention._attend

    def forgets(query: object, key: object, value: object, scale: float, window: object, *others: object) -> object:
        return attend(query, key, value, scale, None, *others)

    monkeypatch.setattr(attention, "_attend", forgets)
    made, audit = engine(model)
    values = made.score(encoded(rows)).values
    assert "fast-path-refused" in codes(audit)
    assert np.abs(values - expected).max() <= 1e-5 * np.ptp(expected)
    monkeypatch.setattr(attention, "_attend", attend)
    model = build("mistral window")
    with torch.no_grad():
        model.get_parameter("score.weight").mul_(scale)
    sound, audit = engine(model)
    assert np.abs(sound.score(encoded(rows)).values - expected).max() <= 1e-4 * np.ptp(expected)
    assert (sound.path, codes(audit)) == ("packed", [])


def test_agreement_by_hand() -> None:
    found = agreement(np.array([1.0, 2.0, 4.1]), np.array([1.0, 2.0, 4.0]))
    assert (found.relative, found.of_spread) == pytest.approx((0.1 / 4, 0.1 / 3))
    # Scores that hardly differ are taken to lie a tenth of their size apart.
    assert agreement(np.array([5.0, 5.001]), np.array([5.0, 5.0])).of_spread == pytest.approx(0.001 / 0.5)
    assert agreement(np.array([np.nan, 1.0]), np.array([np.nan, 1.0])) == check.Agreement(0.0, 0.0)
    assert agreement(np.array([np.nan, 1.0]), np.array([1.0, 1.0])).relative == np.inf
    assert not check.Agreement(0.0, 1e-3).holds(1e-4)
    assert check.Agreement(9e-5, 9e-5).holds(1e-4)


def test_longer_rows_than_those_checked_are_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A padding that goes wrong beyond 60 tokens only: the first rows are shorter."""
    model = classifier("gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=2048)
    rows = sequences()
    short, long = [ids for ids in rows if len(ids) <= 60], rows
    assert 3 < len(short) < len(long)
    score = PlainExecutor.score

    def wrong(self: PlainExecutor, pack: Pack) -> Values:
        lengths = [segment.stop - segment.start for segment in pack.segments]
        return score(self, pack) + float(len(lengths) > 1 and max(lengths) > 60)

    monkeypatch.setattr(PlainExecutor, "score", wrong)
    made, audit = engine(model)
    assert worst(made.score(encoded(short)).values, one_at_a_time(model, short)) <= 1e-5
    assert made.path == "plain"
    assert worst(made.score(encoded(long)).values, one_at_a_time(model, long)) <= 1e-5
    assert made.path == "plain-single"
    assert "one-at-a-time" in codes(audit)


def test_a_forward_that_is_another_each_time_is_refused() -> None:
    model = classifier("gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=2048)
    model.get_submodule("score").register_forward_hook(lambda module, args, result: result + torch.rand(1))
    made, _ = engine(model)
    with pytest.raises(ModelError, match="cannot be relied on, one conversation at a time: its scores differ by"):
        made.score(encoded(sequences()))


# --- LongRoPE ---------------------------------------------------------------------------------------------------


def test_a_batch_never_holds_rows_of_both_sides_of_longropes_original_length() -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [float(1 + place) for place in range(8)],
        "original_max_position_embeddings": 64,
    }
    model = classifier("phi3", rope_parameters=rope, original_max_position_embeddings=64, pad_token_id=2)
    assert rope_break(model.config) == 64
    rows = sequences()
    assert {len(ids) > 64 for ids in rows} == {True, False}
    expected = one_at_a_time(model, rows)
    for batch_size in (None, 2, 8, 64):
        made, audit = engine(model, batch_size=batch_size)
        assert worst(made.score(encoded(rows)).values, expected) <= 1e-5
        # Batches are still padded: only the two sides are kept apart.
        assert (made.path, codes(audit)) == ("plain", ["slow-path"])


# --- pad tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pad", [None, -1, 5000])
@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox"])
def test_a_pad_id_without_an_embedding_is_replaced_where_it_cannot_matter(pad: int | None, model_type: str) -> None:
    changes = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048} if model_type == "gpt2" else {}
    model = classifier(model_type, **changes)
    model.config.pad_token_id = pad
    rows = sequences()
    expected = one_at_a_time(model, rows)
    made, audit = engine(model, pad_token_id=None)
    assert worst(made.score(encoded(rows)).values, expected) <= 1e-5
    assert (made.path, codes(audit)) == ("plain", ["slow-path"])
    assert model.config.pad_token_id == pad


# --- precisions -------------------------------------------------------------------------------------------------


def test_a_model_that_fails_in_mixed_precision_computes_wholly_in_it() -> None:
    """A layer that insists on the dtype of its own weight."""
    model = classifier("gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=2048)
    precision = lower(model, torch.bfloat16)

    def insists(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if precision.low and precision.copy is None:
            raise RuntimeError("expected scalar type BFloat16")

    model.get_submodule("transformer.ln_f").register_forward_pre_hook(insists)
    made, audit = engine(model, precision)
    rows = encoded(sequences())
    low = made.score(rows)
    assert codes(audit) == ["slow-path", "mixed-precision-refused"]
    assert (precision.active, precision.between) == (torch.bfloat16, torch.bfloat16)
    own = precision.copy
    assert own is not None
    assert {parameter.dtype for parameter in own.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    exact = made.rescore(rows).values
    assert worst(exact, one_at_a_time(model, [item.ids for item in rows])) <= 1e-5
    assert 0 < np.abs(low.values - exact).max() < 0.3


def test_a_model_that_fails_in_low_precision_altogether_computes_in_float32() -> None:
    model = classifier("gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=2048)
    precision = lower(model, torch.float16)

    def insists(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if precision.low:
            raise NotImplementedError('"layer_norm" not implemented for Half')

    model.get_submodule("transformer.ln_f").register_forward_pre_hook(insists)
    made, audit = engine(model, precision)
    rows = sequences()
    values = made.score(encoded(rows)).values
    assert codes(audit) == ["slow-path", "mixed-precision-refused", "low-precision-refused"]
    assert (precision.active, made.can_refine, precision.copy) == (torch.float32, False, None)
    assert worst(values, one_at_a_time(model, rows)) <= 1e-5


@pytest.mark.parametrize("model_type", ["gpt2", "openai-gpt", "falcon", "mixtral"])
def test_what_computes_in_low_precision_is_what_is_said(model_type: str) -> None:
    """Conv1D, Falcon's own linear layers and the experts of a mixture are no plain linear layers."""
    gpt = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048}
    model = classifier(model_type, **(gpt if "gpt" in model_type else {}))
    exact = one_at_a_time(model, rows := sequences())
    precision = lower(model, torch.bfloat16)
    made, _ = engine(model, precision)
    low = made.score(encoded(rows)).values
    assert (precision.copy is not None) is (model_type == "mixtral")
    # bfloat16 keeps 8 bits: rounding that often moves a score by more than float32 ever would.
    assert 1e-4 < np.abs(low - exact).max() < 0.3
    assert worst(made.rescore(encoded(rows)).values, exact) <= 1e-5


# --- the journal ------------------------------------------------------------------------------------------------


def test_precisions_that_differ_between_the_layers_have_different_scores_in_the_journal(
    tiny_model: Path, tmp_path: Path
) -> None:
    """bfloat16 products inside a float32 model, then the same model wholly in bfloat16, on both paths."""
    rows = encoded(sequences())
    for fast in (True, False):
        with Journal.open(tmp_path / f"{fast}.sqlite") as journal:
            model = AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
            mixed = engine(model, lower(model, torch.bfloat16), journal=journal, fast=fast)[0].score(rows)
            whole = AutoModelForSequenceClassification.from_pretrained(tiny_model, dtype=torch.bfloat16).eval()
            precision = Precision(torch.bfloat16, own=torch.bfloat16)
            other = engine(whole, precision, journal=journal, fast=fast)[0].score(rows)
            assert (mixed.accounting.recalled, other.accounting.recalled) == (0, 0)
            assert other.accounting.computed > 0
            assert other.values.tolist() != mixed.values.tolist()
            copied = AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
            precision = lower(copied, torch.bfloat16)
            lower_whole(copied, precision)
            third = engine(copied, precision, journal=journal, fast=False)[0].score(rows)
            # The same as a model that is wholly in bfloat16, where that ran on this path.
            assert third.accounting.recalled == (0 if fast else len(rows))


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_another_version_of_what_computes_has_no_scores_in_the_journal(
    tiny_model: Path, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = encoded(sequences())
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        journal.origin = "this machine, today"
        first = engine(model, journal=journal)[0].score(rows).accounting
        again = engine(model, journal=journal)[0].score(rows).accounting
        assert (first.recalled, dict(first.recalled_from)) == (0, {})
        assert (again.recalled, again.computed) == (len(rows), 0)
        distinct = len({item.ids.tobytes() for item in rows})
        assert dict(again.recalled_from) == {"this machine, today": distinct}
        monkeypatch.setattr(f"{library}.__version__", "99.0")
        assert engine(model, journal=journal)[0].score(rows).accounting.recalled == 0
