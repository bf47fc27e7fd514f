"""Tiny pairwise models of the layouts that exist, each held against a computation that is written out here."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import processors
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    T5Config,
    T5ForConditionalGeneration,
)

from rmeval import evaluate, load_run
from rmeval.cli import main
from rmeval.errors import ModelError, UsageError
from rmeval.eval.gate.check import check
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers import load_scorer
from rmeval.eval.scorers.pairwise.base import PairwiseScorer, sigmoid
from rmeval.eval.selftest import selftest
from rmeval.types import Item, Message
from tests.support.models.tiny import edit_config, save_tiny_language_model, tiny_tokenizer

LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n\n' }}"
    "{{ message['content'] | trim + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n\n' }}{% endif %}"
)
"""The shape of Llama 3's template."""

PROMPTS = (
    (Message("user", "How do I dry wet boots?"),),
    (Message("user", "Hi."), Message("assistant", "Hello {first}!"), Message("user", "A {context} [RESPONSE B] b?")),
)
ANSWERS = ("Stuff them with newspaper.", "Red", "No.\nNo {second}.")


def items(answers: Sequence[str] = ANSWERS) -> list[Item]:
    return [
        Item(prompt, tuple((Message("assistant", each),) for each in answers), f"{n}")
        for n, prompt in enumerate(PROMPTS)
    ]


def enlarge(model: nn.Module) -> None:
    """Weights so large that what a model reads decides something."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)


# --- PairRM -----------------------------------------------------------------------------------------------------


def pairrm(folder: Path) -> Path:
    """A folder laid out as PairRM-hf: ``pretrained_model.*`` and ``head_layer.{1,4}``, prefix ids in its config."""
    tokenizer = tiny_tokenizer(template=None)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|source|>", "<|candidate1|>", "<|candidate2|>"]})
    marks = [("<bos>", 0), ("<eos>", 1)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=marks
    )
    ids = [int(tokenizer.get_vocab()[mark]) for mark in ("<|source|>", "<|candidate1|>", "<|candidate2|>")]
    fields: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 2048,
        "relative_attention": True,
        "position_buckets": 64,
        "pos_att_type": ["p2c", "c2p"],
        "pad_token_id": 2,
    }
    config = DebertaV2Config(**fields)
    torch.manual_seed(0)
    body = DebertaV2Model(config)
    head = nn.Sequential(nn.Dropout(0.1), nn.Linear(64, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 1))
    enlarge(body)
    enlarge(head)
    weights = {f"pretrained_model.{name}": each.contiguous() for name, each in body.state_dict().items()}
    weights |= {f"head_layer.{name}": each for name, each in head.state_dict().items()}
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    extra = dict(zip(("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id"), ids, strict=True))
    told = {**config.to_dict(), "architectures": ["DebertaV2PairRM"], "n_tasks": 1, "drop_out": 0.1, **extra}
    (folder / "config.json").write_text(json.dumps(told))
    tokenizer.save_pretrained(folder)
    return folder


def fitted(tokenizer: Any, text: str, most: int) -> list[int]:
    """A part between its two marks, cut on the right."""
    return [0, *tokenizer(text, add_special_tokens=False)["input_ids"][: most - 2], 1]


@torch.inference_mode()
def pairrm_logit(folder: Path, prompt: Sequence[Message], first: str, second: str) -> float:
    """One order: source of at most 1,224, what is left of 2,048 in halves, the states at the three prefix tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    told = json.loads((folder / "config.json").read_text())
    config = DebertaV2Config.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    body = DebertaV2Model(config).eval()
    body.load_state_dict({k.removeprefix("pretrained_model."): v for k, v in weights.items() if "head" not in k})
    users = [each.content for each in prompt if each.role == "user"]
    said = [each.content for each in prompt if each.role == "assistant"]
    task = "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
    source = task + "\n".join(f"USER: {user}\nAssistant: <Response {n + 1}>" for n, user in enumerate(users))
    ids = fitted(tokenizer, f"<|source|>{source}", 1224)
    room = (2048 - len(ids)) // 2
    for mark, last in (("<|candidate1|>", first), ("<|candidate2|>", second)):
        answers = "\n".join(f"<Response {n + 1}>: {each}" for n, each in enumerate([*said, last]))
        ids += fitted(tokenizer, mark + answers, room)
    states = body(input_ids=torch.tensor([ids])).last_hidden_state[0]
    source_at, one_at, two_at = (
        states[ids.index(told[name])] for name in ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")
    )

    def head(candidate: torch.Tensor) -> torch.Tensor:
        inner = weights["head_layer.1.weight"] @ torch.cat([source_at, candidate]) + weights["head_layer.1.bias"]
        return weights["head_layer.4.weight"] @ torch.tanh(inner) + weights["head_layer.4.bias"]

    return float(head(one_at) - head(two_at))


