"""Models that come with rmeval, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["SHIPPED", "folder_name", "shipped_path"]

SHIPPED: dict[str, str] = {
    "quickstart": "a tiny classifier that ships with rmeval: it shows that everything works, and judges nothing"
}
"""Name -> what it is. As with ``mini``, the name wins over a folder called so; ``./quickstart`` is the folder."""


def shipped_path(name: str) -> Path | None:
    """Return the folder of a model that ships with rmeval; None for any other name."""
    return Path(str(files("rmeval"))) / name if name in SHIPPED else None


def folder_name(folder: Path) -> str:
    """Return a name that leads to a folder, also to one that is called like a model that ships with rmeval."""
    return f"./{folder}" if str(folder) in SHIPPED else str(folder)
