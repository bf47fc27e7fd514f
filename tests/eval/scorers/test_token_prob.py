"""A language model that is asked for a token: log-probabilities and log-odds against plain transformers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from transformers import AutoModelForCausalLM, AutoTokenizer

from rmeval import evaluate, load_run
from rmeval.cli import main
from rmeval.errors import RmevalError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.eval.scorers.token_prob import _LOGITS, TokenHead
from rmeval.eval.selftest import selftest
from rmeval.types import Conversation, Message
from tests.support.models.tiny import CHATML, MISTRAL, save_tiny_language_model, save_tiny_model, tiny_tokenizer
from tests.support.scoring import said

ASKING = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QUESTION = "Is this answer good? Y or N."


def save(folder: Path, model_type: str = "llama", **changes: Any) -> Path:
    return save_tiny_language_model(folder, model_type=model_type, template=ASKING, add_bos=True, **changes)


def sample() -> list[Conversation]:
    found = []
    for i in range(16):
        prompt = (Message("user", f"question {i % 7} " * (1 + i % 5)),)
        found.append(Conversation(prompt, (Message("assistant", "ab " * ((i * i) % 40)),), f"e{i}"))
    return found


@torch.inference_mode()
def log_probs(folder: Path, question: str | None = QUESTION, most: int | None = None) -> list[torch.Tensor]:
    """Log-probabilities of all tokens after each conversation, the question and the header: one at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for each in sample():
        turns = [{"role": m.role, "content": m.content} for m in each.messages]
        turns += [] if question is None else [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = [0, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        if most is not None and len(ids) > most:
            ids = [0, *ids[-most + 1 :]]
        found.append(torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].double(), dim=-1))
    return found


def token(folder: Path, text: str) -> int:
    (found,) = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]
    return int(found)


def scorer(folder: Path, **options: Any) -> ClassifierScorer:
    given = {"dtype": "float32", "device": "cpu", "cache": False, "question": QUESTION, **options}
    found = load_scorer(f"token-prob:{folder}", ModelOptions(**given))
    assert isinstance(found, ClassifierScorer)
    return found


def scores(folder: Path, **options: Any) -> list[float]:
    return [score.value for score in said(scorer(folder, **options), sample())]


def near(expected: list[float]) -> Any:
    return pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("batch_size", [None, 1, 8])
def test_log_probability_and_log_odds(tmp_path: Path, model_type: str, batch_size: int | None) -> None:
    """Gemma 2 bounds its logits and gpt2 has no fast path here."""
    folder = save(tmp_path / "m", model_type)
    expected = log_probs(folder)
    yes, no = token(folder, "Y"), token(folder, "N")
    assert scores(folder, batch_size=batch_size, output_name="Y") == near([float(each[yes]) for each in expected])
    assert scores(folder, batch_size=batch_size, output_index=no) == near([float(each[no]) for each in expected])
    odds = [float(each[yes] - each[no]) for each in expected]
    assert scores(folder, batch_size=batch_size, output_weights="Y=1,N=-1") == near(odds)


def test_a_weighted_sum_that_needs_the_vocabulary(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    yes, no = token(folder, "Y"), token(folder, "N")
    expected = [float(each[yes] + 0.5 * each[no]) for each in log_probs(folder)]
    assert scores(folder, output_weights="Y=1,N=0.5") == near(expected)


def test_it_runs_on_the_fast_path(tmp_path: Path) -> None:
    found = scorer(save(tmp_path / "m"), output_name="Y")
    said(found, sample())
    assert found.info.path == "packed"
    assert found.accounting is not None
    assert found.accounting.computed < found.accounting.given
    assert {each.code for each in found.findings()} <= {"bos-once"}


def test_a_head_of_many_rows_is_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    linear, states = torch.nn.Linear(8, 50), torch.randn(3, 7, 8)
    head = TokenHead(linear, None, {4: 1.0})
    whole = head(states)
    assert whole.shape == (3, 7, 1)
    expected = torch.log_softmax(linear(states), dim=-1)[..., 4:5]
    assert torch.allclose(whole, expected, atol=1e-6)
    assert _LOGITS > 50 * 21
    monkeypatch.setattr("rmeval.eval.scorers.token_prob._LOGITS", 100)
    assert torch.allclose(head(states), whole, atol=1e-7)


def test_the_question_survives_where_the_beginning_is_cut(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    yes = token(folder, "Y")
    found = said(scorer(folder, output_name="Y", max_length=150), sample())
    assert [score.value for score in found] == near([float(each[yes]) for each in log_probs(folder, most=150)])
    assert 0 < sum(score.truncated for score in found) < len(found)


def test_a_template_may_ask_by_itself(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    file = tmp_path / "ask.jinja"
    asks = "{{ '<|im_start|>user\n" + QUESTION + "<|im_end|>\n<|im_start|>assistant\n' }}"
    file.write_text(ASKING.replace("{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", asks))
    own = scores(folder, output_name="Y", question=None, chat_template=str(file))
    assert own == near(scores(folder, output_name="Y"))


def test_nothing_stands_behind_the_header(tmp_path: Path) -> None:
    """Some tokenizers end every text with an EOS."""
    folder = save(tmp_path / "m")
    expected = scores(folder, output_name="Y")
    cut = scores(folder, output_name="Y", max_length=150)
    tokenizer = tiny_tokenizer(template=ASKING)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 0), ("<eos>", 1)]
    )
    tokenizer.save_pretrained(folder)
    assert scores(folder, output_name="Y") == near(expected)
    assert scores(folder, output_name="Y", max_length=150) == near(cut)


