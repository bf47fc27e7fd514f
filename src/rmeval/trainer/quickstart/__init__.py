"""All that ``rmeval train quickstart`` starts from: pairs, a tokenizer and a configuration, made here from word lists.

Nothing of it is taken from a benchmark or from another data set, and the same version makes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["HELD_OUT_PAIRS", "SEED", "TRAIN_PAIRS", "write_quickstart"]

SEED = 42
TRAIN_PAIRS = 32_000
HELD_OUT_PAIRS = 3_000


def write_quickstart(folder: Path) -> None:
    """Write ``pairs/train.jsonl``, ``pairs/test.jsonl`` and, without weights, ``model/``."""
    from rmeval.trainer.quickstart.model import write_model
    from rmeval.trainer.quickstart.pairs import read_texts, write_pairs

    pairs, model = folder / "pairs", folder / "model"
    pairs.mkdir(parents=True)
    write_pairs(pairs / "train.jsonl", SEED, TRAIN_PAIRS, "train")
    write_pairs(pairs / "test.jsonl", SEED, HELD_OUT_PAIRS, "test")
    write_model(model, read_texts(pairs / "train.jsonl"))
