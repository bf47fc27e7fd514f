"""The pairs that ``--model quickstart`` is trained on: made here, the same ones for the same seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

from rmeval.trainer.quickstart.chat import aspect, helpful, relevant
from rmeval.trainer.quickstart.code import code
from rmeval.trainer.quickstart.disguise import disguise
from rmeval.trainer.quickstart.instructions import instruction
from rmeval.trainer.quickstart.reasoning import arithmetic, subtle
from rmeval.trainer.quickstart.safety import harmful, harmless
from rmeval.trainer.quickstart.text import Draft, Draws, SplitName

__all__ = ["FAMILIES", "Turn", "WrittenPair", "make_pairs", "read_texts", "write_pairs"]

_TRIES = 24
"""How often a pair of the wanted lengths is looked for."""

FAMILIES: tuple[tuple[str, Callable[[Draws], Draft], int], ...] = (
    ("helpful", helpful, 22),
    ("relevant", relevant, 15),
    ("aspect", aspect, 5),
    ("instructions", instruction, 14),
    ("harmful", harmful, 15),
    ("harmless", harmless, 17),
    ("code", code, 5),
    ("arithmetic", arithmetic, 4),
    ("subtle", subtle, 3),
)
"""Name, maker and weight of each family; the name is the pairs' ``subset``."""


_DISGUISED = ("helpful", "relevant")
"""Families some of whose pairs are about something else once their longer words are exchanged."""


class Turn(TypedDict):
    """One message."""

    role: str
    content: str


class WrittenPair(TypedDict):
    """One row, in TRL's conversational form."""

    prompt: list[Turn]
    chosen: list[Turn]
    rejected: list[Turn]
    subset: str


def make_pairs(seed: int, count: int, split: SplitName = "train") -> Iterator[WrittenPair]:
    """Make pairs; in half of each family the chosen answer is the longer one, as far as the family allows.

    Args:
        seed: the same seed makes the same pairs.
        count: how many.
        split: pairs to train on, or held-out ones, whose topics, requests and phrases are others.
    """
    source = Draws(f"quickstart {seed} {split}", split)
    names = [name for name, _, weight in FAMILIES for _ in range(weight)]
    makers = {name: maker for name, maker, _ in FAMILIES}
    seen = dict.fromkeys(makers, 0)
    balance = dict.fromkeys(makers, 0)
    for _ in range(count):
        name = source.random.choice(names)
        draft = _balanced(source, makers[name], balance[name])
        if name in _DISGUISED and source.chance(0.3):
            draft = disguise(source, draft)
        balance[name] += _sign(draft)
        seen[name] += 1
        yield {
            "prompt": [{"role": "user", "content": draft.prompt}],
            "chosen": [{"role": "assistant", "content": draft.chosen}],
            "rejected": [{"role": "assistant", "content": draft.rejected}],
            "subset": name,
        }


def write_pairs(path: Path, seed: int, count: int, split: SplitName = "train") -> None:
    """Write pairs as JSON lines; the same arguments write the same bytes."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for pair in make_pairs(seed, count, split):
            stream.write(json.dumps(pair, ensure_ascii=False) + "\n")


def read_texts(path: Path) -> Iterator[str]:
    """Yield what is said in pairs that ``write_pairs`` wrote."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            pair: WrittenPair = json.loads(line)
            for turns in (pair["prompt"], pair["chosen"], pair["rejected"]):
                yield from (turn["content"] for turn in turns)


def _balanced(source: Draws, maker: Callable[[Draws], Draft], balance: int) -> Draft:
    """Return a pair whose two texts differ, and whose longer one evens out the family's balance where that works."""
    wanted = -1 if balance > 0 else 1 if balance < 0 else source.random.choice((-1, 1))
    draft = maker(source)
    for _ in range(_TRIES):
        if draft.chosen != draft.rejected and _sign(draft) in (wanted, 0):
            break
        draft = maker(source)
    while draft.chosen == draft.rejected:
        draft = maker(source)
    return draft


def _sign(draft: Draft) -> int:
    """Return 1 where the chosen answer is longer, -1 where the rejected one is, 0 where neither."""
    return (len(draft.chosen) > len(draft.rejected)) - (len(draft.chosen) < len(draft.rejected))
