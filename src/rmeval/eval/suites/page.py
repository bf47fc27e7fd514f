"""The page of each suite in the docs, made of what the suite itself says.

``python -m rmeval.eval.suites.page docs/suites`` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rmeval.eval.suites import SUITES, About, Suite

__all__ = ["index", "page", "pages"]

_MANY = 40
"""More subsets than this are not listed one by one."""


def pages() -> dict[str, str]:
    """Return the text of each page, and of the one that lists them, by the name of its file."""
    told = [suite for suite in SUITES.values() if suite.about is not None]
    return {"README.md": index(told), **{f"{suite.name}.md": page(suite) for suite in told}}


def index(suites: Iterable[Suite]) -> str:
    """Return the page that lists suites."""
    rows = [f"| [{suite.title}]({suite.name}.md) | `rmeval {suite.name}` | {suite.description} |" for suite in suites]
    head = "Each page is made of what its suite says (`python -m rmeval.eval.suites.page docs/suites`)."
    return "\n".join(
        ["# The benchmarks", "", head, "", "| benchmark | command | what it is |", "| --- | --- | --- |", *rows, ""]
    )


def page(suite: Suite) -> str:
    """Return the page of a suite, as Markdown.

    Raises:
        ValueError: if nothing is known of it.
    """
    if suite.about is None:
        raise ValueError(f"{suite.name} has no about")
    about = suite.about
    lines = [f"# {suite.title}", "", about.measures, "", "```", f"rmeval {suite.name} --model M", "```", ""]
    lines += ["## How to read it", "", about.reading, "", f"**Ties.** {about.ties}", ""]
    if suite.rules:
        lines += ["Beside the overall number stands what it is by other rules:", ""]
        lines += [*(f"- `{name}`: {rule.meaning}" for name, rule in suite.rules.items()), ""]
    if suite.views:
        lines += [f"Groups of examples across the subsets have numbers of their own: {', '.join(suite.views)}.", ""]
    lines += ["## What is known to be wrong with it", "", *_list(about.problems, "Nothing that we know of."), ""]
    lines += ["## What is in it", "", *_contents(suite), ""]
    lines += ["## Where it is from", "", *_facts(suite, about), ""]
    lines += ["## Unverified", "", *_list(about.unverified, "Nothing."), ""]
    return "\n".join(lines)


def _list(points: tuple[str, ...], none: str) -> list[str]:
    return [f"- {point}" for point in points] or [none]


def _contents(suite: Suite) -> list[str]:
    table = suite.sections(suite.default_weights)
    lines = []
    if table:
        views = [name for name, each in table.items() if not each.weight]
        names = [name for name in table if name not in views]
        what = "mean of the sections" if suite.by_sections else "share over all examples"
        lines += [f"Sections: {'; '.join(names)}. The overall number is the {what}.", ""]
        lines += (
            [f"Views of the same subsets, which count in no other number: {'; '.join(views)}.", ""] if views else []
        )
    if not suite.expected:
        return [*lines, "How many examples each subset has is not known to the suite."]
    total = f"{sum(suite.expected.values()):,} examples in all; a run that lacks some is partial."
    if len(suite.expected) > _MANY:
        return [*lines, total]
    rows = [f"| {name} | {count:,} |" for name, count in suite.expected.items()]
    return [*lines, "| subset | examples |", "| --- | ---: |", *rows, "", total]


def _facts(suite: Suite, about: About) -> list[str]:
    hub = [(suite.dataset, suite.split, suite.revision)] if suite.dataset else []
    hub += [(each.dataset, each.split, each.revision) for each in suite.parts.values()]
    where = [
        ", ".join([f"`{dataset}`", *([f"split {split}"] if split else []), f"commit {revision or 'not fixed'}"])
        for dataset, split, revision in hub
    ]
    known = "not known: " + ("a copy elsewhere is unverified" if hub else "a copy is taken by its counts")
    if suite.fingerprint:
        known = f"`{suite.fingerprint}`: a copy that has it is the benchmark, wherever it lies"
    return [
        f"- Hub: {'; '.join(where) or 'not there'}",
        f"- Repository: {about.source}",
        f"- Licence: {about.licence}",
        f"- Paper: {about.paper}",
        f"- Fingerprint of the whole set's examples: {known}",
    ]


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
