"""From a mixture to a data set of preference pairs: the whole way, resumable by source.

    sources -> pairs (build) -> the pairs taken (select) -> train and test (split) -> overlap with benchmarks
    (contamination) -> Parquet, ledger, statistics, data card

Everything is made in ``.work`` inside the output folder and moved into place at the end, ``ledger.json`` last: a folder
without it is unfinished, and the same command goes on with the sources that are built. What is written depends on the
mixture and the rows alone: no path, no time, no number of workers.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from rmeval.data_prep.mixture import Mixture, load_mixture, mixture_text
from rmeval.data_prep.output import card
from rmeval.data_prep.output.ledger import Ledger, SourceLedger
from rmeval.data_prep.output.statistics_schema import MixtureStatistics, PairStatistics
from rmeval.data_prep.output.write import write_pairs
from rmeval.data_prep.overlap.contamination import OverlapReport
from rmeval.data_prep.overlap.search import PairsFile, find_contamination
from rmeval.data_prep.pairs import select
from rmeval.data_prep.pairs.build import Built, build_source
from rmeval.data_prep.pairs.columns import Tally
from rmeval.data_prep.split import assign as splits
from rmeval.data_prep.split.assign import Assigned
from rmeval.data_prep.split.held_out import Split
from rmeval.errors import DataError, RmevalError, RunError, UsageError
from rmeval.files import OutputFolder, output_folder, room
from rmeval.types import Example, Progress

__all__ = ["Prepared", "Stages", "prepare"]

LEDGER, STATISTICS, PAGE = "ledger.json", "statistics.json", "statistics.html"
_ABOUT = ("README.md", "mixture.yaml", "contamination.json", STATISTICS, PAGE, LEDGER)
_WORK = ".work"

Stages: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, work done and work in all."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A finished build."""

    path: Path
    """The output folder."""
    ledger: Ledger
    overlap: OverlapReport
    statistics: MixtureStatistics
    kept: tuple[str, ...]
    """Sources that had been built before, by an earlier start."""
    warnings: tuple[str, ...]
    """What is odd about the two splits, a line each."""


def prepare(
    mixture: str | Path | Mixture,
    output_dir: str | Path,
    *,
    paths: Mapping[str, str] | None = None,
    against: Mapping[str, Sequence[Example]] | None = None,
    drop_overlap: bool = False,
    seed: int | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Stages | None = None,
) -> Prepared:
    """Build a mixture.

    Args:
        mixture: a name of ``rmeval list mixtures``, the path of a YAML file, or a mixture.
        output_dir: the folder to write; ``datasets.load_dataset`` reads it.
        paths: label of a source -> file, folder or Hub id to read its rows from instead.
        against: name -> examples of benchmarks that the training split is compared with.
        drop_overlap: take training pairs with a benchmark's prompt out.
        seed: another one than the mixture's.
        workers: processes; None for as many as there are processors. The output does not depend on it.
        overwrite: replace a finished build.
        progress: told what is being done.

    Raises:
        UsageError, DataError: if the mixture or a source's rows are not what they should be; what is built by then is
            kept for the next start.
        RunError: if the folder cannot be written, or holds a finished build or anything else.
    """
    chosen = (mixture if isinstance(mixture, Mixture) else load_mixture(mixture)).with_paths(paths or {})
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    workers = _processors() if workers is None else workers
    if workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")
    folder = Path(output_dir)
    with _output_folder(folder, overwrite=overwrite) as output:
        work = folder / _WORK
        built = _build_all(chosen, work / "sources", workers, progress)
        taken = [select.select(each, chosen.seed) for each in built]
        assigned, split = splits.assign(chosen, built, taken, _stage(progress, "near-duplicates"))
        training = [PairsFile(each.built.pairs, each.training_ids) for each in assigned]
        overlap = find_contamination(against or {}, training, workers, _stage(progress, "overlap with benchmarks"))
        if drop_overlap:
            contaminated = pa.array(overlap.contaminated, pa.string())
            for each in assigned:
                each.drop_contaminated(contaminated)
        ledger = Ledger(chosen.name, chosen.seed, tuple(map(_source_ledger, assigned)))
        if not ledger.totals.train:
            raise DataError(f"{chosen.name}: no training pair is left: {_drops(ledger)}")
        staged = _emptied(work / "output")
        pairs = write_pairs(assigned, chosen.seed, staged / "data", _stage(progress, "writing"))
        statistics = _statistics(pairs, chosen, ledger, split, overlap if against else None)
        _write_about(staged, chosen, built, ledger, overlap, statistics, split.warnings)
        _publish(staged, output)
        shutil.rmtree(work)
    kept = tuple(each.entry.label for each in built if each.kept)
    return Prepared(folder, ledger, overlap, statistics, kept, split.warnings)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _emptied(staged: Path) -> Path:
    """Return a folder with an empty ``data`` in it, and nothing else."""
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "data").mkdir(parents=True)
    return staged


def _stage(progress: Stages | None, name: str) -> Progress | None:
    if progress is None:
        return None
    progress(name, 0, 0)
    return lambda done, total: progress(name, done, total)


def _build_all(mixture: Mixture, folder: Path, workers: int, progress: Stages | None) -> list[Built]:
    built: list[Built] = []
    for entry in mixture.sources:
        try:
            built.append(build_source(entry, folder / entry.label, workers, _stage(progress, entry.label)))
        except RmevalError as error:
            kept = f"; kept for the next start: {', '.join(each.entry.label for each in built)}" if built else ""
            raise type(error)(f"{error}{kept}") from error
    return built


