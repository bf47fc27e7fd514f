"""What the tests of ranks and of the leaderboard have in common: simulated models, whole runs of chosen outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rmeval import RunRecord
from rmeval.eval.numbers.ranks import SubsetCredits, rank
from rmeval.eval.numbers.weights import overall_mean, weighted_mean
from rmeval.eval.suites import get_suite
from rmeval.records import write_run
from rmeval.run_info import Estimate, Results
from tests.support.comparing import run_of, write_rows


@dataclass(frozen=True)
class World:
    """Models whose true accuracies are known."""

    what: str
    skills: Sequence[float] | NDArray[np.floating[Any]]
    """What each model's accuracy is above a subset's own."""
    subsets: tuple[float, float]
    """Range of the subsets' accuracies at skill 0."""
    together: int = 1
    """Examples that share a prompt, and luck."""
    shared: float = 0.8
    """How often all models meet an example with the same luck."""
    across: bool = False
    """Whether the subsets have the same prompts, which share luck in all of them."""


@dataclass
class Held:
    """How often what is claimed was true."""

    boards: int = 0
    all_ranks: int = 0
    """Boards on which every range holds every rank that the model truly holds."""
    ranks: int = 0
    """Models whose own range does, over all boards."""
    equal_apart: int = 0
    """Boards that tell two equal models apart."""
    width: float = 0.0
    """Mean number of ranks in a range."""


def simulate(world: World, sizes: Mapping[str, int], weights: Mapping[str, float], boards: int, draws: int) -> Held:
    """Simulate leaderboards of a world, and look at what they claim."""
    random = np.random.default_rng(len(world.what))
    base = random.uniform(*world.subsets, len(sizes))
    skills = np.array(world.skills)
    truth: NDArray[np.float64] = np.clip(base[:, None] + skills, 0, 1)
    overall = np.array([weights[name] for name in sizes]) @ truth
    ahead = overall[:, None] > overall[None, :] + 1e-12
    best, worst = 1 + ahead.sum(axis=0), len(skills) - ahead.sum(axis=1)
    equal = ~(ahead | ahead.T)
    held = Held()
    most = max(sizes.values())
    for board in range(boards):
        blocks, together = [], _luck(random, most, len(skills), world.shared)
        for place, (name, n) in enumerate(sizes.items()):
            prompts = np.arange(n) // world.together
            mixed = together if world.across else _luck(random, n, len(skills), world.shared)
            right = mixed[prompts] < truth[place]
            said = [str(prompt) if world.across else f"{name} {prompt}" for prompt in prompts]
            blocks.append(SubsetCredits.of(name, weights[name], right, said))
        found = rank(blocks, seed=board, draws=draws)
        fine = (found.first <= best) & (worst <= found.last)
        held.boards += 1
        held.all_ranks += int(fine.all())
        held.ranks += int(fine.sum())
        held.equal_apart += int((found.better & equal).any())
        held.width += float((found.last - found.first + 1).mean()) / boards
    return held


def _luck(random: np.random.Generator, prompts: int, models: int, shared: float) -> NDArray[np.float64]:
    """Return uniform numbers of shape (prompts, models): below its true accuracy a model is right."""
    own = random.random((prompts, models))
    return np.where(random.random(own.shape) < shared, random.random((prompts, 1)), own)


def decisions(share: float, n: int, seed: int) -> str:
    """Outcomes for ``run_of``: about so many right, on examples that are as hard for every model."""
    random = np.random.default_rng(0)
    luck = np.where(random.random(n) < 0.7, random.random(n), np.random.default_rng(seed + 1).random(n))
    return "".join("+" if each < share else "-" for each in luck)


def whole_run(
    folder: Path, rows: Path, decided: str, name: str, suite: str = "pairs", *, created: str = "", **info: object
) -> RunRecord:
    """Score rows as told, and write the run as one of a whole benchmark."""
    run = run_of(rows, decided, suite, name=name)
    changes: dict[str, object] = {"partial": False, "partial_reasons": (), **info}
    if created:
        changes["created"] = created
    folder.mkdir(parents=True)
    return write_run(run.with_info(**changes), folder)


def many_runs(folder: Path, number: int, examples: int, chars: int = 2_000) -> Path:
    """Write whole runs of made-up models, of as many examples with texts of about so many characters."""
    suite = get_suite("rewardbench")
    names = [name for name, n in suite.expected.items() for _ in range(n)]
    subsets = [names[place * len(names) // examples] for place in range(examples)]
    random = np.random.default_rng(0)
    words = np.array([f"word{place}" for place in range(5_000)])
    prompts = [f"{place} {' '.join(random.choice(words, chars // 8))}" for place in range(examples)]
    base = run_of(write_rows(folder / "rows.jsonl", subsets, prompts), "+" * examples, "rewardbench")
    places = {name: [place for place, own in enumerate(subsets) if own == name] for name in dict.fromkeys(subsets)}
    luck = random.random(examples)
    for model, share in enumerate(random.uniform(0.5, 0.98, number)):
        right = np.where(random.random(examples) < 0.7, luck, random.random(examples)) < share
        scores = np.full(2 * examples, 0.5)
        scores[::2] = right
        table = base.scores_table
        table = table.set_column(table.column_names.index("score"), "score", pa.array(scores))
        info = replace(base.info, model=replace(base.info.model, name=f"org/model-{model}"), partial=False)
        info = replace(info, partial_reasons=(), results=_results(base, right, places))
        run = RunRecord(info, table, base.examples_table)
        path = folder / "runs" / f"run-{model}"
        path.mkdir(parents=True)
        write_run(run, path)
    return folder / "runs"


def _results(base: RunRecord, right: NDArray[np.bool_], places: Mapping[str, Sequence[int]]) -> Results:
    """Return results whose accuracies are those of the decisions; their intervals are made up, for they take long."""
    suite = get_suite("rewardbench")
    counts = {name: int(right[list(own)].sum()) for name, own in places.items()}
    points = {name: counts[name] / len(own) for name, own in places.items()}
    known = base.info.results
    subsets = {name: replace(each, right=counts[name], accuracy=points[name]) for name, each in known.subsets.items()}
    table = suite.sections("today")
    sections = {name: weighted_mean(points, section.subsets) or 0.0 for name, section in table.items()}
    overall = overall_mean(suite, table, points, {}) or 0.0
    made = {name: Estimate(sections[name], sections[name] - 0.02, sections[name] + 0.02) for name in known.sections}
    return replace(known, subsets=subsets, sections=made, overall=Estimate(overall, overall - 0.01, overall + 0.01))


def as_models(folder: Path) -> None:
    """Give the runs of reference lines in a folder out as those of models, which are ranked."""
    for file in folder.rglob("run.json"):
        text = file.read_text()
        assert text.count('"kind": "baseline"') == 1
        file.write_text(text.replace('"kind": "baseline"', '"kind": "own"'))
