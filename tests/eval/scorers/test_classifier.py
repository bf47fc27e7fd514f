"""Scores against the oracle: transformers' own pipeline on the templated text, one row at a time."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast, pipeline

from rmeval import evaluate, score
from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.errors import ModelError, UsageError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.base import Loses, Scorer
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation, Item, Message
from tests.support.models.tiny import CHATML, MISTRAL, edit_config, save_tiny_model
from tests.support.scoring import said

FLOAT32 = ModelOptions(dtype="float32", device="cpu")


def sample(count: int = 24) -> list[Conversation]:
    """Conversations of very different lengths, some of them equal, one empty."""
    found = []
    for i in range(count):
        prompt = (Message("user", f"question {i % 7} " * (1 + i % 5)),)
        found.append(Conversation(prompt, (Message("assistant", "ab " * ((i * i) % 40)),), f"e{i}"))
    return found


def oracle(folder: Path, items: list[Conversation], **options: Any) -> list[float]:
    """Score one at a time with the pipeline, from the text that a user of the model card would give it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.truncation_side = "left"
    classify = pipeline("text-classification", model=str(folder), tokenizer=tokenizer, dtype="float32", device="cpu")
    scores = []
    for item in items:
        turns = [{"role": m.role, "content": m.content} for m in item.messages]
        text = str(tokenizer.apply_chat_template(turns, tokenize=False))
        if tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
            text = text.removeprefix(tokenizer.bos_token)
        (result,) = classify([text], function_to_apply="none", batch_size=1, **options)
        scores.append(result["score"])
    return scores


def values(scorer: Scorer, items: list[Conversation]) -> list[float]:
    return [score.value for score in said(scorer, items)]


def near(expected: list[float]) -> list[Any]:
    return [pytest.approx(score, abs=1e-5 * max(1.0, abs(score))) for score in expected]


def codes(scorer: Scorer) -> set[str]:
    return {item.code for item in scorer.findings()}


