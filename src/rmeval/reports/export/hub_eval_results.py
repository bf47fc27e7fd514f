"""``.eval_results/*.yaml`` in a model's repository: one number a benchmark, shown on the model's page."""

from __future__ import annotations

import yaml

from rmeval.eval.numbers.intervals import CONFIDENCE, METHOD
from rmeval.records import RunRecord
from rmeval.reports.export.parts import Export, ExportOptions, Number, model_id, numbers, refuse

__all__ = ["hub_eval_results"]


def hub_eval_results(run: RunRecord, asked: ExportOptions) -> Export:
    """Return the entry of a run's overall number.

    Raises:
        UsageError: if the run is not one that a model's page may show.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    info = run.info
    data, model = refuse(info), model_id(info, asked.model_id)
    overall = next(each for each in numbers(run) if each.level == "overall")
    entry = EvalResultEntry(
        dataset_id=data.id,
        task_id=asked.task_id,
        value=overall.estimate.accuracy,
        dataset_revision=data.revision,
        date=info.created,
        notes=_notes(run, overall),
    )
    text = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, width=120)
    name = data.id.replace("/", "--") + ("" if asked.task_id == "default" else f"--{asked.task_id}")
    return Export(
        target="hub-eval-results",
        repository=model,
        kind="model",
        title=f"Add the result on {data.id} by rmeval",
        files={f".eval_results/{name}.yaml": text},
        notes=(
            f"the Hub shows it where {data.id} is a registered benchmark whose eval.yaml has the task {asked.task_id}",
        ),
    )


def _notes(run: RunRecord, overall: Number) -> str:
    """Return what the format has no field for: the interval and how it was made, counts, weights, versions."""
    info, estimate = run.info, overall.estimate
    parts = [
        f"accuracy as a share of 1; {CONFIDENCE:.0%} interval {estimate.low:.4f} to {estimate.high:.4f} ({METHOD})",
        f"{overall.count('n')} examples, {overall.count('ties')} ties, {overall.count('invalid')} invalid",
        f"weights {info.weights}" if info.weights else "",
        f"model {info.model.fingerprint}, {info.model.dtype}, at most {info.model.max_length} tokens",
        f"rmeval {info.rmeval_version}",
    ]
    return "; ".join(filter(None, parts))
