"""Models that score by code of their own: each interface, in a folder with its own Python files, against the oracle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from rmeval import evaluate, load_run
from rmeval.cli import main
from rmeval.errors import RmevalError
from rmeval.eval.engine.own_call import OwnCallExecutor
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.plan import Pack
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.base import Scorer
from rmeval.eval.selftest import selftest
from rmeval.reports.run.provenance import provenance
from rmeval.types import Conversation, Message, Score
from tests.support.models.tiny import CHATML, MISTRAL, edit_config, tiny_config, tiny_tokenizer
from tests.support.scoring import said

WIDTH = 64
REWARD_TOKEN = 4
"""``<|im_end|>``: the template of the first folder below does not end with it."""
MATH = "Please reason step by step, and put your final answer within \\boxed{}."

_CONFIG = """
from transformers import {base}Config

class OwnConfig({base}Config):
    model_type = "{model_type}"
"""

_CODE = """
import torch
from torch import nn
from transformers import {base}Model, {base}PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from .configuration_own import OwnConfig

class {name}({base}PreTrainedModel):
    config_class = OwnConfig
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = {base}Model(config)
        self.v_head = nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None):
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        # Reads the last place of each row, whatever is padded: safe one at a time.
        return SequenceClassifierOutput(logits=self.v_head(states[:, -1]){shape})
"""

_GET_SCORE = """
    @torch.no_grad()
    def get_score(self, tokenizer, messages):
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        ids = tokenizer.encode(text, return_tensors="pt", add_special_tokens=False)
        if ids[0, -1] != self.config.reward_token_id:
            ids = torch.cat([ids, torch.tensor([[self.config.reward_token_id]])], dim=1)
        return self(input_ids=ids, attention_mask=torch.ones_like(ids))[0].item()
"""


def save(
    folder: Path,
    kind: str,
    *,
    base: str = "Llama",
    code: str = "",
    shape: str = "",
    template: str = CHATML,
    **changes: Any,
) -> Path:
    """Write a folder as these models' are: weights, a configuration with an ``auto_map``, and two Python files."""
    names = {"internlm2-reward": "InternLM2ForRewardModel", "qwen-math-rm": "Qwen2ForRewardModel"}
    name = names.get(kind, "OwnRewardModel")
    torch.manual_seed(0)
    config = tiny_config(base.lower(), **changes)
    body = AutoModel.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in body.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    body.save_pretrained(folder)
    weights = {f"model.{key}": value for key, value in load_file(folder / "model.safetensors").items()}
    weights["v_head.weight"] = torch.randn(1, WIDTH) * 0.3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    auto = "AutoModelForSequenceClassification" if kind == "urm" else "AutoModel"
    model_type = "internlm2" if kind == "internlm2-reward" else base.lower()
    edit_config(
        folder,
        architectures=[name],
        model_type=model_type,
        auto_map={"AutoConfig": "configuration_own.OwnConfig", auto: f"modeling_own.{name}"},
        reward_token_id=REWARD_TOKEN,
    )
    (folder / "configuration_own.py").write_text(_CONFIG.format(base=base, model_type=model_type))
    (folder / "modeling_own.py").write_text(_CODE.format(base=base, name=name, shape=shape) + code)
    tiny_tokenizer(template=template, add_bos=True).save_pretrained(folder)
    return folder


def internlm(folder: Path, **changes: Any) -> Path:
    return save(folder, "internlm2-reward", **{"code": _GET_SCORE, **changes})


def qwen(folder: Path, **changes: Any) -> Path:
    return save(folder, "qwen-math-rm", base="Qwen2", **changes)


def worldpm(folder: Path, **changes: Any) -> Path:
    return save(folder, "worldpm", base="Qwen2", **changes)


def urm(folder: Path, **changes: Any) -> Path:
    return save(folder, "urm", **changes)


FOLDERS: dict[str, Callable[..., Path]] = {
    "internlm2-reward": internlm,
    "qwen-math-rm": qwen,
    "worldpm": worldpm,
    "urm": urm,
}


def sample() -> list[Conversation]:
    found = []
    for i in range(12):
        system = (Message("system", "Be kind."),) if i == 3 else ()
        prompt = (*system, Message("user", f"question {i % 7} " * (1 + i % 5)))
        found.append(Conversation(prompt, (Message("assistant", "ab " * ((i * i) % 40)),), f"e{i}"))
    return found


