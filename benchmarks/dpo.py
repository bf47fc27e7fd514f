"""Time DPO's implicit reward against a classifier with the same body on the same tokens, in one run.

    python benchmarks/dpo.py POLICY [--reference MODEL] [--dataset mini] [--pairs N] [--dtype float32] [--rounds 3]

A classifier is made of the policy's own body and a random head, since only time counts. Both score the same
conversations, nothing is cached, and the models are loaded, warm and checked before the clock starts. Prints the best
of some rounds in turns. Of a model that is timed against a reference, each of the two models is one pass: the ratio is
of one pass of the language model to one of the classifier. What is aimed at is below 1.3.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from rmeval.eval.environment import environment
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers import load_scorer
from rmeval.eval.scorers.base import Accounts, Scorer, items_of
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.pairs import PAIRS
from rmeval.types import Item


def classifier_of(policy: str, folder: Path) -> Path:
    """Write a classifier with the policy's body and a random head; return its folder."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    config = AutoConfig.from_pretrained(policy, num_labels=1)
    config.pad_token_id = tokenizer.pad_token_id
    language_model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    model.base_model.load_state_dict(language_model.base_model.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def seconds(scorer: Scorer, items: list[Item]) -> float:
    """Return how long one pass takes, planning included."""
    start = time.perf_counter()
    scorer.score(items)
    return time.perf_counter() - start


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("policy")
    parser.add_argument("--reference", default="none")
    parser.add_argument("--dataset", default="mini")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    examples = load_dataset(PAIRS, DataOptions(dataset=given.dataset)).examples
    count = min(given.pairs, len(examples))
    items = items_of([examples[place * len(examples) // count] for place in range(count)])
    options = {"dtype": given.dtype, "device": given.device, "cache": False}
    with tempfile.TemporaryDirectory() as folder:
        other = load_scorer(str(classifier_of(given.policy, Path(folder) / "classifier")), ModelOptions(**options))
        ours = load_scorer(f"dpo:{given.policy}", ModelOptions(**options, reference=given.reference, log_probs="sum"))
        best = {"classifier": float("inf"), "dpo": float("inf")}
        for each in (other, ours):
            each.score(items)  # The self-check, and whatever is made at the first pass.
        for _ in range(given.rounds):
            for name, scorer in (("classifier", other), ("dpo", ours)):
                best[name] = min(best[name], seconds(scorer, items))
    passes = 1 if given.reference == "none" else 2
    counted = {
        name: each.accounting for name, each in (("classifier", other), ("dpo", ours)) if isinstance(each, Accounts)
    }
    print(
        json.dumps(
            {
                "seconds": best,
                "passes": passes,
                "ratio of a pass": best["dpo"] / passes / best["classifier"],
                "tokens computed": {name: each.computed if each else None for name, each in counted.items()},
                "environment": environment(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
