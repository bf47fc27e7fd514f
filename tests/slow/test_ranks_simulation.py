"""Do the rank ranges of a leaderboard hold what they say? Simulated on RewardBench's shape."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.eval.compare import shares
from rmeval.eval.suites import get_suite
from tests.conftest import REPOSITORY
from tests.ranking import World, simulate

SUITE = get_suite("rewardbench")
WEIGHTS = shares(SUITE, "today", {name: float(n) for name, n in SUITE.expected.items()})[1]
_TEN = np.arange(10.0)
WORLDS = {
    "all equal": World("ten models of the same accuracy", 0.0 * _TEN, (0.7, 0.9)),
    "a ladder": World("ten models, a point apart", -0.01 * _TEN, (0.75, 0.95)),
    "pairs of equals": World("five accuracies 3 points apart, twice each", -0.03 * (_TEN // 2), (0.75, 0.95)),
    "strong models": World("ten models, 0.2 points apart, nearly always right", -0.002 * _TEN, (0.97, 0.995)),
    "few flips": World("ten equal models that hardly ever differ", 0.0 * _TEN, (0.96, 0.999), shared=0.95),
    "three examples a prompt": World("a ladder; examples of a prompt share their luck", -0.01 * _TEN, (0.75, 0.95), 3),
    "forty models": World("forty models, 0.2 points apart", -0.002 * np.arange(40.0), (0.75, 0.95)),
}
BOARDS = 300


@pytest.mark.slow
def test_rank_ranges_hold_the_true_ranks() -> None:
    found = {name: simulate(world, SUITE.expected, WEIGHTS, BOARDS, draws=1_000) for name, world in WORLDS.items()}
    lines = [
        "# Do rank ranges hold what they say?",
        "",
        f"{BOARDS} simulated leaderboards of each world, of RewardBench's 2,985 rows. All ranges of a leaderboard are",
        "claimed to hold together 95% of the time; the standard error of a share near 95% is 1.3 points. Made by",
        "`tox -e slow` (`tests/slow/test_ranks_simulation.py`).",
        "",
        "| world | all ranges hold | a model's range holds | equal models told apart | ranks in a range |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, held in found.items():
        models = len(WORLDS[name].skills)
        lines.append(
            f"| {name} | {held.all_ranks / BOARDS:.1%} | {held.ranks / BOARDS / models:.1%}"
            f" | {held.equal_apart / BOARDS:.1%} | {held.width:.1f} of {models} |"
        )
    lines += ["", *(f"- {name}: {world.what}" for name, world in WORLDS.items())]
    (REPOSITORY / "docs" / "ranks.md").write_text("\n".join(lines) + "\n")
    for name, held in found.items():
        assert held.all_ranks / BOARDS >= 0.95 - 3 * 0.0126, name
        assert held.equal_apart / BOARDS <= 0.05 + 3 * 0.0126, name
