"""Advice that is printed works: each remedy of the audit is taken on an input that raises its finding."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch._inductor import config as inductor
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from rmeval.cli import _run
from rmeval.data_prep.text.remedies import REMEDIES
from rmeval.eval.models import checkpoint
from rmeval.records import load_run
from tests.data_prep.text.test_kept import PARTS, R1, ZEPHYR
from tests.data_prep.text.test_tools import QWEN25, TOOLS
from tests.eval.test_low_precision_runs import weights_times
from tests.support.models.tiny import CHATML, MISTRAL, edit_config, save_tiny_model, tiny_config

Arguments = list[str]
Trial = Callable[[Path], tuple[Arguments, Arguments]]
"""Writes inputs; returns the options that raise the finding, and those that follow the advice."""

ROW = {"prompt": "What is the capital of France?", "chosen": "Paris, on the Seine.", "rejected": "It is Rome."}
LONG = {**ROW, "prompt": "river " * 60}


def rows(folder: Path, name: str, *made: dict[str, Any]) -> Arguments:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return ["--dataset", str(folder / f"{name}.jsonl")]


def model(folder: Path, name: str = "model", **changes: Any) -> Arguments:
    return ["--model", str(save_tiny_model(folder / name, **changes))]


def template(folder: Path, text: str = CHATML) -> Arguments:
    (folder / "own.jinja").write_text(text)
    return ["--chat-template", str(folder / "own.jinja")]


def other_rows(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Trial:
    """A remedy that changes the data."""

    def trial(folder: Path) -> tuple[Arguments, Arguments]:
        own = model(folder)
        return own + rows(folder, "before", *before), own + rows(folder, "after", *after)

    return trial


def other_label(folder: Path) -> tuple[Arguments, Arguments]:
    """A label that only looks like a tie, and what it means."""
    (pair, own) = ROW | {"x": "yes", "y": "no"}, model(folder)
    data = rows(folder, "labels", {**pair, "w": "A"}, {**pair, "w": "B, both sides considered"})
    said = [f"--map={field}" for field in ("a=x", "b=y", "label=w", "chosen-when=A")]
    before = [*own, *data, *said]
    return before, [*before, "--map=rejected-when=B, both sides considered"]


def other_options(*before: str, after: Sequence[str], row: dict[str, Any] = ROW, **changes: Any) -> Trial:
    """A remedy that is an option."""

    def trial(folder: Path) -> tuple[Arguments, Arguments]:
        own = model(folder, **changes) + rows(folder, "rows", row)
        return [*own, *before], [*own, *after]

    return trial


def other_template(text: str, row: dict[str, Any] = ROW, own: str = CHATML, **changes: Any) -> Trial:
    """``--chat-template FILE``."""

    def trial(folder: Path) -> tuple[Arguments, Arguments]:
        given = model(folder, template=text, **changes) + rows(folder, "rows", row)
        return given, given + template(folder, own)

    return trial


def trial_of_weights(factor: float, name: str, *before: str) -> Trial:
    """``--dtype float32`` for a model whose low precision fails, as some weights are out of bounds."""

    def trial(folder: Path) -> tuple[Arguments, Arguments]:
        own = model(folder) + rows(folder, "rows", ROW)
        weights_times(Path(own[1]), factor, name)
        return [*own, "--dtype", *before], [*own, "--dtype", "float32"]

    return trial


def other_folder(change: Callable[[Path], object], before: Sequence[str] = (), **changes: Any) -> Trial:
    """A remedy for the model's folder, which ``change`` spoils."""

    def trial(folder: Path) -> tuple[Arguments, Arguments]:
        data = rows(folder, "rows", ROW)
        spoiled, mended = model(folder, "spoiled", **changes), model(folder, "mended", **changes)
        change(Path(spoiled[1]))
        return [*spoiled, *data, *before], [*mended, *data]

    return trial


def more_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "v_head.weight": torch.zeros(1, 64)}, folder / "model.safetensors", {"format": "pt"})


def no_head(folder: Path) -> None:
    AutoModelForCausalLM.from_config(tiny_config()).save_pretrained(folder)


def beside(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "x"}))
    save_file({"a": torch.zeros(1)}, folder / "adapter_model.safetensors")


def foreign_tokenizer(folder: Path) -> tuple[Arguments, Arguments]:
    """One of five words, where all else is unknown."""
    words = {"<unk>": 0, "<pad>": 1, "assistant": 2, "is": 3, "user": 4}
    core = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    foreign = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", chat_template=CHATML)
    foreign.save_pretrained(folder / "foreign")
    own = model(folder) + rows(folder, "rows", {**ROW, "chosen": "it is so"})
    return [*own, "--tokenizer", str(folder / "foreign")], own


def broken_journal(folder: Path) -> tuple[Arguments, Arguments]:
    """It is set aside, so that the next run has a sound one."""
    (folder / "cache").mkdir()
    (folder / "cache" / "scores.sqlite").write_bytes(b"not a journal" * 100)
    own = model(folder) + rows(folder, "rows", ROW)
    return own, own


