"""The engine as a whole: self-check, journal, retreat, refinement; on a tiny model in both precisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.errors import ModelError
from rmeval.eval.engine import packed as executors
from rmeval.eval.engine.check import check_sample
from rmeval.eval.engine.drift import margin_bound
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.packed import PackedExecutor, Values
from rmeval.eval.engine.plan import Ids, Pack
from rmeval.eval.engine.precision import Precision, lower
from rmeval.eval.journal.journal import Journal
from tests.eval.engine.test_packed import one_at_a_time, sequences, worst


def encoded(rows: list[Ids]) -> list[Encoded]:
    return [Encoded(ids, len(ids) - 1, False) for ids in rows]


def load(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    return model


def engine(
    model: PreTrainedModel, *, low: bool = False, journal: Journal | None = None, batch_size: int | None = None
) -> tuple[Engine, Audit]:
    audit = Audit()
    precision = lower(model, torch.bfloat16) if low else Precision(torch.float32)
    made = Engine(model, precision, pad_token_id=2, batch_size=batch_size, journal=journal, context="test", audit=audit)
    return made, audit


class Counting:
    """Counts the packs that an executor really computes, and can fail after some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail_after: int | None = None) -> None:
        self.packs = 0
        score = PackedExecutor.score

        def counted(inner: PackedExecutor, pack: Pack) -> Values:
            if fail_after is not None and self.packs >= fail_after:
                raise KeyboardInterrupt
            self.packs += 1
            return score(inner, pack)

        monkeypatch.setattr(PackedExecutor, "score", counted)


def test_scores_equal_one_at_a_time_for_any_batch_size(tiny_model: Path) -> None:
    rows = sequences()
    expected = one_at_a_time(load(tiny_model), rows)
    for batch_size in (None, 1, 7, 64):
        made, _ = engine(load(tiny_model), batch_size=batch_size)
        assert worst(made.score(encoded(rows)).values, expected) <= 1e-5
        assert made.why_plain is None
        assert made.check_difference is not None
        assert made.check_difference <= 1e-5


def test_a_fast_path_that_is_wrong_is_left(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sequences()
    expected = one_at_a_time(load(tiny_model), rows)
    monkeypatch.setattr(executors.PackedExecutor, "score", lambda self, pack: np.zeros(len(pack.segments)))
    made, audit = engine(load(tiny_model))
    assert worst(made.score(encoded(rows)).values, expected) <= 1e-5
    (finding,) = audit.findings()
    assert finding.code == "fast-path-refused"
    assert "differ by" in finding.examples[0]


def test_a_second_run_computes_nothing_and_says_the_same(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = encoded(sequences())
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        first = engine(load(tiny_model), low=True, journal=journal)[0]
        scores = first.score(rows)
        drift = first.margin_drift(rows, scores.values)
        counting = Counting(monkeypatch)
        second = engine(load(tiny_model), low=True, journal=journal)[0]
        again = second.score(rows)
        assert again.values.tolist() == scores.values.tolist()
        assert second.margin_drift(rows, again.values) == drift
        assert counting.packs == 0
        assert (again.accounting.computed, again.accounting.padded) == (0, 0)
        # Another precision is another score.
        assert engine(load(tiny_model), journal=journal)[0].score(rows).values.tolist() != scores.values.tolist()
        assert counting.packs > 0


@pytest.mark.parametrize("stop", [3, 5, 9])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    stop: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = encoded(sequences())
    whole = engine(load(tiny_model), low=True, batch_size=2)[0].score(rows).values
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        with monkeypatch.context() as patch:
            Counting(patch, fail_after=stop)
            with pytest.raises(KeyboardInterrupt):
                engine(load(tiny_model), low=True, batch_size=2, journal=journal)[0].score(rows)
        kept = journal.info().scores
        assert kept > 0
        resumed = engine(load(tiny_model), low=True, batch_size=2, journal=journal)[0].score(rows).values
    assert resumed.tobytes() == whole.tobytes()


def test_out_of_memory_halves_the_packs_and_goes_on(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = encoded(sequences())
    expected = engine(load(tiny_model))[0].score(rows).values
    score = PackedExecutor.score

    def short_of_memory(self: PackedExecutor, pack: Pack) -> Values:
        if len(pack.ids) > 400:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return score(self, pack)

    monkeypatch.setattr(PackedExecutor, "score", short_of_memory)
    made, audit = engine(load(tiny_model))
    assert worst(made.score(rows).values, expected) <= 1e-5
    assert [(item.code, item.count > 1) for item in audit.findings()] == [("out-of-memory", True)]


def test_one_row_that_does_not_fit_is_an_error(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = engine(load(tiny_model))
    made.score(encoded(sequences()))

    def never(self: PackedExecutor, pack: Pack) -> Values:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(PackedExecutor, "score", never)
    with pytest.raises(ModelError, match="does not fit into memory"):
        made.score(encoded(sequences()[::-1]))


def test_the_drift_bounds_what_is_seen(tiny_model: Path) -> None:
    rows = encoded(sequences())
    made, _ = engine(load(tiny_model), low=True)
    low = made.score(rows).values
    drift = made.margin_drift(rows, low)
    exact = made.rescore(rows).values
    assert drift is not None
    assert 0 < np.abs(np.subtract.outer(low - exact, low - exact)).max() <= drift
    assert engine(load(tiny_model))[0].margin_drift(rows, exact) is None


def test_what_all_scores_drift_by_together_moves_no_margin() -> None:
    """By hand: the standard deviation is 0.01, of a difference the square root of 2 more."""
    for shift in (0.0, 3.0):
        assert margin_bound(shift + np.array([0.0, 0.01, -0.01])) == pytest.approx(4 * 2**0.5 * 0.01)
    assert margin_bound(np.array([0.0] * 99 + [1.0])) == pytest.approx(1.5)  # One outlier says more than the spread.
    assert margin_bound(np.array([np.nan, 1.0])) == np.inf


def test_the_self_check_takes_the_longest_and_one_beyond_each_window() -> None:
    rows = [np.zeros(length, dtype=np.int32) for length in (5, 30, 17, 100, 18, 6)]
    assert check_sample(rows, [17]) == [0, 2, 3, 4, 5]
    assert check_sample(rows, [500]) == [0, 2, 3, 5]
    assert check_sample(rows[:1], []) == [0]


def test_a_model_wholly_in_low_precision_bounds_its_drift_by_its_two_paths(tiny_model: Path) -> None:
    """Where float32 does not fit beside it, no decision is looked at again, but the close ones are known."""
    rows = encoded(sequences())
    model = load(tiny_model)
    model.to(torch.bfloat16)  # type: ignore[arg-type]
    precision = Precision(torch.bfloat16, own=torch.bfloat16)
    made = Engine(model, precision, pad_token_id=2, batch_size=None, journal=None, context="test", audit=Audit())
    values = made.score(rows).values
    drift = made.margin_drift(rows, values)
    assert not made.can_refine
    assert drift is not None
    assert 0 < drift < 1


def test_a_model_that_overflows_alike_on_both_paths_keeps_the_fast_one(tiny_model: Path) -> None:
    model = load(tiny_model)
    with torch.no_grad():
        model.get_parameter("score.weight").fill_(float("inf"))
    made, audit = engine(model)
    assert not np.isfinite(made.score(encoded(sequences())).values).any()
    assert (made.why_plain, audit.findings()) == (None, [])
