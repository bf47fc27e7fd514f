"""The data card of a build: the README.md that the Hub shows and ``datasets`` reads the splits from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rmeval.data_prep.output.ledger import Ledger, SourceLedger
from rmeval.data_prep.overlap.contamination import GRAM, OverlapReport

__all__ = ["card"]

_HUB_DATA = "https://huggingface.co/datasets/"

_USE = """\
```python
import datasets

pairs = datasets.load_dataset("FOLDER")  # or its id, once it is on the Hub
```

`chosen` and `rejected` are whole conversations that begin with the same prompt: TRL's conversational form with an
implicit prompt, which its `RewardTrainer` takes as it is. `rmeval pairs --model MODEL --dataset FOLDER` measures a
reward model on the test split, a number for each source.

| column | holds |
| --- | --- |
| `id` | unique; made of the source and the content |
| `chosen`, `rejected` | lists of messages with `role` and `content` |
| `subset` | the source |
| `group` | what pairs of a source have in common: a post, a row, a prompt |
| `chosen_score`, `rejected_score` | in the source's own unit; null where it has none |
"""


def card(
    ledger: Ledger, overlap: OverlapReport, mixture: str, *, near_duplicates: bool, warnings: Sequence[str] = ()
) -> str:
    """Return the text of README.md.

    Args:
        ledger: of the build.
        overlap: of its training split with benchmarks.
        mixture: the mixture as built, as YAML.
        near_duplicates: whether near-duplicates were kept in one split.
        warnings: what is odd about the two splits.
    """
    totals = ledger.totals
    parts = [
        _front_matter(ledger),
        f"# {_text(ledger.mixture)}: preference pairs for reward models",
        f"{totals.train:,} training and {totals.test:,} test pairs, built by rmeval from the mixture below. Pairs that"
        " open with the same user turn are in one split"
        + (", and so are near-duplicates." if near_duplicates else "; near-duplicates were not looked for."),
        *(f"Take care: {_text(warning)}." for warning in warnings),
        f"## Use\n\n{_USE.rstrip()}",
        "## Sources\n\nEach source keeps its own licence; see to it that your use is within all of them.",
        _table(["source", "data", "licence", "train", "test"], map(_source_row, ledger.sources), numbers=2),
        f"## Ledger\n\n{_ledger(ledger)}",
        f"## Rules\n\n{_rules(ledger.sources)}",
        f"## Overlap with benchmarks\n\n{_overlap(overlap)}",
        f"## Mixture\n\n```yaml\n{mixture.rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(ledger: Ledger) -> str:
    lines = ["---", "license: other", "tags: [preference-pairs, reward-model]"]
    homes = (each.home.removeprefix(_HUB_DATA) for each in ledger.sources if each.home.startswith(_HUB_DATA))
    if sources := list(dict.fromkeys(homes)):
        lines += ["source_datasets:", *(f"- {json.dumps(source)}" for source in sources)]
    lines += ["configs:", "- config_name: default"]
    lines.append("  data_files:")
    for split, number in (("train", ledger.totals.train), ("test", ledger.totals.test)):
        if number:
            lines += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    return "\n".join([*lines, "---"])


def _source_row(source: SourceLedger) -> list[str]:
    data = f"{_text(source.data)}{f' at {source.revision[:12]}' if source.revision else ''}"
    title = f"[{_text(source.title)}]({source.home})" if source.home else _text(source.title)
    return [f"{_text(source.name)}: {title}", data, _text(source.licence), f"{source.train:,}", f"{source.test:,}"]


def _ledger(ledger: Ledger) -> str:
    rows = [
        [
            _text(source.name),
            *(f"{number:,}" for number in (source.rows, source.used_rows, source.candidates, source.pairs)),
            "" if source.published is None else f"{source.published:,}",
            "" if source.difference is None else f"{source.difference:+,}",
        ]
        for source in ledger.sources
    ]
    totals = ledger.totals
    last = ["all", *(f"{number:,}" for number in (totals.rows, totals.used_rows, totals.candidates, totals.pairs))]
    last += ["" if totals.published is None else f"{totals.published:,}"]
    last += ["" if totals.difference is None else f"{totals.difference:+,}"]
    head = ["source", "rows", "rows used", "candidate pairs", "pairs", "published", "difference"]
    drops = [
        [_text(source.name), what, f"`{reason}`", _text(source.reasons[reason]), f"{number:,}"]
        for source in ledger.sources
        for what, dropped in (("rows", source.dropped_rows), ("pairs", source.dropped_pairs))
        for reason, number in dropped.items()
    ]
    dropped = _table(["source", "dropped", "reason", "meaning", "number"], drops, numbers=1) if drops else "No drops."
    return f"{_table(head, [*rows, last], numbers=6)}\n\n{dropped}"


def _rules(sources: Sequence[SourceLedger]) -> str:
    lines = []
    for source in sources:
        lines.append(f"- {_text(source.name)}")
        lines += [f"  - {_text(rule.text)} ({_text(rule.origin)})" for rule in source.rules]
    return "\n".join(lines)


def _overlap(overlap: OverlapReport) -> str:
    if not overlap.subsets:
        return "No benchmark was looked at."
    found = [each for each in overlap.subsets if each.exact or each.ngram or each.completion]
    names = ", ".join(dict.fromkeys(_text(each.benchmark) for each in overlap.subsets))
    number = len(overlap.contaminated)
    text = (
        f"{overlap.rows:,} training pairs were compared with {names}; {number:,} have a benchmark's prompt, or contain"
        " half of the 8-grams of one. The ids are in `contamination.json`; the ledger says whether these pairs were"
        " dropped."
    )
    if short := sum(each.short for each in overlap.subsets):
        text += (
            f" {short:,} benchmark examples have a prompt of fewer than {GRAM} words: these are found where they are a"
            " whole turn, and nowhere else."
        )
    if not found:
        return text
    rows = [
        [_text(each.benchmark), _text(each.subset)]
        + [f"{count:,}" for count in (each.examples, each.exact, each.ngram, each.completion)]
        for each in found
    ]
    head = ["benchmark", "subset", "examples", "same prompt", "8-grams of the prompt", "same completion"]
    return f"{text}\n\n{_table(head, rows, numbers=4)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    """Return a Markdown table whose last columns are numbers."""
    marks = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *rows))


def _text(text: str) -> str:
    """Return text from outside as it is to be read: it makes no markup, cell or line of its own."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]|#" else character for character in plain)
