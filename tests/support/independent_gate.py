"""The gate's verdicts on two runs of 0/1 outcomes, worked out another way: sign flips drawn at random, nothing shared.

Rows are (subset, prompt, baseline right, candidate right). Sections are {name: (weight, {subset: weight})}.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

Row = tuple[str, str, bool, bool]
Sections = Mapping[str, tuple[float, Mapping[str, float]]]


def verdicts(rows: Sequence[Row], sections: Sections, alpha: float = 0.05, draws: int = 20_000) -> dict[str, str]:
    size: dict[str, int] = defaultdict(int)
    for subset, *_ in rows:
        size[subset] += 1
    parts = {}
    for name, (weight, subsets) in sections.items():
        whole = sum(w for subset, w in subsets.items() if subset in size)
        if whole:
            parts[name] = (weight, {subset: w / whole for subset, w in subsets.items() if subset in size})
    total = sum(weight for weight, _ in parts.values())
    numbers = {f"section {name}": own for name, (_, own) in parts.items()}
    numbers["overall"] = {s: weight / total * w for weight, own in parts.values() for s, w in own.items()}
    p, drop = {}, {}
    for name, weights in numbers.items():
        change: dict[str, float] = defaultdict(float)
        for subset, prompt, before, after in rows:
            change[prompt] += weights.get(subset, 0.0) / size[subset] * (after - before)
        changes = [each for each in change.values() if abs(each) > 1e-12]
        drop[name], generator = sum(changes), random.Random(name)
        sums = [sum(each if generator.random() < 0.5 else -each for each in changes) for _ in range(draws)]
        low = (1 + sum(each <= drop[name] + 1e-12 for each in sums)) / (1 + draws)
        high = (1 + sum(each >= drop[name] - 1e-12 for each in sums)) / (1 + draws)
        p[name] = (low, high)
    found = {name: "pass" if drop[name] > -1e-12 else "cannot tell" for name in numbers}
    for side, verdict in ((0, "regression"), (1, "improvement")):
        for rank, name in enumerate(sorted(numbers, key=lambda each: p[each][side])):
            if p[name][side] * (len(numbers) - rank) > alpha:
                break
            found[name] = verdict
    return found
