"""The data sets that pairs are made of. A new one is a file here and a line in ``SOURCES``."""

from __future__ import annotations

from collections.abc import Mapping

from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.capybara import CAPYBARA
from rmeval.data_prep.sources.helpsteer import HELPSTEER
from rmeval.data_prep.sources.hh_rlhf import HH_RLHF
from rmeval.data_prep.sources.orca import ORCA
from rmeval.data_prep.sources.pairs import PAIRS
from rmeval.data_prep.sources.pku_safe import PKU_SAFE_RLHF
from rmeval.data_prep.sources.shp import SHP
from rmeval.data_prep.sources.ultrafeedback import ULTRAFEEDBACK
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError

__all__ = ["SOURCES", "Dropped", "Made", "Pair", "Rule", "Source", "get_source"]

SOURCES: Mapping[str, Source] = {
    source.name: source for source in (HH_RLHF, SHP, ULTRAFEEDBACK, HELPSTEER, CAPYBARA, ORCA, PKU_SAFE_RLHF, PAIRS)
}


def get_source(name: str) -> Source:
    """Return the source of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in SOURCES:
        raise UsageError(f"unknown source {name!r}{did_you_mean(name, SOURCES)} (known: {', '.join(SOURCES)})")
    return SOURCES[name]