# --- what is written --------------------------------------------------------------------------------------------


def _source_ledger(assigned: Assigned) -> SourceLedger:
    built, tally = assigned.built, assigned.built.tally
    source = built.source
    train, test = assigned.count(splits.TRAIN), assigned.count(splits.TEST)
    dropped = Tally.total([tally, Tally(dropped_pairs=assigned.dropped)]).dropped_pairs
    meanings = {**source.reasons, **select.REASONS, **splits.REASONS}
    return SourceLedger(
        name=built.entry.label,
        source=source.name,
        title=source.title,
        home=source.home,
        licence=source.licence,
        data=built.data,
        revision=built.revision,
        files=built.files,
        rules=source.rules,
        rows=tally.rows,
        used_rows=tally.used_rows,
        dropped_rows=tally.dropped_rows,
        candidates=tally.candidates,
        dropped_pairs=dropped,
        pairs=train + test,
        train=train,
        test=test,
        published=source.published,
        reasons={reason: meanings[reason] for reason in [*tally.dropped_rows, *dropped]},
    )


def _drops(ledger: Ledger) -> str:
    """Say in one line what became of every source's rows and pairs."""
    lines = []
    for source in ledger.sources:
        dropped = [
            f"{number:,} {what} {reason} ({source.reasons[reason]})"
            for what, reasons in (("rows", source.dropped_rows), ("pairs", source.dropped_pairs))
            for reason, number in reasons.items()
        ]
        held = [f"{source.test:,} pairs held out"] if source.test else []
        lines.append(f"{source.name}, {source.rows:,} rows: {', '.join([*dropped, *held]) or 'no pair'}")
    return "; ".join(lines)


def _statistics(
    pairs: PairStatistics, mixture: Mixture, ledger: Ledger, split: Split, overlap: OverlapReport | None
) -> MixtureStatistics:
    return {
        **pairs,
        "mixture": mixture.name,
        "ledger": [each.entry() for each in ledger.sources],
        "split": {
            "held_out": str(mixture.held_out),
            "openings": len(split.assigned),
            "near_duplicates": len(split.leads),
            "dropped_pairs": sum(counts.dropped for counts in split.pairs.values()),
        },
        "overlap": None if overlap is None else [asdict(subset) for subset in overlap.subsets],  # type: ignore[misc]
    }


def _write_about(
    folder: Path,
    mixture: Mixture,
    built: Sequence[Built],
    ledger: Ledger,
    overlap: OverlapReport,
    statistics: MixtureStatistics,
    warnings: Sequence[str],
) -> None:
    """Write everything but the pairs."""
    # Another machine has other paths: the names of local data stay, and of Hub data the commit.
    entries = tuple(
        each.entry.model_copy(update={"path": each.data if each.entry.path else None, "revision": each.revision})
        for each in built
    )
    text = mixture_text(mixture.model_copy(update={"sources": entries}))
    (folder / "mixture.yaml").write_text(text, encoding="utf-8")
    about = card.card(ledger, overlap, text, near_duplicates=mixture.near_duplicates is not False, warnings=warnings)
    (folder / "README.md").write_text(about, encoding="utf-8")
    for name, content in (
        ("contamination.json", asdict(overlap)),
        (STATISTICS, statistics),
        (LEDGER, ledger.to_json()),
    ):
        plain = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / name).write_text(plain + "\n", encoding="utf-8")


def _publish(staged: Path, output: OutputFolder) -> None:
    """Put what is staged in the place of what was there, the mark of a finished build last."""
    files = [path.relative_to(staged) for path in sorted(staged.rglob("*")) if path.is_file()]
    before = [name for name in output.owned if name.startswith("data/")]
    output.claim(map(Path.as_posix, files))
    output.remove([LEDGER, PAGE])
    output.remove(before)
    (output.path / "data").mkdir(exist_ok=True)
    for file in sorted(files, key=lambda file: file == Path(LEDGER)):
        os.replace(staged / file, output.path / file)


@contextmanager
def _output_folder(path: Path, *, overwrite: bool) -> Iterator[OutputFolder]:
    """Make the folder, see that it is ours to write, and keep others off it; what is not written to is gone afterwards.

    Raises:
        RunError: if it holds a finished build and ``overwrite`` is not set, or something else, if another process
            builds there, or if it cannot be written.
    """

    def written() -> list[str]:
        """Return the files of a finished build."""
        pairs = [file for split in ("train", "test") for file in path.glob(f"data/{split}-*-of-*.parquet")]
        return [*_ABOUT, *(file.relative_to(path).as_posix() for file in pairs)]

    with output_folder(
        path, what="build of a mixture", mark=LEDGER, overwrite=overwrite, written=written, alone=True
    ) as output:
        output.check(_ABOUT)
        output.claim([_WORK])
        try:
            with room(path):
                yield output
        except OSError as error:
            reason = error.strerror or error
            if error.filename is not None and not Path(error.filename).resolve().is_relative_to(path.resolve()):
                raise DataError(f"cannot use {error.filename}: {reason}") from None
            raise RunError(f"cannot write to the output folder {path}: {reason}") from None
