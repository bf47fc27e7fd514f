"""Lengths of real pairs, as numbers alone, and pairs of random tokens that have them.

    python -m benchmarks.device_parts.lengths ROWS TOKENIZER --output lengths.json [--pairs 256]

``ROWS`` is a file or folder of pairs with ``prompt``, ``chosen`` and ``rejected``, ``TOKENIZER`` a folder of a
tokenizer with a chat template. The file has, for each pair, the tokens of both conversations and how many of them they
begin with alike; no text and no token of theirs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.text.encode import Encoded
from rmeval.files import write_text

Lengths = NDArray[np.int64]
"""Tokens of chosen, of rejected, and of what both begin with: shape (pairs, 3)."""

REWARDBENCH = 2985
"""Pairs of RewardBench."""
SHIPPED = Path(__file__).with_name("lengths.json")
_SPECIAL = 3
"""First token ids, which may mean something to a model: they are not drawn."""


def read(path: Path, pairs: int) -> Lengths:
    """Return the lengths of ``pairs`` pairs at even steps through a file's, some of them twice if it has fewer.

    Raises:
        ValueError: if the file is not one of lengths.
    """
    found = np.array(json.loads(path.read_text(encoding="utf-8"))["pairs"], dtype=np.int64)
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise ValueError(f"{path} has no list of [chosen, rejected, shared]")
    if (found[:, :2].min(axis=1) < found[:, 2]).any() or found[:, :2].min() < 1:
        raise ValueError(f"{path} has a pair that shares more tokens than it has")
    return found[np.arange(pairs) * len(found) // pairs]


def draw(lengths: Lengths, *, vocabulary: int, longest: int, seed: int = 0) -> list[Encoded]:
    """Return random conversations of these lengths, chosen and rejected in turn; no two pairs share a beginning.

    Args:
        lengths: Of the pairs.
        vocabulary: Token ids are below it.
        longest: Longer conversations are cut, at their end.
        seed: Of the tokens.
    """
    generator = np.random.default_rng(seed)
    found = []
    for chosen, rejected, shared in lengths.tolist():
        beginning, *tails = (
            generator.integers(_SPECIAL, vocabulary, size, dtype=np.int32)
            for size in (shared, chosen - shared, rejected - shared)
        )
        if len(tails[0]) and len(tails[1]) and tails[0][0] == tails[1][0]:
            tails[1][0] = _SPECIAL + (tails[1][0] - _SPECIAL + 1) % (vocabulary - _SPECIAL)
        for tail in tails:
            ids = np.concatenate([beginning, tail])[:longest]
            found.append(Encoded(ids, len(ids) - 1, truncated=False))
    return found


def measure(rows: str, tokenizer: str, pairs: int | None) -> Lengths:
    """Return the lengths of a data set's pairs, at even steps through the set if fewer are asked for."""
    from rmeval.data_prep.rows.examples import conversations, to_examples
    from rmeval.data_prep.rows.in_memory import load_rows
    from rmeval.data_prep.text.audit import Audit
    from rmeval.data_prep.text.encode import Encoder
    from rmeval.data_prep.text.template import load_template
    from rmeval.eval.model_options import ModelOptions
    from rmeval.eval.models.folder import locate
    from rmeval.eval.models.loading import load_tokenizer

    examples, _ = to_examples(load_rows(rows), default_subset="all")
    if pairs is not None:
        examples = [examples[place * len(examples) // pairs] for place in range(pairs)]
    loaded = load_tokenizer(locate(tokenizer), ModelOptions())
    encoder = Encoder(loaded, load_template(loaded, None), 4096, None)
    ids = [each.ids for each in encoder.encode(conversations(examples), Audit())]
    return np.array([_of_pair(*pair) for pair in zip(ids[::2], ids[1::2], strict=True)])


def _of_pair(chosen: NDArray[np.int32], rejected: NDArray[np.int32]) -> tuple[int, int, int]:
    least = min(len(chosen), len(rejected))
    differ = np.flatnonzero(chosen[:least] != rejected[:least])
    return len(chosen), len(rejected), int(differ[0]) if len(differ) else least


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows")
    parser.add_argument("tokenizer")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    parser.add_argument("--pairs", type=int, help="so many, at even steps through the set; all by default")
    arguments = parser.parse_args()
    found = measure(arguments.rows, arguments.tokenizer, arguments.pairs)
    what = f"tokens of chosen, of rejected, and of what both begin with, of {len(found)} pairs"
    pairs = ", ".join(map(str, sorted(found.tolist(), key=sum)))
    write_text(arguments.output, f'{{"what": "{what}", "pairs": [{pairs}]}}\n')


if __name__ == "__main__":
    main()
