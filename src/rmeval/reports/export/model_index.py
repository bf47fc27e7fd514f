"""``model-index`` in the metadata of a model's README.md: every number of a run, subsets among them."""

from __future__ import annotations

from typing import Any

import yaml

from rmeval.errors import RunError
from rmeval.eval.numbers.intervals import CONFIDENCE, METHOD
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord
from rmeval.reports.export.parts import Export, ExportOptions, Number, model_id, numbers, refuse

__all__ = ["CARD", "merged", "model_index"]

CARD = "README.md"
_TASK = "preference_evaluation"


def model_index(run: RunRecord, asked: ExportOptions) -> Export:
    """Return the metadata with the overall number, the sections' and the subsets'.

    Raises:
        UsageError: if the run is not one that a model's page may show.
    """
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    info = run.info
    data, model = refuse(info), model_id(info, asked.model_id)
    title = suite_of(info).title
    results = [
        EvalResult(
            task_type=_TASK,
            task_name="Preference evaluation",
            dataset_type=data.id,
            dataset_name=title,
            dataset_split=data.split,
            dataset_revision=data.revision,
            dataset_args={"weights": info.weights} if info.weights else None,
            metric_type="score" if number.formula else "accuracy",
            metric_name=_name(number),
            metric_value=number.estimate.accuracy,
            metric_args=_args(number),
        )
        for number in numbers(run)
    ]
    metadata = {"model-index": eval_results_to_model_index(model.rpartition("/")[2], results)}
    return Export(
        target="model-index",
        repository=model,
        kind="model",
        title=f"Add the results on {data.id} by rmeval",
        files={CARD: f"---\n{yaml.safe_dump(metadata, sort_keys=False, width=120)}---\n"},
        notes=("this is metadata for README.md; what else stands there stays",),
    )


def merged(current: str, ours: str) -> str:
    """Return a README.md with our results in its metadata, in place of older ones of the same name.

    Args:
        current: the README.md that is there; may be empty.
        ours: one with our metadata.

    Raises:
        RunError: if the metadata that is there cannot be read.
    """
    from huggingface_hub import ModelCard

    try:
        card = ModelCard(current)
    except Exception as error:  # YAML's own errors, and whatever huggingface_hub says of odd metadata.
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"cannot read the metadata of the model's {CARD} ({reason}): mend it first") from error
    data: Any = card.data
    new: Any = ModelCard(ours).data
    names = {_key(each) for each in new.eval_results}
    data.eval_results = [*(each for each in data.eval_results or [] if _key(each) not in names), *new.eval_results]
    data.model_name = data.model_name or new.model_name
    return str(card)


def _key(result: Any) -> tuple[object, ...]:
    """Return what tells results apart: data and number, not the revision, which changes with the next run."""
    return result.task_type, result.dataset_type, result.dataset_config, result.dataset_split, result.metric_name


def _name(number: Number) -> str:
    return "Overall" if number.level == "overall" else f"{number.level.capitalize()}: {number.name}"


def _args(number: Number) -> dict[str, Any]:
    """Return what belongs to a number and has no field of its own."""
    return {
        "n": number.count("n"),
        "ties": number.count("ties"),
        "invalid": number.count("invalid"),
        "low": number.estimate.low,
        "high": number.estimate.high,
        "confidence": CONFIDENCE,
        "interval": METHOD,
    }