# --- RLHFlow ----------------------------------------------------------------------------------------------------


def preference(folder: Path) -> Path:
    return save_tiny_language_model(folder, template=LLAMA3, add_bos=True, max_position_embeddings=4096)


@torch.inference_mode()
def preference_logit(folder: Path, prompt: Sequence[Message], first: str, second: str) -> float:
    """One order: the logits of A and B after the question, no BOS and no generation prompt."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    # The first line break after a tag of the authors' template is not written, nor is the last one of its text.
    context = "\n" + "".join(f"\n<turn> {each.role}\n {each.content}" for each in prompt) + "\n"
    asked = f"[CONTEXT] {context} [RESPONSE A] {first} [RESPONSE B] {second} \n"
    text = f"<|im_start|>user\n\n{asked.strip()}<|im_end|>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert 0 not in ids
    logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].double()
    one, two = (tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "AB")
    return float(logits[one] - logits[two])


# --- SteamSHP ---------------------------------------------------------------------------------------------------


def steamshp(folder: Path) -> Path:
    tokenizer = tiny_tokenizer(template=None)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    fields: dict[str, Any] = {
        "vocab_size": 261,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "pad_token_id": 2,
        "eos_token_id": 1,
        "decoder_start_token_id": 2,
    }
    config = T5Config(**fields)
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(config)
    enlarge(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.inference_mode()
def steamshp_logit(folder: Path, prompt: Sequence[Message], first: str, second: str) -> float:
    """One order: what would be written first, with transformers' own ``generate``."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = T5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    post, first, second = (
        text.replace("\n", " ") for text in (" ".join(each.content for each in prompt), first, second)
    )
    text = f"POST: {post}\n\n RESPONSE A: {first}\n\n RESPONSE B: {second}\n\n Which response is better? RESPONSE"
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    told = {"max_new_tokens": 1, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
    logits = model.generate(ids, **told).logits[0][0].double()
    one, two = (tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "AB")
    return float(logits[one] - logits[two])


# --- all --------------------------------------------------------------------------------------------------------

Oracle = Callable[[Path, Sequence[Message], str, str], float]
KINDS: dict[str, tuple[Callable[[Path], Path], Oracle]] = {
    "pairrm": (pairrm, pairrm_logit),
    "pair-preference": (preference, preference_logit),
    "steamshp": (steamshp, steamshp_logit),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pairwise")
    return {name: build(root / name) for name, (build, _) in KINDS.items()}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def options(**changes: Any) -> ModelOptions:
    return ModelOptions(**{"dtype": "float32", "device": "cpu", "cache": False, **changes})


def load(folders: dict[str, Path], kind: str, journal: Journal | None = None, **changes: Any) -> PairwiseScorer:
    scorer = load_scorer(f"{kind}:{folders[kind]}", options(**changes), journal=journal)
    assert isinstance(scorer, PairwiseScorer)
    return scorer


def expected(kind: str, folder: Path, item: Item) -> list[float]:
    """By hand: the mean, over the others, of the probability to be better."""
    texts = [each[-1].content for each in item.completions]

    def better(one: str, other: str) -> float:
        ahead, behind = (KINDS[kind][1](folder, item.prompt, *pair) for pair in ((one, other), (other, one)))
        if kind == "pairrm":
            return 1 / (1 + math.exp(behind - ahead))
        return (1 / (1 + math.exp(-ahead)) + 1 - 1 / (1 + math.exp(-behind))) / 2

    return [
        sum(better(one, other) for m, other in enumerate(texts) if m != n) / (len(texts) - 1)
        for n, one in enumerate(texts)
    ]


@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_scores_are_the_mean_probability_to_be_better(
    folders: dict[str, Path], kind: str, batch_size: int | None
) -> None:
    scorer = load(folders, kind, batch_size=batch_size)
    found = scorer.score(items())
    assert scorer.scale == scorer.info.scale == "within-item"
    values = [[each.value for each in some] for some in found]
    for item, some in zip(items(), values, strict=True):
        assert some == pytest.approx(expected(kind, folders[kind], item), abs=1e-5)
    assert max(abs(value - 0.5) for some in values for value in some) > 1e-3
    assert scorer.accounting is not None
    assert scorer.accounting.comparisons == 2 * 3 * 2
    assert scorer.info.path == (
        "packed" if kind == "pair-preference" else "plain-single" if batch_size == 1 else "plain"
    )


def test_two_answers_add_up_to_1_and_the_logits_decide(folders: dict[str, Path], kind: str) -> None:
    for item, (one, other) in zip(items(ANSWERS[:2]), load(folders, kind).score(items(ANSWERS[:2])), strict=True):
        ahead, behind = (KINDS[kind][1](folders[kind], item.prompt, *pair) for pair in (ANSWERS[:2], ANSWERS[1::-1]))
        assert one.value + other.value == pytest.approx(1, abs=1e-12)
        assert (one.value > other.value) == (ahead - behind > 0)


def test_position_bias_is_counted(folders: dict[str, Path], kind: str) -> None:
    scorer = load(folders, kind)
    scorer.score(items())
    bias = 0
    for item in items():
        for n, m in ((0, 1), (0, 2), (1, 2)):
            pair = ANSWERS[n], ANSWERS[m]
            ahead, behind = (KINDS[kind][1](folders[kind], item.prompt, *each) for each in (pair, pair[::-1]))
            bias += ahead * behind > 0
    assert sum(each.count for each in scorer.findings() if each.code == "position-bias") == bias


def test_equal_answers_tie_and_one_has_nothing_to_beat(folders: dict[str, Path], kind: str) -> None:
    scorer = load(folders, kind)
    twins, single = scorer.score([items(("Yes", "Yes"))[0], items(("Yes",))[0]])
    assert [each.value for each in twins] == [0.5, 0.5]
    assert [each.value for each in single] == [0.5]
    assert not [each for each in scorer.findings() if each.code == "position-bias"]
    first, second, third = scorer.score([items(("Yes", "Yes", "No"))[0]])[0]
    assert first.value == second.value != third.value


def test_what_is_cut_off_is_counted(folders: dict[str, Path], kind: str) -> None:
    long = Item(
        (Message("user", "a" * 3000),), ((Message("assistant", "b" * 3000),), (Message("assistant", "c"),)), "it"
    )
    scorer = load(folders, kind)
    scores = scorer.score([long])[0]
    assert [each.truncated for each in scores] == [True, True]
    assert [each.examples for each in scorer.findings() if each.code == "truncated"] == [("it",)]
    if kind == "pairrm":
        assert [each.value for each in scores] == pytest.approx(expected(kind, folders[kind], long), abs=1e-5)


def test_turns_that_cannot_be_given_are_invalid(folders: dict[str, Path], kind: str) -> None:
    turns = (Message("assistant", "a"), Message("user", "b"), Message("assistant", "c"))
    odd = Item((Message("user", "x"),), ((Message("assistant", "y"),), turns), "odd")
    scorer = load(folders, kind)
    bad, good = scorer.score([odd, items()[0]])
    assert all(math.isnan(each.value) for each in bad)
    assert all(math.isfinite(each.value) for each in good)
    assert [each.count for each in scorer.findings() if each.code == "unreadable-turns"] == [1]
    scorer.score([odd])
    assert scorer.lost


def test_a_system_message_goes_before_the_first_user(folders: dict[str, Path], kind: str) -> None:
    answers = tuple((Message("assistant", each),) for each in ANSWERS)
    split = Item((Message("system", "Be"), Message("user", "brief")), answers)
    between = " " if kind == "steamshp" else "\n\n"
    joined = Item((Message("user", f"Be{between}brief"),), answers)
    found = load(folders, kind).score([split, joined])
    assert [each.value for each in found[0]] == pytest.approx([each.value for each in found[1]], abs=1e-7)


def test_comparisons_come_from_the_journal(folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        first = load(folders, kind, journal)
        values = first.score(items())
        again = load(folders, kind, journal)
        assert again.score(items()) == values
    assert again.accounting is not None
    assert (again.accounting.computed, again.accounting.comparisons) == (0, 12)
    assert again.findings() == first.findings()


def test_low_precision_counts_what_it_cannot_decide(folders: dict[str, Path], kind: str) -> None:
    exact = evaluate(f"{kind}:{folders[kind]}", "pairs", dataset="mini", limit=12, model_options=options())
    low = evaluate(
        f"{kind}:{folders[kind]}", "pairs", dataset="mini", limit=12, model_options=options(dtype="bfloat16")
    )
    assert low.info.drift is not None
    found, truth = low.info.results.subsets["mini-chat-helpful"], exact.info.results.subsets["mini-chat-helpful"]
    assert abs(found.right - truth.right) <= found.undecided
    moved = abs(low.scores["score"] - exact.scores["score"])
    assert 0 < moved.max() <= low.info.drift


def test_they_go_everywhere(folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    model = f"{kind}:{folders[kind]}"

    def exit_of(*arguments: str) -> object:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return caught.value.code

    run = str(tmp_path / "run")
    suite = ("pairs", "--dataset", "mini", "--limit", "4", "--no-cache", "--model", model, "--device", "cpu")
    assert exit_of(*suite, "--dtype", "float32", "--output-dir", run) == 0
    assert exit_of(*suite, "--refine") == 2
    assert exit_of("report", run, "--output", str(tmp_path / "page.html")) == 0
    kept = load_run(run)
    assert kept.info.model.kind == kind
    assert kept.info.accounting is not None
    assert kept.info.accounting.comparisons == 8
    assert check(kept, baseline=kept).passed
    out = ("--output", str(tmp_path / "out.jsonl"))
    assert exit_of("score", "--model", model, "--dataset", "mini", "--limit", "3", *out) == 0
    assert selftest(model, model_options=options()).moved == 0


# --- what cannot be ---------------------------------------------------------------------------------------------


def refused(words: str, name: str, **changes: Any) -> None:
    with pytest.raises((ModelError, UsageError), match=words) as caught:
        load_scorer(name, options(**changes))
    assert "\n" not in str(caught.value)


def copied(folders: dict[str, Path], kind: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[kind], tmp_path / "copy"))


def test_a_model_of_another_kind_is_refused(folders: dict[str, Path]) -> None:
    refused("is not laid out as PairRM: its config.json has no source_prefix_id", f"pairrm:{folders['steamshp']}")
    refused("is a T5ForConditionalGeneration, not a language model", f"pair-preference:{folders['steamshp']}")
    refused("is a LlamaForCausalLM, not a T5 that writes", f"steamshp:{folders['pair-preference']}")


@pytest.mark.parametrize(
    ("kind", "tensor"),
    [("pairrm", "head_layer.4.weight"), ("pair-preference", "lm_head.weight"), ("steamshp", "shared.weight")],
)
def test_a_missing_tensor_is_one_line(folders: dict[str, Path], tmp_path: Path, kind: str, tensor: str) -> None:
    folder = copied(folders, kind, tmp_path)
    weights = load_file(folder / "model.safetensors")
    for name in (tensor, "lm_head.weight" if kind == "steamshp" else tensor):
        weights.pop(name, None)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    refused(f"lacks . weights \\(such as .*{'' if kind == 'steamshp' else tensor}\\)", f"{kind}:{folder}")


def test_a_head_of_another_shape_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(folders, "pairrm", tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["head_layer.4.weight"] = torch.zeros(1, 7)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    refused("cannot load", f"pairrm:{folder}")


def test_a_token_that_is_not_there_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(folders, "pairrm", tmp_path)
    edit_config(folder, cand2_prefix_id=7)
    refused("does not make <|candidate2|> the token 7 that its head reads".replace("|", "\\|"), f"pairrm:{folder}")


def test_the_sigmoid_does_not_overflow() -> None:
    assert (sigmoid(1000), sigmoid(-1000), sigmoid(0)) == (1, 0, 0.5)
