"""Published results: per-subset JSON files, as the ``rewardbench`` package writes them, and CSV tables of leaderboards.

The names in a file say which suite it is of. A JSON file has an accuracy a subset, so its sections are computed here,
with the leaderboard's own weights; files of one model with different subsets are joined where one of them has only
optional ones. A CSV has sections only, in percent and rounded: nothing can be computed again but the mean of its
sections, which is held against its own average.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.data_prep.rows.files import file_rows, reason
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError
from rmeval.eval.numbers.weights import overall_mean, weighted_mean
from rmeval.eval.suites import SUITES, Suite
from rmeval.reports.board.entries import Entry, Figure, SubsetFigure

__all__ = ["ROUNDING", "read_imports"]

ROUNDING = 0.1
"""By how many points an average of rounded sections may differ from the one published."""

_SLACK = 1e-9


class _OtherKindError(DataError):
    """A whole file, of something else than published results: in a folder it is passed over and named."""


def read_imports(paths: Iterable[Path], weights: str | None, csv_weights: str | None) -> tuple[list[Entry], list[str]]:
    """Read published results.

    Args:
        paths: Files, or folders in which they are looked for at any depth.
        weights: The weight table that sections of per-subset files are computed with, of suites that have it.
        csv_weights: The table that the sections of CSV files were made with; None where that is not known.

    Returns:
        The entries, in the order of the files, and the files in folders that are no results.

    Raises:
        DataError: if a file is missing, or holds results that are not what they should be; in a folder, other files may
            lie about, such as JSON that cannot be read.
    """
    paths = list(paths)
    files, ignored = _files(paths)
    named = {path.resolve() for path in paths}
    entries: list[Entry] = []
    loose: list[_PerSubset] = []
    for file in files:
        try:
            if file.suffix.lower() == ".csv":
                entries += _read_csv(file, csv_weights)
            else:
                loose.append(_read_json(file))
        except _OtherKindError:
            if file.resolve() in named:
                raise
            ignored.append(str(file))
    if paths and not entries and not loose:
        raise DataError(f"cannot import {', '.join(map(str, paths))}: no file of published results in it")
    return [*_join(loose, weights), *entries], ignored


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    found: dict[Path, Path] = {}
    ignored: list[str] = []
    for path in paths:
        visible = (item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        own = sorted(visible) if path.is_dir() else [path]
        results = [item for item in own if item.suffix.lower() in (".json", ".csv")]
        if not results:
            kind = "no .json or .csv file in it" if path.is_dir() else "not a .json or .csv file"
            raise DataError(f"cannot import {path}: {kind if path.exists() else 'no such file or folder'}")
        ignored += [str(item) for item in own if item not in results]
        for item in results:
            if not item.is_file():
                raise DataError(f"cannot import {path}: no such file or folder")
            found.setdefault(item.resolve(), item)
    return list(found.values()), ignored


# --- an accuracy a subset -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PerSubset:
    """One JSON file."""

    suite: Suite
    model: str
    accuracy: Mapping[str, float]
    others: tuple[str, ...]
    """Numbers that are of no subset of the benchmark."""
    file: Path

    @property
    def prior(self) -> bool:
        """True for a file of optional subsets alone, such as RewardBench's prior sets."""
        return not set(self.accuracy) & set(self.suite.expected)


def _read_json(file: Path) -> _PerSubset:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        """Return an object of JSON whose names all differ."""
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands there twice")
        return dict(pairs)

    def number(text: str) -> float:
        """Refuse NaN and the infinities, which JSON has not."""
        raise ValueError(f"{text} is no accuracy")

    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=once, parse_constant=number)
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise _OtherKindError(f"{file}: not JSON that can be imported ({reason(error)})") from None
    if not isinstance(value, dict) or not isinstance(value.get("model"), str) or not value["model"].strip():
        raise _OtherKindError(f'{file}: not a file of published results: it names no "model"')
    suite = _likeliest({suite.name: suite.homes(suite.default_weights) for suite in SUITES.values()}, value)
    if suite is None:
        raise _OtherKindError(f"{file}: it has the accuracy of no subset of a suite (known: {', '.join(SUITES)})")
    names = suite.homes(suite.default_weights)
    known = {name: _accuracy(item, name, file) for name, item in value.items() if name in names}
    others = tuple(name for name, item in value.items() if name not in names and type(item) in (int, float))
    return _PerSubset(suite, value["model"], known, others, file)


def _likeliest(names: Mapping[str, Iterable[str]], found: Iterable[str]) -> Suite | None:
    """Return the suite that has most of the names in a file; None where none has any."""
    found = set(found)
    counts = {suite: len(found & set(own)) for suite, own in names.items()}
    best = max(counts, key=counts.__getitem__)  # Of equals, the first in the table.
    return SUITES[best] if counts[best] else None


