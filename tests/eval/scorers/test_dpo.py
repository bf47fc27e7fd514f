"""DPO's implicit reward, held against a plain teacher-forced computation that is written out here."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from rmeval import evaluate, load_run, score
from rmeval.cli import main
from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.errors import ModelError, UsageError
from rmeval.eval.gate.check import check
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers import load_scorer
from rmeval.eval.scorers.base import items_of
from rmeval.eval.selftest import selftest
from rmeval.types import Item, Message, Score
from tests.support.models.tiny import CHATML, edit_config, save_tiny_language_model, save_tiny_model

PROMPTS = ("How do I dry wet boots?", "Name a colour.", "x")
ANSWERS = ("Stuff them with newspaper.", "Red", "", "How do I dry wet boots?", "No.\nNo.")


def items() -> list[Item]:
    return [
        Item((Message("user", prompt),), tuple((Message("assistant", answer),) for answer in ANSWERS), f"{n}")
        for n, prompt in enumerate(PROMPTS)
    ]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_language_model(tmp_path_factory.mktemp("dpo") / "policy", seed=0)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_language_model(tmp_path_factory.mktemp("dpo") / "reference", seed=1)


@torch.inference_mode()
def plain(folder: Path, prompt: str, answer: str) -> list[float]:
    """Log-probabilities of an answer's tokens, teacher-forced: ChatML is spelled out, one forward, no padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    before = tokenizer(f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
    after = tokenizer(f"{answer}<|im_end|>\n", add_special_tokens=False)["input_ids"]
    logits = model(input_ids=torch.tensor([before + after]), use_cache=False).logits[0].double()
    found = []
    for place, token in enumerate(after, start=len(before)):
        found.append(float(logits[place - 1, token] - torch.logsumexp(logits[place - 1], 0)))
    return found


def options(**changes: Any) -> ModelOptions:
    return ModelOptions(**{"dtype": "float32", "device": "cpu", "cache": False, **changes})


def scored(policy: Path, journal: Journal | None = None, **changes: Any) -> list[Score]:
    scorer = load_scorer(f"dpo:{policy}", options(**changes), journal=journal)
    return [one for each in scorer.score(items()) for one in each]


def close(found: Sequence[Score], expected: Iterable[float], tokens: Sequence[int]) -> None:
    for each, value, count in zip(found, expected, tokens, strict=True):
        assert abs(each.value - value) <= 2e-5 * count


@pytest.fixture(scope="module")
def both(policy: Path, reference: Path) -> list[tuple[list[float], list[float]]]:
    pairs = [(prompt, answer) for prompt in PROMPTS for answer in ANSWERS]
    return [(plain(policy, *pair), plain(reference, *pair)) for pair in pairs]


@pytest.mark.parametrize("batch_size", [1, 8, None])
@pytest.mark.parametrize("kind", [None, "sum", "mean"])
def test_the_reward_is_the_difference_of_the_sums(
    policy: Path, reference: Path, both: list[tuple[list[float], list[float]]], batch_size: int | None, kind: Any
) -> None:
    found = scored(policy, reference=str(reference), batch_size=batch_size, log_probs=kind)
    scale = [len(ours) if kind == "mean" else 1 for ours, _ in both]
    expected = [(math.fsum(ours) - math.fsum(theirs)) / by for (ours, theirs), by in zip(both, scale, strict=True)]
    close(found, expected, [len(ours) // by for (ours, _), by in zip(both, scale, strict=True)])


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (None, lambda found: math.fsum(found) / len(found)),
        ("mean", lambda found: math.fsum(found) / len(found)),
        ("sum", math.fsum),
        ("norm", lambda found: -math.sqrt(math.fsum(x * x for x in found))),
    ],
)
def test_without_a_reference(policy: Path, both: list[tuple[list[float], list[float]]], kind: Any, of: Any) -> None:
    found = scored(policy, reference="none", log_probs=kind)
    close(found, [of(ours) for ours, _ in both], [len(ours) for ours, _ in both])


def test_sum_and_mean_are_said_of_each_model(
    policy: Path, reference: Path, both: list[tuple[list[float], list[float]]]
) -> None:
    ours, theirs = both[0]
    n = len(ours)
    assert scored(policy, reference=str(reference))[0].note == (
        f"log-probability of {n} tokens: policy {math.fsum(ours):.4f} ({math.fsum(ours) / n:.4f} a token), "
        f"reference {math.fsum(theirs):.4f} ({math.fsum(theirs) / n:.4f} a token)"
    )


def test_a_policy_against_itself_is_0(policy: Path) -> None:
    assert {each.value for each in scored(policy, reference=str(policy))} == {0.0}


