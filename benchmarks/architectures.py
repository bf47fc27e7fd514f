"""Which way rmeval scores each architecture, and what it computes in below float32: the table of docs/architectures.md.

    python -m benchmarks.architectures --output docs/architectures.md [ARCHITECTURE ...]

A tiny random model of every architecture that transformers classifies sequences with is scored at batch sizes 1, 8 and
auto in float32, and held against transformers alone, one conversation at a time and unpadded; then in bfloat16 and
float16. Exits 1 where a float32 score differs by more than 1e-5 x max(1, |score|), or a low one is not finite.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

from rmeval.errors import ModelError
from tests.support.models.zoo import ARCHITECTURES, NOT_BUILT, save_zoo_model, zoo_conversations
from tests.support.models.zoo_check import BOUND, Scored, furthest, own_scores, run

WAYS = {
    "packed": "fast path",
    "packed-compiled": "fast path",
    "plain": "padded batches",
    "plain-single": "one at a time",
}
HEAD = """# Architectures

Every architecture that transformers {version} classifies sequences with, a tiny random model of each. Made by
`python -m benchmarks.architectures --output docs/architectures.md` on a CPU; `tox -e slow` tests the same.

- **way**: the *fast path* packs conversations and computes shared beginnings once. *Padded batches* are the model's own
  forward. *One at a time* is for models that give other scores in a padded batch than on their own, or fail there.
- **bfloat16**, **float16**: *products* means that matrix products are in the dtype and what flows between the layers is
  float32; *whole* that the whole model is in it; *float32* that it cannot compute in it, so that float32 is used. A run
  says which (`residual_dtype`, `low-precision-refused`).
- **float32 off by**: largest difference of a score from transformers' own, relative to max(1, |score|), over 20
  conversations at batch sizes 1, 8 and auto. The promise is 1e-5.

| architecture | way | float32 off by | bfloat16 | float16 |
| --- | --- | --- | --- | --- |
"""


def precision(found: Scored) -> str:
    """Say what a run below float32 computed in."""
    if found.dtype == "float32":
        return "float32"
    return "whole" if found.residual_dtype == found.dtype else "products"


def row(model_type: str, folder: Path) -> tuple[str, bool]:
    """Return an architecture's row of the table, and whether all its scores are right."""
    items = zoo_conversations()
    save_zoo_model(folder, model_type)
    own = own_scores(folder, items)
    try:
        exact = [run(folder, items, batch_size=size) for size in (None, 1, 8)]
    except ModelError as error:
        return f"| {model_type} | refused: {error} | | | |", True
    low = [run(folder, items, dtype) for dtype in ("bfloat16", "float16")]
    off = max(furthest(found.scores, own) for found in exact)
    fine = off <= BOUND and all(math.isfinite(score) for found in low for score in found.scores)
    cells = (model_type, WAYS[str(exact[0].path)], f"{off:.1e}", *map(precision, low))
    return f"| {' | '.join(cells)} |", fine


def main() -> int:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # Tiny models gain nothing from more.
    rows, wrong = [], []
    for model_type in options.architectures:
        with tempfile.TemporaryDirectory() as folder:
            text, fine = row(model_type, Path(folder) / "model")
        rows.append(text)
        print(text, "" if fine else "  <- WRONG", flush=True)
        if not fine:
            wrong.append(model_type)
    left_out = [f"| {name} | not tried: {why} | | | |" for name, why in NOT_BUILT.items()]
    if options.output:
        counts = f"\n{len(rows)} of {len(CLASSES)} architectures were tried.\n"
        text = HEAD.format(version=transformers.__version__) + "\n".join(sorted([*rows, *left_out])) + "\n" + counts
        options.output.write_text(text, encoding="utf-8")
    print(f"{len(rows)} architectures, {len(wrong)} wrong {' '.join(wrong)}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
