"""Heads of linear layers: each layout of files, against the arithmetic written out here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from rmeval import evaluate
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.classifier import ClassifierScorer
from tests.support.models.headed import (
    WIDTH,
    Oracle,
    Weights,
    add_to_weights,
    near,
    random,
    refused,
    sample,
    save_body,
    scores,
    states,
)
from tests.support.models.tiny import edit_config

# --- each layout ------------------------------------------------------------------------------------------------

LINEAR = {"weight": random(1, WIDTH), "bias": random(1, seed=2)}


def value_head_beside(folder: Path) -> tuple[Weights, Oracle]:
    head = {f"v_head.summary.{name}": value for name, value in LINEAR.items()}
    save_body(folder)
    save_file(head, folder / "value_head.safetensors")
    return head, lambda w, h: h[-1] @ w["v_head.summary.weight"][0] + w["v_head.summary.bias"][0]


def value_head_inside(folder: Path) -> tuple[Weights, Oracle]:
    head, oracle = value_head_beside(folder)
    (folder / "value_head.safetensors").unlink()
    add_to_weights(folder, head, drop="nothing")
    return head, oracle


def grm(folder: Path) -> tuple[Weights, Oracle]:
    first = {"v_head.summary.0.weight": random(48, WIDTH), "v_head.summary.0.bias": random(48, seed=3)}
    head = {**first, "v_head.summary.2.weight": random(1, 48, seed=4), "v_head.summary.2.bias": random(1, seed=5)}
    save_body(folder)
    add_to_weights(folder, head)
    code = {"AutoModelForSequenceClassification": "modeling_grm.GRewardModel"}
    vhead = {"vhead_layer_type": "mlp", "vhead_num_neurons": 48, "vhead_num_layers": 1}
    edit_config(folder, architectures=["GRewardModel"], auto_map=code, **vhead)
    (folder / "modeling_grm.py").write_text("raise SystemExit('ran')")

    def oracle(w: Weights, h: Tensor) -> Tensor:
        hidden = torch.relu(w["v_head.summary.0.weight"] @ h[-1] + w["v_head.summary.0.bias"])
        return w["v_head.summary.2.weight"][0] @ hidden + w["v_head.summary.2.bias"][0]

    return head, oracle


def openrlhf(folder: Path) -> tuple[Weights, Oracle]:
    """Raw values: the mean and the deviation in the config are for those who ask for them at load."""
    save_body(folder)
    head = {"value_head.weight": LINEAR["weight"]}
    add_to_weights(folder, head)
    edit_config(folder, architectures=["RewardModel"], value_head_prefix="value_head", mean=0.5, std=2.0)
    return head, lambda w, h: w["value_head.weight"][0] @ h[-1]


def openrlhf_score(folder: Path) -> tuple[Weights, Oracle]:
    """Its config knows no number of labels, so that an automatic class would build two outputs."""
    save_body(folder)
    head = {"score.weight": LINEAR["weight"]}
    add_to_weights(folder, head)
    edit_config(folder, architectures=["LlamaForSequenceClassification"], value_head_prefix="score")
    return head, lambda w, h: w["score.weight"][0] @ h[-1]


def inf_orm(folder: Path) -> tuple[Weights, Oracle]:
    first = {"score.0.weight": random(WIDTH, WIDTH), "score.0.bias": random(WIDTH, seed=3)}
    head = {**first, "score.2.weight": random(1, WIDTH, seed=4), "score.2.bias": random(1, seed=5)}
    save_body(folder)
    add_to_weights(folder, head)
    edit_config(folder, architectures=["INFORMForSequenceClassification"], num_labels=1)

    def oracle(w: Weights, h: Tensor) -> Tensor:
        hidden = torch.relu(w["score.0.weight"] @ h[-1] + w["score.0.bias"])
        return w["score.2.weight"][0] @ hidden + w["score.2.bias"][0]

    return head, oracle


def ultra_rm(folder: Path) -> tuple[Weights, Oracle]:
    save_body(folder)
    head = {"regression_head.weight": LINEAR["weight"]}
    add_to_weights(folder, head)
    edit_config(folder, architectures=["LlamaRewardModel"])
    return head, lambda w, h: w["regression_head.weight"][0] @ h[-1]


def beaver(folder: Path, score_type: str, *, normalized: bool) -> Weights:
    save_body(folder)
    head = {"score_head.weight": LINEAR["weight"]}
    add_to_weights(folder, head)
    edit_config(
        folder,
        architectures=["LlamaForScore"],
        score_type=score_type,
        score_dim=1,
        bias=False,
        do_normalize=normalized,
        mean=[0.75],
        var=[4.0],
    )
    return head


def beaver_reward(folder: Path) -> tuple[Weights, Oracle]:
    return beaver(folder, "reward", normalized=False), lambda w, h: w["score_head.weight"][0] @ h[-1]


def beaver_reward_normalized(folder: Path) -> tuple[Weights, Oracle]:
    head = beaver(folder, "reward", normalized=True)
    return head, lambda w, h: (w["score_head.weight"][0] @ h[-1] - 0.75) / 2


def beaver_cost(folder: Path) -> tuple[Weights, Oracle]:
    return beaver(folder, "cost", normalized=False), lambda w, h: -(w["score_head.weight"][0] @ h[-1])


def beaver_cost_normalized(folder: Path) -> tuple[Weights, Oracle]:
    """A cost is scaled, not moved."""
    head = beaver(folder, "cost", normalized=True)
    return head, lambda w, h: -(w["score_head.weight"][0] @ h[-1]) / 2


def pythia(folder: Path) -> tuple[Weights, Oracle]:
    save_body(folder, "gpt_neox")
    head = {f"out_proj.{name}": value for name, value in LINEAR.items()}
    add_to_weights(folder, head, drop="embed_out")
    edit_config(folder, architectures=["GPTNeoXRewardModel"], model_type="gpt_neox_reward_model", pooling="last")
    return head, lambda w, h: w["out_proj.weight"][0] @ h[-1] + w["out_proj.bias"][0]


def starling(folder: Path) -> tuple[Weights, Oracle]:
    """Its pad token has the number 0, whatever the config says; no text of the sample holds it."""
    save_body(folder)
    head = {"v_head.weight": LINEAR["weight"]}
    weights = load_file(folder / "model.safetensors")
    body = {name.replace("model.", "transformer.", 1): weights[name] for name in weights if "lm_head" not in name}
    save_file({**body, **head}, folder / "model.safetensors", metadata={"format": "pt"})
    edit_config(folder, architectures=["LlamaForSequenceClassification"], num_labels=1)
    return head, lambda w, h: w["v_head.weight"][0] @ h[-1]


def starling_7b(folder: Path) -> tuple[Weights, Oracle]:
    """A whole language model called ``model``."""
    head = {"v_head.weight": LINEAR["weight"]}
    save_body(folder)
    rename(folder, lambda name: [f"model.{name}"], head)
    return head, lambda w, h: w["v_head.weight"][0] @ h[-1]


def starling_7b_twice(folder: Path) -> tuple[Weights, Oracle]:
    """Its body once more as ``transformer``, as a module that holds both saves itself."""
    head = {"v_head.weight": LINEAR["weight"]}
    save_body(folder)
    rename(
        folder,
        lambda name: [f"model.{name}", *([name.replace("model.", "transformer.", 1)] if "lm_head" not in name else [])],
        head,
    )
    return head, lambda w, h: w["v_head.weight"][0] @ h[-1]


def rename(folder: Path, names: Callable[[str], list[str]], head: Weights) -> None:
    weights = load_file(folder / "model.safetensors")
    named = {other: weights[name].clone() for name in weights for other in names(name)}
    save_file({**named, **head}, folder / "model.safetensors", metadata={"format": "pt"})


LAYOUTS: dict[str, tuple[Callable[[Path], tuple[Weights, Oracle]], str]] = {
    "value head beside": (value_head_beside, "value head"),
    "value head inside": (value_head_inside, "value head"),
    "grm": (grm, "GRM"),
    "openrlhf": (openrlhf, "OpenRLHF"),
    "openrlhf score": (openrlhf_score, "OpenRLHF"),
    "inf-orm": (inf_orm, "INF-ORM"),
    "ultra rm": (ultra_rm, "UltraRM"),
    "beaver reward": (beaver_reward, "Beaver reward"),
    "beaver reward normalized": (beaver_reward_normalized, "Beaver reward"),
    "beaver cost": (beaver_cost, "Beaver cost"),
    "beaver cost normalized": (beaver_cost_normalized, "Beaver cost"),
    "pythia": (pythia, "OpenAssistant"),
    "starling": (starling, "Starling-34B"),
    "starling 7b": (starling_7b, "Starling-7B"),
    "starling 7b twice": (starling_7b_twice, "Starling-7B"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_are_what_the_head_says(layout: str, tmp_path: Path) -> None:
    make, family = LAYOUTS[layout]
    head, oracle = make(tmp_path / "m")
    body = "gpt_neox" if layout == "pythia" else "llama"
    expected = [float(oracle(head, hidden)) for _, hidden in states(tmp_path / "m", body)]
    assert max(expected) - min(expected) > 0.1
    for batch_size in (None, 1, 8):
        assert scores(tmp_path / "m", batch_size=batch_size) == near(expected)
    scorer = load_scorer(str(tmp_path / "m"), ModelOptions(device="cpu", dtype="float32"))
    assert (scorer.info.head, scorer.info.untrained_head) == (family, False)
    assert scorer.info.path == ("plain" if layout == "pythia" else "packed")
    assert not {"untrained-head", "unused-weights", "no-pad-token"} & {each.code for each in scorer.findings()}


ENDS_IN_EOS = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token }}{% endfor %}"


@pytest.mark.parametrize("batch_size", [None, 1, 8])
def test_a_value_head_reads_a_final_eos_that_is_the_pad_token_too(tmp_path: Path, batch_size: int | None) -> None:
    """A classifier would read before it; the last attended token is the EOS itself."""
    head = {f"v_head.summary.{name}": value for name, value in LINEAR.items()}
    folder = save_body(tmp_path / "m", template=ENDS_IN_EOS, pad="<eos>", pad_token_id=1)
    save_file(head, folder / "value_head.safetensors")
    found = states(folder)
    assert all(ids[-1] == 1 for ids, _ in found)
    expected = [float(hidden[-1] @ LINEAR["weight"][0] + LINEAR["bias"][0]) for _, hidden in found]
    before = [float(hidden[-2] @ LINEAR["weight"][0] + LINEAR["bias"][0]) for _, hidden in found]
    got = scores(folder, batch_size=batch_size)
    assert got == near(expected)
    assert got != near(before)


def test_in_low_precision_close_decisions_are_refined(tmp_path: Path) -> None:
    value_head_beside(tmp_path / "m")
    exact, low = scores(tmp_path / "m"), scores(tmp_path / "m", dtype="bfloat16")
    assert low == pytest.approx(exact, abs=0.3)
    assert low != exact
    scorer = load_scorer(str(tmp_path / "m"), ModelOptions(dtype="bfloat16", device="cpu"))
    assert isinstance(scorer, ClassifierScorer)
    assert scorer.can_refine
    assert [score.value for score in scorer.rescore(sample())] == near(exact)


def test_pickled_value_heads_need_a_word(tmp_path: Path) -> None:
    head, _ = value_head_beside(tmp_path / "m")
    expected = scores(tmp_path / "m")
    (tmp_path / "m" / "value_head.safetensors").unlink()
    torch.save(head, tmp_path / "m" / "value_head.bin")
    assert "(value_head.bin): --allow-pickle" in refused(tmp_path / "m", allow_untrained_head=True)
    assert scores(tmp_path / "m", allow_pickle=True) == near(expected)
    torch.save(
        head, tmp_path / "m" / "value_head.bin", _use_new_zipfile_serialization=False
    )  # As torch wrote before 1.6.
    assert scores(tmp_path / "m", allow_pickle=True) == near(expected)


def test_a_pickle_that_holds_no_tensors_is_one_line(tmp_path: Path) -> None:
    value_head_beside(tmp_path / "m")
    (tmp_path / "m" / "value_head.safetensors").unlink()
    torch.save([1, 2], tmp_path / "m" / "value_head.bin")
    assert "no reward head that is known" in refused(tmp_path / "m", allow_pickle=True)


@pytest.mark.parametrize("layout", ["starling 7b", "starling 7b twice"])
def test_a_pickled_starling_needs_a_word(tmp_path: Path, layout: str) -> None:
    head, oracle = LAYOUTS[layout][0](tmp_path / "m")
    expected = [float(oracle(head, hidden)) for _, hidden in states(tmp_path / "m")]
    weights = load_file(tmp_path / "m" / "model.safetensors")
    (tmp_path / "m" / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "m" / "pytorch_model.bin")
    assert "--allow-pickle if you trust them" in refused(tmp_path / "m")
    assert scores(tmp_path / "m", allow_pickle=True) == near(expected)
    assert load_scorer(str(tmp_path / "m"), ModelOptions(device="cpu", allow_pickle=True)).info.max_length == 2048


def test_a_v_head_without_a_body_is_refused(tmp_path: Path) -> None:
    save_body(tmp_path / "m")
    save_file({"v_head.weight": LINEAR["weight"]}, tmp_path / "m" / "model.safetensors", metadata={"format": "pt"})
    assert "v_head.weight and no body" in refused(tmp_path / "m")


def test_one_logit_of_the_vocabulary(tmp_path: Path) -> None:
    """What a language model says of one token next: the row of its last layer, at the last token."""
    for tied in (False, True):
        folder = save_body(tmp_path / f"tied {tied}", tie_word_embeddings=tied)
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        for token in (0, 7):
            with torch.no_grad():
                expected = [float(model(torch.tensor([ids])).logits[0, -1, token]) for ids, _ in states(folder)]
            for batch_size in (None, 1, 8):
                assert scores(folder, output_index=token, batch_size=batch_size) == near(expected)
        info = load_scorer(str(folder), ModelOptions(device="cpu", output_index=7)).info
        assert (info.head, dict(info.outputs)) == ("token logit", {"7 (token)": 1.0})
    assert "261 tokens" in refused(folder, output_index=261)
    edit_config(folder, final_logit_softcapping=30.0)
    assert "final_logit_softcapping" in refused(folder, output_index=0)


# --- never a random head ----------------------------------------------------------------------------------------


def test_a_value_head_is_used_where_an_automatic_class_would_make_one_up(tmp_path: Path) -> None:
    """Also with the option that allows a random head: there is a real one."""
    head, oracle = value_head_beside(tmp_path / "m")
    expected = [float(oracle(head, hidden)) for _, hidden in states(tmp_path / "m")]
    assert scores(tmp_path / "m", allow_untrained_head=True) == near(expected)
    run = evaluate(str(tmp_path / "m"), "mini", limit=2, model_options=ModelOptions(dtype="float32", device="cpu"))
    assert (run.info.model.head, run.info.model.untrained_head) == ("value head", False)


def test_a_head_that_is_not_known_is_named(tmp_path: Path) -> None:
    folder = save_body(tmp_path / "m")
    add_to_weights(folder, {"my_head.layer.weight": random(1, WIDTH)})
    assert "my_head.layer.weight [1, 64]" in refused(folder)
    edit_config(folder, architectures=["LlamaForSequenceClassification"], num_labels=1)
    message = refused(folder)
    assert "untrained" in message
    assert "my_head.layer.weight [1, 64]" in message


def test_a_plain_language_model_has_none(tmp_path: Path) -> None:
    message = refused(save_body(tmp_path / "m"))
    assert "no reward head" in message
    assert "lm_head.weight" in message


@pytest.mark.parametrize(
    ("layout", "lost"),
    [
        ("value head inside", "v_head.summary.bias"),
        ("value head inside", "v_head.summary.weight"),
        ("grm", "v_head.summary.2.weight"),
        ("openrlhf", "value_head.weight"),
        ("inf-orm", "score.2.bias"),
        ("pythia", "out_proj.weight"),
    ],
)
def test_a_missing_tensor_is_one_line(tmp_path: Path, layout: str, lost: str) -> None:
    LAYOUTS[layout][0](tmp_path / "m")
    add_to_weights(tmp_path / "m", {}, drop=lost)
    assert f"without {lost}" in refused(tmp_path / "m")


def test_a_head_of_another_shape_is_one_line(tmp_path: Path) -> None:
    value_head_beside(tmp_path / "m")
    wrong = {"v_head.summary.weight": random(2, WIDTH), "v_head.summary.bias": random(2)}
    save_file(wrong, tmp_path / "m" / "value_head.safetensors")
    assert "v_head.summary.weight is [2, 64], not [1, 64]" in refused(tmp_path / "m")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_one_line(tmp_path: Path, value: float) -> None:
    grm(tmp_path / "m")
    add_to_weights(tmp_path / "m", {"v_head.summary.2.bias": torch.tensor([value])})
    assert "a head whose v_head.summary.2.bias holds values that are not finite" in refused(tmp_path / "m")


@pytest.mark.parametrize(
    ("layout", "text"),
    [("ultra rm", '"Assistant: …"'), ("beaver cost", "BEGINNING OF CONVERSATION: USER: … ASS")],
)
def test_without_a_template_the_familys_text_is_named(tmp_path: Path, layout: str, text: str) -> None:
    LAYOUTS[layout][0](tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").unlink()
    message = refused(tmp_path / "m")
    assert "no chat template; give one with --chat-template FILE (the model's text: " in message
    assert text in message


def test_two_heads_are_refused(tmp_path: Path) -> None:
    value_head_beside(tmp_path / "m")
    add_to_weights(tmp_path / "m", {"regression_head.weight": LINEAR["weight"]})
    assert "2 heads" in refused(tmp_path / "m")


def test_a_score_head_without_its_sign_is_refused(tmp_path: Path) -> None:
    beaver(tmp_path / "m", "critic", normalized=False)
    assert "reward or cost" in refused(tmp_path / "m")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vhead_num_layers": "two"}, "vhead_num_layers 'two'"),
        ({"vhead_num_layers": -3}, "vhead_num_layers -3: it should be a number of layers"),
        ({"vhead_num_layers": 10**9}, "vhead_num_layers 1000000000"),
    ],
)
def test_a_count_of_layers_that_is_none_is_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    grm(tmp_path / "m")
    edit_config(tmp_path / "m", **changes)
    assert words in refused(tmp_path / "m")


@pytest.mark.parametrize("variance", [-1.0, float("inf")])
def test_a_variance_that_is_none_is_one_line(tmp_path: Path, variance: float) -> None:
    beaver(tmp_path / "m", "reward", normalized=True)
    edit_config(tmp_path / "m", var=variance)
    assert f"var {variance}: a variance" in refused(tmp_path / "m")


def test_mean_pooling_is_refused(tmp_path: Path) -> None:
    pythia(tmp_path / "m")
    edit_config(tmp_path / "m", pooling="mean")
    assert "mean-pooled" in refused(tmp_path / "m")


def test_a_classifier_keeps_its_own_head_whatever_lies_beside_it(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    save_file({f"v_head.summary.{name}": value for name, value in LINEAR.items()}, folder / "value_head.safetensors")
    assert scores(folder) == near(scores(tiny_model))
