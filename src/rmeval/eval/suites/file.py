"""A suite without code: a YAML file that says where rows are, which columns are what, and how subsets are counted.

.. code-block:: yaml

    name: support-desk                # what runs of it are called
    title: Support desk               # default: the name
    dataset: desk.jsonl               # file or folder beside this file, or a Hub id; may be left out: then --dataset
    split: test                       # of a folder or Hub data set
    revision: 1a2b3c                  # branch, tag or commit of a Hub data set
    map:                              # as --map; columns that have the names of their fields may be left out
      prompt: question
      chosen: answers.good[]
      rejected: answers.bad[]
      subset: source~^[a-z]+
    lists: grid                       # of several right and wrong answers: all, each or grid
    ties: half                        # what a tie counts: wrong (0), half or right (1)
    sections:                         # subsets, alike or with weights
      Easy: [greetings, refunds]
      Hard: {legal: 2, billing: 1}
    weights: {Easy: 1, Hard: 2}       # of sections in the overall number; alike if left out
    overall: sections                 # the mean of sections, or of all examples
    expected: {greetings: 40}         # examples of each subset of the whole set
    fingerprint: sha256:…             # of the whole set's examples: a copy elsewhere that has it is the benchmark
    layout: [["data/*.jsonl"]]        # which files of a folder are the rows, or other ones where there is none of these
    columns: [ticket, answer_1]       # what only rows of this benchmark have
    about: {…}                        # what its page says: rmeval.eval.suites.base.About
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.examples import to_examples, unroll
from rmeval.data_prep.rows.files import DATA_SUFFIXES
from rmeval.data_prep.rows.in_memory import Rows
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError, UsageError
from rmeval.eval.suites.base import About, Having, Read, Section, Suite
from rmeval.eval.suites.credit_rules import TIES, Ties
from rmeval.eval.suites.patterns import named
from rmeval.types import Finding, Lists
from rmeval.yaml_files import explain, read_yaml

__all__ = ["SuiteFile", "load_suite", "read_text", "shipped_suites"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TABLE = "file"
"""What the weight table of a suite file is called."""


class SuiteFile(BaseModel):
    """What a suite file may say; see the top of the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = ""
    description: str = ""
    dataset: str | None = None
    split: str | None = None
    revision: str | None = None
    map: dict[str, str] = Field(default_factory=dict)
    lists: Lists = "all"
    ties: Ties = "wrong"
    sections: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Weights of subsets, by section."""
    weights: dict[str, float] = Field(default_factory=dict)
    overall: Literal["sections", "examples"] = "sections"
    expected: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    fingerprint: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    layout: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    about: About | None = None

    @field_validator("name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no name: write letters, digits, '-', '_' and '.', at most 64")
        return value

    @field_validator("map", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {str(key): _text(each) if isinstance(each, str | int | float) else each for key, each in value.items()}

    @field_validator("sections", mode="before")
    @classmethod
    def _weighted(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        found: dict[str, object] = {}
        for key, each in value.items():
            names = [str(name) for name in each] if isinstance(each, list) else each
            if isinstance(names, list) and len(set(names)) < len(names):
                raise ValueError(f"section {key} names a subset twice")
            found[str(key)] = dict.fromkeys(names, 1) if isinstance(names, list) else _named(names)
        return found

    @field_validator("weights", "expected", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return _named(value)

    @model_validator(mode="after")
    def _fits_together(self) -> SuiteFile:
        try:
            ColumnMap.parse(self.map)
        except UsageError as error:
            raise ValueError(error) from None
        counted = [subset for section in self.sections.values() for subset in section]
        for name, section in self.sections.items():
            if not section:
                raise ValueError(f"section {name} has no subset")
            for subset, weight in section.items():
                if not 0 < weight < 1e9:
                    raise ValueError(f"section {name}: the weight of {subset} is {weight:g}, not a number above 0")
        for name, weight in self.weights.items():
            if name not in self.sections:
                raise ValueError(f"weights: no section {name!r}{did_you_mean(name, self.sections)}")
            if not 0 <= weight < 1e9:
                raise ValueError(f"weights: that of {name} is {weight:g}, not 0 or more")
        if self.sections and not any(self.weights.get(name, 1) for name in self.sections):
            raise ValueError("weights: no section has one above 0")
        for subset in counted if self.expected else ():
            if subset not in self.expected:
                raise ValueError(f"sections: {subset!r} is not in expected{did_you_mean(subset, self.expected)}")
        return self


def load_suite(path: str | Path, known: Mapping[str, Suite]) -> Suite:
    """Read a suite file; its data set, if it lies beside the file, is found from where we are.

    Args:
        path: The file.
        known: Suites whose names are taken.

    Raises:
        UsageError: if there is no such file or it is not what it should be; the message names the place.
    """
    path = Path(path).expanduser()
    table = read_yaml(path, "suite file")
    parsed = _validated(table, str(path))
    if parsed.name in known:
        raise UsageError(f"{path}: there is a suite {parsed.name!r} already: give yours another name")
    suite = _suite(parsed)
    if suite.dataset is None:
        return suite
    beside = path.parent / Path(suite.dataset).expanduser()
    local = suite.dataset.startswith((".", "/", "~")) or suite.dataset.lower().endswith(DATA_SUFFIXES)
    return replace(suite, dataset=os.path.normpath(beside)) if local or beside.exists() else suite


def shipped_suites() -> list[Suite]:
    """Return the suites of the files that ship with rmeval; their runs know them by name, as those made in Python."""
    folder = Path(str(files("rmeval.eval.suites"))) / "files"
    return [replace(load_suite(path, {}), file=None) for path in sorted(folder.glob("*.yaml"))]


@lru_cache(maxsize=64)
def read_text(text: str) -> Suite:
    """Return the suite of the text that a run carries.

    Raises:
        UsageError: if it is damaged.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("it is not JSON") from None
    return _suite(_validated(table, "it"))


