"""Time a pack's attention on a CPU, by what it computes in and by how many queries attend at once.

    python benchmarks/attention.py MODEL DATASET [--subset-prefix llmbar] [--pairs 40] [--rounds 4]
        [--blocks 32,64,128,256]

Takes the packs that the engine makes of the data set's pairs, random states in the shape of ``MODEL``'s, and prints the
seconds that all layers together take for all packs, least and most of the rounds. The engine computes attention in
bfloat16 where the processor has AMX and in float32 elsewhere: the table says whether that is right for a machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import AutoConfig

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.text.audit import Audit
from rmeval.eval.engine.engine import PACK_TOKENS
from rmeval.eval.engine.kernels import segments
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.eval.engine.kernels.layout import in_flight
from rmeval.eval.engine.plan import Pack, make_plan
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer


def packs_of(scorer: ClassifierScorer, dataset: str, prefix: str, pairs: int) -> Iterator[Pack]:
    """Yield the engine's packs of ``pairs`` examples, spread evenly over the subsets that begin with ``prefix``."""
    examples, _ = to_examples(load_rows(dataset), default_subset="all")
    found = [example for example in examples if example.subset.startswith(prefix)]
    items = conversations([found[place * len(found) // pairs] for place in range(pairs)])
    encoded = scorer.encoder.encode(items, Audit())
    plan = make_plan([item.ids[: item.pooled + 1] for item in encoded], share_prefixes=True)
    first = 0
    while first < len(plan.lengths):
        last = plan.next_cut(first, PACK_TOKENS["cpu"])
        yield plan.pack(first, last)
        first = last


@torch.inference_mode()
def seconds(packs: Sequence[Pack], states: Sequence[Sequence[Tensor]], dtype: torch.dtype, layers: int) -> float:
    """Return what the layers take for all packs."""
    total = 0.0
    for pack, (query, key, value) in zip(packs, states, strict=True):
        scale = query.shape[-1] ** -0.5
        with in_flight(pack, dtype=dtype, device=torch.device("cpu"), flex=False) as layout:
            start = time.perf_counter()
            for _ in range(layers):
                segments.attend(layout, query, key, value, scale, None, None, only_last=False)
            total += time.perf_counter() - start
    return total


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--subset-prefix", default="llmbar")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--blocks", default="32,64,128,256")
    arguments = parser.parse_args()
    keep_freed_memory()
    scorer = ClassifierScorer(arguments.model, ModelOptions(device="cpu", cache=False))
    config = AutoConfig.from_pretrained(arguments.model).get_text_config()
    heads = config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    packs = list(packs_of(scorer, arguments.dataset, arguments.subset_prefix, arguments.pairs))
    states = [[torch.randn(1, len(pack.ids), count, size).transpose(1, 2) for count in heads] for pack in packs]
    cells = [(dtype, int(block)) for dtype in (torch.float32, torch.bfloat16) for block in arguments.blocks.split(",")]
    found: dict[tuple[torch.dtype, int], list[float]] = {cell: [] for cell in cells}
    for _ in range(arguments.rounds + 1):
        for dtype, block in cells:  # In turn, so that a slow minute touches all of them.
            segments._BLOCK = block
            segments._widest_mask.cache_clear()
            found[dtype, block].append(seconds(packs, states, dtype, config.num_hidden_layers))
    print("| dtype | queries a block | seconds |\n| --- | ---: | ---: |")
    for (dtype, block), taken in found.items():
        rounds = taken[1:]  # The first one makes the kernels.
        print(f"| {str(dtype).removeprefix('torch.')} | {block} | {min(rounds):.2f} to {max(rounds):.2f} |")


if __name__ == "__main__":
    main()