def other_role(folder: Path) -> tuple[Arguments, Arguments]:
    own = model(folder, template=ZEPHYR)
    return own + rows(folder, "before", GPT), own + rows(folder, "after", ASSISTANT)


TALK: dict[str, Any] = {"prompt": [{"role": "user", "content": "Hello?"}], "chosen": "Yes.", "rejected": "No."}
WITH_SYSTEM = {**ROW, "system": "Be brief."}
REASONED = {**ROW, "chosen": "<think>Gaul</think>Paris", "rejected": "Rome"}
SAME_ANSWER = {**ROW, "chosen": "<think>Gaul</think>Paris", "rejected": "<think>Ohio</think>Paris"}
GPT = {"prompt": TALK["prompt"], "chosen": [{"role": "gpt", "content": "Yes."}], "rejected": "No."}
ASSISTANT = {**GPT, "chosen": [{"role": "assistant", "content": "Yes."}]}
ALIKE = {**ROW, "rejected": ROW["chosen"]}
REPEATED = {**ROW, **{side: f"{ROW['prompt']} {ROW[side]}" for side in ("chosen", "rejected")}}
OTHER = {**ROW, "prompt": "What is the capital of Peru?"}
OPEN = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
SAME_END = {**ROW, "chosen": f"Paris {'x' * 60}", "rejected": f"Rome {'x' * 60}"}

TRIALS: dict[str, list[Trial]] = {
    "identical-completions": [other_rows([ROW, ALIKE], [ROW])],
    "duplicate-rows": [other_rows([ROW, ROW], [ROW])],
    "invalid-unicode": [other_rows([{**ROW, "chosen": "Par\ud800is"}], [ROW])],
    "blank-completion": [other_rows([ROW, {**ROW, "chosen": " "}], [ROW])],
    "label-ties": [other_label],
    "several-completions": [
        other_rows(
            [{**ROW, "chosen": ["Paris.", "Lutetia."]}], [{**ROW, "chosen": "Paris."}, {**ROW, "chosen": "Lutetia."}]
        )
    ],
    "json-text": [other_rows([{**TALK, "prompt": json.dumps(TALK["prompt"])}], [TALK])],
    "no-subset": [other_rows([{**ROW, "subset": "a"}, OTHER], [{**ROW, "subset": "a"}, {**OTHER, "subset": "b"}])],
    "ids-not-used": [other_rows([{**ROW, "id": 1}, {**OTHER, "id": 1}], [{**ROW, "id": 1}, {**OTHER, "id": 2}])],
    "prompt-repeated": [other_rows([REPEATED], [ROW])],
    "system-column": [other_rows([WITH_SYSTEM], [{**ROW, "persona": "Be brief."}])],
    "unread-columns": [
        other_rows(
            [{**TALK, "history": ["Hi!"]}],
            [
                {
                    **TALK,
                    "prompt": [
                        {"role": "user", "content": "Hi!"},
                        {"role": "assistant", "content": "Hi."},
                        *TALK["prompt"],
                    ],
                }
            ],
        )
    ],
    "truncated": [other_options("--max-length", "50", after=["--max-length", "900"], row=LONG)],
    "system-folded": [other_template(MISTRAL, WITH_SYSTEM)],
    "content-as-parts": [other_template(PARTS)],
    "text-dropped": [other_template(ZEPHYR, GPT), other_role],
    "text-cut": [other_template(R1, REASONED)],
    "tools-unread": [other_template(CHATML, {**ROW, "tools": TOOLS}, QWEN25)],
    "same-tokens": [
        other_template(R1, SAME_ANSWER),
        other_options("--max-length", "40", after=["--max-length", "900"], row=SAME_END),
    ],
    "unknown-tokens": [foreign_tokenizer],
    "text-lost-in-tokens": [foreign_tokenizer],
    "bos-once": [other_template(MISTRAL, add_bos=True)],
    "double-bos": [other_template("{{ bos_token + bos_token }}" + CHATML)],
    "missing-bos": [
        other_options("--max-length", "50", after=["--max-length", "900"], row=LONG, template=MISTRAL),
        other_template(CHATML, own="{{ bos_token }}" + CHATML),
    ],
    "template-reads-the-clock": [other_template("{{ strftime_now('%d %b %Y') }}" + CHATML)],
    "missing-eos": [other_template(OPEN)],
    "special-token-in-text": [
        other_rows([{**ROW, "chosen": "It ends with <|im_end|>."}], [{**ROW, "chosen": "It ends."}])
    ],
    "pad-is-eos": [other_folder(lambda folder: edit_config(folder, pad_token_id=1))],
    "no-pad-token": [other_folder(lambda folder: edit_config(folder, pad_token_id=None))],
    "adapter-beside": [other_folder(beside)],
    "code-not-run": [
        other_folder(lambda folder: edit_config(folder, auto_map={"AutoModelForCausalLM": "modeling_x.X"}))
    ],
    "untrained-head": [other_folder(no_head, ["--allow-untrained-head"])],
    "unused-weights": [other_folder(more_weights)],
    "journal": [broken_journal],
    "undecided": [
        other_options(
            "--dtype",
            "bfloat16",
            "--no-refine",
            after=["--dtype", way],
            row={**ROW, "rejected": "Paris, on the Seine!"},
        )
        for way in ("bfloat16", "float32")
    ],
    "drift-unknown": [trial_of_weights(float("nan"), "score.weight", "bfloat16", "--no-refine")],
    "no-float32-copy": [other_options("--dtype", "bfloat16", after=["--dtype", "float32"])],
    "not-compiled": [other_options("--compile", "on", after=["--compile", "off"])],
}
"""Code -> what raises its finding, and what its advice makes of that."""