def test_low_precision_is_decided_in_float32(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    runs = []
    for dtype in ("bfloat16", "float32"):
        options = ModelOptions(dtype=dtype, device="cpu", cache=False, question=QUESTION, output_weights="Y=1,N=-1")
        runs.append(evaluate(f"token-prob:{folder}", "mini", model_options=options, output_dir=tmp_path / dtype))
    low, exact = runs
    assert low.info.drift is not None
    assert low.scores["refined"].any()
    assert {name: each.right for name, each in low.info.results.subsets.items()} == {
        name: each.right for name, each in exact.info.results.subsets.items()
    }


def test_the_run_says_what_was_asked_and_the_journal_keeps_them_apart(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    found = {}
    for name, question, text in (
        ("a", QUESTION, "Y"),
        ("b", QUESTION, "N"),
        ("c", "Bad?", "Y"),
        ("again", QUESTION, "Y"),
    ):
        options = ModelOptions(dtype="float32", device="cpu", question=question, output_name=text)
        evaluate(f"token-prob:{folder}", "mini", limit=3, model_options=options, output_dir=tmp_path / name)
        found[name] = load_run(tmp_path / name)
    info = found["a"].info
    assert info.model.kind == "token-prob"
    assert info.model.outputs == {f"{token(folder, 'Y')} 'Y'": 1.0}
    assert info.settings["question"] == QUESTION
    hashes = {name: run.info.model.prompt_hash for name, run in found.items()}
    assert hashes["a"] == hashes["b"] != hashes["c"]
    recalled = {name: run.info.accounting.recalled for name, run in found.items() if run.info.accounting}
    assert recalled == {"a": 0, "b": 0, "c": 0, "again": len(found["a"].scores)}
    values = {name: run.scores["score"].tolist() for name, run in found.items()}
    assert values["a"] == values["again"]
    assert len({tuple(values[name]) for name in "abc"}) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output_name": "Y", "question": None}, "token-prob: needs --question TEXT, or a --chat-template"),
        ({"output_name": "Y", "question": ""}, "token-prob: needs --question TEXT"),
        ({}, "token-prob: needs one of --output-name Yes"),
        ({"output_name": "Y", "output_index": 3}, "not --output-index and --output-name"),
        ({"output_name": "Yes"}, "'Yes' is 3 tokens of"),
        ({"output_name": ""}, "'' is 0 tokens of"),
        ({"output_weights": "Y=1,No=-1"}, "'No' is 2 tokens of"),
        ({"output_weights": "Y=1,Y=-1"}, "'Y' stands there twice"),
        ({"output_weights": "Y"}, "--output-weights takes NAME=NUMBER,…, such as Yes=1"),
        ({"output_index": 5000}, "--output-index 5000"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    folder = save(tmp_path / "m")
    with pytest.raises(RmevalError) as caught:
        scorer(folder, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_classifier_and_scaled_logits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RmevalError, match="is a LlamaForSequenceClassification, not a language model"):
        scorer(save_tiny_model(tmp_path / "c", template=ASKING), output_name="Y")
    with pytest.raises(RmevalError, match="the logits of the CohereForCausalLM are not its head's product"):
        scorer(save(tmp_path / "s", "cohere", logit_scale=0.1), output_name="Y")


def test_the_self_test(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    options = ModelOptions(dtype="float32", device="cpu", question=QUESTION, output_name="Y")
    assert selftest(f"token-prob:{folder}", model_options=options).moved == 0


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save(tmp_path / "m")
    command = ["rewardbench", "--model", f"token-prob:{folder}", "--question", QUESTION, "--output-weights", "Y=1,N=-1"]
    command += ["--dataset", "mini", "--limit", "2", "--device", "cpu", "--output-dir", str(tmp_path / "r")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0, capsys.readouterr().err
    run = load_run(tmp_path / "r")
    assert all(math.isfinite(value) for value in run.scores["score"])
    with pytest.raises(SystemExit) as ended:
        main(["rewardbench", "--model", "baseline:longest", "--question", "Good?", "--dataset", "mini"])
    assert (ended.value.code, "--question changes nothing of" in capsys.readouterr().err) == (2, True)


def test_a_token_beyond_the_head_is_one_line(tmp_path: Path) -> None:
    folder = save(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["Zebra"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(RmevalError, match="its tokenizer has token 261, and its head 261 rows"):
        scorer(folder, output_name="Zebra")


def test_a_template_that_does_not_ask_is_refused(tmp_path: Path) -> None:
    """The model would be read at the end of the question's turn, where no answer begins."""
    folder = save_tiny_language_model(tmp_path / "m", template=CHATML)
    with pytest.raises(RmevalError, match="writes no header of the next turn"):
        scorer(folder, output_name="Y")
    for file, text in (("mistral", MISTRAL), ("asking", ASKING)):  # MISTRAL writes none before an answer either.
        (tmp_path / file).write_text(text)
        scorer(folder, output_name="Y", chat_template=str(tmp_path / file))
