"""Where the pairs came from, and on what terms."""

from __future__ import annotations

import json
from pathlib import Path

from rmeval.trainer.data.made import PREFIX
from rmeval.training_info import Licence

__all__ = ["read_licences"]


def read_licences(dataset: str) -> tuple[Licence, ...]:
    """Return the sources of a folder that ``rmeval prepare`` wrote, or of pairs that are made; none for other data."""
    if dataset.startswith(PREFIX):
        return (Licence(dataset, "written for rmeval", "Apache-2.0", None),)
    try:
        ledger = json.loads((Path(dataset).expanduser() / "ledger.json").read_text(encoding="utf-8"))
        return tuple(
            Licence(str(each["name"]), str(each["home"]), str(each["licence"]), each.get("train"))
            for each in ledger["sources"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()
