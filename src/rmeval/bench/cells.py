"""The pytest plugin of a sweep: gives ``timed.py`` its cells, and keeps what comes of them.

It loads the model when the setting changes, and writes the files after every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from rmeval.bench import storage
from rmeval.bench.measure.ceiling import Ceiling, clock
from rmeval.bench.measure.cell import Fixture, WarmCell, best_cells, complete, measured_row, planned_row
from rmeval.bench.measure.fidelity import FidelityCheck
from rmeval.bench.measure.memory import Peak
from rmeval.bench.measure.pipeline import load_pipeline, score_both
from rmeval.bench.plan import Sweep
from rmeval.bench.subjects.model import DoesNotFitError, Subject, Subjects
from rmeval.bench_info import BenchDocument, Cell, CellRow, PipelineInfo, Planned, Setting, Unmeasured, values_of
from rmeval.errors import ModelError

Note = Callable[[str], None]
REFERENCE = Setting("float32")


class Cells:
    """The pytest plugin: knows the plan, holds the model in memory, keeps what was measured.

    Args:
        planned: The plan.
        source: Where models come from.
        sweep: What was asked for.
        device: Where to run.
        ceiling: The machine's; goes on being measured.
        check: Of each setting's fidelity; None where there is nothing to compare with.
        document: What the file holds; changed in place.
        folder: Where it is written.
        note: Told a line a cell.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        source: Subjects,
        sweep: Sweep,
        device: torch.device,
        ceiling: Ceiling,
        check: FidelityCheck | None,
        document: BenchDocument,
        folder: Path,
        note: Note,
    ) -> None:
        self._source, self._sweep, self._device = source, sweep, device
        self._ceiling, self._check = ceiling, check
        self._document, self._own, self._folder, self._note = document, document["rmeval"], folder, note
        self.left = [each.cell for each in planned if each.reason is None and not self._is_done(each.cell)]
        self._setting: Setting | None = None
        self._subject: Subject | None = None
        self._failed: DoesNotFitError | ModelError | None = None
        """Why the present setting could not be loaded."""
        self._load_seconds = 0.0
        self._timed: list[WarmCell] = []
        """The present setting's cells that were timed."""
        self._pipeline: Callable[..., object] | None = None
        self.failure: BaseException | None = None
        """What ended the session early."""
        self.regressions: list[tuple[str, str]] = []
        """What pytest-benchmark's ``--benchmark-compare-fail`` found."""

    # --- pytest's side ------------------------------------------------------------------------------------------

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Fill in what pytest-benchmark says of the machine and the time."""
        hook, machine = session.config.hook, session.config._benchmarksession.get_machine_info()  # type: ignore[attr-defined]
        commit = hook.pytest_benchmark_generate_commit_info(config=session.config)
        head = hook.pytest_benchmark_generate_json(
            config=session.config, benchmarks=[], include_data=True, machine_info=machine, commit_info=commit
        )
        head.pop("benchmarks", None)
        self._document.update(head)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One set of parameters a cell: plain values, which pytest-benchmark stores."""
        sets = [
            (each.setting.dtype, each.setting.attention, each.setting.compile, each.batch_size, each.length)
            for each in self.left
        ]
        names = [each.name for each in self.left]
        metafunc.parametrize(("dtype", "attention", "compile", "batch_size", "length"), sets, ids=names)

    @pytest.fixture(name="cells")
    def cells_fixture(self) -> Cells:
        """Return this plugin."""
        return self

    @pytest.fixture(name="prepared")
    def prepared_fixture(
        self,
        request: pytest.FixtureRequest,
        dtype: str,
        attention: str,
        compile: str,
        batch_size: int,
        length: int | None,
    ) -> WarmCell:
        """Send a cell's first request, and tell pytest-benchmark how to go on."""
        cell = Cell(Setting(dtype, attention, compile), batch_size, length)
        try:
            prepared = self._prepare(cell)
        except (DoesNotFitError, ModelError) as error:
            self._skip(cell, error)
        request.node.add_marker(pytest.mark.benchmark(**prepared.options(clock(self._device))))
        return prepared

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        """Remember what went wrong; pytest itself prints nothing here."""
        if call.excinfo is not None and self.failure is None:
            self.failure = call.excinfo.value

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Remember what went wrong in a hook; True keeps pytest from printing it."""
        self.failure = self.failure or excinfo.value
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember Ctrl-C."""
        self.failure = excinfo.value

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take over what pytest-benchmark's own comparison found."""
        self.regressions = [
            (name, str(fail))
            for name, fail in config._benchmarksession.performance_regressions  # type: ignore[attr-defined]
        ]

    # --- the sweep's side ---------------------------------------------------------------------------------------

    def measure(self, prepared: WarmCell, benchmark: Fixture) -> None:
        """Time a cell, and keep and write what came of it."""
        cell = prepared.cell
        try:
            times = prepared.run(benchmark)
        except DoesNotFitError as error:  # Memory that was there a moment ago.
            self._skip(cell, error)
        row = measured_row(prepared, times, self._source.shape)
        benchmark.extra_info["name"] = cell.name
        self._document["benchmarks"].append(benchmark.stats.as_dict())
        self._put(row)
        self._timed.append(prepared)
        rounds = f"{len(times)} round{'s' if len(times) > 1 else ''}"
        self._say(cell, f"{_duration(row['p50'])} a request ({rounds})")
        if self._sweep.against is not None:
            self._compare(prepared)

    def finish(self) -> None:
        """Let go of the model and measure every ceiling again, unless someone waits for the end; write a last time."""
        if self.failure is None:
            self._leave()
        self._write()

    def _prepare(self, cell: Cell) -> WarmCell:
        fresh = cell.setting != self._setting
        if fresh:
            self._load(cell.setting)
        if self._subject is None:
            raise self._failed or ModelError("the model was not loaded")
        rows = self._source.rows(cell.batch_size, cell.length)
        prepared = WarmCell.make(
            cell,
            self._subject,
            rows,
            device=self._device,
            load_seconds=self._load_seconds,
            fresh=fresh,
            max_time=self._sweep.max_time,
        )
        if self._check is not None and cell.setting.name not in self._own["fidelity"]:
            self._compare_scores(self._check, cell.setting, self._subject)
            prepared.peak = Peak(self._device)  # What that took is not the cell's.
        return prepared

    def _load(self, setting: Setting) -> None:
        self._leave()
        known = setting == REFERENCE or setting.name in self._own["fidelity"]
        if self._check is not None and not known and not self._check.has_reference:
            try:
                self._check.take_reference(self._source.load(REFERENCE))
            except (DoesNotFitError, ModelError) as error:
                self._note(f"no fidelity: float32 cannot be had to compare with ({error})")
        self._setting, self._failed = setting, None
        now = clock(self._device)
        start = now()
        try:
            self._subject = self._source.load(setting)
        except (DoesNotFitError, ModelError) as error:
            self._failed = error
        self._load_seconds = now() - start

    def _leave(self) -> None:
        """Time the setting's cells once more and, without the model, the matrix rates: was the machine the same?"""
        while self._timed:  # None may outlive its look: it holds the model.
            self._look_again(self._timed.pop(0))
        before, self._setting, self._subject, self._pipeline = self._setting, None, None, None
        for dtype in self._ceiling.rates if before is not None else ():
            self._ceiling.measure(dtype, self._device)

    def _look_again(self, prepared: WarmCell) -> None:
        row = next(each for each in self._own["cells"] if each["name"] == prepared.cell.name)
        if row["status"] == "measured":
            with suppress(DoesNotFitError):  # It did before, and that counts.
                self._put(row | {"again": prepared.again(clock(self._device))})

    def _compare_scores(self, check: FidelityCheck, setting: Setting, subject: Subject) -> None:
        try:
            if setting == REFERENCE:
                check.take_reference(subject)
            found = check.compare(subject)
        except (DoesNotFitError, ModelError) as error:
            self._note(f"no fidelity of {setting.name}: {error}")
            return
        if found is not None:
            self._own["fidelity"][setting.name] = found.info(check.name)

    def _compare(self, prepared: WarmCell) -> None:
        """Time the pipeline beside a cell whose setting it can have too."""
        cell, texts, setting = prepared.cell, self._source.texts, prepared.cell.setting
        lengths = (None, self._sweep.lengths[0])  # Once a batch size: its rows are the data set's.
        if texts is None or setting.attention != "auto" or setting.dtype == "int8" or cell.length not in lengths:
            return
        entry: PipelineInfo = {"cell": cell.name}
        try:
            if self._pipeline is None:
                self._pipeline = load_pipeline(self._source.path, texts, setting.dtype, self._device)
            rows = texts.request(cell.batch_size)
            found = score_both(prepared.subject, self._pipeline, texts, rows, self._device, self._sweep.max_time)
            entry = found.info(cell.name)
            self._say(cell, f"{found.median:.2f} x the pipeline ({found.low:.2f} to {found.high:.2f})")
        except (DoesNotFitError, ModelError) as error:
            entry["reason"] = str(error)
            self._say(cell, f"not compared with the pipeline: {error}")
        self._own["against"] = [each for each in self._own["against"] if each["cell"] != cell.name] + [entry]
        self._write()

    def _skip(self, cell: Cell, error: DoesNotFitError | ModelError) -> NoReturn:
        status: Unmeasured = "does not fit" if isinstance(error, DoesNotFitError) else "skipped"
        self._put(planned_row(cell, status, str(error)))
        self._say(cell, f"{status}: {error}")
        pytest.skip(str(error))

    def _say(self, cell: Cell, what: str) -> None:
        self._note(f"[{1 + self.left.index(cell)}/{len(self.left)}] {cell.name}: {what}")

    def _is_done(self, cell: Cell) -> bool:
        return any(row["name"] == cell.name and row["status"] == "measured" for row in self._own["cells"])

    def _put(self, row: CellRow) -> None:
        names = [each["name"] for each in self._own["cells"]]
        self._own["cells"][names.index(row["name"])] = row
        self._write()

    def _write(self) -> None:
        """Bring what hangs on ceiling and fidelity up to what is known of them by now, and write."""
        own, fidelity = self._own, self._own["fidelity"]
        own["ceiling"] = {"rates": self._ceiling.rates, "bandwidth": self._ceiling.bandwidth}
        own["cells"] = [
            complete(row, self._ceiling, fidelity.get(row["name"].rpartition("-")[0]))
            if row["status"] == "measured"
            else row
            for row in own["cells"]
        ]
        own["best"] = best_cells(own["cells"])
        rows = {row["name"]: values_of(row) for row in own["cells"]}
        for each in self._document["benchmarks"]:
            row = rows[str(each["extra_info"]["name"])]
            each["extra_info"] = {name: value for name, value in row.items() if value is not None}
        storage.write(self._folder, self._document)


def _duration(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{1e3 * seconds:,.1f} ms"
