"""Every Eval Ever 0.3.0: one JSON a run with every number and its interval, and a row an example beside it."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rmeval.eval.numbers.credits import Judged, judge
from rmeval.eval.numbers.intervals import CONFIDENCE, METHOD
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord, scored_examples
from rmeval.reports.export.parts import Export, ExportOptions, Number, hub_data, model_id, numbers
from rmeval.reports.run.summary import info_title
from rmeval.run_info import RunInfo
from rmeval.run_tables import parse_messages

__all__ = ["DATASTORE", "VERSION", "every_eval_ever"]

DATASTORE = "evaleval/EEE_datastore"
VERSION = "0.3.0"


def every_eval_ever(run: RunRecord, asked: ExportOptions) -> Export:
    """Return a run's record and, where the run has texts, its samples.

    A partial run keeps its own title there. Names are made of the run, so that the same run is the same files.

    Raises:
        UsageError: if the model has no id.
        RunError: if the run's tables do not fit together.
    """
    info = run.info
    model = model_id(info, asked.model_id)
    developer, _, name = model.rpartition("/")
    place = f"data/{_slug(info.suite)}/{developer or 'unknown'}/{name}/{_uuid(info)}"
    moment = str(int(datetime.fromisoformat(info.created).timestamp()))
    identity = f"{info.suite}/{model}/{moment}"
    record: dict[str, Any] = {
        "schema_version": VERSION,
        "evaluation_id": identity,
        "evaluation_timestamp": info.created,
        "retrieved_timestamp": moment,
        "source_metadata": _source(info, asked, developer),
        "eval_library": {"name": "rmeval", "version": info.rmeval_version},
        "model_info": _model(info, model, developer),
        "evaluation_results": [_result(info, number, identity) for number in numbers(run)],
    }
    files, notes = {}, []
    if "prompt" in run.examples_table.column_names:
        samples = "".join(f"{json.dumps(row)}\n" for row in _samples(run, identity, model))
        files[f"{place}_samples.jsonl"] = samples
        record["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": f"{place}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(samples.encode()).hexdigest(),
            "total_rows": samples.count("\n"),
        }
        notes.append("the samples hold the prompts and answers of the data: send them only where its licence allows it")
    else:
        notes.append("the run was made with --no-text, so no samples are among the files")
    files[f"{place}.json"] = json.dumps(record, indent=1) + "\n"
    return Export(
        target="every-eval-ever",
        repository=DATASTORE,
        kind="dataset",
        title=f"Add {model} on {info_title(info)} by rmeval",
        files=files,
        notes=tuple(notes),
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "suite"


def _uuid(info: RunInfo) -> uuid.UUID:
    """Return a name for the run's files: the same for the same run."""
    text = json.dumps(asdict(info), sort_keys=True, default=str)
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4)


def _source(info: RunInfo, asked: ExportOptions, developer: str) -> dict[str, Any]:
    who = asked.organization
    relationship = "other" if who is None else "first_party" if who.lower() == developer.lower() else "third_party"
    return {
        "source_name": "rmeval",
        "source_type": "evaluation_run",
        "source_organization_name": who or "not stated",
        "evaluator_relationship": relationship,
    }


def _model(info: RunInfo, model: str, developer: str) -> dict[str, Any]:
    own = info.model
    said = {
        "kind": own.kind,
        "fingerprint": own.fingerprint,
        "revision": own.revision,
        "architecture": own.architecture,
        "parameters": own.parameters,
        "dtype": own.dtype,
        "max_length": own.max_length,
        "template_hash": own.template_hash,
    }
    here = own.kind == "classifier"
    return {
        "name": own.name if own.fingerprint.startswith("hub:") else model,
        "id": model,
        **({"developer": developer} if developer else {}),
        **({"inference_engine": {"name": "rmeval", "version": info.rmeval_version}} if here else {}),
        "additional_details": {
            "deployment_type": "self_deployed" if here else "unknown",
            "model_availability": "open_weights" if own.fingerprint.startswith("hub:") else "unknown",
            **_strings(said),
        },
    }


