"""What a suite's weight table makes of its subsets: sections and the overall number, and each subset's part in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction

from rmeval.eval.suites import Section, Suite

__all__ = ["lacking_sections", "overall_mean", "shares", "weighted_mean"]


def weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float | None:
    """Return the weighted mean over the names in both; None where there are none."""
    names = [name for name in weights if name in values]
    total = sum(weights[name] for name in names)
    return sum(values[name] * weights[name] for name in names) / total if total else None


def overall_mean(
    suite: Suite, table: Mapping[str, Section], subsets: Mapping[str, float], sizes: Mapping[str, float]
) -> float | None:
    """Return a suite's overall number from its subsets' accuracies; None where none of its sections has any.

    Args:
        suite: The suite; one without weight tables counts every example alike.
        table: The sections.
        subsets: Accuracy by subset.
        sizes: Examples by subset.
    """
    if not suite.by_sections:
        return weighted_mean(subsets, sizes)
    there = {name: sizes.get(name, 1.0) for name in subsets}
    sections = {name: weighted_mean(subsets, section.of(there)) for name, section in table.items()}
    present = {name: value for name, value in sections.items() if value is not None}
    return weighted_mean(present, {name: section.weight for name, section in table.items()})


def lacking_sections(suite: Suite, weights: str | None, present: Collection[str]) -> list[str]:
    """Return the sections that a suite's overall number counts and that have no row.

    Args:
        suite: The suite; of one without sections nothing is lacking.
        weights: Name of the suite's weight table.
        present: The sections with rows.
    """
    if not suite.by_sections:
        return []
    # A section of optional subsets alone, such as RewardBench's prior sets, need not be there.
    counted = {name: set(each.subsets) for name, each in suite.sections(weights).items() if each.weight}
    known = set(suite.expected)
    return [name for name, own in counted.items() if name not in present and (not known or own & known)]


def shares(
    suite: Suite, weights: str | None, sizes: Mapping[str, float]
) -> tuple[dict[str, dict[str, Fraction]], dict[str, Fraction]]:
    """Return each subset's part in each section, and in the overall number; the parts of a number add up to 1.

    Args:
        suite: Defines sections and the overall number; one without weight tables counts every example alike.
        weights: Name of the suite's weight table.
        sizes: Examples of each subset that there is; others are left out.
    """
    table = suite.sections(weights)
    present = {key: each.of(sizes) for key, each in table.items()}
    sections = {key: _normal(own) for key, own in present.items() if own}
    if not suite.by_sections:
        return sections, _normal(sizes)
    whole: dict[str, Fraction] = {}
    for key, part in _normal({key: table[key].weight for key in sections if table[key].weight}).items():
        for name, share in sections[key].items():  # A subset may count in several sections.
            whole[name] = whole.get(name, Fraction(0)) + part * share
    return sections, whole


def _normal(weights: Mapping[str, float]) -> dict[str, Fraction]:
    total = sum(map(Fraction, weights.values()))
    return {name: Fraction(weight) / total for name, weight in weights.items()}
