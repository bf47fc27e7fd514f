"""What every target needs of a run: whose it is, what it is of, its numbers, and what may not be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmeval.data_prep.rows.hub import HubKind, is_hub_id
from rmeval.errors import UsageError
from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord, scored_examples
from rmeval.reports.run.summary import info_title
from rmeval.run_info import Estimate, Results, RunInfo, SubsetResult, in_short

__all__ = ["Export", "ExportOptions", "HubData", "Number", "hub_data", "model_id", "numbers", "refuse"]

Level: TypeAlias = Literal["overall", "section", "subset"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the caller says beside the run."""

    model_id: str | None = None
    """The model on the Hub, where the run does not say it."""
    organization: str | None = None
    """Who made the run."""
    task_id: str = "default"
    """The task's name in the ``eval.yaml`` of the benchmark's data set."""


@dataclass(frozen=True, slots=True)
class Export:
    """What would be sent."""

    target: str
    repository: str
    """The Hub repository that the pull request is for."""
    kind: HubKind
    title: str
    """Of the pull request."""
    files: Mapping[str, str]
    """Content by path in the repository."""
    notes: Sequence[str] = ()
    """What whoever sends it should know, a line each."""


@dataclass(frozen=True, slots=True)
class HubData:
    """The rows on the Hub that a run is of."""

    id: str
    split: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a run with all that belongs to it."""

    level: Level
    name: str
    estimate: Estimate
    subsets: Mapping[str, SubsetResult]
    """The subsets that it counts."""
    reference_lines: Mapping[str, float | None]
    formula: bool = False
    """True where it is a formula of the suite's, not a share of examples."""

    def count(self, name: str) -> int:
        """Return the sum of a count of its subsets: ``n``, ``ties``, ``invalid``, ``unparsed`` or ``truncated``."""
        return sum(getattr(each, name) for each in self.subsets.values())


def numbers(run: RunRecord) -> list[Number]:
    """Return a run's numbers, the overall one first, computed again from its scores.

    Raises:
        RunError: if the run's tables do not fit together.
    """
    suite = suite_of(run.info)
    results = compute_results(suite, run.info.weights, scored_examples(run), drift=run.info.drift)
    table = suite.sections(run.info.weights)
    found = []
    if results.overall is not None:
        counted = {name for section in table.values() if section.weight for name in section.subsets}
        own = {name: each for name, each in results.subsets.items() if not suite.by_sections or name in counted}
        lines = {name: each.overall for name, each in results.reference_lines.items()}
        found.append(Number("overall", "overall", results.overall, own, lines))
    for name, estimate in results.sections.items():
        own = {each: results.subsets[each] for each in table[name].subsets if each in results.subsets}
        found.append(Number("section", name, estimate, own, _lines(results, "sections", name)))
    for name, item in results.subsets.items():
        if item.accuracy is not None and item.low is not None and item.high is not None:
            estimate, lines = Estimate(item.accuracy, item.low, item.high), _lines(results, "subsets", name)
            found.append(Number("subset", name, estimate, {name: item}, lines, name in suite.formulas))
    return found


def _lines(results: Results, level: Literal["sections", "subsets"], name: str) -> dict[str, float | None]:
    return {
        line: (each.sections if level == "sections" else each.subsets).get(name)
        for line, each in results.reference_lines.items()
    }


def model_id(info: RunInfo, given: str | None) -> str:
    """Return the Hub id of a run's model.

    Raises:
        UsageError: if it has none, or what was given is none.
    """
    model = info.model
    if model.kind == "baseline":
        raise UsageError(f"{model.name} is a reference line, not a model: its results are sent nowhere")
    if given is not None:
        if not is_hub_id(given) or "/" not in given:
            raise UsageError(f"--model-id takes the id of a model on the Hub, such as my-org/my-model, not {given!r}")
        return given
    if not model.fingerprint.startswith("hub:") or not is_hub_id(model.name):
        raise UsageError(
            f"the run is of {model.name}, which is not on the Hub: name the model with --model-id ORG/NAME"
        )
    return model.name


def hub_data(info: RunInfo) -> HubData | None:
    """Return the rows on the Hub that a run is of; None where they are not there.

    A local copy that was found to be the benchmark counts as the benchmark.
    """
    suite, data = suite_of(info), info.data
    if data.revision is not None:
        return HubData(data.dataset, data.split, data.revision)
    whole = not info.partial and suite.dataset is not None and suite.packaged is None and suite.file is None
    return HubData(suite.dataset, suite.split, None) if whole and suite.dataset is not None else None


def refuse(info: RunInfo) -> HubData:
    """Refuse what must not stand on a model's page as a benchmark's result; return the benchmark's rows.

    Raises:
        UsageError: if the run is partial or of an unverified copy, its head untrained, or its rows are not on the Hub.
    """
    if info.partial:
        why = in_short(info.partial_reasons)
        raise UsageError(f"{info_title(info)} ({why}): only a whole run is sent to a model's page")
    if info.model.untrained_head:
        raise UsageError(f"the head of {info.model.name} is untrained: its scores mean nothing and are not sent")
    data = hub_data(info)
    if data is None:
        raise UsageError(
            f"the rows of {info.data.dataset} are not on the Hub, and a model's page names a data set there; "
            "--to every-eval-ever takes such runs"
        )
    if info.results.overall is None:
        raise UsageError("the run has no overall number: there is nothing to send")
    return data
