"""The model card, ``README.md``: what it was trained on and how, and what it reaches on what it was not."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from rmeval.eval.numbers.intervals import CONFIDENCE, METHOD
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.results.held_out import HELD_OUT
from rmeval.training_info import PairResult, TrainingRecord

__all__ = ["model_card"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_DATA = "https://huggingface.co/datasets/"
_LINES = ("longest", "shortest", "random")


def model_card(record: TrainingRecord, recipe: Recipe, name: str) -> str:
    """Return the card of a model that is called ``name``."""
    parts = [
        _front_matter(recipe, record, name),
        f"# {_text(name)}",
        _opening(record, recipe),
        _usage(),
        "## Results",
        _results(record),
        "## Data",
        _data(record),
        "## Recipe",
        f"```yaml\n{_changed(recipe)}```",
        _how(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _public(value: str) -> str:
    """Return a path of the machine as its last part: a card is for everybody. ``key=path`` keeps its key."""
    key, equals, rest = value.rpartition("=")
    return key + equals + (Path(rest).name if rest.startswith(("/", "~")) else rest)


def _front_matter(recipe: Recipe, record: TrainingRecord, name: str) -> str:
    fields: dict[str, object] = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["reward-model", "rmeval"],
    }
    if record.model.fingerprint.startswith("hub:") and _HUB_ID.fullmatch(recipe.model_name_or_path):
        fields["base_model"] = recipe.model_name_or_path
    if datasets := _datasets(record):
        fields["datasets"] = datasets
    fields |= _model_index(record, name)
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, width=120)}---"


def _datasets(record: TrainingRecord) -> list[str]:
    """Return the data sets on the Hub that the pairs came from: the one named, or the sources of prepared ones."""
    if record.data.revision is not None and _HUB_ID.fullmatch(record.data.dataset):
        return [record.data.dataset]
    homes = (each.home.removeprefix(_HUB_DATA) for each in record.licences if each.home.startswith(_HUB_DATA))
    return list(dict.fromkeys(home for home in homes if _HUB_ID.fullmatch(home)))


def _model_index(record: TrainingRecord, name: str) -> dict[str, object]:
    """Return what the Hub shows of the results: each set of pairs with its interval; nothing where there is none."""
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    results = [
        EvalResult(
            task_type="preference_evaluation",
            task_name="Preference evaluation",
            dataset_type=_public(result.name if result.name != HELD_OUT else record.data.dataset),
            dataset_name=_public(result.name) if result.name != HELD_OUT else "Held-out pairs",
            metric_type="accuracy",
            metric_name="Accuracy",
            metric_value=result.accuracy,
            metric_args={
                "n": result.n,
                "ties": result.ties,
                "low": result.low,
                "high": result.high,
                "confidence": CONFIDENCE,
                "interval": METHOD,
            },
        )
        for result in record.results
        if result.accuracy is not None
    ]
    return {"model-index": eval_results_to_model_index(name, results)} if results else {}


def _opening(record: TrainingRecord, recipe: Recipe) -> str:
    how = "LoRA adapters, merged into it, and a new head" if recipe.lora else "all weights"
    kept = "the last step's" if record.best_step is None else f"those of step {record.best_step} of {record.steps}"
    return (
        f"A reward model: {_text(_public(recipe.model_name_or_path))} with one output, trained on "
        f"{record.data.train:,} preference pairs with the Bradley–Terry loss ({how}). Its score is higher for "
        "the better of two answers to a prompt; "
        f"scores of different prompts are not comparable. The weights are {kept}.\n\n![Training curves](curves.png)"
    )


def _usage() -> str:
    return """## Usage

```
rmeval rewardbench --model THIS-FOLDER
```

