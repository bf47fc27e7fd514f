"""Does the gate hold what it says? Simulated with errors that two models share, from 5 rows to RewardBench."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from rmeval.eval.gate.check import judge_accuracies
from rmeval.eval.gate.rules import DEFAULT_RULES, parse_rule
from rmeval.eval.numbers.differences import ALPHA, Differences, difference
from rmeval.eval.numbers.significance.power import power
from rmeval.eval.numbers.weights import shares
from tests.conftest import REPOSITORY
from tests.support.false_alarms import worst
from tests.support.worlds import PAIRS, QUALITIES, REWARDBENCH, World, worlds

RULES = [parse_rule(text) for text in DEFAULT_RULES]
RUNS = 2_000


@dataclass
class Found:
    """Counts over the simulated runs of one world; by number where there is a dictionary."""

    runs: int = 0
    flips: int = 0
    failed: int = 0
    held: dict[str, int] = field(default_factory=dict)
    """95% intervals that hold the true difference."""
    bounded: int = 0
    """Overall one-sided 95% bounds that hold it."""
    dropped: dict[str, int] = field(default_factory=dict)
    """One-sided p at most 5%, by itself."""
    stated: dict[str, float] = field(default_factory=dict)
    """Sum of the stated power to find the true drop."""


def simulate(world: World, runs: int, seed: int) -> Found:
    """Compare the two models of a world again and again, and judge them by the default rules."""
    truths, found = world.truths(seed), Found()
    draws = world.draw(truths, seed)
    sections, overall = shares(world.suite, world.weights, {name: float(n) for name, n in world.sizes.items()})
    for _ in range(runs):
        prompts = next(draws)
        whole = difference(prompts, overall)
        asked = Differences(whole, {name: difference(prompts, own) for name, own in sections.items()}, {})
        found.runs += 1
        found.failed += any(line.failed for line in judge_accuracies(RULES, asked, alpha=ALPHA))
        found.flips += whole.flipped_to_right + whole.flipped_to_wrong
        found.bounded += whole.limits(1 - 2 * ALPHA)[1] >= -world.drop
        for name, item in {"overall": whole, **asked.sections}.items():
            found.held[name] = found.held.get(name, 0) + (item.low <= -world.drop <= item.high)
            found.dropped[name] = found.dropped.get(name, 0) + (item.p_drop <= ALPHA)
            if world.drop:
                found.stated[name] = found.stated.get(name, 0.0) + power(item.sample, world.drop, ALPHA)
    return found


NOTHING = [(quality, world) for quality, ends in QUALITIES.items() for world in worlds(*ends)]
"""Worlds in which nothing changed."""
_WHOLE = World("RewardBench, ", REWARDBENCH, REWARDBENCH.expected, 0.8, 0.95)
DROPS = [
    replace(_WHOLE, name="RewardBench, drop of 1 point", drop=0.01),
    replace(_WHOLE, name="RewardBench, drop of 3 points", drop=0.03),
    World("300 rows, drop of 5 points", PAIRS, {"all": 300}, 0.8, 0.95, drop=0.05),
]


@pytest.mark.slow
def test_the_gate_holds_what_it_says() -> None:
    asked = [*(world for _, world in NOTHING), *DROPS]
    with ProcessPoolExecutor() as pool:
        done = list(pool.map(simulate, asked, [RUNS] * len(asked), range(len(asked))))
    alarms, drops = done[: len(NOTHING)], done[len(NOTHING) :]
    (REPOSITORY / "docs" / "gate.md").write_text(page(alarms, drops))
    error = (0.05 * 0.95 / RUNS) ** 0.5
    for (quality, world), counts in zip(NOTHING, alarms, strict=True):
        assert counts.failed / RUNS <= ALPHA + 2 * error, (quality, world.name)
    for world, counts in zip(asked, done, strict=True):
        assert counts.held["overall"] / RUNS >= 0.94, world.name
        assert counts.bounded / RUNS >= 0.94, world.name
        assert min(counts.held.values()) / RUNS >= 0.93, world.name  # The lowest of up to 59 numbers.
    for world, counts in zip(DROPS, drops, strict=True):
        for name, dropped in counts.dropped.items():
            share, stated = dropped / RUNS, counts.stated[name] / RUNS
            assert stated - 0.04 <= share <= stated + 0.1, (world.name, name)  # It may be found more often, not less.
    assert drops[1].failed / RUNS >= 0.99


def page(alarms: list[Found], drops: list[Found]) -> str:
    lines: dict[str, list[str]] = {quality: [] for quality in QUALITIES}
    for (quality, world), own in zip(NOTHING, alarms, strict=True):
        sections = [held for name, held in own.held.items() if name != "overall"]
        cells = [
            f"{own.flips / RUNS:.1f}",
            f"{own.failed / RUNS:.1%}",
            f"{own.held['overall'] / RUNS:.1%}",
            f"{own.bounded / RUNS:.1%}",
            f"{min(sections) / RUNS:.1%}" if sections else "–",
        ]
        lines[quality].append(f"| {world.name} | {' | '.join(cells)} |")
    head = (
        "| world | flips a run | gate fails | interval holds | bound holds | lowest section |\n| --- |" + " ---: |" * 5
    )
    tables = "\n\n".join(
        f"### {quality.capitalize()} models\n\n{head}\n{chr(10).join(own)}" for quality, own in lines.items()
    )
    found = []
    for world, own in zip(DROPS, drops, strict=True):
        each = (f"{name} {own.dropped[name] / RUNS:.1%} ({own.stated[name] / RUNS:.1%})" for name in own.dropped)
        found.append(f"| {world.name} | {own.flips / RUNS:.0f} | {own.failed / RUNS:.1%} | {', '.join(each)} |")
    exact = "\n".join(f"| {n} | {worst(n):.2%} |" for n in (5, 6, 8, 10, 15, 20, 30, 40, 50, 60))
    ranges = ", ".join(f"{name} {100 * low:g}–{100 * high:g}%" for name, (low, high) in QUALITIES.items())
    return f"""# Does the gate hold what it says?

