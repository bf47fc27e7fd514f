"""Time the engine against transformers' pipeline on the same rows, in one run.

    python benchmarks/engine.py MODEL DATASET [--subset-prefix llmbar] [--pairs N] [--skip-cold]

Prints, for bfloat16 on this machine's CPU or GPU: the best rate of a square matrix product before and after, the
pipeline (batch 8, data-set order), our scoring without and with refinement, our float32, cold start to finish of both,
and the decisions that differ from float32. Nothing is cached. Ratios are what to compare across machines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from rmeval.data_prep.examples import conversations, to_examples
from rmeval.data_prep.rows import load_rows
from rmeval.eval.environment import environment
from rmeval.eval.refine import refine
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.eval.scorers.options import ModelOptions
from rmeval.types import Accounting, Conversation, Example

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that something took, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def matrix_rate(dtype: torch.dtype, device: str) -> float:
    """Return the best rate of a square matrix product over sizes 1024 to 4096, in FLOP/s."""
    best = 0.0
    for size in (1024, 2048, 4096):
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        for _ in range(3):
            if device != "cpu":
                torch.cuda.synchronize()
            start = time.perf_counter()
            product = left @ right
            float(product[0, 0])
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def load_examples(dataset: str, prefix: str, pairs: int | None) -> list[Example]:
    """Return the examples of the subsets that begin with ``prefix``, or ``pairs`` of them spread evenly."""
    examples, _ = to_examples(load_rows(dataset), default_subset="all")
    found = [example for example in examples if example.subset.startswith(prefix)]
    return [found[i * len(found) // pairs] for i in range(pairs)] if pairs else found


def run_pipeline(model: str, items: Sequence[Conversation], device: str) -> tuple[float, list[float]]:
    """Score with the pipeline at batch 8 in data-set order; return the seconds of scoring alone and the scores."""
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(model)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, dtype="bfloat16", device=device)
    texts = [
        str(tokenizer.apply_chat_template([{"role": m.role, "content": m.content} for m in i.messages], tokenize=False))
        for i in items
    ]
    seconds, found = timed(lambda: classify(texts, function_to_apply="none", batch_size=8))
    return seconds, [item["score"] for item in found]


def moved(scores: Sequence[float], exact: Sequence[float]) -> int:
    """Count the pairs decided otherwise than in float32, where float32's margin is over 1e-5."""
    pairs = [(scores[i] - scores[i + 1], exact[i] - exact[i + 1]) for i in range(0, len(exact), 2)]
    return sum((low > 0) != (high > 0) for low, high in pairs if abs(high) > 1e-5)


def cold(arguments: argparse.Namespace, who: str) -> float:
    """Return the seconds of a fresh process that loads, scores and ends."""
    command = [sys.executable, __file__, arguments.model, arguments.dataset, "--only", who]
    command += ["--subset-prefix", arguments.subset_prefix]
    command += ["--pairs", str(arguments.pairs)] if arguments.pairs else []
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))[0]


def report(arguments: argparse.Namespace, device: str) -> None:
    """Run everything and print a table."""
    examples = load_examples(arguments.dataset, arguments.subset_prefix, arguments.pairs)
    items = conversations(examples)
    options = ModelOptions(dtype="bfloat16", device=device, cache=False)
    before = matrix_rate(torch.bfloat16, device)
    ours = ClassifierScorer(arguments.model, options)
    first, _ = timed(lambda: ours.score(items))
    warm, low = timed(lambda: ours.score(items))
    accounting = ours.accounting or Accounting(0, 0, 0, 0)
    refine_seconds, refined = timed(lambda: refine(examples, items, low, ours, ours.drift or 0.0))
    pipeline_seconds, pipeline_scores = run_pipeline(arguments.model, items, device)
    again, _ = timed(lambda: ours.score(items))
    exact_seconds, exact = timed(lambda: ours.rescore(items))
    after = matrix_rate(torch.bfloat16, device)

    exact_values = [score.value for score in exact]
    flop = 2 * (ours.info.parameters or 0) - 2 * arguments.embedding_parameters
    tokens = pair_tokens(ours, items)
    best = min(warm, again)
    rate = max(before, after)
    machine = environment()
    rows = {
        "machine": f"{machine['cpu']}, {machine['cores']} cores, {machine.get('gpu')}, torch {machine['torch']}",
        "pairs": f"{len(examples)}",
        "tokens given, each pair's prompt once, computed": f"{accounting.given:,}, {tokens:,}, {accounting.computed:,}",
        "matrix rate before, after": f"{before / 1e12:.3f}, {after / 1e12:.3f} TFLOP/s",
        "pipeline, batch 8": f"{pipeline_seconds:.1f} s",
        "rmeval, first pass (self-check in it)": f"{first:.1f} s, {pipeline_seconds / first:.2f} x the pipeline",
        "rmeval, later passes": f"{warm:.1f} and {again:.1f} s, {pipeline_seconds / best:.2f} x the pipeline",
        "share of the matrix rate": f"{100 * tokens * flop / best / rate:.0f}%",
        "refinement": f"{refine_seconds:.1f} s more, {refined.rescored} examples, drift {refined.drift:.3f}",
        "rmeval float32": f"{exact_seconds:.1f} s",
        "bfloat16 with refinement / float32": f"{100 * (best + refine_seconds) / exact_seconds:.0f}% of the time",
        "decisions moved: pipeline": f"{moved(pipeline_scores, exact_values)}",
        "decisions moved: rmeval --no-refine": f"{moved([s.value for s in low], exact_values)}",
        "decisions moved: rmeval": f"{moved([s.value for s in refined.scores], exact_values)}",
    }
    if not arguments.skip_cold:
        theirs, mine = cold(arguments, "pipeline"), cold(arguments, "rmeval")
        rows["cold start to finish: pipeline, rmeval"] = f"{theirs:.1f} s, {mine:.1f} s"
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print("\n".join(f"| {name} | {value} |" for name, value in rows.items()))


def pair_tokens(scorer: ClassifierScorer, items: Sequence[Conversation]) -> int:
    """Count tokens with the beginning that the two conversations of a pair share counted once."""
    from rmeval.data_prep.audit import Audit

    encoded = [item.ids.tolist() for item in scorer.encoder.encode(items, Audit())]
    total = 0
    for left, right in zip(encoded[::2], encoded[1::2], strict=True):
        both = zip(left, right, strict=False)
        shared = next((i for i, (a, b) in enumerate(both) if a != b), min(len(left), len(right)))
        total += len(left) + len(right) - shared
    return total


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--subset-prefix", default="llmbar")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--embedding-parameters", type=int, default=28_311_552, help="left out of the FLOP a token")
    parser.add_argument("--skip-cold", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["pipeline", "rmeval"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.only is None:
        report(arguments, device)
        return
    items = conversations(load_examples(arguments.dataset, arguments.subset_prefix, arguments.pairs))
    if arguments.only == "pipeline":
        run_pipeline(arguments.model, items, device)
    else:
        ClassifierScorer(arguments.model, ModelOptions(dtype="bfloat16", device=device, cache=False)).score(items)


if __name__ == "__main__":
    main()
