"""Time the engine against transformers' pipeline on the same rows, in one run.

    python benchmarks/engine.py MODEL DATASET [--subset-prefix llmbar] [--pairs N] [--dtype bfloat16] [--compile on]
        [--skip-cold]

Prints, for this machine's CPU or GPU: the best rate of a square matrix product before and after, the pipeline (batch 8,
data-set order), our scoring, and cold start to finish of both; below float32 also refinement, our float32, and the
decisions that differ from it. Nothing is cached. Ratios are what to compare across machines. ``--dtype auto``, the
default, is bfloat16 where the hardware computes in it, else float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.eval.environment import environment
from rmeval.eval.model_options import COMPILE_MODES, ModelOptions
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.refine import Refined, refine
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.run_info import Accounting
from rmeval.types import Conversation, Example, Score

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


def scorer(arguments: argparse.Namespace, device: str) -> ClassifierScorer:
    """Return our scorer, journal off."""
    options = ModelOptions(dtype=arguments.dtype, device=device, compile=arguments.compile, cache=False)
    return ClassifierScorer(arguments.model, options)


def run_pipeline(model: str, items: Sequence[Conversation], device: str, dtype: str) -> tuple[float, list[float]]:
    """Score with the pipeline at batch 8 in data-set order; return the seconds of scoring alone and the scores."""
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(model)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, dtype=dtype, device=device)
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
    command += ["--subset-prefix", arguments.subset_prefix, "--dtype", arguments.dtype, "--compile", arguments.compile]
    command += ["--pairs", str(arguments.pairs)] if arguments.pairs else []
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))[0]


@dataclass(frozen=True, slots=True)
class Below:
    """What making close decisions again came to, and float32 to hold it against."""

    refine_seconds: float
    refined: Refined
    exact_seconds: float
    exact: Sequence[Score]


def refinement(
    examples: Sequence[Example], items: Sequence[Conversation], scores: Sequence[Score], ours: ClassifierScorer
) -> Below:
    """Make close decisions again in float32, then score everything in float32."""
    refine_seconds, refined = timed(lambda: refine(examples, items, scores, ours, ours.drift or 0.0))
    return Below(refine_seconds, refined, *timed(lambda: ours.rescore(items)))


def report(arguments: argparse.Namespace, device: str) -> None:
    """Run everything and print a table."""
    examples = load_examples(arguments.dataset, arguments.subset_prefix, arguments.pairs)
    items = conversations(examples)
    dtype: torch.dtype = getattr(torch, arguments.dtype)
    before = matrix_rate(dtype, device)
    ours = scorer(arguments, device)
    first, _ = timed(lambda: ours.score_conversations(items))
    warm, scores = timed(lambda: ours.score_conversations(items))
    accounting = ours.accounting or Accounting(0, 0, 0, 0)
    below = refinement(examples, items, scores, ours) if ours.can_refine else None
    pipeline_seconds, pipeline_scores = run_pipeline(arguments.model, items, device, arguments.dtype)
    again, _ = timed(lambda: ours.score_conversations(items))
    rate = max(before, after := matrix_rate(dtype, device))

    flop = 2 * (ours.info.parameters or 0) - 2 * arguments.embedding_parameters
    tokens = pair_tokens(ours, items)
    best = min(warm, again)
    machine = environment()
    exact = [score.value for score in (below.exact if below else scores)]
    rows = {
        "machine": f"{machine['cpu']}, {machine['cores']} cores, {machine.get('gpu')}, torch {machine['torch']}",
        "pairs, dtype, compile": f"{len(examples)}, {arguments.dtype}, {arguments.compile}",
        "tokens given, each pair's prompt once, computed": f"{accounting.given:,}, {tokens:,}, {accounting.computed:,}",
        "matrix rate before, after": f"{before / 1e12:.3f}, {after / 1e12:.3f} TFLOP/s",
        "pipeline, batch 8": f"{pipeline_seconds:.1f} s",
        "rmeval, first pass (self-check in it)": f"{first:.1f} s, {pipeline_seconds / first:.2f} x the pipeline",
        "rmeval, later passes": f"{warm:.1f} and {again:.1f} s, {pipeline_seconds / best:.2f} x the pipeline",
        "share of the matrix rate": f"{100 * tokens * flop / best / rate:.0f}%",
        "decisions moved against float32: pipeline": f"{moved(pipeline_scores, exact)}",
    }
    if below is not None:
        share = (best + below.refine_seconds) / below.exact_seconds
        rows |= {
            "refinement": f"{below.refine_seconds:.1f} s more, {below.refined.rescored} examples, "
            f"drift {below.refined.drift:.3f}",
            "rmeval float32": f"{below.exact_seconds:.1f} s",
            "low precision with refinement / float32": f"{100 * share:.0f}% of the time",
            "decisions moved against float32: rmeval --no-refine": f"{moved([s.value for s in scores], exact)}",
            "decisions moved against float32: rmeval": f"{moved([s.value for s in below.refined.scores], exact)}",
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
    from rmeval.data_prep.text.audit import Audit

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
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--compile", choices=COMPILE_MODES, default="auto")
    parser.add_argument("--skip-cold", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["pipeline", "rmeval"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    arguments.dtype = str(pick_dtype(arguments.dtype, pick_device(device))).removeprefix("torch.")
    if arguments.only is None:
        report(arguments, device)
        return
    items = conversations(load_examples(arguments.dataset, arguments.subset_prefix, arguments.pairs))
    if arguments.only == "pipeline":
        run_pipeline(arguments.model, items, device, arguments.dtype)
    else:
        scorer(arguments, device).score_conversations(items)


if __name__ == "__main__":
    main()