def body_of(folder: Path) -> tuple[Any, Tensor]:
    """The body as transformers' own class, and the head: nothing of the folder's code."""
    fields = json.loads((folder / "config.json").read_text())
    kind = "qwen2" if fields["model_type"] == "qwen2" else "llama"
    keep = {name: fields[name] for name in fields if name not in ("model_type", "auto_map", "architectures")}
    body = AutoModel.from_config(AutoConfig.for_model(kind, **keep), dtype=torch.float32).eval()
    weights = load_file(folder / "model.safetensors")
    body.load_state_dict({k.removeprefix("model."): v for k, v in weights.items() if k.startswith("model.")})
    return body, weights["v_head.weight"][0]


@torch.inference_mode()
def oracle(folder: Path, kind: str, *, most: int | None = None) -> list[float]:
    """Each family's text and tokens, written out; the score is read at the last token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    body, head = body_of(folder)
    found = []
    for each in sample():
        turns = [{"role": m.role, "content": m.content} for m in each.messages]
        if turns[0]["role"] != "system" and kind in ("qwen-math-rm", "worldpm"):
            turns = [{"role": "system", "content": MATH if kind == "qwen-math-rm" else ""}, *turns]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if kind == "urm":  # One BOS, as the tokenizer adds it.
            ids = [0, *ids]
        if kind == "internlm2-reward" and ids[-1] != REWARD_TOKEN:
            ids = [*ids, REWARD_TOKEN]
        if most is not None and len(ids) > most:
            ids = [0, *ids[-most + 1 :]] if kind == "urm" else ids[-most:]
        found.append(float(body(input_ids=torch.tensor([ids])).last_hidden_state[0, -1] @ head))
    return found


def near(expected: list[float]) -> list[Any]:
    return [pytest.approx(score, abs=1e-5 * max(1.0, abs(score))) for score in expected]


def load(folder: Path, kind: str, **options: Any) -> Scorer:
    given = {"dtype": "float32", "device": "cpu", "cache": False, "trust_remote_code": True, **options}
    return load_scorer(f"{kind}:{folder}", ModelOptions(**given))


def scores(folder: Path, kind: str, **options: Any) -> list[Score]:
    return said(load(folder, kind, **options), sample())


def values(folder: Path, kind: str, **options: Any) -> list[float]:
    return [score.value for score in scores(folder, kind, **options)]


def refused(folder: Path, kind: str, **options: Any) -> str:
    with pytest.raises(RmevalError) as caught:
        scores(folder, kind, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what they score ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOLDERS)
def test_each_family_is_exact_at_every_batch_size(tmp_path: Path, kind: str) -> None:
    folder = FOLDERS[kind](tmp_path / "m")
    expected = near(oracle(folder, kind))
    for batch_size in (None, 1, 8):
        assert values(folder, kind, batch_size=batch_size) == expected
    low = values(folder, kind, dtype="bfloat16")
    assert low == pytest.approx(values(folder, kind), abs=0.5)


def test_no_second_reward_token(tmp_path: Path) -> None:
    """A template that ends with the reward token has it already."""
    folder = internlm(tmp_path / "m", template=CHATML.replace("<|im_end|>\n' }}", "<|im_end|>' }}"))
    tokens = [score.tokens for score in scores(folder, "internlm2-reward")]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    first = [{"role": m.role, "content": m.content} for m in sample()[0].messages]
    assert tokens[0] == len(
        tokenizer(tokenizer.apply_chat_template(first, tokenize=False), add_special_tokens=False)[0]
    )
    assert values(folder, "internlm2-reward") == near(oracle(folder, "internlm2-reward"))


def test_a_template_without_system_messages_gets_one_folded(tmp_path: Path) -> None:
    """``get_score`` is given the messages as the audit's text has them."""
    folder = internlm(tmp_path / "m", template=MISTRAL)
    scorer = load(folder, "internlm2-reward")
    found = said(scorer, sample())
    assert all(score.value == score.value for score in found)
    assert "system-folded" in {each.code for each in scorer.findings()}
    body, head = body_of(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": m.role, "content": m.content} for m in sample()[3].messages[1:]]
    turns[0]["content"] = f"Be kind.\n\n{turns[0]['content']}"
    ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        expected = float(body(input_ids=torch.tensor([[*ids, REWARD_TOKEN]])).last_hidden_state[0, -1] @ head)
    assert found[3].value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["qwen-math-rm", "urm"])
def test_what_is_too_long_loses_its_beginning(tmp_path: Path, kind: str) -> None:
    folder = FOLDERS[kind](tmp_path / "m")
    found = scores(folder, kind, max_length=150)
    assert [score.value for score in found] == near(oracle(folder, kind, most=150))
    assert 0 < sum(score.truncated for score in found) < len(found)
    assert max(score.tokens or 0 for score in found) == 150


