"""What the tests of ranks and of the leaderboard have in common: simulated models, whole runs of chosen outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmeval import RunRecord
from rmeval.eval.ranks import Block, rank
from rmeval.records import write_run
from tests.comparing import run_of


@dataclass(frozen=True)
class World:
    """Models whose true accuracies are known."""

    what: str
    skills: Sequence[float] | NDArray[np.float64]
    """What each model's accuracy is above a subset's own."""
    subsets: tuple[float, float]
    """Range of the subsets' accuracies at skill 0."""
    together: int = 1
    """Examples that share a prompt, and luck."""
    shared: float = 0.8
    """How often all models meet an example with the same luck."""


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
    for board in range(boards):
        blocks = []
        for place, (name, n) in enumerate(sizes.items()):
            prompts = np.arange(n) // world.together
            luck = random.random((prompts[-1] + 1, 1))
            own = random.random((prompts[-1] + 1, len(skills)))
            mixed = np.where(random.random(own.shape) < world.shared, luck, own)
            right = mixed[prompts] < truth[place]
            blocks.append(Block.of(name, weights[name], right, [str(prompt) for prompt in prompts]))
        found = rank(blocks, seed=board, draws=draws)
        fine = (found.first <= best) & (worst <= found.last)
        held.boards += 1
        held.all_ranks += int(fine.all())
        held.ranks += int(fine.sum())
        held.equal_apart += int((found.better & equal).any())
        held.width += float((found.last - found.first + 1).mean()) / boards
    return held


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
