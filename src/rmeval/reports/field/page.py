"""The page of a field: one table over all suites, and the sections of each."""

from __future__ import annotations

from pathlib import Path

from rmeval.eval.field import FIELD, PAGE, Field
from rmeval.eval.numbers.views.lengths import SIMILAR_PERCENT
from rmeval.reports.field.rows import row_of
from rmeval.reports.shell.page import percent, render_page, write_page

__all__ = ["field_page", "write_field"]


def write_field(field: Field) -> Path:
    """Write the page of a field into its folder; return its path.

    Raises:
        RunError: if it cannot be written.
    """
    path = field.path / PAGE
    write_page(path, field_page(field))
    return path


def field_page(field: Field) -> str:
    """Return the page of a field."""
    rows = [row_of(entry) for entry in field.entries]
    first = next((row.info for row in rows if row.info), None)
    return render_page(
        "field.html",
        title=f"{field.model} on {len(field.runs)} suites",
        nav=[
            ("suites", "Suites"),
            ("lengths", "Lengths"),
            *((f"suite-{row.suite}", row.suite) for row in rows if row.info),
        ],
        context={
            "field": field,
            "rows": rows,
            "info": first,
            "mean": None if field.mean is None else percent(field.mean),
            "needed": FIELD,
            "similar_percent": SIMILAR_PERCENT,
            "left_out": [row for row in rows if row.error],
        },
    )
