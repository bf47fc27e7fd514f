"""Every architecture that transformers classifies sequences with: its own scores, or one line that says why not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.errors import ModelError
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from tests.support.models.zoo import ARCHITECTURES, POSITIONS, save_zoo_model, zoo_conversations
from tests.support.models.zoo_check import BOUND, furthest, own_scores, run

REFUSED = {"reformer": "cannot be relied on"}
"""Architectures whose own forward is no function of the conversation: LSH attention hashes with random vectors."""

SAMPLE = (
    "bart",  # Reads its score at the last EOS, and takes no batch with different numbers of them.
    "bert",
    "big_bird",  # Block-sparse attention from a length on, which it forgets at the first short sequence.
    "bloom",  # Mixes what its linear layers compute with float32.
    "deberta",  # As bloom, and fails wholly in low precision too.
    "deepseek_v3",  # Experts.
    "falcon",  # Linear layers of its own class.
    "fnet",  # Mixes tokens with their padding.
    "gemma3",  # Multimodal.
    "gpt2",  # Conv1D.
    "jamba",  # Neither attention nor a transformer's layers alone.
    "minimax",
    "phi3",
    "roberta",  # Fewer tokens than positions.
    "t5gemma",  # Reads its score through a decoder.
    "xlnet",  # Padded on the left, no limit of its length.
)
"""What CI tests of them; ``slow`` tests all."""


def _test(model_type: str, folder: Path) -> None:
    items = zoo_conversations()
    save_zoo_model(folder, model_type)
    if model_type in REFUSED:
        with pytest.raises(ModelError, match=REFUSED[model_type]) as caught:
            run(folder, items)
        assert "\n" not in str(caught.value)
        return
    own = own_scores(folder, items)
    assert max(own) - min(own) > 0.01  # Else the test could not tell one from another.
    for batch_size in (None, 1, 8):
        assert furthest(run(folder, items, batch_size=batch_size).scores, own) <= BOUND
    for dtype in ("bfloat16", "float16"):
        low = run(folder, items, dtype)
        assert all(map(math.isfinite, low.scores))
        if low.dtype == "float32":  # Said so, and why.
            assert "low-precision-refused" in low.reasons
            assert furthest(low.scores, own) <= BOUND
        else:
            assert low.dtype == dtype
            # MobileBERT overflows in float16 altogether: then all of it is float32's.
            assert low.scores != own or low.refined == len(items)


@pytest.mark.parametrize("model_type", SAMPLE)
def test_scores_are_the_models_own(model_type: str, tmp_path: Path) -> None:
    _test(model_type, tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("model_type", [name for name in ARCHITECTURES if name not in SAMPLE])
def test_scores_of_all_others_are_the_models_own(model_type: str, tmp_path: Path) -> None:
    _test(model_type, tmp_path / "model")


@pytest.mark.parametrize("model_type", ["roberta", "mpnet", "longformer", "bert", "gpt2", "opt"])
def test_the_longest_text_that_is_accepted_can_be_scored(model_type: str, tmp_path: Path) -> None:
    """A text of 900 tokens is cut to what the model has positions for, which its own forward takes."""
    folder = save_zoo_model(tmp_path / "model", model_type)
    items = zoo_conversations()[:3]
    long = replace(items[0], completion=(replace(items[0].completion[0], content="abc " * 225),))
    (score, *_) = ClassifierScorer(str(folder), ModelOptions(dtype="float32", device="cpu")).score_conversations(
        [long, *items]
    )
    assert score.truncated
    # RoBERTa and Longformer count positions from behind the pad token's (2), MPNet from behind 1.
    assert score.tokens == POSITIONS - {"roberta": 3, "longformer": 3, "mpnet": 2}.get(model_type, 0)
    assert math.isfinite(score.value)