def test_get_score_is_never_given_what_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = internlm(tmp_path / "m")
    calls: list[int] = []
    own = OwnCallExecutor.score

    def counted(self: OwnCallExecutor, pack: Pack) -> Values:
        calls.append(len(pack.ids))
        return own(self, pack)

    monkeypatch.setattr(OwnCallExecutor, "score", counted)
    scorer = load(folder, "internlm2-reward", max_length=150)
    found = said(scorer, sample())
    lost = [score.value != score.value for score in found]
    assert 0 < sum(lost) < len(lost)
    assert max(calls) <= 150
    (finding,) = [each for each in scorer.findings() if each.code == "too-long"]
    assert finding.count == sum(lost)
    expected = oracle(folder, "internlm2-reward")
    kept = [place for place, each in enumerate(lost) if not each]
    assert [found[place].value for place in kept] == near([expected[place] for place in kept])
    roomy = load(folder, "internlm2-reward")  # What the finding advises.
    assert [each.value for each in said(roomy, sample())] == near(expected)
    assert "too-long" not in {each.code for each in roomy.findings()}


def test_tools_are_not_for_get_score(tmp_path: Path) -> None:
    folder = internlm(tmp_path / "m", template="{% if tools %}{{ tools }}{% endif %}" + CHATML)
    scorer = load(folder, "internlm2-reward")
    plain, *_ = sample()
    tools = json.dumps([{"type": "function", "function": {"name": "look", "description": "up", "parameters": {}}}])
    with_tools = Conversation(plain.prompt, plain.completion, "t", 0, tools)
    one, other = said(scorer, [plain, with_tools])
    assert one.value == one.value
    assert other.value != other.value
    assert "unreadable-turns" in {each.code for each in scorer.findings()}


# --- consent, and what is not the interface -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOLDERS)
def test_nothing_runs_without_consent(tmp_path: Path, kind: str) -> None:
    folder = FOLDERS[kind](tmp_path / "m")
    for file in folder.glob("*.py"):
        file.write_text("raise SystemExit('ran')\n")
    message = refused(folder, kind, trust_remote_code=False)
    assert "(configuration_own.py, modeling_own.py): pass --trust-remote-code" in message


def test_a_plain_name_is_told_the_kind(tmp_path: Path) -> None:
    folder = internlm(tmp_path / "m")
    for trusted in (False, True):
        with pytest.raises(RmevalError) as caught:
            load_scorer(str(folder), ModelOptions(device="cpu", trust_remote_code=trusted))
        assert f"--model internlm2-reward:{folder} --trust-remote-code" in str(caught.value)
    folder = qwen(tmp_path / "q")
    with pytest.raises(RmevalError, match=r"--model qwen-math-rm:.* or --model worldpm:"):
        load_scorer(str(folder), ModelOptions(device="cpu"))


_ODD = "\n    def get_score(self, tokenizer, messages):\n        return {}\n"


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (
            "internlm2-reward",
            {"code": ""},
            "has no get_score: its class InternLM2ForRewardModel is no InternLM2 reward",
        ),
        ("internlm2-reward", {"code": _ODD.format("'0.5'")}, "get_score gave a str, and a score is one number"),
        ("internlm2-reward", {"code": _ODD.format("[0.5, 0.7]")}, "get_score gave a list of 2, and a score is one"),
        ("internlm2-reward", {"code": _ODD.format("None")}, "get_score gave None, and a score is one number"),
        ("internlm2-reward", {"code": _ODD.format("1 / 0")}, "division by zero"),
        ("qwen-math-rm", {"shape": ".repeat(1, 2)"}, "outputs[0] gave a tensor of shape [1, 2], and a score is one"),
        ("urm", {"shape": ".repeat(1, 2)[:, None]"}, "logits[0][0] gave a tensor of shape [2], and a score is one"),
        ("urm", {"shape": "[0, 0]"}, "without logits[0][0]"),
        (
            "internlm2-reward",
            {"code": "\n    def get_score(self, tokenizer, messages):\n        return torch.rand(1).item()\n"},
            "cannot be relied on, one conversation at a time: its scores differ",
        ),
    ],
)
def test_what_is_not_the_interface_is_one_line(tmp_path: Path, kind: str, changes: dict[str, Any], words: str) -> None:
    assert words in refused(FOLDERS[kind](tmp_path / "m", **changes), kind)


def test_a_folder_of_another_kind(tmp_path: Path) -> None:
    folder = urm(tmp_path / "m")
    assert "is no WorldPM model: its auto_map names no AutoModel" in refused(folder, "worldpm")
    edit_config(folder, auto_map={"AutoModelForSequenceClassification": "org/code--modeling_own.OwnRewardModel"})
    assert "lies in another repository (org/code--modeling_own.py)" in refused(folder, "urm")


