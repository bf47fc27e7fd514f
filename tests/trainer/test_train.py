from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoTokenizer, pipeline

from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.errors import DataError, RunError, UsageError
from rmeval.eval.evaluate import evaluate
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.records import load_run
from rmeval.trainer.data.pairs import load_pairs, opening_of
from rmeval.trainer.recipe_files import load_recipe
from rmeval.trainer.train import Trained, train
from rmeval.types import Conversation, Message
from tests.support.training import made_up_pairs, save_base, save_mistral, start, write_jsonl, write_recipe

FLOAT32 = ModelOptions(dtype="float32", device="cpu", cache=False)
CONVERSATIONS = [
    Conversation((Message("user", f"Question {n}: stone?"),), (Message("assistant", f"good {'river ' * n}"),), f"{n}")
    for n in range(1, 12)
]
TOO_LONG = Conversation((Message("user", "Which?"),), (Message("assistant", "stone, river; " * 100 + "good"),), "long")


class Setting:
    """A base model of Mistral's shape, pairs, and a recipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = save_mistral(folder / "base")
        self.data = write_jsonl(folder / "pairs.jsonl", made_up_pairs(60))
        self.other = write_jsonl(folder / "other.jsonl", made_up_pairs(10, seed=5) + made_up_pairs(60)[:40])
        self.recipe = write_recipe(folder / "recipe.yaml", self.base, self.data)

    def train(self, name: str, *overrides: str, **options: Any) -> Trained:
        done = train(str(self.recipe), self.folder / name, overrides=overrides, **options)
        assert done is not None
        return done


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def trained(setting: Setting) -> Trained:
    notes: list[str] = []
    done = setting.train("whole", f"report_datasets=[{setting.other}]", note=notes.append, command=["rmeval", "train"])
    assert [note.partition(":")[0] for note in notes] == [
        "step 4 of 10", "step 8 of 10", "step 10 of 10", "held-out", str(setting.other)
    ]  # fmt: skip
    return done


def weights(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


def scores(model: Path, conversations: Sequence[Conversation] = CONVERSATIONS) -> list[float]:
    return [score.value for score in ClassifierScorer(str(model), FLOAT32).score_conversations(conversations)]


# --- what is written --------------------------------------------------------------------------------------------


def test_the_folder_is_a_model_with_a_card_a_record_and_curves(trained: Trained) -> None:
    names = {path.name for path in trained.path.iterdir()}
    assert names == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
        "README.md", "training.json", "recipe.yaml", "curves.png", "held-out",
    }  # fmt: skip
    config = json.loads((trained.path / "config.json").read_text())
    assert (config["architectures"], config["pad_token_id"]) == (["MistralForSequenceClassification"], 261)
    assert list(config["id2label"]) == ["0"]
    assert (trained.path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_record_says_it_all(trained: Trained, setting: Setting) -> None:
    record = json.loads((trained.path / "training.json").read_text(), parse_constant=pytest.fail)
    assert record == trained.record
    assert record["steps"] == 10
    assert record["best_step"] in (4, 8, 10)
    assert record["model"]["pad_token"] == "[PAD]"
    assert record["model"]["head"].startswith("normal, standard deviation")
    assert record["hardware"]["gradient_accumulation_steps"] == 4
    assert record["tokens"]["padded"] > record["tokens"]["given"] > 0
    assert [step for step, _ in record["curves"]["loss"]] == list(range(1, 11))
    losses = dict(record["curves"]["held_out_loss"])
    assert record["best_step"] == min(losses, key=lambda step: losses[step])
    assert record["best_metrics"]["held_out_loss"] == losses[record["best_step"]]
    again = yaml.safe_load((trained.path / "recipe.yaml").read_text())
    assert again == record["recipe"]


def test_it_learned(trained: Trained) -> None:
    curve = [loss for _, loss in trained.record["curves"]["loss"]]
    assert sum(curve[-3:]) < 0.9 * sum(curve[:3])


def test_rmeval_and_the_pipeline_give_equal_scores(trained: Trained) -> None:
    """The card's own usage, in float32; of what is too long both read the end."""
    tokenizer = AutoTokenizer.from_pretrained(trained.path)
    pipe: Any = pipeline(  # type: ignore[call-overload]  # An alias that the overloads do not know.
        "sentiment-analysis", model=str(trained.path), tokenizer=tokenizer, dtype=torch.float32
    )
    found = []
    for conversation in (*CONVERSATIONS, TOO_LONG):
        chat = [{"role": message.role, "content": message.content} for message in conversation.messages]
        text = str(tokenizer.apply_chat_template(chat, tokenize=False)).replace(tokenizer.bos_token, "")
        found.append(pipe([text], function_to_apply="none", truncation=True, batch_size=1)[0]["score"])
    assert scores(trained.path, [*CONVERSATIONS, TOO_LONG]) == pytest.approx(found, abs=1e-5)
    assert len({round(score, 4) for score in found}) == len(found)