VARIANTS: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral window": {"model_type": "mistral", "sliding_window": 16},
    "qwen2": {"model_type": "qwen2"},
    "qwen3": {"model_type": "qwen3"},
    "gemma2 window": {"model_type": "gemma2", "sliding_window": 16},
    "gpt2": {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048},
    "added bos": {"template": MISTRAL, "add_bos": True},
    "pad is eos": {"template": MISTRAL, "add_bos": True, "pad": "<eos>"},
    "no pad": {"pad": None},
    "bert": {"model_type": "bert"},
    "deberta": {"model_type": "deberta-v2"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_equal_the_pipelines_for_any_batch_size(variant: str, tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m", **VARIANTS[variant])
    items = sample()
    expected = oracle(folder, items)
    assert max(expected) - min(expected) > 0.1  # Else the test could not tell one row from another.
    for batch_size in (None, 1, 7, 64):
        scorer = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", batch_size=batch_size))
        assert values(scorer, items) == near(expected)


def test_truncation_equals_the_pipelines(tiny_model: Path) -> None:
    items = sample()
    scorer = load_scorer(str(tiny_model), ModelOptions(dtype="float32", device="cpu", max_length=40))
    scores = said(scorer, items)
    assert [s.value for s in scores] == near(oracle(tiny_model, items, truncation=True, max_length=40))
    assert {s.truncated for s in scores} == {True, False}
    assert {s.tokens for s in scores if s.truncated} == {40}


def test_equal_conversations_get_the_same_number(tiny_model: Path) -> None:
    first, *rest = sample()
    scores = values(load_scorer(str(tiny_model), FLOAT32), [first, *rest, first])
    assert scores[0] == scores[-1]


def test_what_was_tokenized_ahead_is_scored_and_audited_the_same(tiny_model: Path) -> None:
    """Two lists ahead of the first score, as a thread that reads on would do it."""
    lists = [sample(), sample(9)]
    plain, ahead = (load_scorer(str(tiny_model), ModelOptions(dtype="float32", max_length=40)) for _ in range(2))
    assert isinstance(ahead, ClassifierScorer)
    asked = [[Item(each.prompt, (each.completion,), each.example_id) for each in items] for items in lists]
    for each in asked:
        ahead.prefetch(each)
    found = [[score.value for (score,) in ahead.score(each)] for each in asked]
    assert found == [values(plain, items) for items in lists]
    assert ahead.findings() == plain.findings()
    assert "truncated" in codes(ahead)


def test_what_was_tokenized_ahead_goes_by_what_it_says_not_by_the_list_it_stood_in(tiny_model: Path) -> None:
    scorer = load_scorer(str(tiny_model), FLOAT32)
    assert isinstance(scorer, ClassifierScorer)
    asked = [Item(each.prompt, (each.completion,), each.example_id) for each in sample(9)]
    sizes = [score.tokens for (score,) in scorer.score(asked)]
    assert len(set(sizes)) > 3  # Else the test could not tell one from another.
    scorer.prefetch(asked)
    first, *others = asked
    asked[:] = others  # The list that was prepared holds something else now.
    assert [score.tokens for (score,) in scorer.score(asked)] == sizes[1:]
    assert [score.tokens for (score,) in scorer.score((first, *others))] == sizes


def test_real_rows_equal_the_pipelines(shared_data: Path, tiny_model: Path) -> None:
    rows = load_rows(str(shared_data / "rewardbench" / "filtered-partial.jsonl"))
    examples, _ = to_examples(rows, default_subset="all")
    items = conversations(examples[::101])
    expected = oracle(tiny_model, items, truncation=True, max_length=2048)
    assert values(load_scorer(str(tiny_model), FLOAT32), items) == near(expected)


def test_smollm2_on_real_rows_equals_the_pipelines(shared_data: Path, smollm2: Path) -> None:
    """16 pairs spread over the subsets: 32 conversations, each also in batches of 7."""
    rows = load_rows(str(shared_data / "rewardbench" / "filtered-partial.jsonl"))
    examples, _ = to_examples(rows, default_subset="all")
    items = conversations(examples[::101])
    assert len(items) == 32
    expected = oracle(smollm2, items)
    for batch_size in (1, 7):
        scorer = load_scorer(str(smollm2), ModelOptions(dtype="float32", device="cpu", batch_size=batch_size))
        assert values(scorer, items) == near(expected)


@pytest.mark.parametrize("model_type", ["bert", "deberta-v2"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_an_encoder_scores_in_low_precision_too(tmp_path: Path, model_type: str, dtype: str) -> None:
    folder = save_tiny_model(tmp_path / "model", model_type=model_type)
    low = values(load_scorer(str(folder), ModelOptions(dtype=dtype, device="cpu", cache=False)), sample())
    exact = values(load_scorer(str(folder), FLOAT32), sample())
    assert low == pytest.approx(exact, abs=0.2)
    assert low != exact


def test_what_the_audit_says_of_models(tmp_path: Path) -> None:
    no_pad = load_scorer(str(save_tiny_model(tmp_path / "a", pad=None)), FLOAT32)
    assert "no-pad-token" in codes(no_pad)
    pad_eos = load_scorer(str(save_tiny_model(tmp_path / "b", template=MISTRAL, pad="<eos>")), FLOAT32)
    said(pad_eos, sample(2))
    assert {"pad-is-eos", "pooled-not-last"} <= codes(pad_eos)


def test_info_names_the_model_well_enough_to_load_it_again(tiny_model: Path, tmp_path: Path) -> None:
    info = load_scorer(str(tiny_model), FLOAT32).info
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    assert info.architecture == "LlamaForSequenceClassification"
    assert info.parameters == model.num_parameters()
    assert (info.dtype, info.device, info.max_length) == ("float32", "cpu", 2048)
    other = load_scorer(str(save_tiny_model(tmp_path / "other", seed=1)), FLOAT32).info
    assert other.fingerprint != info.fingerprint
    again = load_scorer(str(save_tiny_model(tmp_path / "again", seed=0)), FLOAT32).info
    assert again.fingerprint == info.fingerprint


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_lower_precision_stays_near(dtype: str, tiny_model: Path) -> None:
    items = sample(6)
    exact = values(load_scorer(str(tiny_model), FLOAT32), items)
    low = values(load_scorer(str(tiny_model), ModelOptions(dtype=dtype, device="cpu")), items)
    assert low == pytest.approx(exact, abs=0.3)
    assert low != exact


def test_warnings_of_the_journal_are_findings(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path))
    (tmp_path / "scores.sqlite").write_bytes(b"not a journal" * 100)
    run = evaluate(str(tiny_model), "mini", limit=4, model_options=ModelOptions(dtype="float32", device="cpu"))
    (finding,) = [each for each in run.info.audit if each.code == "journal"]
    assert (finding.severity, finding.count) == ("warning", 1)
    assert "was set aside as" in finding.examples[0]


def test_a_token_that_the_model_has_no_embedding_for_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    items = sample(2)
    said(load_scorer(str(folder), FLOAT32), items)  # As long as no text holds it, nothing is wrong.
    odd = Conversation(items[0].prompt, (Message("assistant", "a <new> word"),), "odd")
    with pytest.raises(
        ModelError, match=r"example odd has token 261 \('<new>'\), and the model has 261 rows"
    ) as caught:
        said(load_scorer(str(folder), FLOAT32), [*items, odd])
    assert "\n" not in str(caught.value)


# --- what a template or a tokenizer loses ------------------------------------------------------------------------

KNOWS_TWO = (
    "{% for message in messages %}{% if message['role'] in ('user', 'assistant') %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'].split('</think>')[-1] + '<|im_end|>' }}"
    "{% endif %}{% endfor %}"
)


def pair(name: str, *answers: str, role: str = "assistant") -> list[Conversation]:
    prompt = (Message("user", "question"),)
    return [Conversation(prompt, (Message(role, text),), name, place) for place, text in enumerate(answers)]


def test_answers_that_the_template_drops_are_invalid_and_all_of_them_an_error(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m", template=KNOWS_TWO)
    scorer = load_scorer(str(folder), FLOAT32)
    found = said(scorer, [*pair("a", "yes", "no"), *pair("b", "yes", "no", role="gpt")])
    assert [math.isfinite(score.value) for score in found] == [True, True, False, False]
    (finding,) = [each for each in scorer.findings() if each.code == "text-dropped"]
    assert (finding.severity, finding.count, finding.examples) == ("error", 2, ("b (gpt)",))
    assert isinstance(scorer, Loses)
    assert scorer.lost is None
    said(scorer, pair("b", "yes", "no", role="gpt"))
    assert "of a message of role 'gpt' (example b); rename the role" in str(scorer.lost)
    answers = [[{"role": "gpt", "content": text}] for text in ("a", "b")]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": "q", "chosen": answers[0], "rejected": answers[1]}))
    with pytest.raises(ModelError, match="no conversation reaches the model whole") as caught:
        evaluate(str(folder), "pairs", dataset=str(file), model_options=FLOAT32)
    assert "\n" not in str(caught.value)


def messages_file(folder: Path, count: int, *others: list[dict[str, str]]) -> Path:
    """Write so many conversations, then others."""
    asked = {"role": "user", "content": "q"}
    rows = [[asked, {"role": "assistant", "content": f"a{number}"}] for number in range(count)]
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in [*rows, *others]))
    return file


def test_a_last_chunk_that_is_lost_does_not_end_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight good rows and one of a role that the template does not know: its score is null."""
    monkeypatch.setattr("rmeval.eval.scoring.chunks.CHUNK", 4)
    folder = save_tiny_model(tmp_path / "m", template=KNOWS_TWO)
    odd = [{"role": "tool", "content": "t"}, {"role": "assistant", "content": "a"}]
    output = tmp_path / "out.jsonl"
    score(str(folder), str(messages_file(tmp_path, 8, odd)), output, model_options=FLOAT32)
    found = [json.loads(line)["score"] for line in output.read_text().splitlines()]
    assert [value is None for value in found] == [False] * 8 + [True]


def test_an_interrupted_score_goes_on_with_the_same_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it computes in, and whether its template asks for the date, is known after the first chunk only."""
    monkeypatch.setattr("rmeval.eval.scoring.chunks.CHUNK", 4)
    folder = save_tiny_model(tmp_path / "m", template="{{ strftime_now('%d %B %Y') }}" + CHATML)
    file, output = messages_file(tmp_path, 12), tmp_path / "out.jsonl"
    scorer = ClassifierScorer(str(folder), FLOAT32)
    first, real, calls = scorer.info, scorer.score, []

    def stop(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(scorer, "score", stop)
    with pytest.raises(KeyboardInterrupt):
        score(scorer, str(file), output)
    assert scorer.info != first
    assert score(scorer, str(file), output).resumed == 4
    assert len(output.read_text().splitlines()) == 12


def test_trying_a_precision_out_hides_no_finding(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    file = folder / "tokenizer.json"
    core = json.loads(file.read_text())
    core["normalizer"] = {"type": "Replace", "pattern": {"Regex": "[a-z]"}, "content": ""}
    file.write_text(json.dumps(core))
    scorer = ClassifierScorer(str(folder), ModelOptions(dtype="bfloat16", device="cpu", cache=False))
    assert scorer.try_out(sample(20)) is not None
    said(scorer, sample(20))
    assert "text-lost-in-tokens" in codes(scorer)


def test_answers_that_became_the_same_tokens_are_counted(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m", template=KNOWS_TWO)
    scorer = load_scorer(str(folder), FLOAT32)
    said(scorer, [*pair("a", "one</think>4", "two</think>4"), *pair("b", "4", "5"), *pair("c", "4", "4")])
    found = {each.code: (each.count, each.examples) for each in scorer.findings()}
    assert found["same-tokens"] == (1, ("a",))
    assert found["text-cut"] == (2, ("a (assistant)",))


@pytest.mark.parametrize("kind", ["Qwen2Tokenizer", "LlamaTokenizerFast"])
def test_a_tokenizer_without_its_vocabulary_is_refused(tmp_path: Path, kind: str) -> None:
    """transformers makes one up where tokenizer.json is missing."""
    folder = save_tiny_model(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "tokenizer_class": kind}))
    with pytest.raises(ModelError) as caught:
        evaluate(str(folder), "mini", limit=4, model_options=FLOAT32)
    assert "\n" not in str(caught.value)
    assert "tokenizer" in str(caught.value)


@pytest.mark.parametrize(("part", "lost"), [("pre_tokenizer", True), ("decoder", False), ("post_processor", False)])
def test_a_tokenizer_that_lost_its_spaces_is_a_finding(tiny_model: Path, tmp_path: Path, part: str, lost: bool) -> None:
    """Without the step that writes them as letters, words are glued, though all their letters are there."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    file = folder / "tokenizer.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), part: None}))
    scorer = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", cache=False))
    said(scorer, [Conversation((Message("user", "How are you all today?"),), (Message("assistant", "We are well."),))])
    assert ("text-lost-in-tokens" in {each.code for each in scorer.findings()}) == lost


def test_a_tokenizer_that_knows_little_of_the_text_is_a_finding(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    core = Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1, "<pad>": 2, "question": 3, "ab": 4}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="<eos>", pad_token="<pad>", chat_template=CHATML
    )
    words.save_pretrained(folder)
    scorer = load_scorer(str(folder), FLOAT32)
    said(scorer, pair("a", "question of something else entirely", "never seen words of all kinds"))
    assert {"unknown-tokens", "text-lost-in-tokens"} <= codes(scorer)


# --- code that comes with a model --------------------------------------------------------------------------------


def test_an_auto_map_left_by_the_base_does_not_matter_to_a_native_class(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    edit_config(folder, auto_map={"AutoConfig": "configuration_x.X", "AutoModelForCausalLM": "modeling_x.X"})
    items = sample(3)
    for trusted in (False, True):  # Also where code may be run, there is none to run.
        options = ModelOptions(dtype="float32", device="cpu", trust_remote_code=trusted)
        scorer = load_scorer(str(folder), options)
        assert values(scorer, items) == near(values(load_scorer(str(tiny_model), FLOAT32), items))
        assert "code-not-run" in codes(scorer)
    edit_config(folder, model_type="of its own")
    assert "--trust-remote-code" in refused(folder)


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", ""])
def test_a_date_that_is_none(tiny_model: Path, value: str) -> None:
    assert "--template-date takes a date such as 2024-07-26" in refused(tiny_model, template_date=value)


# --- what is refused --------------------------------------------------------------------------------------------


def refused(folder: Path | str, **options: Any) -> str:
    with pytest.raises((ModelError, UsageError)) as caught:
        load_scorer(str(folder), ModelOptions(**{"device": "cpu", **options}))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_such_folder(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "absent")
    assert "no such folder" in refused("../evil/../../model")
    assert "HF_HUB_OFFLINE" in refused("someone/some-model")
    assert "is a file" in refused(__file__)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja", "config.json"])
def test_a_pointer_in_place_of_a_file_is_named(tiny_model: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n")
    assert refused(folder).startswith(f"{name} of {folder} is a Git LFS pointer, not the file: git lfs pull")


def test_folder_without_weights_or_config(tmp_path: Path) -> None:
    assert "no config.json" in refused(tmp_path)
    folder = save_tiny_model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    assert "has no weights" in refused(folder)
    (folder / "config.json").write_text("{")
    assert "cannot read" in refused(folder)


def test_pickled_weights_need_a_word(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    items = sample(3)
    expected = values(load_scorer(str(folder), FLOAT32), items)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "--allow-pickle" in refused(folder)
    allowed = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", allow_pickle=True))
    # Not bit for bit: the weights lie elsewhere in memory, and matrix products depend on how they are aligned.
    assert values(allowed, items) == near(expected)


def test_remote_code_needs_a_word(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    edit_config(folder, auto_map={"AutoModelForSequenceClassification": "evil.Model"})
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    assert "--trust-remote-code" in refused(folder)


def test_more_than_one_output(tmp_path: Path) -> None:
    assert "has 2 outputs" in refused(save_tiny_model(tmp_path / "m", num_labels=2))


def test_a_language_model_has_no_reward_head(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    edit_config(folder, architectures=["LlamaForCausalLM"])
    assert "no reward head" in refused(folder)


def test_an_untrained_head_needs_a_word_and_is_then_always_the_same(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_tiny_model(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "untrained" in refused(folder)
    options = ModelOptions(dtype="float32", device="cpu", allow_untrained_head=True)
    first, second = load_scorer(str(folder), options), load_scorer(str(folder), options)
    assert first.info.untrained_head
    assert "untrained-head" in codes(first)
    assert values(first, sample(3)) == values(second, sample(3))
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "lacks 1 weights of the model's body" in refused(folder, allow_untrained_head=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float23"}, "did you mean 'float32'"),
        ({"device": "cuda:7"}, "cannot be used"),
        ({"device": "toaster"}, "cannot be used"),
        ({"batch_size": 0}, "--batch-size"),
        ({"max_length": 9999}, "2048 positions"),
        ({"chat_template": "/absent.jinja"}, "cannot read the chat template"),
        ({"tokenizer": "/absent"}, "no such folder"),
        ({"revision": "main"}, "a revision is for Hub models"),
        ({"attn_implementation": "nonsense"}, "cannot load"),
    ],
)
def test_options_that_cannot_be(tiny_model: Path, options: dict[str, Any], words: str) -> None:
    assert words in refused(tiny_model, **options)


def test_a_model_without_a_template(tmp_path: Path) -> None:
    assert "--chat-template" in refused(save_tiny_model(tmp_path / "m", template=None))


def test_for_other_data_it_is_as_if_loaded_anew(tmp_path: Path) -> None:
    """What was noticed of the first data is forgotten, and that low precision decided too little of it."""
    folder = save_tiny_model(tmp_path / "m", template=MISTRAL, pad="<eos>")
    scorer = ClassifierScorer(str(folder), ModelOptions(dtype="bfloat16", device="cpu", cache=False))
    loaded = scorer.findings()
    assert {each.code for each in loaded} == {"pad-is-eos"}
    items = sample()
    low = values(scorer, items)
    noticed = scorer.findings()
    assert len(noticed) > len(loaded)
    scorer.use_float32()
    exact = values(scorer, items)
    assert (exact != low, scorer.info.dtype, scorer.can_refine) == (True, "float32", False)
    scorer.begin()
    assert (scorer.findings(), scorer.can_refine) == (loaded, True)
    assert values(scorer, items) == low
    assert (scorer.findings(), scorer.info.dtype) == (noticed, "bfloat16")
