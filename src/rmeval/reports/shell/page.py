"""The shell of every HTML page: one self-contained file that opens by double click and asks nobody for anything.

To make a page, write ``templates/mine.html``, which extends ``base.html``, and call ``render_page``::

    {% extends "base.html" %}
    {% import "parts.html" as parts %}
    {% block main %}
    <section id="models"><h2>Models</h2>
      {{ parts.table_tools("models-table", "Find a model") }}
      <table id="models-table" class="sortable"> … </table>
    </section>
    {% endblock %}

    html = render_page("mine.html", title="Leaderboard", nav=[("models", "Models")], context={"rows": rows},
                       styles=["mine.css"], scripts=["mine.js"], data={"runs-data": rows_as_json})
    write_page(path, html)

What the shell gives:

- **Style** (``page.css``): colours as variables (``--text --muted --line --surface --accent``, ``--series-1`` to
  ``--series-4``; safe for the colour-blind, each with a light and a dark value), ``.num`` for right-aligned tabular
  figures, ``.barlist``, ``.badge``, ``.note``, ``.warnings``, ``.scroll`` around wide tables; print and phone layouts.
- **Tables** (``page.js``): in a ``table.sortable`` each ``th[data-sort]`` (``number`` or ``text``) that holds a button
  sorts by its cells' ``data-value`` (else their text), empty values last; ``parts.table_tools`` filters the rows.
- **Numbers**: the filters ``percent``, ``points``, ``interval``, ``count``, ``decimal``. One decimal, a dash for None.
- **Data** for scripts: ``data`` is packed as gzip in base64; a script reads it with ``await rmeval.unpack(id)``.

Rules that keep it safe, which a Content-Security-Policy in the page enforces: text is escaped everywhere and shown with
its control characters visible; nothing is loaded from anywhere; only the page's own style and script blocks count, by
their hash. So there are no ``style=`` and ``on…=`` attributes, and scripts make no HTML from strings: lengths of bars
are attributes of inline SVG, text is set as ``textContent``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from rmeval.errors import RunError
from rmeval.files import check_own, replacing

__all__ = ["count", "decimal", "interval", "pack", "percent", "points", "render_page", "visible", "write_page"]

TEMPLATES = Path(__file__).parent / "templates"
NONE = "–"
"""What stands for a number that there is not."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and newline, those that turn the direction of text, and lone surrogates."""


def visible(text: str) -> str:
    """Return text whose control characters show instead of steering: ``\\x1b`` as ␛, others as ``⟨U+202E⟩``."""
    return _STEERING.sub(_picture, text.replace("\r\n", "\n"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xD800 <= code <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    return f"⟨U+{code:04X}⟩"


def percent(share: float | None) -> str:
    """Return a share of 1 in percent, with one decimal: ``0.5`` is ``50.0``."""
    return NONE if share is None else f"{100 * share:.1f}"


def points(share: float | None) -> str:
    """Return a difference of shares in percentage points, signed: ``-0.012`` is ``−1.2``."""
    return NONE if share is None else _signed(f"{100 * share:+.1f}")


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of shares in percent: ``43.1–56.9``."""
    return NONE if low is None or high is None else f"{percent(low)}–{percent(high)}"


def point_interval(low: float, high: float) -> str:
    """Return an interval of differences in percentage points: ``−1.2 to +0.4``."""
    return f"{points(low)} to {points(high)}"


def count(number: int | None) -> str:
    """Return a whole number with separators between thousands."""
    return NONE if number is None else f"{number:,}"


def decimal(number: float | None, digits: int = 2) -> str:
    """Return a number with that many decimals; a true minus sign, a dash where there is none or it is not finite."""
    return NONE if number is None or not math.isfinite(number) else _signed(f"{number:,.{digits}f}")


def signed(number: float) -> str:
    """Return a margin with its sign: two decimals, none from 100 on, one digit where two decimals would show 0.00."""
    if 0 < abs(number) < 0.005:
        return _signed(f"{number:+.1g}".replace("e-0", "e-"))
    return _signed(f"{number:+,.{2 if abs(number) < 100 else 0}f}") if math.isfinite(number) else NONE


def _signed(text: str) -> str:
    """Return a formatted number without a sign where it rounds to zero, and with a minus as wide as the plus."""
    if not text.strip("+-0.,"):
        return text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def link(address: str) -> str | None:
    """Return an address that may be linked to; None for anything but http and https."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.netloc else None


def pack(value: object) -> str:
    """Return JSON as gzip in base64: the same text for the same value. Lone surrogates become U+FFFD."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raw = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text).encode()
    return base64.b64encode(gzip.compress(raw, compresslevel=9, mtime=0)).decode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "count": count,
        "decimal": decimal,
        "link": link,
        "signed": signed,
    }
    environment.globals |= {"interval": interval, "point_interval": point_interval}
    return environment


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(block: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()}'"


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _block(names: Iterable[str]) -> Markup:
    """Return files of ours as one block: not escaped, for nothing in it comes from outside."""
    return Markup("\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names))  # noqa: S704


def render_page(
    template: str,
    *,
    title: str,
    nav: Sequence[tuple[str, str]] = (),
    context: Mapping[str, object],
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Mapping[str, object] | None = None,
) -> str:
    """Return a page.

    Args:
        template: Name of a template that extends ``base.html``.
        title: Of the window and of bookmarks.
        nav: (id, label) of the sections that the bar at the top leads to.
        context: What the template uses.
        styles: More style sheets of the templates folder, after ``page.css``.
        scripts: More scripts, after ``page.js``.
        data: id -> JSON value, for ``rmeval.unpack(id)``.
    """
    style = _block(["page.css", *styles])
    script = _block(["page.js", *scripts])
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            title=title,
            nav=nav,
            style=style,
            script=script,
            policy=_policy(style, script),
            version=metadata.version("rmeval"),
            packed={name: pack(value) for name, value in (data or {}).items()},
        )
    )


_MARK = '<meta name="generator" content="rmeval '
"""Stands in every page, from ``base.html``."""


def write_page(path: Path, html: str) -> int:
    """Write a page; return its size in bytes.

    Raises:
        RunError: if it cannot be written, or a file is there that is no page of rmeval's; what was there before is then
            still whole.
    """
    check_own(path, _MARK)
    raw = html.encode()
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(raw)
    except OSError as error:
        raise RunError(f"cannot write the page {path}: {error.strerror or error}") from None
    return len(raw)