def _accuracy(value: object, name: str, file: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{file}: the accuracy of {name} is not a number: {json.dumps(value)[:80]}")
    if not 0 <= value <= 1:
        raise DataError(f"{file}: the accuracy of {name} is {value:g}, not between 0 and 1")
    return float(value)


def _join(loose: Sequence[_PerSubset], weights: str | None) -> list[Entry]:
    """Make an entry of each eval-set file, with the prior sets of the same model where they are there."""
    models: dict[tuple[str, str], list[_PerSubset]] = {}
    for each in loose:
        models.setdefault((each.suite.name, each.model), []).append(each)
    entries = []
    for (_, model), own in models.items():
        whole, prior = [each for each in own if not each.prior], [each for each in own if each.prior]
        if len(prior) > 1:
            files = " and ".join(str(each.file) for each in prior[:2])
            raise DataError(f"{files} both have the prior sets of {model!r}: import one of them")
        entries += [_entry([each, *prior], weights) for each in whole] or [_entry(prior, weights)]
    return entries


def _entry(files: Sequence[_PerSubset], asked: str | None) -> Entry:
    suite = files[0].suite
    weights = suite.table(asked)
    accuracy: dict[str, float] = {}
    for each in files:
        twice = next((name for name in each.accuracy if name in accuracy), None)
        if twice is not None:
            raise DataError(f"{files[0].file} and {each.file} both have {twice} of {each.model!r}: import one of them")
        accuracy |= each.accuracy
    table = suite.sections(weights)
    there = dict.fromkeys(accuracy, 1.0)
    sections = {name: weighted_mean(accuracy, section.of(there)) for name, section in table.items()}
    overall = overall_mean(suite, table, accuracy, {})
    others = [name for each in files for name in each.others]
    return Entry(
        model=files[0].model,
        suite=suite,
        weights=weights,
        overall=None if overall is None else Figure(overall),
        sections={name: Figure(value) for name, value in sections.items() if value is not None},
        subsets={name: SubsetFigure(accuracy[name]) for name in accuracy},
        source=" + ".join(each.file.name for each in files),
        counted=tuple(name for name, value in sections.items() if value is not None),
        facts=(f"in the file but of no section: {', '.join(others)}",) if others else (),
    )


# --- sections alone -----------------------------------------------------------------------------------------------


def _read_csv(file: Path, weights: str | None) -> list[Entry]:
    read: list[tuple[str, float | None, dict[str, float]]] = []
    suite: Suite | None = None
    titles: dict[str, str] = {}
    seen: dict[str, str] = {}
    for place, row in file_rows(file, str(file)):
        if not read:
            suite, titles = _columns(row, file)
        model = str(row["model"]).strip()
        if not model:
            raise DataError(f"{place}: no model")
        if model in seen:
            raise DataError(f"{place}: the model {model!r} is already there ({seen[model].rpartition(' line ')[2]})")
        seen[model] = place
        sections = {title: _percent(row[name], name, place) for name, title in titles.items() if name in row}
        present = {title: value for title, value in sections.items() if value is not None}
        average = _percent(row["avg"], "avg", place) if "avg" in row else None
        if average is None and not present:
            raise DataError(f"{place}: not a number")
        read.append((model, average, present))
    if suite is None:
        raise DataError(f"{file}: it has no rows")
    if max(max([average or 0.0, *sections.values()]) for _, average, sections in read) <= 1:
        raise DataError(f"{file}: its numbers are shares of 1; the leaderboard's table is in percent")
    counted = tuple(title for title in titles.values() if any(title in sections for _, _, sections in read))
    return [_published(suite, model, average, sections, counted, file, weights) for model, average, sections in read]


def _columns(row: Mapping[str, object], file: Path) -> tuple[Suite, dict[str, str]]:
    """Return the suite that a CSV is of, and its sections by the columns that they have there."""
    titles = {
        suite.name: {title.lower().replace(" ", "_"): title for title in suite.sections(suite.default_weights)}
        for suite in SUITES.values()
    }
    suite = _likeliest(titles, row) or next(iter(SUITES.values()))
    _check_columns(row, titles[suite.name], file)
    return suite, titles[suite.name]


def _check_columns(row: Mapping[str, object], columns: Iterable[str], file: Path) -> None:
    known = ["model", "avg", *columns]
    if not any(name in row for name in known):
        raise _OtherKindError(f"{file}: it has no column 'model' (known: {', '.join(known)})")
    for name in row:
        if name not in known:
            raise DataError(f"{file}: unknown column {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
    if "model" not in row:
        raise DataError(f"{file}: it has no column 'model' (known: {', '.join(known)})")


def _percent(value: object, name: str, place: str) -> float | None:
    """Return a cell's number, in percent; None for an empty one."""
    text = str(value).strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise DataError(f"{place}: {name} is {text[:40]!r}, not a number of percent between 0 and 100")
    return number


def _published(
    suite: Suite,
    model: str,
    average: float | None,
    sections: Mapping[str, float],
    counted: tuple[str, ...],
    file: Path,
    weights: str | None,
) -> Entry:
    table = suite.sections(suite.default_weights)  # The weights of sections are the same in all tables.
    own = weighted_mean(sections, {name: section.weight for name, section in table.items()})
    notes = []
    if average is None:
        notes.append("the file has no average: it was computed from the sections")
    elif own is not None and abs(own - average) > ROUNDING + _SLACK:
        notes.append(f"its published average, {average:.1f}, is not the mean of its sections, {own:.1f}")
    missing = [name for name in counted if name not in sections]
    if missing:
        notes.append(f"its average leaves out {', '.join(missing)}")
    shown = own if average is None else average
    return Entry(
        model=model,
        suite=suite,
        weights=weights,
        overall=None if shown is None else Figure(shown / 100),
        sections={name: Figure(value / 100) for name, value in sections.items()},
        subsets={},
        source=file.name,
        counted=counted,
        notes=tuple(notes),
    )
