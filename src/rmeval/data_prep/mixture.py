"""What a mixture is: a YAML file that names sources, and how much of each to take.

.. code-block:: yaml

    seed: 42                 # of every draw and of the split
    held_out: 500            # pairs of each source in the test split; or a fraction of all openings, such as 0.02
    near_duplicates: 0.8     # openings at least this similar stay in one split; off: only equal ones do
    sources:
      - name: hh-rlhf        # see rmeval list sources
      - name: pairs          # ready pairs of your own
        label: support-desk  # what its pairs are called; default: the name
        path: desk.jsonl     # file or folder beside this file, or a Hub id; default: the source's own
        split: train         # of a folder or Hub data set
        revision: 1a2b3c     # branch, tag or commit of a Hub data set
        min_score_gap: 0.5   # least difference of the two scores, in the source's unit
        max_pairs: 10000     # those with the lowest hash of seed, group and key
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rmeval.data_prep.rows.files import DATA_SUFFIXES
from rmeval.data_prep.sources import SOURCES
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.yaml_files import explain, read_yaml

__all__ = ["Mixture", "SourceEntry", "load_mixture", "mixture_names", "mixture_text"]

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = (".yaml", ".yml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceEntry(_Strict):
    """One source of a mixture."""

    name: str
    """A key of ``rmeval.data_prep.sources.SOURCES``."""
    label: str = ""
    """What its pairs are called, as their subset and in the ledger; unique in a mixture. Default: the name."""
    path: str | None = None
    """A file, a folder or a Hub id; None for the source's own Hub id."""
    split: str | None = None
    """None for the source's own."""
    revision: str | None = None
    """Branch, tag or commit of a Hub data set."""
    min_score_gap: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Least difference of a pair's scores, in the source's unit; None takes all."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Most pairs; those with the lowest hash of seed, group and key stay. None takes all."""

    @model_validator(mode="before")
    @classmethod
    def _default_label(cls, value: object) -> object:
        return {"label": value.get("name"), **value} if isinstance(value, Mapping) else value

    @field_validator("label")
    @classmethod
    def _plain_label(cls, value: str) -> str:
        if not _LABEL.fullmatch(value):
            raise ValueError(f"{value!r} is no label: write letters, digits, '-', '_' and '.', at most 64")
        return value


class Mixture(_Strict):
    """What to build pairs from; see the top of the module."""

    name: str
    """What it is called in the output. Default: the file's name without its ending."""
    seed: int = 42
    held_out: float | int
    """As an int, pairs of each source in the test split; as a float, the fraction of all openings."""
    near_duplicates: float | Literal[False] = 0.8
    """Least Jaccard similarity of near-duplicate openings, which stay in one split; False looks for none."""
    sources: tuple[SourceEntry, ...] = Field(min_length=1)

    @field_validator("held_out", mode="before")
    @classmethod
    def _a_share_or_a_number(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float) or not (isinstance(value, int) or value < 1):
            raise ValueError(f"write a whole number of pairs, such as 500, or a fraction, such as 0.02; not {value!r}")
        if not value >= 0:
            raise ValueError(f"it cannot be negative; found {value!r}")
        return value

    @field_validator("near_duplicates", mode="before")
    @classmethod
    def _a_similarity_or_off(cls, value: object) -> object:
        if value is not False and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1):
            raise ValueError(f"write a similarity above 0 and up to 1, such as 0.8, or off; not {value!r}")
        return value if value is False else float(cast("float", value))

    @field_validator("sources", mode="before")
    @classmethod
    def _a_list(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError(f"write a list, each entry with a name; not {type(value).__name__}")
        return tuple(value)

    @model_validator(mode="after")
    def _labels_are_unique(self) -> Mixture:
        labels = [entry.label for entry in self.sources]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two sources are called {label!r}: give one a label of its own")
        return self

    def with_paths(self, paths: Mapping[str, str]) -> Mixture:
        """Return the mixture with other places of some sources' rows, by label; their revisions are left out.

        Raises:
            UsageError: if no source has a label.
        """
        labels = [entry.label for entry in self.sources]
        for label in paths:
            if label not in labels:
                raise UsageError(
                    f"{self.name} has no source {label!r}{did_you_mean(label, labels)} (it has: {', '.join(labels)})"
                )
        entries = tuple(
            entry.model_copy(update={"path": paths[entry.label], "revision": None}) if entry.label in paths else entry
            for entry in self.sources
        )
        return self.model_copy(update={"sources": entries})


def load_mixture(name: str | Path) -> Mixture:
    """Read a mixture that ships with rmeval, by name, or one of your own, by path.

    Local paths in it are relative to its file; they come back as paths from where we are.

    Raises:
        UsageError: if there is none, or it is not what it should be; the message names file and place.
    """
    shipped = mixture_names()
    if str(name) in shipped:
        path = _folder() / f"{name}.yaml"
    else:
        path = Path(name).expanduser()
        if not path.exists() and path.suffix not in _SUFFIXES and len(path.parts) == 1:
            known = f"{did_you_mean(str(name), shipped)} (known: {', '.join(shipped)}; or the path of a YAML file)"
            raise UsageError(f"unknown mixture {str(name)!r}{known}")
    table = _read(path)
    try:
        mixture = Mixture.model_validate({"name": path.stem, **table})
    except ValidationError as error:
        raise UsageError(f"{path}: {explain(error, Mixture, sources=SourceEntry)}") from None
    for number, entry in enumerate(mixture.sources, start=1):
        if entry.name not in SOURCES:
            known = f"{did_you_mean(entry.name, SOURCES)} (known: {', '.join(SOURCES)})"
            raise UsageError(f"{path}: source {number}: unknown source {entry.name!r}{known}")
    entries = tuple(_beside(entry, path.parent) for entry in mixture.sources)
    return mixture.model_copy(update={"sources": entries})


def mixture_names() -> list[str]:
    """Return the names of the mixtures that ship with rmeval."""
    return sorted(path.stem for path in _folder().iterdir() if path.suffix == ".yaml")


def mixture_text(mixture: Mixture) -> str:
    """Return a mixture as YAML that ``load_mixture`` reads back."""
    plain = mixture.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _folder() -> Path:
    return Path(str(files("rmeval.data_prep") / "mixtures"))


def _read(path: Path) -> Mapping[str, object]:
    if not path.exists():
        raise UsageError(f"cannot read the mixture {path}: No such file or directory")
    table = read_yaml(path, "mixture")
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
        raise UsageError(f"{path} is no mixture: it needs the keys held_out and sources")
    return table


def _beside(entry: SourceEntry, folder: Path) -> SourceEntry:
    """Return an entry with a local path that is found from where we are; a Hub id stays as it is."""
    if entry.path is None:
        return entry
    path = folder / Path(entry.path).expanduser()
    local = entry.path.startswith((".", "/", "~")) or entry.path.lower().endswith(DATA_SUFFIXES) or path.exists()
    return entry.model_copy(update={"path": str(path)}) if local else entry