def test_the_reported_numbers_come_again_from_rmeval_pairs(trained: Trained) -> None:
    result = trained.record["results"][0]
    pairs = trained.path / "held-out" / "pairs.jsonl"
    run = evaluate(
        str(trained.path), "pairs", dataset=str(pairs), model_options=ModelOptions(device="cpu", cache=False)
    )
    overall = run.info.results.overall
    assert overall is not None
    assert (result["accuracy"], result["low"], result["high"]) == (overall.accuracy, overall.low, overall.high)
    assert result["reference_lines"] == {name: line.overall for name, line in run.info.results.reference_lines.items()}
    kept = load_run(trained.path / result["run"])
    assert kept.info.model.fingerprint == run.info.model.fingerprint  # Writing training.json does not change it.


def test_what_is_reported_has_no_prompt_that_trained_or_chose(trained: Trained, setting: Setting) -> None:
    divided = load_pairs(load_recipe(str(setting.recipe)))
    reported = load_rows(str(trained.path / "held-out" / "pairs.jsonl"))
    rows: Any = reported.rows
    openings = {row["chosen"][0]["content"].lower().split(":")[0].replace(".", " ") for row in rows}
    assert len(reported.rows) == trained.record["data"]["report"] == len(divided.report)
    for side in (divided.train, divided.selection):
        assert not any(opening_of(example).startswith(tuple(f"{text} " for text in openings)) for example in side)


def test_other_pairs_are_scored_too_and_what_they_share_with_training_is_said(
    trained: Trained, setting: Setting
) -> None:
    result = trained.record["results"][1]
    divided = load_pairs(load_recipe(str(setting.recipe)))
    first = {f"question 0 {n} " for n in range(40)}
    expected = sum(opening_of(example).startswith(tuple(first)) for example in divided.train)
    assert (result["n"], result["prompts_that_train"]) == (50, expected)
    assert expected > 0
    assert "have a prompt that was trained on" in (trained.path / "README.md").read_text()


def test_the_weights_are_those_of_the_best_step(setting: Setting) -> None:
    """A rate so high that held-out pairs get worse; the rate is constant, so a training cut short there is the same."""
    fast = ("learning_rate=0.03", "lr_scheduler_type=constant", "warmup_steps=0", "save_steps=1", "eval_steps=1")
    whole = setting.train("fast", *fast)
    best = whole.record["best_step"]
    assert best < 10
    cut = setting.train("cut", *fast, f"max_steps={best}")
    assert weights(whole.path) == weights(cut.path)


# --- LoRA -------------------------------------------------------------------------------------------------------


def test_lora_writes_merged_weights_and_an_adapter_that_score_alike(setting: Setting) -> None:
    # One base for both: PEFT notes the path of the base in the adapter.
    done = setting.train("lora", "lora.r=4", "learning_rate=0.01", "gradient_checkpointing=true")
    assert done.record["model"]["trainable"] < 0.3 * done.record["model"]["parameters"]
    merged, adapted = scores(done.path), scores(done.path / "adapter")
    assert merged == pytest.approx(adapted, abs=1e-5)
    assert json.loads((done.path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        setting.base
    )
    before = load_file(setting.base / "model.safetensors")["model.layers.0.self_attn.q_proj.weight"]
    after = load_file(done.path / "model.safetensors")["model.layers.0.self_attn.q_proj.weight"]
    assert not torch.equal(before, after)


# --- stopped and started ----------------------------------------------------------------------------------------


def stop_once(setting: Setting, output: Path, after: int, how: signal.Signals, delay: float) -> None:
    """Start a training and stop it some time after a step's checkpoint is whole."""
    [process] = start(setting.recipe, output)
    marker = output / "checkpoints" / f"checkpoint-{after}" / "complete"
    while not marker.exists() and process.is_alive():
        time.sleep(0.002)
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, how)
    process.join(60)
    assert process.exitcode not in (0, None)


