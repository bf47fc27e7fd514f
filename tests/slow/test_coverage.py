"""Do 95% intervals hold the true accuracy at least 95% of the time? Simulated, from 5 rows to RewardBench."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from rmeval.eval.numbers.intervals import estimate
from rmeval.eval.numbers.weights import shares
from tests.conftest import REPOSITORY
from tests.support.worlds import QUALITIES, World, worlds

RUNS = 2_000


@dataclass
class Found:
    """Over the simulated runs of one world."""

    held: dict[str, int] = field(default_factory=dict)
    """Intervals that hold the truth, by number."""
    widths: list[float] = field(default_factory=list)
    """Of the overall interval."""
    points: list[float] = field(default_factory=list)

    @property
    def wider(self) -> float:
        """The overall interval's mean width, in widths of one that knows the estimate's standard deviation."""
        return float(np.mean(self.widths) / (2 * 1.96 * np.std(self.points)))

    def lowest(self, kind: str, runs: int) -> float | None:
        """The lowest coverage among numbers of a kind."""
        return min((held / runs for name, held in self.held.items() if name.startswith(kind)), default=None)


def simulate(world: World, runs: int, seed: int) -> Found:
    """Score the world's baseline again and again, and see whether each interval holds the truth."""
    truths = world.truths(seed)
    true = {**world.means(truths), **{f"subset {name}": value for name, value in truths.items()}}
    sections, overall = shares(world.suite, world.weights, {name: float(n) for name, n in world.sizes.items()})
    parts = {"overall": overall, **{f"section {name}": own for name, own in sections.items()}}
    parts |= {f"subset {name}": {name: Fraction(1)} for name in world.sizes if len(world.sizes) > 1}
    found = Found(dict.fromkeys(parts, 0))
    draws = world.draw(truths, seed)
    for _ in range(runs):
        prompts = next(draws)
        for name, weights in parts.items():
            own = estimate(prompts, [weights.get(each, Fraction(0)) for each in prompts.subsets])
            found.held[name] += own.low <= true[name] <= own.high
            if name == "overall":
                found.widths.append(own.high - own.low)
                found.points.append(own.accuracy)
    return found


@pytest.mark.slow
def test_intervals_cover() -> None:
    asked = [(quality, world) for quality, ends in QUALITIES.items() for world in worlds(*ends)]
    with ProcessPoolExecutor() as pool:
        done = list(pool.map(simulate, [world for _, world in asked], [RUNS] * len(asked), range(len(asked))))
    found = {(quality, world.name): each for (quality, world), each in zip(asked, done, strict=True)}
    (REPOSITORY / "docs" / "coverage.md").write_text(page(found))
    error = (0.94 * 0.06 / RUNS) ** 0.5
    for name, each in found.items():
        assert each.held["overall"] / RUNS >= 0.94, name
        assert min(each.held.values()) / RUNS >= 0.94 - 2 * error, name  # The lowest of up to 117 numbers.


def page(found: dict[tuple[str, str], Found]) -> str:
    names = list(dict.fromkeys(name for _, name in found))
    lines = []
    for quality in QUALITIES:
        lines += ["", f"## {quality.capitalize()} models", ""]
        lines += ["| world | overall | lowest section | lowest subset | width |", "| --- |" + " ---: |" * 4]
        for name in names:
            own = found[quality, name]
            kinds = (own.lowest(kind, RUNS) for kind in ("overall", "section", "subset"))
            cells = " | ".join("–" if each is None else f"{each:.1%}" for each in kinds)
            lines.append(f"| {name} | {cells} | {own.wider:.2f} |")
    ranges = ", ".join(f"{name} {100 * low:g}–{100 * high:g}%" for name, (low, high) in QUALITIES.items())
    return f"""# Coverage of the 95% intervals

Share of {RUNS:,} simulated runs whose interval holds the true accuracy; the standard error of a share is 0.5 points.
The true accuracies of subsets are drawn once a world
({ranges}).
Where prompts repeat, half of the examples meet the luck of their prompt, or all where it says so. *Lowest* is the
lowest of all sections, or of all subsets: of many, one is low by chance. *Width* is the overall interval's mean width,
in widths of an interval that knows the standard deviation of the estimate: what is above 1 is the price of few rows and
of caution. Made by `tox -e slow` (`tests/slow/test_coverage.py`).

One subset of 5, 10, 20 or 60 rows, and means of subsets of 1 to 30 rows, are enumerated exactly in
`tests/eval/numbers/test_intervals.py`: a subset's interval holds at least 95% of the time whatever the truth, a mean's
at least 94%.
{chr(10).join(lines)}
"""


@pytest.mark.parametrize("place", [0, 7, 9, 12])
def test_intervals_cover_in_a_few_runs(place: int) -> None:
    """The same in small, for CI: 94% coverage of 150 runs misses more than 19 once in 1,000."""
    found = simulate(worlds(*QUALITIES["strong"])[place], 150, seed=place)
    assert found.held["overall"] >= 131
