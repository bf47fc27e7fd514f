"""An unfinished output on disk: chunk by chunk, and gone on with where it was killed.

While it grows, ``Y`` is ``Y.partial`` (whole chunks, one after the other) and ``Y.partial.json`` (the note: which
command, how many rows and bytes are sure). What stands after the sure bytes is cut off by the next start.
``Y.partial.lock`` keeps other processes off and says who writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rmeval.data_prep.rows.files import reason
from rmeval.data_prep.rows.stream import RowSource
from rmeval.errors import RunError
from rmeval.eval.scoring.sinks import open_sink, writing
from rmeval.files import replacing
from rmeval.types import Finding

__all__ = ["Partial", "State"]


@dataclass(frozen=True, slots=True)
class State:
    """The note beside an unfinished output."""

    job: dict[str, Any]
    """The command, and from ``begin`` on the model."""
    rows: int = 0
    completions: int = 0
    pairs: int = 0
    left_out: int = 0
    written: int = 0
    """Rows in the output: more than ``rows`` where these are put together by prompt."""
    digest: str = ""
    """Of the rows that are done."""
    sizes: tuple[int, ...] = ()
    """Bytes of each partial file that are sure."""
    findings: tuple[Finding, ...] = ()
    finished: bool = False
    """True when the files only wait for their names."""
    outputs: tuple[str, ...] = ()
    """sha256 of the finished files."""
    exact: bool = False
    """True once everything is scored in float32, because low precision decided too little."""

    @classmethod
    def from_json(cls, text: str) -> State:
        """Read a note.

        Raises:
            ValueError, TypeError, KeyError: if it is none.
        """
        note = json.loads(text)
        findings = (Finding(**{**each, "examples": tuple(each["examples"])}) for each in note["findings"])
        return cls(
            **{
                **note,
                "sizes": tuple(note["sizes"]),
                "outputs": tuple(note.get("outputs", ())),
                "findings": tuple(findings),
            }
        )


class Partial:
    """The files of an unfinished output and the note that says how far they are."""

    def __init__(self, paths: Sequence[Path], job: Mapping[str, Any], *, overwrite: bool) -> None:
        self.sinks = [open_sink(path) for path in paths]
        self.state = State(_as_json(job))
        self._overwrite = overwrite
        self._note = paths[0].with_name(f"{paths[0].name}.partial.json")
        found = self._read()
        if found is None or (found.finished and not self._are_those_of(found)):
            return  # The second: they had their names, and somebody took them away or wrote others.
        changed = [key for key, value in self.state.job.items() if found.job.get(key) != value]
        if changed:
            self._may_drop(f"another command left it (other {', '.join(changed)}): run that one again to go on")
        else:
            self.state = found

    def _are_those_of(self, found: State) -> bool:
        """Return whether the finished files, whatever their names by now, are the ones that a note is of."""
        return [sink.fingerprint() for sink in self.sinks] == list(found.outputs)

    def confirm(self, info: Mapping[str, Any], digest: str | None) -> None:
        """See that what is finished is of this model and these rows.

        Args:
            info: The model, now that it is loaded.
            digest: Of as many rows of the data set as are done; None where it has fewer or more.

        Raises:
            RunError: if it is not, and the user did not say that it may be dropped.
        """
        model = _as_json(info)
        if self.state.job.get("info") != model:
            self._drop_finished(f"the model {model['name']} is not the same as then")
        elif digest != self.state.digest:
            self._drop_finished("the data set has changed since then")

    def _drop_finished(self, reason: str) -> None:
        self._may_drop(reason)
        self.state = State({key: value for key, value in self.state.job.items() if key != "info"})
        for sink in self.sinks:
            sink.drop()

    def open(self) -> None:
        """Open the files, and cut off what is not sure.

        Raises:
            RunError: if a file cannot be written or may not be replaced, or if the partial ones are damaged.
        """
        for path in (sink.path for sink in self.sinks):
            if path.is_dir():
                raise RunError(f"{path} is a folder")
            if path.exists() and not self._overwrite:
                raise RunError(f"{path} exists already: pass --overwrite to replace it")
        if not self._overwrite and not self.state.sizes:
            for partial in (sink.partial for sink in self.sinks if sink.is_of_others()):
                raise RunError(
                    f"{partial} is there, and no note says that rmeval wrote it: move it away, or pass --overwrite to "
                    "replace it"
                )
        sizes = self.state.sizes or [0] * len(self.sinks)
        if not all(sink.open(size) for sink, size in zip(self.sinks, sizes, strict=True)):
            self.start_over("a file is shorter than when it was written")

    def begin(self, info: Mapping[str, Any], source: RowSource) -> None:
        """Take note of the model, now that it is loaded; it must be the one that scored what is there."""
        model = _as_json(info)
        if self.state.rows and self.state.job.get("info") != model:
            self.start_over(f"the model {model['name']} is not the same as then")
        self.state = replace(self.state, job={**self.state.job, "info": model})
        for sink in self.sinks:
            sink.declare(source)

    def start_over(self, reason: str) -> None:
        """Drop all chunks, if the user said so.

        Raises:
            RunError: with the reason, if the user did not.
        """
        self._may_drop(reason)
        self.state = State(self.state.job)
        for sink in self.sinks:
            sink.open(0)

    def write(self, contents: Sequence[Sequence[Mapping[str, Any]]], state: State) -> None:
        """Append a chunk of rows to each file; they count once the note says so."""
        sizes = tuple(sink.append(rows) for sink, rows in zip(self.sinks, contents, strict=True))
        self._save(replace(state, sizes=sizes))

    def publish(self) -> None:
        """Give the files their names; a start that was killed in between does the rest next time."""
        if not self.state.finished:
            for sink in self.sinks:
                sink.seal()
            outputs = tuple(sink.fingerprint() or "" for sink in self.sinks)
            self._save(replace(self.state, finished=True, outputs=outputs))
        for sink in self.sinks:
            sink.publish()
        self._note.unlink()

    def close(self) -> None:
        """Close the files; remove them if they hold nothing."""
        for sink in self.sinks:
            sink.close(remove=not self.state.rows)

    def _read(self) -> State | None:
        try:
            return State.from_json(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._may_drop(f"it cannot be read ({reason(error)})")
            return None

    def _may_drop(self, reason: str) -> None:
        """Raise unless the user said that what is there may be dropped."""
        if not self._overwrite:
            raise RunError(f"{self._note} is of an unfinished output, and {reason}; or pass --overwrite to start over")

    def _save(self, state: State) -> None:
        with writing(self._note), replacing(self._note) as temporary, temporary.open("w", encoding="utf-8") as stream:
            json.dump(asdict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
        self.state = state


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value as it comes back from the note."""
    result: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return result