def _validated(table: object, what: str) -> SuiteFile:
    if not isinstance(table, Mapping):
        raise UsageError(f"{what} is no suite file: it needs keys, such as name and dataset")
    try:
        return SuiteFile.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"{what}: {explain(error, SuiteFile)}") from None


def _suite(parsed: SuiteFile) -> Suite:
    sections = {name: Section(parsed.weights.get(name, 1.0), subsets) for name, subsets in parsed.sections.items()}
    return Suite(
        name=parsed.name,
        title=parsed.title or parsed.name,
        description=parsed.description or f"the suite file {parsed.name}",
        dataset=parsed.dataset,
        split=parsed.split,
        revision=parsed.revision,
        read=partial(_read, parsed),
        rule=TIES[parsed.ties],
        weights={_TABLE: sections} if sections else {},
        overall=parsed.overall,
        expected=parsed.expected,
        fingerprint=parsed.fingerprint,
        file=parsed.model_dump_json(exclude_defaults=True, exclude={"about"}),
        layout=parsed.layout,
        is_row=Having(parsed.columns) if parsed.columns else None,
        about=parsed.about,
    )


def _read(parsed: SuiteFile, rows: Rows) -> Read:
    """Turn rows into examples by the file's map.

    Raises:
        DataError: if a column that the map names is in no row, or a section counts a subset that no row is of.
    """
    noticed: list[Finding] = []
    if parsed.map:
        rows, noticed = ColumnMap.parse(parsed.map).apply(rows)
    examples, findings = to_examples(rows, default_subset="all")
    there = dict.fromkeys(example.subset for example in examples)
    for name, section in parsed.sections.items():
        for subset in section:
            if not named(subset, list(there)) and subset not in parsed.expected:
                known = f"{did_you_mean(subset, there)} (it has: {', '.join(there)})"
                raise DataError(f"section {name} counts the subset {subset!r}, of which {rows.name} has no row{known}")
    return unroll(examples, parsed.lists), [*noticed, *findings]


def _text(value: str | int | float) -> str:
    """Return what YAML took for a number or a truth value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(value: object) -> object:
    """Return a mapping with names for keys; a truth value is not a number."""
    if not isinstance(value, Mapping):
        return value
    wrong = next((key for key, each in value.items() if isinstance(each, bool)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is {value[wrong]}, not a number")
    return {str(key): each for key, each in value.items()}