NOT_TAKEN = {
    "pooled-not-last": "nothing is to be done",
    "one-at-a-time": "nothing is to be done",
    "slow-path": "nothing is to be done",
    "mixed-precision-refused": "tests/eval/engine/test_ways.py makes layers that refuse; float32 mixes nothing",
    "low-precision-refused": "as mixed-precision-refused",
    "low-precision-in-vain": "low precision is tried out on many examples; float32 is not tried out",
    "fast-path-refused": "a fault of rmeval's own; that selftest prints its table is tested below",
    "out-of-memory": "memory cannot be made short here; nothing is to be done",
    "header-apart": "nothing is to be done",
    "position-bias": "nothing is to be done",
    "answer-cut": "of DPO policies alone; tests/data_prep/text/test_answers.py cuts answers and leaves them whole",
    "no-answer": "as answer-cut",
    "too-long": "of models with code of their own; tests/eval/scorers/test_remote.py makes room for such texts",
    "unreadable-turns": "of pairwise models alone; tests/eval/scorers/pairwise has rows with and without such turns",
    "non-finite-score": "what is not finite in float32 is the model's; float16 falls back to float32 by itself",
}
"""Code -> why its advice is not followed in a test."""


def findings(folder: Path, name: str, *arguments: str) -> set[str]:
    """Run ``rmeval pairs`` in this process; return the codes of its findings."""
    where = folder / "runs" / name
    assert _run(["pairs", *arguments, "--device", "cpu", "--output-dir", str(where)]) == 0
    return {each["code"] for each in json.loads((where / "run.json").read_text())["audit"]}


@pytest.fixture(autouse=True)
def _a_journal_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "cache"))


def test_every_remedy_is_taken_or_there_is_a_reason() -> None:
    assert set(TRIALS) | set(NOT_TAKEN) == set(REMEDIES)
    assert not set(TRIALS) & set(NOT_TAKEN)


@pytest.mark.parametrize(
    ("code", "place"), [(code, place) for code, all_ in TRIALS.items() for place in range(len(all_))]
)
def test_the_remedy_ends_the_finding(code: str, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = TRIALS[code][place](tmp_path)
    if code == "no-float32-copy":
        monkeypatch.setattr(checkpoint, "free_bytes", lambda device: 1e5)
    with ExitStack() as stack:
        if code == "not-compiled":
            torch._dynamo.reset()
            monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
            # Its own patch: a setting that monkeypatch puts back is gone for good.
            stack.enter_context(inductor.patch({"cpp.cxx": ("/nonexistent/compiler",)}))
        assert code in findings(tmp_path, "before", *before)
        assert code not in findings(tmp_path, "after", *after)


# --- what advice says of itself ---------------------------------------------------------------------------------


def test_the_date_of_a_template_is_the_one_that_is_given(tmp_path: Path) -> None:
    given = model(tmp_path, template="{{ strftime_now('%d %b %Y') }}" + CHATML) + rows(tmp_path, "rows", ROW)
    for date in ("2024-07-26", "2025-01-31"):
        assert "template-reads-the-clock" in findings(tmp_path, date, *given, "--template-date", date)
        info = json.loads((tmp_path / "runs" / date / "run.json").read_text())
        assert info["model"]["template_date"] == date


def test_a_prompt_that_is_repeated_changes_no_score(tmp_path: Path) -> None:
    own = model(tmp_path)
    repeated, plain = (rows(tmp_path, name, row) for name, row in (("repeated", REPEATED), ("plain", ROW)))
    for name, data in (("repeated", repeated), ("plain", plain)):
        findings(tmp_path, name, *own, *data)
    scores = [load_run(tmp_path / "runs" / name).scores["score"].tolist() for name in ("repeated", "plain")]
    assert scores[0] == scores[1]


def test_the_commands_that_advice_names_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "rmeval cache info" in REMEDIES["journal"]
    assert _run(["cache", "info"]) == 0
    assert str(tmp_path / "cache") in capsys.readouterr().out.replace("\n", "")
    assert "rmeval selftest" in REMEDIES["fast-path-refused"]
    assert _run(["selftest", *model(tmp_path), *rows(tmp_path, "rows", ROW, OTHER), "--device", "cpu"]) == 0
    assert "no decision moved" in capsys.readouterr().out
