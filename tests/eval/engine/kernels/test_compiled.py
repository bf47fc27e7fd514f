"""Compiled layers give the same scores, only where they pay, and never stand in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from rmeval.errors import UsageError
from rmeval.eval.engine.kernels.compiled import pays
from rmeval.eval.model_options import CompileMode
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation, Message, Score
from tests.support.scoring import said

CPU = torch.device("cpu")


def sample(count: int = 12) -> list[Conversation]:
    """Conversations of different lengths, some with the same beginning."""
    return [
        Conversation((Message("user", f"question {i % 4} " * 5),), (Message("assistant", "ab " * (3 * i)),), f"e{i}")
        for i in range(count)
    ]


def scores(folder: Path, compile: CompileMode, dtype: str = "float32") -> tuple[list[Score], set[str]]:
    scorer = load_scorer(str(folder), ModelOptions(dtype=dtype, device="cpu", compile=compile, cache=False))
    found = said(scorer, sample())
    return found, {item.code for item in scorer.findings()}


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.02)])
def test_compiled_scores_are_the_same(tiny_model: Path, dtype: str, bound: float) -> None:
    torch._dynamo.reset()
    counters.clear()
    plain, _ = scores(tiny_model, "off", dtype)
    compiled, codes = scores(tiny_model, "on", dtype)
    assert "not-compiled" not in codes
    assert "fast-path-refused" not in codes
    for one, other in zip(compiled, plain, strict=True):
        assert one.value == pytest.approx(other.value, abs=bound * max(1, abs(other.value)))
    # A layer in one piece, once for each precision that was computed in.
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == (1 if dtype == "float32" else 2)


def test_compiled_layers_are_checked_against_the_models_own(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = scores(tiny_model, "off")

    def miscompile(forward: Callable[..., torch.Tensor], **_: object) -> Callable[..., torch.Tensor]:
        return lambda *given, **named: forward(*given, **named).roll(1, -1)

    monkeypatch.setattr(torch, "compile", miscompile)
    miscompiled, codes = scores(tiny_model, "on")
    assert "fast-path-refused" in codes
    assert [score.value for score in miscompiled] == pytest.approx([score.value for score in plain], abs=1e-5)


def test_without_a_compiler_the_layers_run_as_they_are(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config

    torch._dynamo.reset()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # What an earlier test compiled would be found.
    plain, _ = scores(tiny_model, "off")
    with config.patch({"cpp.cxx": ("/nonexistent/compiler",)}):
        compiled, codes = scores(tiny_model, "on")
    torch._dynamo.reset()
    assert "not-compiled" in codes
    assert "fast-path-refused" not in codes
    assert [score.value for score in compiled] == pytest.approx([score.value for score in plain], abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "tokens", "width", "threads", "device", "expected"),
    [
        ("auto", 113_000, 576 * 30, 2, CPU, False),  # 419 pairs with a 135M model: would save 6 s, and cost 13.
        ("auto", 1_000_000, 576 * 30, 2, CPU, True),
        ("auto", 1_000_000, 576 * 30, 16, CPU, False),
        ("auto", 113_000, 4096 * 32, 2, CPU, True),  # A 7B model has more between its layers.
        ("auto", 20_000_000, 576 * 30, 2, torch.device("cuda"), False),
        ("on", 1, 1, 64, CPU, True),
        ("off", 20_000_000, 576 * 30, 2, CPU, False),
    ],
)
def test_auto_compiles_only_long_work(
    mode: CompileMode, tokens: int, width: int, threads: int, device: torch.device, expected: bool
) -> None:
    assert pays(mode, tokens=tokens, width=width, threads=threads, device=device) is expected


def test_a_mode_that_does_not_exist(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="--compile is auto, on or off, not 'max'"):
        load_scorer(str(tiny_model), ModelOptions(compile="max"))  # type: ignore[arg-type]