Made by `tox -e slow` (`tests/slow/test_check_simulation.py`).

## Exactly: how often chance alone fails the gate

One number of `n` examples with prompts of their own, `overall:0` at alpha 5%. All outcomes are enumerated, for the
chance to flip at which the gate fails most often; every flip was as likely to go the other way. The exact test is
cautious: it never takes more than the 5% it promises, and takes less where few examples flip.

| n | fails at most |
| ---: | ---: |
{exact}

`tests/eval/gate/test_false_alarms.py` holds this for all n to 60, and enumerates the default rules where prompts stand
in several subsets and sections.

## Simulated: nothing changed

{RUNS:,} pairs of runs of each world, with the default rules `overall:0` and `section:*:0`. The standard error of a
share near 5% or 95% is 0.5 points. The true accuracies of subsets are drawn once a world
({ranges});
both models meet an example with the same luck 80% of the time. Where prompts repeat, half of the examples meet the luck
of their prompt, or all where it says so. *Interval* and *bound* are the overall difference's two-sided 95% interval and
one-sided 95% bound.

{tables}

## Simulated: how often a true drop is found, and in brackets how often that is stated

Each number by itself, one-sided at 5%; what is stated is `significance.power.power` with each run's own flips, on which
the minimum detectable drop rests. Subsets' true accuracies lie between 80% and 95%.

| world | flips a run | gate fails | found (stated) |
| --- | ---: | ---: | --- |
{chr(10).join(found)}
"""


@pytest.mark.parametrize("place", [1, 6, 12])
def test_no_change_in_a_few_runs(place: int) -> None:
    """The same in small, for CI: 5% fail more than 12 of 100 times twice in 1,000, and miss more than 12 as often."""
    found = simulate(worlds(*QUALITIES["strong"])[place], 100, seed=place)
    assert found.failed <= 12
    assert found.held["overall"] >= 88


def test_a_drop_of_three_points_in_a_few_runs() -> None:
    found = simulate(DROPS[1], 15, seed=8)
    assert found.failed == 15
    assert found.held["overall"] >= 11
