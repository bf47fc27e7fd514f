"""A classifier with several outputs: the chosen one, or a sum, against transformers' own logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from typer.testing import CliRunner

from rmeval import evaluate, load_run
from rmeval.cli import app
from rmeval.errors import RmevalError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation, Message
from tests.support.models.tiny import save_tiny_model
from tests.support.scoring import said

LABELS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def save(folder: Path, labels: tuple[str, ...] = LABELS, **changes: Any) -> Path:
    names = dict(enumerate(labels))
    return save_tiny_model(folder, num_labels=len(labels), id2label=names, **changes)


def sample() -> list[Conversation]:
    found = []
    for i in range(20):
        prompt = (Message("user", f"question {i % 7} " * (1 + i % 5)),)
        found.append(Conversation(prompt, (Message("assistant", "ab " * ((i * i) % 40)),), f"e{i}"))
    return found


def logits(folder: Path) -> list[list[float]]:
    """All outputs, one conversation at a time, from the text that the template writes."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found = []
    for each in sample():
        text = tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in each.messages], tokenize=False
        )
        with torch.no_grad():
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
            found.append(model(input_ids=ids).logits[0].tolist())
    return found


def scores(folder: Path, **options: Any) -> list[float]:
    given = {"dtype": "float32", "device": "cpu", **options}
    return [score.value for score in said(load_scorer(str(folder), ModelOptions(**given)), sample())]


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "bert", "deberta-v2"])
@pytest.mark.parametrize("batch_size", [None, 1, 8])
def test_each_output_and_a_sum_are_exact(tmp_path: Path, model_type: str, batch_size: int | None) -> None:
    folder = save(tmp_path / "m", model_type=model_type)
    expected = torch.tensor(logits(folder), dtype=torch.float64)
    third = pytest.approx(expected[:, 3].tolist(), abs=1e-5)
    assert scores(folder, batch_size=batch_size, output_index=3) == third
    assert scores(folder, batch_size=batch_size, output_name="complexity") == third
    total = (0.65 * expected[:, 0] - 0.4 * expected[:, 4]).tolist()
    weights = "helpfulness=0.65, verbosity=-0.4"
    assert scores(folder, batch_size=batch_size, output_weights=weights) == pytest.approx(total, abs=1e-5)


def test_two_outputs(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", ("bad", "good"))
    expected = torch.tensor(logits(folder))
    assert scores(folder, output_name="good") == pytest.approx(expected[:, 1].tolist(), abs=1e-5)
    difference = (expected[:, 1] - expected[:, 0]).tolist()
    assert scores(folder, output_weights="good=1,bad=-1") == pytest.approx(difference, abs=1e-5)


def test_the_only_output_of_a_model_may_be_weighed(tiny_model: Path) -> None:
    plain = scores(tiny_model)
    assert scores(tiny_model, output_index=0) == plain
    assert scores(tiny_model, output_weights="LABEL_0=-1") == pytest.approx([-value for value in plain])


def test_low_precision_stays_near(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    low = scores(folder, dtype="bfloat16", output_name="coherence")
    exact = scores(folder, output_name="coherence")
    assert low == pytest.approx(exact, abs=0.3)
    assert low != exact


def test_the_run_says_so_and_another_output_is_not_taken_from_the_journal(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    found = {}
    for label in ("helpfulness", "verbosity"):
        options = ModelOptions(dtype="float32", device="cpu", output_name=label)
        run = evaluate(str(folder), "mini", limit=4, model_options=options, output_dir=tmp_path / label)
        assert run.info.accounting is not None
        assert run.info.accounting.recalled == 0
        found[label] = load_run(tmp_path / label)
    helpful = found["helpfulness"].info
    assert helpful.model.outputs == {"0 helpfulness": 1.0}
    assert helpful.settings["output_name"] == "helpfulness"
    assert found["verbosity"].info.model.outputs == {"4 verbosity": 1.0}
    values = {label: run.scores["score"].tolist() for label, run in found.items()}
    assert values["helpfulness"] != values["verbosity"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "has 5 outputs (0 helpfulness, 1 correctness, 2 coherence, 3 complexity, 4 verbosity)"),
        ({"output_index": 5}, "--output-index 5"),
        ({"output_index": -1}, "--output-index -1"),
        ({"output_name": "verbose"}, "no output 'verbose'; did you mean 'verbosity'?"),
        ({"output_weights": "verbosity"}, "--output-weights takes NAME=NUMBER"),
        ({"output_weights": "verbosity=nan"}, "--output-weights takes NAME=NUMBER"),
        ({"output_weights": "verbosity=1,verbosity=2"}, "stands there twice"),
        ({"output_weights": "verbosity=0"}, "all weights are 0"),
        ({"output_weights": "nice=1"}, "no output 'nice'"),
        ({"output_index": 0, "output_name": "verbosity"}, "--output-index and --output-name both"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    folder = save(tmp_path / "m")
    with pytest.raises(RmevalError) as caught:
        load_scorer(str(folder), ModelOptions(device="cpu", **options))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_outputs_of_one_name_have_their_index_only(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", ("good", "good"))
    with pytest.raises(RmevalError, match="use --output-index"):
        scores(folder, output_name="good")


def test_from_the_command_line(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    common = [
        "rewardbench",
        "--dataset",
        "mini",
        "--limit",
        "2",
        "--device",
        "cpu",
        "--output-dir",
        str(tmp_path / "r"),
    ]
    done = CliRunner().invoke(app, [*common, "--model", str(folder), "--output-weights", "helpfulness=1,verbosity=-1"])
    assert done.exit_code == 0, done.output
    assert load_run(tmp_path / "r").info.model.outputs == {"0 helpfulness": 1.0, "4 verbosity": -1.0}
    done = CliRunner().invoke(app, [*common, "--model", "baseline:longest", "--output-index", "1"])
    assert done.exit_code != 0
