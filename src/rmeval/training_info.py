"""What a training says of itself: the content of ``training.json``. Frozen values; ``docs/train.md`` explains the keys.

``rmeval train`` writes it; the model card and the page of ``reports`` show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from rmeval.types import Finding

SCHEMA_VERSION = 1
"""Of ``training.json``."""

Curves: TypeAlias = dict[str, list[tuple[int, float]]]
"""Name -> (step, value), in the order of the steps."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """How a recipe was carried out."""

    devices: int
    """Processes, each with a device of its own."""
    device: str
    """``cpu``, or the name of the GPU."""
    gradient_accumulation_steps: int
    optim: str
    attn_implementation: str | None
    gradient_checkpointing: bool
    """Whether the trainer does it; with FSDP, FSDP does."""
    fsdp: bool
    use_cpu: bool
    notes: tuple[str, ...]
    """What differs from the recipe, a line each."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What was done to the base model before the first step."""

    base: str
    revision: str | None
    """The commit of a Hub model."""
    fingerprint: str
    architecture: str
    parameters: int
    trainable: int
    """Parameters that training changes; the head included."""
    pad_token: str
    pad_token_id: int
    embeddings_added: int
    """Rows added to the embeddings for the padding token, each the mean of the others; no output depends on them."""
    head: str
    """``kept`` from the base model, or how it was drawn."""
    from_scratch: bool
    """Whether all other weights were drawn at random as well."""


@dataclass(frozen=True, slots=True)
class DataRecord:
    """What was trained and tested on."""

    dataset: str
    revision: str | None
    """The commit of a Hub data set."""
    fingerprint: str
    """sha256 over the pairs that train, in the data set's order."""
    train: int
    selection: int
    """Held-out pairs that choose the best checkpoint."""
    report: int
    """Held-out pairs that are scored once, when training is over."""
    held_out_by: str
    """How pairs came to be held out."""
    dropped: dict[str, int]
    """Pairs left out, by reason."""
    subsets: dict[str, int]
    """Pairs that train, by subset."""
    warnings: tuple[str, ...] = ()
    """What is odd about the division and the margins, a line each."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A source of the data, as the folder of prepared data says."""

    name: str
    home: str
    licence: str
    pairs: int | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where the tokens of the first epoch went."""

    given: int
    """Of all pairs, after truncation."""
    padded: int
    """With the padding that batches by length leave."""
    truncated: int
    """Conversations that lost their beginning."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """How a set of pairs turned out; the run has everything else."""

    name: str
    """``held-out``, or the data set as the recipe gives it."""
    run: str
    """Folder of the run, from the model's."""
    n: int
    """Pairs with finite scores."""
    accuracy: float | None
    """None where no pair has finite scores."""
    low: float | None
    """The 95% interval, as ``rmeval pairs`` has it: clustered by prompt."""
    high: float | None
    ties: int
    prompts_that_train: int
    """Pairs whose prompt is among the training pairs: 0 for held-out ones."""
    reference_lines: dict[str, float | None]
    """What the reference lines, which read nothing, reach."""
    metrics: dict[str, float]
    """``rmeval.trainer.loop.metrics`` of the margins."""
    subsets: dict[str, tuple[int, float | None, float | None, float | None]]
    """Subset -> n, accuracy, and the ends of its 95% interval."""


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The content of ``training.json``: everything needed to believe a trained model and to train it again."""

    schema_version: int
    rmeval_version: str
    created: str
    """ISO 8601, UTC."""
    command: tuple[str, ...]
    recipe: Mapping[str, object]
    """All of the recipe: key -> value, in plain JSON types."""
    hardware: Hardware
    model: ModelRecord
    data: DataRecord
    licences: tuple[Licence, ...]
    findings: tuple[Finding, ...]
    """What the audit noticed while encoding."""
    tokens: Tokens
    steps: int
    best_step: int | None
    """The step whose weights were kept; None where nothing was held out and the last ones were."""
    best_metrics: dict[str, float]
    """Of the held-out pairs that chose it: not to be reported, they had a say."""
    results: tuple[PairResult, ...]
    """Of pairs that were scored once, at the end."""
    curves: Curves
    files: tuple[str, ...]
    """What was written into the folder: what ``--overwrite`` may replace."""
    seconds: float
    """Since the last start, until the results."""
    environment: Mapping[str, str | int | float | None]
    """Versions and hardware."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), ensure_ascii=False))
        return plain
