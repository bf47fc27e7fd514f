"""Compare rmeval's float32 scores of a model folder with those of transformers' pipeline, used as its card says.

    python benchmarks/pipeline_scores.py MODEL DATASET [--examples 30]

MODEL is a folder that ``rmeval train`` wrote, DATASET what ``rmeval pairs`` takes; the examples are spread evenly over
it. Exits 1 where a score differs by more than 1e-5 x max(1, |score|).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch
from transformers import AutoTokenizer, pipeline

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation

BOUND = 1e-5


def pipeline_scores(model: str, items: list[Conversation]) -> list[float]:
    """Score conversations one at a time, by the lines of the model card."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    pipe: Any = pipeline("text-classification", model=model, tokenizer=tokenizer, dtype=torch.float32, device="cpu")
    adds_bos = tokenizer.bos_token and tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    scores = []
    for item in items:
        chat = [{"role": message.role, "content": message.content} for message in item.messages]
        text = str(tokenizer.apply_chat_template(chat, tokenize=False))
        if adds_bos:
            text = text.removeprefix(str(tokenizer.bos_token))
        scores.append(float(pipe([text], function_to_apply="none", truncation=True)[0]["score"]))
    return scores


def main() -> int:
    """Score both ways, print how far they are apart, and return 1 where that is too far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--examples", type=int, default=30)
    arguments = parser.parse_args()
    examples, _ = to_examples(load_rows(arguments.dataset), default_subset="all")
    number = min(arguments.examples, len(examples))
    items = list(conversations([examples[i * len(examples) // number] for i in range(number)]))
    ours = ClassifierScorer(
        arguments.model, ModelOptions(dtype="float32", device="cpu", cache=False)
    ).score_conversations(items)
    theirs = pipeline_scores(arguments.model, items)
    differences = [abs(other - one.value) / max(1.0, abs(one.value)) for one, other in zip(ours, theirs, strict=True)]
    truncated, lengths = sum(score.truncated for score in ours), sorted(score.tokens for score in ours)
    print(f"{len(items)} conversations of {lengths[0]} to {lengths[-1]} tokens, {truncated} truncated")
    print(f"largest difference {max(differences):.2e} of max(1, |score|)")
    return int(not all(difference <= BOUND for difference in differences))  # A NaN is not within any bound.


if __name__ == "__main__":
    sys.exit(main())
