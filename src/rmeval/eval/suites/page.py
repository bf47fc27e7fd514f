"""The page of each suite in the docs, made of what the suite itself says; and the table of what data they need.

``python -m rmeval.eval.suites.page docs`` writes them: the folder ``suites``, and a part of ``air-gapped.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rmeval.eval.suites import SUITES, About, Suite

__all__ = ["BEGIN", "END", "data_table", "index", "page", "pages"]

BEGIN, END = "<!-- data: python -m rmeval.eval.suites.page docs -->", "<!-- end of data -->"

_MANY = 40
"""More subsets than this are not listed one by one."""


def pages() -> dict[str, str]:
    """Return the text of each page, and of the one that lists them, by the name of its file."""
    told = [suite for suite in SUITES.values() if suite.about is not None]
    return {"README.md": index(told), **{f"{suite.name}.md": page(suite) for suite in told}}


def index(suites: Iterable[Suite]) -> str:
    """Return the page that lists suites."""
    rows = [f"| [{suite.title}]({suite.name}.md) | `rmeval {suite.name}` | {suite.description} |" for suite in suites]
    head = "Each page is made of what its suite says (`python -m rmeval.eval.suites.page docs`)."
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


def data_table() -> str:
    """Return, as a Markdown table, what data each suite reads, of which split and revision."""
    rows = []
    for suite in SUITES.values():
        for dataset, split, revision in _on_the_hub(suite):
            rows.append((suite.name, f"`{dataset}`", split or "all", f"`{revision}`" if revision else "not pinned"))
        for name, option in suite.options.items():
            rows.append((f"{suite.name} --{name}", f"`{option.dataset}`", ", ".join(option.subsets), "not pinned"))
        if suite.packaged is not None:
            rows.append((suite.name, "nothing: it ships with rmeval", "", ""))
        elif not suite.dataset and not suite.parts:
            rows.append((suite.name, _elsewhere(suite), "", ""))
    lines = [f"| `{name}` | {' | '.join(rest)} |" for name, *rest in rows]
    return "\n".join(["| command | data set on the Hub | splits | revision |", "| --- | --- | --- | --- |", *lines])


def _elsewhere(suite: Suite) -> str:
    """Say where the rows of a suite are that is not on the Hub."""
    if suite.about is None:
        return "your own, with `--dataset`"
    address = suite.about.source.split()[0].rstrip(",:;")
    return f"not on the Hub: {address} with `--dataset` ([which file](suites/{suite.name}.md#where-it-is-from))"


def _on_the_hub(suite: Suite) -> list[tuple[str, str | None, str | None]]:
    """Return data set, split and revision of a suite's rows; several, where they are several data sets."""
    own = [(suite.dataset, suite.split, suite.revision)] if suite.dataset and suite.packaged is None else []
    return own + [(each.dataset, each.split, each.revision) for each in suite.parts.values()]


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
    hub = _on_the_hub(suite)
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


def _write(docs: Path) -> None:
    for name, text in pages().items():
        (docs / "suites" / name).write_text(text, encoding="utf-8")
    path = docs / "air-gapped.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{data_table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
