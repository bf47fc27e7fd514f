"""What the page of a training reads: the content of ``training.json``, whose keys are in ``docs/train.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

__all__ = ["TrainingDocument"]


class RecipeDocument(TypedDict):
    """The recipe; the page lists all of it."""

    model_name_or_path: str
    seed: int


class HardwareDocument(TypedDict):
    """How the recipe was carried out."""

    devices: int
    device: str
    gradient_accumulation_steps: int
    optim: str
    notes: Sequence[str]


class Model(TypedDict):
    """What was done to the base model before the first step."""

    head: str
    pad_token: str
    pad_token_id: int
    embeddings_added: int
    trainable: int
    parameters: int


class Data(TypedDict):
    """What was trained and tested on."""

    dataset: str
    train: int
    selection: int
    report: int
    held_out_by: str
    dropped: Mapping[str, int]


class LicenceDocument(TypedDict):
    """A source of the data."""

    name: str
    home: str
    licence: str
    pairs: int | None


class TokensDocument(TypedDict):
    """Where the tokens of an epoch went."""

    given: int
    padded: int
    truncated: int


class PairResultDocument(TypedDict):
    """How a set of pairs turned out."""

    name: str
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    ties: int
    prompts_that_train: int
    reference_lines: Mapping[str, float | None]
    metrics: Mapping[str, float]
    subsets: Mapping[str, Sequence[float | None]]
    """Subset -> n, accuracy, and the ends of its 95% interval."""


class TrainingDocument(TypedDict):
    """The content of ``training.json``, as far as it is shown."""

    schema_version: int
    recipe: RecipeDocument
    hardware: HardwareDocument
    model: Model
    data: Data
    licences: Sequence[LicenceDocument]
    tokens: TokensDocument
    steps: int
    best_step: int | None
    results: Sequence[PairResultDocument]
    curves: Mapping[str, Sequence[Sequence[float]]]
    """Name -> (step, value), in the order of the steps."""
