"""A quick look: the same few examples of every subset, in whatever order the rows stand."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate, load_run
from rmeval.errors import UsageError
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.reports.run.provenance import provenance
from rmeval.reports.run.summary import title
from rmeval.types import Example

PAIRS, MINI, REWARDBENCH2 = get_suite("pairs"), get_suite("mini"), get_suite("rewardbench2")
SIZES = {"a": 9, "b": 4, "c": 1}


def rows(*, ids: bool = True) -> list[dict[str, Any]]:
    made = [(name, i) for name, count in SIZES.items() for i in range(count)]
    return [
        {"prompt": f"{name} {i}", "chosen": "yes", "rejected": "no", "subset": name}
        | ({"id": f"{name}{i}"} if ids else {})
        for name, i in made
    ]


def drawn(items: Sequence[dict[str, Any]], per_subset: int, seed: int = 0, **options: Any) -> tuple[Example, ...]:
    found = load_dataset(PAIRS, DataOptions(list(items), limit_per_subset=per_subset, seed=seed, **options))
    assert found.info.limit_per_subset == per_subset
    return found.examples


def test_the_lowest_hashes_of_seed_and_id() -> None:
    """Worked out here from the ids alone; the rows keep their order."""
    made = rows()
    expected = []
    for name in SIZES:
        own = [row["id"] for row in made if row["subset"] == name]
        expected += sorted(own, key=lambda each: hashlib.sha256(f"7\x1f{each}".encode()).hexdigest())[:3]
    assert [example.id for example in drawn(made, 3, 7)] == [row["id"] for row in made if row["id"] in expected]
    assert Counter(example.subset for example in drawn(made, 3, 7)) == {"a": 3, "b": 3, "c": 1}


@pytest.mark.parametrize("ids", [True, False])
def test_the_order_of_the_rows_does_not_matter(ids: bool) -> None:
    made = rows(ids=ids)
    first = {(example.id, example.prompt) for example in drawn(made, 2)}
    for seed in range(5):
        shuffled = list(made)
        random.Random(seed).shuffle(shuffled)
        assert {(example.id, example.prompt) for example in drawn(shuffled, 2)} == first
    assert {example.id for example in drawn(made, 2, 1)} != {each for each, _ in first}


def test_more_is_the_same_and_more() -> None:
    made = rows()
    few, more = ({example.id for example in drawn(made, n)} for n in (2, 4))
    assert few < more
    assert len(drawn(made, 100)) == len(made)


def test_after_the_subsets() -> None:
    assert Counter(example.subset for example in drawn(rows(), 2, subsets=("b", "c"))) == {"b": 2, "c": 1}


def ties_row(kind: str, number: int) -> dict[str, Any]:
    several = 1 if kind == "ref" else 3
    return {
        "id": f"{kind}:{number}",
        "prompt": f"{kind} {number}",
        "chosen": [f"yes {place}" for place in range(several)],
        "rejected": ["no", "never"],
        "subset": "Ties",
    }


def test_a_formula_gets_its_clusters_whole() -> None:
    made = [ties_row(kind, number) for kind in ("ref", "tied") for number in range(30)]
    found = load_dataset(REWARDBENCH2, DataOptions(made, limit_per_subset=10))
    numbers = Counter(example.tag.partition(":")[2] for example in found.examples)
    assert len(found.examples) == 10
    assert set(numbers.values()) == {2}


def test_it_is_plainly_partial(tmp_path: Path) -> None:
    run = evaluate("baseline:longest", "mini", limit_per_subset=2, seed=3, output_dir=tmp_path / "run")
    reason = "a quick look: only 2 examples of each subset asked for"
    assert run.info.partial_reasons == (reason,)  # Every subset is there: nothing else is to be said.
    assert title(run) == "PARTIAL: not an rmeval mini (smoke test) result"
    assert {name: each.n for name, each in run.info.results.subsets.items()} == dict.fromkeys(MINI.expected, 2)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["data"]["limit_per_subset"], written["settings"]["seed"]) == (2, 3)
    assert load_run(tmp_path / "run").info == run.info
    (data,) = [group for group in provenance(run.info, None) if group.name == "Data"]
    assert ("limit per subset", "2") in data.facts


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DataOptions(limit=3, limit_per_subset=3), "--limit and --limit-per-subset exclude each other: leave one out"),
        (DataOptions(limit_per_subset=0), "--limit-per-subset must be at least 1, not 0"),
    ],
)
def test_what_cannot_be(options: DataOptions, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_dataset(MINI, options)
    assert str(caught.value) == words
