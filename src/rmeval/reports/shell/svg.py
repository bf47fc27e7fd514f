"""matplotlib's drawings as inline SVG whose colours are the page's: light, dark and print by themselves.

A Content-Security-Policy forbids ``style=`` attributes, so each becomes attributes and classes (``page.css``): a figure
is drawn in the colours below and in no others. Text stays text, in the page's font. The same data gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DOTS", "GRID", "INK", "NEUTRAL", "SERIES", "Plot", "drawing"]

SERIES = ("#010001", "#010002", "#010003", "#010004")
"""Stand for the page's series colours; SERIES[0] is what is right or chosen, SERIES[1] what is wrong or rejected."""
NEUTRAL, INK, GRID = "#010005", "#010006", "#010007"
DOTS = ("#010008", "#010009")
"""SERIES[0] and SERIES[1] for many dots that may cover each other: see-through, on dark ground less so."""
_CLASSES = (
    {colour: (f"s{place}", f"f{place}") for place, colour in enumerate(SERIES, start=1)}
    | {
        NEUTRAL: ("sn", "fn"),
        INK: ("ink", "ink-fill"),
        GRID: ("grid", "grid-fill"),
    }
    | {colour: (f"d{place}", "") for place, colour in enumerate(DOTS, start=1)}
)
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_GEOMETRY = ("d", "x", "y", "width", "height", "transform", "points", "viewBox")
_KEPT = ("stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "fill-opacity",
         "stroke-opacity", "text-anchor")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with what is said above it."""

    id: str
    title: str
    text: str
    """What it shows and how to read it; the numbers in it stand in ``data`` too."""
    svg: Markup
    legend: Sequence[tuple[str, str]] = ()
    """(label, class): ``c1`` … ``c4``, ``cn``, ``ci``."""
    headers: Sequence[str] = ()
    """The same numbers as a table, for those who cannot see a drawing or want to copy them; empty for none."""
    rows: Sequence[Sequence[str]] = ()


class Drawing:
    """A figure being drawn; ``svg`` is there once the ``with`` block is left."""

    def __init__(self, figure: Figure, axes: Axes) -> None:
        self.figure = figure
        self.axes = axes
        self.svg = Markup("")


@contextmanager
def drawing(name: str, label: str, *, width: float = 400, height: float = 250) -> Iterator[Drawing]:
    """Draw a figure with one set of axes.

    Args:
        name: Distinguishes the drawing on its page; letters, digits and dashes.
        label: What a screen reader says of it.
        width: In units of about a pixel: text is 12 high.
        height: In the same units.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, object] = {  # The key's own type is a union of all names there are.
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 12,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
        "patch.linewidth": 0,
        "lines.linewidth": 1.8,
        "path.simplify": False,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        drawn = Drawing(figure, axes)
        yield drawn
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn.svg = _inline(stream.getvalue(), label)


def _inline(text: str, label: str) -> Markup:
    root = ET.fromstring(text)  # noqa: S314 - matplotlib wrote it just now.
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    for element in root.iter():
        _attributes(element, used)
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"class": "plot", "viewBox": view, "role": "img", "aria-label": label}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)  # Within HTML an svg element is in it by itself.
        element.tail = None
        if element.tag != "text":
            element.text = None
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - the serializer has escaped all text.


def _attributes(element: ET.Element, used: set[str]) -> None:
    """Turn one element's style into classes and attributes, its numbers into shorter ones."""
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    if _HREF in element.attrib:
        element.set("href", element.attrib.pop(_HREF))
    for name in _GEOMETRY:
        if name in element.attrib:
            element.set(name, _NUMBER.sub(_shorter, element.attrib[name]))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    style = dict(re.findall(r"([\w-]+):\s*([^;]+)", element.attrib.pop("style", "")))
    classes = []
    for place, name in enumerate(("stroke", "fill")):
        value = style.get(name, "").strip()
        if value in _CLASSES:
            classes.append(_CLASSES[value][place])
        elif value:
            element.set(name, value)
    if classes:
        element.set("class", " ".join(classes))
    for name in _KEPT:
        if name in style:
            element.set(name, style[name].strip())
    size = re.search(r"([\d.]+)px", style.get("font", "") + style.get("font-size", ""))
    if size:
        element.set("font-size", size[1])


def _shorter(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")
