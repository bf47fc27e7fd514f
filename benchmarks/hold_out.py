"""Write the pairs of a data set that a share of its prompts has, as the trainer would hold them out.

    python benchmarks/hold_out.py DATASET 0.2 OUTPUT.jsonl [--seed 42]

``rmeval train … --set report_datasets=[OUTPUT.jsonl]`` then scores them when training is over.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.split.held_out import Opening, assign_splits
from rmeval.trainer.data.pairs import opening_of
from rmeval.trainer.results.held_out import write_pairs


def main() -> None:
    """Parse, divide, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("share", type=float)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    examples, _ = to_examples(load_rows(arguments.dataset), default_subset="pairs")
    openings = [opening_of(example) for example in examples]
    assigned = assign_splits(
        [Opening(text, "pairs", 1) for text in openings], seed=arguments.seed, held_out=arguments.share
    ).assigned
    held = [example for example, text in zip(examples, openings, strict=True) if assigned[text] == "test"]
    write_pairs(arguments.output, held)
    print(f"{len(held):,} of {len(examples):,} pairs, of {len({opening_of(each) for each in held}):,} prompts")


if __name__ == "__main__":
    main()
