"""What the data could have shown, against exact power."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from rmeval.eval.numbers.prompts import Prompts
from rmeval.eval.numbers.significance.power import Sample, power, smallest_detectable


def exact_power(n: int, discordance: float, drop: float, alpha: float) -> float:
    """The power of McNemar's exact one-sided test: over all counts of flips, and of those to wrong."""
    flips = np.arange(n + 1)
    needed = stats.binom.isf(alpha, flips, 0.5) + 1  # The smallest count whose chance to be reached is at most alpha.
    to_wrong = (discordance + drop) / (2 * discordance)
    return float(stats.binom.pmf(flips, n, discordance) @ stats.binom.sf(needed - 1, flips, to_wrong))


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(("n", "discordance"), [(3000, 0.06), (3000, 0.3), (400, 0.1), (150, 0.2), (60, 0.5)])
def test_the_smallest_detectable_drop_is_found_four_times_in_five(n: int, discordance: float, alpha: float) -> None:
    least = smallest_detectable(Sample(n, discordance), alpha)
    assert least is not None
    assert 0.78 <= exact_power(n, discordance, least, alpha) <= 0.88
    assert exact_power(n, discordance, 0.8 * least, alpha) < 0.75


@pytest.mark.parametrize("n", [100, 3000])
def test_where_nothing_flipped_a_drop_needs_a_handful_of_flips(n: int) -> None:
    least = smallest_detectable(Sample(n, 0.0), 0.05)
    assert least is not None
    assert 5 < least * n < 9  # Five flips the same way are the fewest with p below 5%.
    assert exact_power(n, least, least, 0.05) >= 0.8


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.05), (4, 0.05), (6, 0.01)])
def test_a_handful_of_examples_can_show_nothing(n: int, alpha: float) -> None:
    assert smallest_detectable(Sample(n, 1.0), alpha) is None


def test_power_grows_with_the_drop() -> None:
    powers = [power(Sample(500, 0.1), drop, 0.05) for drop in np.linspace(0, 1, 50)]
    assert powers == sorted(powers)
    assert powers[0] <= 0.05
    assert powers[-1] == 1


def sample(*subsets: tuple[int, int, int], together: int = 1) -> Sample:
    """Subsets that weigh alike, each of so many examples that became right, became wrong and stayed."""
    up = [i < gain for gain, loss, same in subsets for i in range(gain + loss + same)]
    down = [gain <= i < gain + loss for gain, loss, same in subsets for i in range(gain + loss + same)]
    names = [str(place) for place, own in enumerate(subsets) for _ in range(sum(own))]
    prompts = Prompts.of(names, [str(row // together) for row in range(len(up))], np.array([up, down], dtype=float))
    return Sample.of(prompts, [Fraction(1, len(subsets))] * len(subsets), 0, 1)


def test_a_sample_of_one_subset_is_what_it_is() -> None:
    found = sample((7, 9, 84))
    assert [found.size, found.discordance] == pytest.approx([100, 0.16])


def test_a_sample_is_smaller_where_weights_differ_or_prompts_repeat() -> None:
    # By hand: 1 / (0.5² / 100 + 0.5² / 300) = 300 / 1; the flips' variance 0.25 (10 / 100² + 30 / 300²), times 300.
    found = sample((5, 5, 90), (15, 15, 270))
    assert [found.size, found.discordance] == pytest.approx([300, 0.1])
    assert sample((0, 10, 90), together=2).size == pytest.approx(50)