def _result(info: RunInfo, number: Number, identity: str) -> dict[str, Any]:
    estimate = number.estimate
    title = info_title(info)
    kind = f"{info.suite}.{number.name}" if number.formula else "accuracy"
    counts = {name: number.count(name) for name in ("ties", "invalid", "unparsed", "truncated")}
    lines = {f"reference_line_{name}": value for name, value in number.reference_lines.items()}
    reasons = "; ".join(info.partial_reasons).replace(info.data.dataset, _public(info.data.dataset)) or None
    return {
        "evaluation_result_id": _result_id(identity, number.level, number.name),
        "evaluation_name": title if number.level == "overall" else f"{title} / {number.name}",
        "source_data": _data(info),
        "evaluation_timestamp": info.created,
        "metric_config": {
            "metric_id": kind,
            "metric_name": "Accuracy" if not number.formula else f"{number.name} (a formula of the benchmark's own)",
            "metric_kind": "score" if number.formula else "accuracy",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": max(1.0, estimate.accuracy),
            "additional_details": _strings({"level": number.level, "weights": info.weights}),
        },
        "score_details": {
            "score": estimate.accuracy,
            "details": _strings({**counts, **lines, "partial": reasons}),
            "uncertainty": {
                "confidence_interval": {
                    "lower": estimate.low,
                    "upper": estimate.high,
                    "confidence_level": CONFIDENCE,
                    "method": METHOD,
                },
                "num_samples": number.count("n"),
            },
        },
    }


def _result_id(identity: str, level: str, name: str) -> str:
    return f"{identity}#{level}" if level == "overall" else f"{identity}#{level}/{name}"


def _data(info: RunInfo) -> dict[str, Any]:
    data, rows = info.data, hub_data(info)
    details = _strings({"revision": rows.revision if rows else None, "fingerprint": data.fingerprint})
    if rows is None:
        return {"dataset_name": _public(data.dataset), "source_type": "other", "additional_details": details}
    return {
        "dataset_name": rows.id,
        "source_type": "hf_dataset",
        "hf_repo": rows.id,
        **({"hf_split": rows.split} if rows.split else {}),
        "samples_number": data.rows,
        "additional_details": details,
    }


def _public(dataset: str) -> str:
    """Return a file's name alone: where it lies on this machine is nobody's business."""
    return Path(dataset).name or dataset


def _samples(run: RunRecord, identity: str, model: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each valid example: the mean of a subset's scores is the subset's number."""
    title = info_title(run.info)
    table = run.examples_table
    there = [name for name in ("prompt", "completions", "tools") if name in table.column_names]
    for judged, texts in zip(
        judge(suite_of(run.info), scored_examples(run)), table.select(there).to_pylist(), strict=True
    ):
        if judged.valid:
            yield _sample(judged, texts, title, identity, model)


def _sample(judged: Judged, texts: dict[str, str], title: str, identity: str, model: str) -> dict[str, Any]:
    example, outcome = judged.example, judged.outcome
    choices = [_text(json.dumps(each)) for each in json.loads(texts["completions"])]
    scores = [*example.chosen, *example.rejected]
    chosen = choices[: len(example.chosen)]
    raw = _text(texts["prompt"])
    best = max(range(len(scores)), key=scores.__getitem__)
    said = {
        "subset": example.subset,
        "tag": example.tag or None,
        "tools": texts.get("tools") or None,
        "outcome": outcome.kind,
        "margin": outcome.margin,
        "truncated": example.truncated or None,
    }
    return {
        "schema_version": VERSION,
        "evaluation_id": identity,
        "model_id": model,
        "evaluation_name": f"{title} / {example.subset}",
        "evaluation_result_id": _result_id(identity, "subset", example.subset),
        "sample_id": example.id,
        "sample_hash": hashlib.sha256("".join((raw, *chosen)).encode("utf-8", "replace")).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": raw, "reference": chosen, "choices": choices},
        "output": {"raw": [repr(score) for score in scores]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": choices[best],
                "extraction_method": "highest score",
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": outcome.credit, "is_correct": outcome.kind == "right", "num_turns": 1},
        "metadata": _strings(said),
    }


def _text(messages: str) -> str:
    """Return messages as one text: the content alone of a single one that says no more, else their JSON."""
    parsed = parse_messages(messages)
    return parsed[0].content if len(parsed) == 1 and not parsed[0].extra else messages


def _strings(values: dict[str, Any]) -> dict[str, str]:
    """Return what the schema wants of details: text, and only what is there."""
    return {key: str(value) for key, value in values.items() if value is not None}
