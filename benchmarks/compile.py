"""Time packs with and without compiled layers, in turn, and what compiling costs.

    python benchmarks/compile.py MODEL DATASET [--subset-prefix llmbar] [--pairs 12] [--rounds 6] [--dtype bfloat16]

``MODEL`` must be one that the fast path takes. Prints the seconds of the first compiled pass (run it twice: the second
time the compiler's cache on disk is warm) and the ratio of compiled to plain time, with its spread over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.eval.model_options import CompileMode, ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation


def scorer_and_time(
    arguments: argparse.Namespace, compile: CompileMode, items: list[Conversation]
) -> tuple[ClassifierScorer, float]:
    """Return a scorer that has scored once, and how long that took beyond loading: its self-check is in it."""
    options = ModelOptions(dtype=arguments.dtype, compile=compile, cache=False)
    scorer = ClassifierScorer(arguments.model, options)
    start = time.perf_counter()
    scorer.score_conversations(items)
    return scorer, time.perf_counter() - start


def seconds(scorer: ClassifierScorer, items: list[Conversation]) -> float:
    """Return how long scoring takes."""
    start = time.perf_counter()
    scorer.score_conversations(items)
    return time.perf_counter() - start


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--subset-prefix", default="llmbar")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--dtype", default="bfloat16")
    arguments = parser.parse_args()
    examples, _ = to_examples(load_rows(arguments.dataset), default_subset="all")
    examples = [example for example in examples if example.subset.startswith(arguments.subset_prefix)]
    items = conversations(examples[: arguments.pairs])
    plain, plain_first = scorer_and_time(arguments, "off", items)
    compiled, compiled_first = scorer_and_time(arguments, "on", items)
    ratios = []
    for _ in range(arguments.rounds):
        without = seconds(plain, items)
        ratios.append(seconds(compiled, items) / without)
    print(f"first pass, self-check in it: {plain_first:.1f} s plain, {compiled_first:.1f} s compiled")
    print(f"later passes, compiled / plain: median {statistics.median(ratios):.3f}", end=" ")
    print(f"({min(ratios):.3f} to {max(ratios):.3f} over {arguments.rounds} rounds)")


if __name__ == "__main__":
    main()