def test_a_second_reference_costs_one_pass(policy: Path, reference: Path, tmp_path: Path) -> None:
    other = save_tiny_language_model(tmp_path / "other", seed=2)
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        first = load_scorer(f"dpo:{policy}", options(reference=str(reference)), journal=journal)
        first.score(items())
        second = load_scorer(f"dpo:{policy}", options(reference=str(other)), journal=journal)
        fresh = second.score(items())
        third = load_scorer(f"dpo:{policy}", options(reference=str(other), log_probs="mean"), journal=journal)
        third.score(items())
    computed = [each.accounting.computed for each in (first, second, third)]  # type: ignore[attr-defined]
    assert computed == [computed[0], computed[0] // 2, 0]
    assert third.accounting.recalled == 15  # type: ignore[attr-defined]
    assert [each.value for some in fresh for each in some] == [
        each.value for each in scored(policy, reference=str(other))
    ]


def alive() -> int:
    gc.collect()
    return sum(isinstance(each, LlamaForCausalLM) for each in gc.get_objects())


def test_sequential_holds_one_model_and_gives_the_same(policy: Path, reference: Path) -> None:
    before = alive()
    scorer = load_scorer(f"dpo:{policy}", options(reference=str(reference), sequential=True))
    assert alive() == before + 1
    found = scorer.score(items())
    assert alive() == before + 1
    assert [each.value for some in found for each in some] == [
        each.value for each in scored(policy, reference=str(reference))
    ]
    both = load_scorer(f"dpo:{policy}", options(reference=str(reference)))
    assert alive() == before + 3
    del both


@pytest.mark.parametrize("sequential", [False, True])
def test_low_precision_decides_as_float32(policy: Path, reference: Path, sequential: bool) -> None:
    given = {"reference": str(reference), "sequential": sequential}
    exact = evaluate(f"dpo:{policy}", "pairs", dataset="mini", limit=24, model_options=options(**given))
    low = evaluate(f"dpo:{policy}", "pairs", dataset="mini", limit=24, model_options=options(**given, dtype="bfloat16"))
    assert low.info.model.dtype == "bfloat16"
    assert low.info.drift is not None
    assert low.info.drift > 0
    for name, subset in exact.info.results.subsets.items():
        assert low.info.results.subsets[name].right == subset.right
        assert low.info.results.subsets[name].undecided == 0


# --- what cannot be ---------------------------------------------------------------------------------------------


def refused(words: str, name: str, **changes: Any) -> None:
    with pytest.raises((ModelError, UsageError), match=words) as caught:
        load_scorer(name, options(**changes))
    assert "\n" not in str(caught.value)


def test_mistakes_are_one_line(policy: Path, reference: Path, tmp_path: Path) -> None:
    refused("dpo: needs --reference MODEL", f"dpo:{policy}")
    refused("--log-probs takes sum, mean, norm, not 'avg'", f"dpo:{policy}", reference="none", log_probs="avg")
    refused("norm is for --reference none", f"dpo:{policy}", reference=str(reference), log_probs="norm")
    refused("no such folder: ./none", f"dpo:{policy}", reference="./none")
    classifier = save_tiny_model(tmp_path / "classifier")
    refused("is a LlamaForSequenceClassification, not a language model", f"dpo:{classifier}", reference="none")


def test_another_tokenizer_is_refused(policy: Path, reference: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(reference, tmp_path / "other"))
    file = other / "tokenizer.json"
    whole = json.loads(file.read_text())
    vocabulary = whole["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(whole))
    refused(
        "has another tokenizer than .*policy \\(token .* is 'a' in the one and 'b' in the other\\)",
        f"dpo:{policy}",
        reference=str(other),
    )


def test_a_missing_head_is_refused(policy: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(policy, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    refused("lacks 1 weights \\(such as lm_head.weight\\)", f"dpo:{broken}", reference="none")


def test_tokens_that_the_reference_has_no_rows_for_are_named(policy: Path, tmp_path: Path) -> None:
    short = save_tiny_language_model(tmp_path / "short", vocab_size=100)
    scorer = load_scorer(f"dpo:{policy}", options(reference=str(short)))
    with pytest.raises(ModelError, match=r"short: example 0 has token \d+ \(.*\), and the model has 100 rows"):
        scorer.score(items())


def test_where_no_answer_is_left_the_run_stops(policy: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.jinja"
    bare.write_text(CHATML.replace("message['content']", "''"))
    with pytest.raises(ModelError, match="no conversation reaches the model whole"):
        evaluate(
            f"dpo:{policy}",
            "pairs",
            dataset="mini",
            limit=2,
            model_options=options(reference="none", chat_template=str(bare)),
        )


def test_an_adapter_is_refused_not_passed_over(policy: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(policy), "task_type": "SEQ_CLS"})
    )
    save_file({"x": torch.zeros(1)}, adapter / "adapter_model.safetensors")
    refused("is a PEFT adapter, not a language model: merge it", f"dpo:{adapter}", reference="none")


def test_a_model_of_unknown_architecture_is_refused(policy: Path, tmp_path: Path) -> None:
    odd = Path(shutil.copytree(policy, tmp_path / "odd"))
    edit_config(odd, architectures=None)
    refused("is a model of unknown architecture, not a language model", f"dpo:{odd}", reference="none")


# --- everywhere -------------------------------------------------------------------------------------------------


def exit_of(*arguments: str) -> object:
    """What the command line exits with."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


def test_it_goes_everywhere(policy: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--model", f"dpo:{policy}", "--reference", str(reference), "--dtype", "float32", "--device", "cpu"]
    suite = ["pairs", "--dataset", "mini", "--limit", "6", "--no-cache"]
    assert exit_of(*suite, *named, "--output-dir", str(tmp_path / "run")) == 0
    run = load_run(tmp_path / "run")
    assert run.info.model.kind == "dpo"
    assert set(run.info.model.fingerprints) == {"policy", "reference"}
    assert run.info.settings["reference"] == str(reference)
    assert run.scores["note"][0].startswith("log-probability of ")
    assert exit_of("report", str(tmp_path / "run"), "--output", str(tmp_path / "page.html")) == 0
    assert check(run, baseline=run).passed
    assert exit_of(*suite, *named, "--output-dir", str(tmp_path / "again"), "--max-length", "3", "--sequential") == 2
    assert "reaches the model whole: the answer alone is longer than 3 tokens" in capsys.readouterr().err
    assert exit_of(*suite, "--model", "baseline:longest", "--reference", "none") == 2
    done = score(
        f"dpo:{policy}", "mini", tmp_path / "out.jsonl", limit=4, model_options=options(reference=str(reference))
    )
    assert done.completions == 8
    assert selftest(f"dpo:{policy}", model_options=options(reference=str(reference))).moved == 0


# --- with real weights ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2_lm() -> Path:
    """The folder of a real 135M language model: ``lm`` beside that of the classifier."""
    folder = Path(os.environ.get("RMEVAL_SMOLLM2", "/none")).parent / "lm"
    if not folder.is_dir():
        pytest.skip("no SmolLM2 language model: a folder lm beside the one that RMEVAL_SMOLLM2 names")
    return folder


@pytest.fixture(scope="module")
def trained(smollm2_lm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy after three steps on one text."""
    folder = tmp_path_factory.mktemp("smollm2") / "trained"
    tokenizer = AutoTokenizer.from_pretrained(smollm2_lm)
    model = AutoModelForCausalLM.from_pretrained(smollm2_lm, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    ids = torch.tensor([tokenizer("Answers are short, and to the point.")["input_ids"]])
    for _ in range(3):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def real_items(shared_data: Path) -> list[Item]:
    """The 32 shortest of every eighth real row; the answers of some begin with white space, those of others repeat."""
    rows = load_rows(str(shared_data / "rewardbench" / "filtered-partial.jsonl"))
    examples, _ = to_examples(rows, default_subset="all")
    return sorted(items_of(examples[::8]), key=lambda item: len(str(item)))[:32]


@torch.inference_mode()
def plain_sums(folder: Path, some: Sequence[Item]) -> list[tuple[float, int]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for item in some:
        turns = [{"role": each.role, "content": each.content} for each in item.prompt]
        before = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        for completion in item.completions:
            head = tokenizer(before)["input_ids"]
            ids = torch.tensor([head + tokenizer(f"{completion[0].content}<|im_end|>\n")["input_ids"]])
            loss = torch.nn.functional.cross_entropy(
                model(input_ids=ids, use_cache=False).logits[0, len(head) - 1 : -1].double(),
                ids[0, len(head) :],
                reduction="sum",
            )
            found.append((-float(loss), ids.shape[1] - len(head)))
    return found


@pytest.mark.slow
def test_smollm2_on_real_rows(smollm2_lm: Path, trained: Path, shared_data: Path) -> None:
    some = real_items(shared_data)
    expected = list(zip(plain_sums(trained, some), plain_sums(smollm2_lm, some), strict=True))
    scorer = load_scorer(f"dpo:{trained}", options(reference=str(smollm2_lm)))
    found = [each for item in scorer.score(some) for each in item]
    assert len(found) == len(expected) >= 64
    for each, ((ours, count), (theirs, _)) in zip(found, expected, strict=True):
        assert abs(each.value - (ours - theirs)) <= 2e-5 * count
    assert max(abs(each.value) for each in found) > 0.1
    same = load_scorer(f"dpo:{smollm2_lm}", options(reference=str(smollm2_lm)))
    assert {each.value for item in same.score(some) for each in item} == {0.0}
