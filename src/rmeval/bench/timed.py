"""What pytest collects in a bench: one function, which the sweep's plugin calls once a cell (``cells``)."""

from __future__ import annotations

from rmeval.bench.cells import Cells
from rmeval.bench.measure.cell import Fixture, WarmCell


def score(cells: Cells, prepared: WarmCell, benchmark: Fixture) -> None:
    """Time one cell; ``prepared`` comes first, because it decides how ``benchmark`` is set up."""
    cells.measure(prepared, benchmark)
