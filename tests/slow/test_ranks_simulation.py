"""Do the rank ranges of a leaderboard hold what they say? Simulated on RewardBench's shape."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites.base import Suite
from tests.conftest import REPOSITORY
from tests.support.ranking import Held, World, simulate
from tests.support.worlds import ALIKE, FEW_IN_CHAT, PAIRS, REWARDBENCH, UNEVEN

_TEN = np.arange(10.0)
_EQUAL = World("ten models of the same accuracy", 0.0 * _TEN, (0.7, 0.9))
_LADDER = World("ten models, a point apart", -0.01 * _TEN, (0.75, 0.95))
Shape = tuple[Suite, Mapping[str, int]]
WHOLE: Shape = (REWARDBENCH, REWARDBENCH.expected)
_ACROSS = replace(_EQUAL, what="equal models; the subsets have the same prompts", across=True)
WORLDS: dict[str, tuple[World, Shape]] = {
    **{f"all equal, {n} rows": (_EQUAL, (PAIRS, {"all": n})) for n in (10, 20, 60, 300)},
    "two equal, 60 rows": (World("two models of the same accuracy", [0.0, 0.0], (0.7, 0.9)), (PAIRS, {"all": 60})),
    "all equal": (_EQUAL, WHOLE),
    "a ladder": (_LADDER, WHOLE),
    "pairs of equals": (World("five accuracies 3 points apart, twice each", -0.03 * (_TEN // 2), (0.75, 0.95)), WHOLE),
    "strong models": (World("ten models, 0.2 points apart, nearly always right", -0.002 * _TEN, (0.97, 0.995)), WHOLE),
    "few flips": (World("ten equal models that hardly ever differ", 0.0 * _TEN, (0.96, 0.999), shared=0.95), WHOLE),
    "three examples a prompt": (
        replace(_LADDER, what="a ladder; examples of a prompt share their luck", together=3),
        WHOLE,
    ),
    "forty models": (World("forty models, 0.2 points apart", -0.002 * np.arange(40.0), (0.75, 0.95)), WHOLE),
    "Chat of 5 rows": (_EQUAL, (REWARDBENCH, FEW_IN_CHAT)),
    "58 subsets of 1 to 77 rows, by rows": (_EQUAL, (PAIRS, UNEVEN)),
    "58 subsets of 1 to 77 rows, alike": (_EQUAL, (ALIKE, UNEVEN)),
    "9 rows a prompt over 3 subsets, 20 prompts": (replace(_ACROSS, together=3), (PAIRS, dict.fromkeys("abc", 60))),
    "9 rows a prompt over 3 subsets, 100 prompts": (replace(_ACROSS, together=3), (PAIRS, dict.fromkeys("abc", 300))),
    "a prompt in up to 58 subsets, alike": (_ACROSS, (ALIKE, UNEVEN)),
}
BOARDS = 2_000
DRAWS = 500


def held(name: str, boards: int = BOARDS) -> Held:
    """Simulate the leaderboards of a world."""
    world, (suite, sizes) = WORLDS[name]
    _, weights = shares(suite, suite.default_weights, {key: float(n) for key, n in sizes.items()})
    return simulate(world, sizes, {key: float(weight) for key, weight in weights.items()}, boards, DRAWS)


@pytest.mark.slow
def test_rank_ranges_hold_the_true_ranks() -> None:
    with ProcessPoolExecutor() as pool:
        found = dict(zip(WORLDS, pool.map(held, WORLDS), strict=True))
    lines = [
        "# Do rank ranges hold what they say?",
        "",
        f"{BOARDS:,} simulated leaderboards of each world, of RewardBench's 2,985 rows where nothing else is said.",
        "All ranges of a leaderboard are claimed to hold together 95% of the time; the standard error of a share near",
        "95% is 0.5 points. What holds more often is the price of few rows and of caution. Made by `tox -e slow`",
        "(`tests/slow/test_ranks_simulation.py`).",
        "",
        "| world | all ranges hold | a model's range holds | equal models told apart | ranks in a range |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, own in found.items():
        models = len(WORLDS[name][0].skills)
        lines.append(
            f"| {name} | {own.all_ranks / BOARDS:.1%} | {own.ranks / BOARDS / models:.1%}"
            f" | {own.equal_apart / BOARDS:.1%} | {own.width:.1f} of {models} |"
        )
    lines += ["", *(f"- {name}: {world.what}" for name, (world, _) in WORLDS.items())]
    (REPOSITORY / "docs" / "ranks.md").write_text("\n".join(lines) + "\n")
    for name, own in found.items():
        assert own.all_ranks / BOARDS >= 0.94, name
        assert own.equal_apart / BOARDS <= 0.06, name
