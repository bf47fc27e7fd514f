"""A leaderboard on disk: all files under temporary names first, then each under its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rmeval.errors import RunError
from rmeval.files import OutputFolder, output_folder, replacing_all

__all__ = ["MARK", "SUITES_FILE", "site_folder", "write_site"]

MARK = "leaderboard.json"
"""The file by which a leaderboard is known; it lists the pages."""
SUITES_FILE = "suites.csv"
"""The table over suites, where there are several."""
_FILES = ("index.html", "leaderboard.csv", "leaderboard.md", SUITES_FILE, MARK)
_PAGE = re.compile(r"models/[A-Za-z0-9._-]+\.html")


@contextmanager
def site_folder(path: Path, *, overwrite: bool) -> Iterator[OutputFolder]:
    """See that a leaderboard may be written there, and keep others off it: before the work, not after.

    Raises:
        RunError: if there is one and ``overwrite`` is not set, if files are there that rmeval did not write and would
            replace, or if it is no folder.
    """
    with output_folder(
        path, what="leaderboard", mark=MARK, overwrite=overwrite, written=lambda: {*_FILES, *_pages(path)}
    ) as folder:
        folder.check(_FILES)
        yield folder


def write_site(folder: OutputFolder, files: Mapping[str, str]) -> None:
    """Write files, and remove the pages of a leaderboard that was there before and that are not among them.

    Args:
        folder: Is made where it is not there.
        files: Content by path below the folder; the last is the one that readers open.

    Raises:
        RunError: if a file cannot be written; what was there before is then still whole.
    """
    stale = {*_pages(folder.path), SUITES_FILE} - files.keys()
    folder.claim(files)
    paths = [folder.path / name for name in files]
    try:
        for parent in {path.parent for path in paths}:
            parent.mkdir(parents=True, exist_ok=True)
        with replacing_all(paths) as temporary:
            for path, text in zip(temporary, files.values(), strict=True):
                path.write_bytes(text.encode("utf-8", "replace"))
        folder.remove(stale)
    except OSError as error:
        raise RunError(f"cannot write the leaderboard to {folder.path}: {error.strerror or error}") from None


def _pages(folder: Path) -> set[str]:
    """Return the pages that the leaderboard there says it has."""
    try:
        rows = json.loads((folder / MARK).read_text(encoding="utf-8"))["pages"]
        return {name for name in rows if isinstance(name, str) and _PAGE.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