```python
from transformers import AutoTokenizer, pipeline

folder = "THIS-FOLDER"  # where this file lies, or the model's id on the Hub
tokenizer = AutoTokenizer.from_pretrained(folder)
pipe = pipeline("text-classification", model=folder, tokenizer=tokenizer)
chat = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4."}]
text = tokenizer.apply_chat_template(chat, tokenize=False)
if tokenizer.bos_token and tokenizer("a").input_ids[0] == tokenizer.bos_token_id:
    text = text.removeprefix(tokenizer.bos_token)  # The tokenizer adds it.
score = pipe(text, function_to_apply="none", truncation=True)[0]["score"]
```"""


def _results(record: TrainingRecord) -> str:
    if not record.results:
        return "No pairs were held out, so nothing is known of this model."
    lines = [
        "Share of pairs in which the better answer scores higher, with its 95% interval; a tie is wrong. Each pair was",
        "scored once, when training was over. Beside it what reference lines reach, which choose by length or chance.",
        "",
        "| pairs | n | accuracy | 95% interval | longest | shortest | random | calibration error |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(_text(_public(result.name)), result) for result in record.results),
    ]
    for result in record.results:
        name = _text(_public(result.name))
        if len(result.subsets) > 1:  # Of one subset the row above says all.
            lines += ["", f"By subset of {name}, with 95% intervals:", ""]
            lines += ["| subset | n | accuracy | 95% interval |"]
            lines += ["| --- | ---: | ---: | ---: |"]
            lines += [
                f"| {_text(subset)} | {n:,} | {_percent(accuracy)} | {_interval(low, high)} |"
                for subset, (n, accuracy, low, high) in result.subsets.items()
            ]
        if result.prompts_that_train:
            lines += ["", f"{result.prompts_that_train:,} pairs of {name} have a prompt that was trained on."]
    return "\n".join(lines)


def _row(name: str, result: PairResult) -> str:
    lines = " | ".join(_percent(result.reference_lines.get(line)) for line in _LINES)
    error = result.metrics.get("ece")
    return (
        f"| {name} | {result.n:,} | {_percent(result.accuracy)} | {_interval(result.low, result.high)} | {lines} | "
        f"{'–' if error is None else f'{error:.3f}'} |"
    )


def _data(record: TrainingRecord) -> str:
    data = record.data
    lines = [
        f"{_text(_public(data.dataset))}"
        + (f" at {data.revision}" if data.revision else "")
        + f": {data.train:,} pairs train. "
        f"Held out by prompt ({_text(data.held_out_by)}): {data.selection:,} pairs chose the checkpoint, "
        f"{data.report:,} others are reported above; no prompt is in two of the three.",
        "",
        f"Fingerprint of the training pairs: `{data.fingerprint}`.",
    ]
    if data.dropped:
        lines += [
            "",
            "Left out: " + "; ".join(f"{count:,} ({_text(why)})" for why, count in data.dropped.items()) + ".",
        ]
    lines += [line for warning in data.warnings for line in ("", f"Take care: {_text(warning)}.")]
    if record.licences:
        lines += ["", "| source | pairs | licence |", "| --- | ---: | --- |"]
        lines += [
            f"| {_text(each.name)} ({_text(each.home)}) | {'–' if each.pairs is None else f'{each.pairs:,}'} | "
            f"{_text(each.licence) or 'not stated'} |"
            for each in record.licences
        ]
    else:
        lines += ["", "The data states no licences that rmeval could read: see where it came from."]
    return "\n".join(lines)


def _changed(recipe: Recipe) -> str:
    """Return the recipe as YAML without the keys that say nothing: those that are null or empty."""
    said = {key: value for key, value in recipe.model_dump(mode="json").items() if value not in (None, "", [])}
    said = {key: _public(value) if isinstance(value, str) else value for key, value in said.items()}
    if recipe.report_datasets:
        said["report_datasets"] = [_public(name) for name in recipe.report_datasets]
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)


def _how(record: TrainingRecord) -> str:
    model, hardware = record.model, record.hardware
    share = record.tokens.padded / record.tokens.given - 1
    lines = [
        f"- Head: {model.head}. Padding token `{model.pad_token}` ({model.pad_token_id}); embeddings added: "
        f"{model.embeddings_added}. Trained: {model.trainable:,} of {model.parameters:,} parameters.",
        f"- {hardware.devices} x {_text(hardware.device)}, {hardware.gradient_accumulation_steps} accumulation steps, "
        f"optimizer {hardware.optim}.",
        f"- {record.tokens.given:,} tokens an epoch, {share:.0%} more with padding; {record.tokens.truncated:,} "
        "conversations were cut off at their beginning.",
        *(f"- {_text(note)}" for note in hardware.notes),
        f"- Made by rmeval {record.rmeval_version}: `{_code(shlex.join(map(_public, record.command)))}`.",
        "- `training.json` has the rest.",
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.1%} to {high:.1%}"


def _text(text: str) -> str:
    """Return text from outside as Markdown that shows it."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
