from __future__ import annotations

import math
from pathlib import Path

import pytest

from rmeval.trainer.results.curves import curves_of, draw

HISTORY = [
    {"step": 1, "loss": 0.7, "accuracy": 0.5, "learning_rate": 1e-3, "epoch": 0.1},
    {"step": 2, "loss": math.nan, "accuracy": 0.6},
    {"step": 2, "eval_loss": 0.6, "eval_accuracy": 0.7, "eval_ece": 0.1, "eval_runtime": 3.0},
    {"step": 2, "train_runtime": 9.0, "train_loss": 0.7},
]


def test_series_go_by_name_and_what_is_not_finite_is_left_out() -> None:
    assert curves_of(HISTORY, [{"step": 2, "suite": "mini", "accuracy": 0.8}]) == {
        "loss": [(1, 0.7)],
        "accuracy": [(1, 0.5), (2, 0.6)],
        "learning_rate": [(1, 1e-3)],
        "held_out_loss": [(2, 0.6)],
        "held_out_accuracy": [(2, 0.7)],
        "held_out_ece": [(2, 0.1)],
        "suite_accuracy": [(2, 0.8)],
    }


@pytest.mark.parametrize("history", [HISTORY, HISTORY[:1], []])
def test_they_are_drawn(history: list[dict[str, float]], tmp_path: Path) -> None:
    draw(curves_of(history), tmp_path / "curves.png", 2 if history else None)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_curves_are_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(curves_of(HISTORY), tmp_path / name, 2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
