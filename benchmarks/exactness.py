"""Compare rmeval's float32 scores with transformers' own pipeline, one conversation at a time.

    python benchmarks/exactness.py MODEL DATASET WORK_FOLDER [--spread N]

The pipeline's scores are appended to a file in WORK_FOLDER as they come, so that the script can be stopped and started
again. With --spread, only N examples spread evenly over the data are scored, at batch sizes 1, 7 and 64 as well.
Exits 1 where a score differs by more than 1e-5 x max(1, |score|).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation

BOUND = 1e-5


def pipeline_scores(model: str, items: Sequence[Conversation], cache: Path) -> list[float]:
    """Score the templated text of each conversation, unpadded, as the model card tells its users to."""
    from transformers import AutoTokenizer, pipeline

    done = [json.loads(line) for line in cache.read_text().splitlines()] if cache.exists() else []
    tokenizer = AutoTokenizer.from_pretrained(model)
    adds_bos = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, dtype="float32", device="cpu")
    with cache.open("a", encoding="utf-8") as out:
        for place, item in enumerate(items[len(done) :], start=len(done)):
            turns = [{"role": message.role, "content": message.content} for message in item.messages]
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            text = text.removeprefix(tokenizer.bos_token) if adds_bos else text
            score = classify([text], function_to_apply="none", batch_size=1)[0]["score"]
            out.write(json.dumps(score) + "\n")
            out.flush()
            done.append(score)
            if place % 100 == 0:
                print(f"pipeline: {place}/{len(items)}", file=sys.stderr)
    return done


def compare(name: str, scores: Sequence[float], expected: Sequence[float]) -> float:
    """Print and return the largest difference relative to max(1, |expected|)."""
    worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(scores, expected, strict=True))
    flips = sum((scores[i] > scores[i + 1]) != (expected[i] > expected[i + 1]) for i in range(0, len(expected), 2))
    print(f"{name:24} conversations {len(expected):6,}  largest difference {worst:.2e}  decisions moved {flips}")
    return worst


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("work", type=Path)
    parser.add_argument("--spread", type=int)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    examples, _ = to_examples(load_rows(arguments.dataset), default_subset="all")
    if arguments.spread:
        examples = [examples[i * len(examples) // arguments.spread] for i in range(arguments.spread)]
    items = conversations(examples)
    cache = arguments.work / f"oracle-{len(examples)}.jsonl"
    expected = pipeline_scores(arguments.model, items, cache)
    worst = []
    for batch_size in (None, 1, 7, 64) if arguments.spread else (None,):
        options = ModelOptions(dtype="float32", device="cpu", batch_size=batch_size)
        scores = [score.value for score in load_scorer(arguments.model, options).score_conversations(items)]
        worst.append(compare(f"batch size {batch_size or 'auto'}", scores, expected))
    return int(max(worst) > BOUND)


if __name__ == "__main__":
    sys.exit(main())