def test_killed_and_started_again_it_ends_with_the_same_weights(
    setting: Setting, trained: Trained, tmp_path: Path
) -> None:
    chance = random.Random(0)
    output = tmp_path / "killed"
    for after, how in ((2, signal.SIGKILL), (6, signal.SIGINT)):
        stop_once(setting, output, after, how, chance.uniform(0, 0.05))
        assert not (output / "training.json").exists()
    notes: list[str] = []
    steps: list[int] = []
    done = train(
        str(setting.recipe), output, note=notes.append, progress=lambda at, of: steps.append(at) if of == 10 else None
    )
    assert notes[0].startswith("going on from ")
    assert steps[0] > 6
    assert done is not None
    assert weights(output) == weights(trained.path)
    # The curves are whole as well.
    assert done.record["curves"] == trained.record["curves"]


def test_stopped_when_training_is_over_it_takes_no_step_more(
    setting: Setting, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as context:
            context.setattr("rmeval.trainer.results.finish.write_model", stop)
            with pytest.raises(KeyboardInterrupt):
                train(str(setting.recipe), tmp_path / "over")
    done = train(str(setting.recipe), tmp_path / "over")
    assert done is not None
    assert (done.record["steps"], done.record["curves"]) == (10, trained.record["curves"])
    assert weights(done.path) == weights(trained.path)


def test_what_was_killed_as_something_else_is_refused(setting: Setting, tmp_path: Path) -> None:
    output = tmp_path / "out"

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if (done, total) == (3, 10):
            raise StopError

    with pytest.raises(StopError):
        train(str(setting.recipe), output, progress=stop)
    with pytest.raises(RunError, match=r"an unfinished training of something else \(learning_rate: 0.001, now 0.002\)"):
        train(str(setting.recipe), output, overrides=["learning_rate=0.002"])
    rows = setting.data.read_text()
    try:
        setting.data.write_text(rows.replace("good apple", "good pear"))
        with pytest.raises(RunError, match=r"something else \(data: "):
            train(str(setting.recipe), output)
    finally:
        setting.data.write_text(rows)
    assert train(str(setting.recipe), output) is not None


def test_a_second_training_of_the_same_folder_is_refused_and_the_first_is_not_disturbed(
    setting: Setting, trained: Trained, tmp_path: Path
) -> None:
    output = tmp_path / "both"
    [process] = start(setting.recipe, output)
    marker = output / "checkpoints" / "checkpoint-2" / "complete"
    while not marker.exists() and process.is_alive():
        time.sleep(0.002)
    with pytest.raises(RunError, match=rf"another rmeval is writing to .*both \(process {process.pid} on .*\): wait"):
        train(str(setting.recipe), output)
    process.join(60)
    assert process.exitcode == 0
    assert weights(output) == weights(trained.path)


def test_the_folder_that_the_recipe_is_in_is_left_as_it_was(setting: Setting, tmp_path: Path) -> None:
    for name in ("README.md", "held-out/my-test-set.jsonl", "adapter/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(setting.recipe.read_bytes())
    for overwrite in (False, True):
        with pytest.raises(
            RunError, match=r"holds other files and no model trained here \(README.md, adapter, held-out"
        ):
            train(str(recipe), tmp_path, overwrite=overwrite)
    assert recipe.read_bytes() == setting.recipe.read_bytes()
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"README.md", "held-out/my-test-set.jsonl", "adapter/notes.txt", "recipe.yaml"}


def test_the_record_lists_what_was_written_and_overwriting_replaces_just_that(setting: Setting) -> None:
    first = setting.train("again", "max_steps=2", "eval_steps=2")
    files = {path.relative_to(first.path).as_posix() for path in first.path.rglob("*") if path.is_file()}
    # The pages are the command line's to write.
    assert set(first.record["files"]) - files == {"curves.html", "held-out/run/report.html"}
    assert files < set(first.record["files"])
    (first.path / "held-out" / "mine.jsonl").write_text("mine")
    second = setting.train("again", "max_steps=2", "eval_steps=2", "seed=2", overwrite=True)
    assert second.record["recipe"]["seed"] == 2
    assert {path.relative_to(first.path).as_posix() for path in first.path.rglob("*") if path.is_file()} == {
        *files, "held-out/mine.jsonl"
    }  # fmt: skip


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    setting: Setting, trained: Trained, tmp_path: Path
) -> None:
    """As it looks where files cannot grow: beyond a part of the encoded pairs, the model, the optimizer's state."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (4_000, 60_000, 110_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(
                RunError, match=r"cannot write .*full.*; make room, and give the same .*: it goes on$"
            ) as caught:
                train(str(setting.recipe), tmp_path / "full")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "\n" not in str(caught.value)
    assert train(str(setting.recipe), tmp_path / "full") is not None
    assert weights(tmp_path / "full") == weights(trained.path)


def test_a_finished_folder_is_left_alone(trained: Trained, setting: Setting) -> None:
    with pytest.raises(RunError, match="holds a finished model"):
        train(str(setting.recipe), trained.path)


# --- several processes ------------------------------------------------------------------------------------------


def test_two_processes_give_the_curve_of_one(setting: Setting, trained: Trained, tmp_path: Path) -> None:
    processes = start(setting.recipe, tmp_path / "two", processes=2)
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    record = json.loads((tmp_path / "two" / "training.json").read_text())
    assert (record["hardware"]["devices"], record["hardware"]["gradient_accumulation_steps"]) == (2, 2)
    for name in ("loss", "margin", "accuracy", "held_out_loss", "held_out_accuracy", "learning_rate"):
        expected = trained.record["curves"][name]
        assert [step for step, _ in record["curves"][name]] == [step for step, _ in expected]
        assert [value for _, value in record["curves"][name]] == pytest.approx(
            [value for _, value in expected], abs=1e-4
        )


# --- with less, and what is wrong ---------------------------------------------------------------------------------


def test_without_held_out_pairs_the_last_weights_are_kept_and_nothing_is_claimed(setting: Setting) -> None:
    done = setting.train("blind", "held_out=0", "max_steps=2")
    assert (done.record["best_step"], done.record["results"]) == (None, [])
    assert "nothing is known of this model" in (done.path / "README.md").read_text()


def test_bfloat16_on_a_cpu_and_a_suite(setting: Setting) -> None:
    done = setting.train("low", "bf16=true", "eval_suite=mini", "max_steps=2", "eval_steps=2")
    [[step, accuracy]] = done.record["curves"]["suite_accuracy"]
    assert step == 2
    run = evaluate(str(done.path), "mini", model_options=ModelOptions(device="cpu", cache=False))
    assert run.info.results.overall is not None
    assert accuracy == run.info.results.overall.accuracy


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "global_batch_size=9",
            "global_batch_size 9 is not a multiple of per_device_train_batch_size 2 x 1 device = 2",
        ),
        ("lr_scheduler_type=cosin", "the recipe cannot be carried out: cosin is not a valid SchedulerType"),
        ("optim=adam", "the recipe cannot be carried out: adam is not a valid OptimizerNames"),
        ("optim=adamw_8bit", "optim adamw_8bit cannot be had: "),
        ("optim=lion_32bit", "optim lion_32bit cannot be had: "),
        ("optim=galore_adamw", "optim galore_adamw cannot be had: "),
        ("optim=paged_lion_32bit", "optim paged_lion_32bit cannot be had: "),
        ("lr_scheduler_type=cosine_with_min_lr", "lr_scheduler_type cosine_with_min_lr cannot be had: "),
        ("lr_scheduler_type=warmup_stable_decay", "lr_scheduler_type warmup_stable_decay cannot be had: "),
        ("eval_suite=maxi", "unknown suite 'maxi'"),
        ("eval_suite=pairs", "eval_suite 'pairs' has no rows of its own"),
    ],
)
def test_what_cannot_be_carried_out_is_one_clear_line(override: str, message: str, setting: Setting) -> None:
    with pytest.raises(UsageError) as caught:
        setting.train("wrong", override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (setting.folder / "wrong").exists()


def test_pairs_to_report_that_are_not_there_are_missed_before_training(setting: Setting) -> None:
    with pytest.raises(DataError, match=r"no such file or folder: \./absent\.jsonl"):
        setting.train("absent", "report_datasets=[./absent.jsonl]")


def test_a_classifier_is_trained_further(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(20))
    done = train(str(write_recipe(tmp_path / "recipe.yaml", base, data, max_steps=2)), tmp_path / "out")
    assert done is not None
    assert (done.record["model"]["head"], done.record["model"]["embeddings_added"]) == ("kept", 0)