def test_a_head_that_is_not_there(tmp_path: Path) -> None:
    folder = internlm(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["v_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "lacks 1 weights (such as v_head.weight)" in refused(folder, "internlm2-reward")


# --- the run --------------------------------------------------------------------------------------------------------


@pytest.fixture(name="run_options")
def _run_options() -> ModelOptions:
    return ModelOptions(dtype="float32", device="cpu", trust_remote_code=True)


@pytest.mark.parametrize("kind", ["internlm2-reward", "urm"])
def test_the_run_says_that_code_ran_and_the_journal_keeps_scores(
    tmp_path: Path, kind: str, run_options: ModelOptions
) -> None:
    folder = FOLDERS[kind](tmp_path / "m")
    runs = [
        evaluate(f"{kind}:{folder}", "mini", limit=4, model_options=run_options, output_dir=tmp_path / name)
        for name in ("one", "two")
    ]
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    info = load_run(tmp_path / "one").info
    assert (info.model.kind, info.model.own_code) == (kind, f"sha256:{digest.hexdigest()}")
    assert info.settings["trust_remote_code"] is True
    assert info.model.path == "plain-single"
    one, two = (run.info.accounting for run in runs)
    assert one is not None
    assert two is not None
    assert (one.recalled, one.computed) == (0, one.distinct)
    assert (two.recalled, two.computed) == (len(runs[1].scores), 0)
    assert runs[0].scores["score"].tolist() == runs[1].scores["score"].tolist()
    facts = dict(provenance(info, None)[0].facts)
    assert facts["sha256 of its Python code, which ran"] == info.model.own_code


def test_another_code_is_another_model(tmp_path: Path, run_options: ModelOptions) -> None:
    folder = urm(tmp_path / "m")
    first = evaluate(f"urm:{folder}", "mini", limit=2, model_options=run_options, output_dir=tmp_path / "one")
    file = folder / "modeling_own.py"
    file.write_text(file.read_text().replace("self.v_head(states[:, -1])", "-self.v_head(states[:, -1])"))
    second = evaluate(f"urm:{folder}", "mini", limit=2, model_options=run_options, output_dir=tmp_path / "two")
    assert second.scores["score"].tolist() == pytest.approx([-value for value in first.scores["score"]])
    assert second.info.model.own_code != first.info.model.own_code


def test_two_folders_of_one_name_in_one_process(tmp_path: Path) -> None:
    """Transformers' auto classes would run the second with the code of the first, which has the same configuration."""
    one, two = (urm(tmp_path / name / "m") for name in ("one", "two"))
    file = two / "modeling_own.py"
    file.write_text(file.read_text().replace("self.v_head(states[:, -1])", "-self.v_head(states[:, -1])"))
    expected = near(oracle(one, "urm"))
    assert values(one, "urm") == expected
    assert [-value for value in values(two, "urm")] == expected
    for folder, sign in ((one, 1), (two, -1)):  # As a classifier, in batches, too.
        edit_config(folder, architectures=["OwnForSequenceClassification"], num_labels=1)
        options = ModelOptions(dtype="float32", device="cpu", cache=False, trust_remote_code=True)
        scorer = load_scorer(str(folder), options)
        assert [sign * score.value for score in said(scorer, sample())] == expected
        assert scorer.info.own_code is not None


def test_low_precision_is_decided_in_float32(tmp_path: Path) -> None:
    folder = qwen(tmp_path / "m")
    options = ModelOptions(dtype="bfloat16", device="cpu", trust_remote_code=True, cache=False)
    run = evaluate(f"qwen-math-rm:{folder}", "mini", model_options=options, output_dir=tmp_path / "r")
    assert run.info.drift is not None
    assert run.scores["refined"].any()


def test_the_self_test(tmp_path: Path) -> None:
    folder = worldpm(tmp_path / "m")
    options = ModelOptions(dtype="float32", device="cpu", trust_remote_code=True)
    found = selftest(f"worldpm:{folder}", model_options=options)
    assert (found.examples, found.moved) == (32, 0)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = internlm(tmp_path / "m")
    command = ["rewardbench", "--model", f"internlm2-reward:{folder}", "--dataset", "mini", "--limit", "2"]
    command += ["--device", "cpu", "--output-dir", str(tmp_path / "r")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert (ended.value.code, "pass --trust-remote-code" in capsys.readouterr().err) == (2, True)
    with pytest.raises(SystemExit) as ended:
        main([*command, "--trust-remote-code"])
    assert ended.value.code == 0, capsys.readouterr().err
    assert load_run(tmp_path / "r").info.model.own_code is not None
