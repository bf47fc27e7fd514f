from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import yaml

from rmeval.data_prep.output.card import card
from rmeval.data_prep.output.ledger import Ledger
from rmeval.data_prep.overlap.contamination import OverlapReport, SubsetOverlap
from tests.data_prep.output.test_ledger import SHP

NONE = OverlapReport(0, (), (), ())
EVIL = "a|b\n# <script>[x](y)`*_&"


def parts(text: str) -> tuple[dict[str, Any], str]:
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_front_matter_names_the_sides_that_there_are() -> None:
    front, _ = parts(card(Ledger("m", 1, (SHP,)), NONE, "", near_duplicates=True))
    [config] = front["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "data/train-*.parquet"},
        {"split": "test", "path": "data/test-*.parquet"},
    ]
    front, _ = parts(card(Ledger("m", 1, (replace(SHP, test=0, train=6),)), NONE, "", near_duplicates=True))
    [config] = front["configs"]
    assert [each["split"] for each in config["data_files"]] == ["train"]


def test_the_front_matter_names_the_sources_on_the_hub() -> None:
    hub = replace(SHP, home="https://huggingface.co/datasets/stanfordnlp/SHP")
    front, _ = parts(card(Ledger("m", 1, (SHP, hub, replace(hub, name="again"))), NONE, "", near_duplicates=True))
    assert front["source_datasets"] == ["stanfordnlp/SHP"]
    front, _ = parts(card(Ledger("m", 1, (SHP,)), NONE, "", near_duplicates=True))
    assert "source_datasets" not in front


def test_ledger_licences_rules_and_mixture_are_in_it() -> None:
    _, body = parts(card(Ledger("m", 1, (SHP,)), NONE, "seed: 1\n", near_duplicates=True))
    rows = cells(body)
    assert ["forum", "10", "7", "9", "6", "8", "-2"] in rows
    assert ["all", "10", "7", "9", "6", "8", "-2"] in rows
    assert ["forum", "rows", "`malformed`", "m", "2"] in rows
    assert ["forum", "pairs", "`cap`", "c", "3"] in rows
    assert ["forum: [SHP](https://example.org)", "org/shp at abc", "none stated", "5", "1"] in rows
    assert "  - ratio > 2 (card)" in body.splitlines()
    assert "```yaml\nseed: 1\n```" in body
    assert "5 training and 1 test pairs" in body
    assert "No benchmark was looked at." in body
    assert "near-duplicates were not looked for" not in body
    assert "near-duplicates were not looked for" in card(Ledger("m", 1, (SHP,)), NONE, "", near_duplicates=False)


def test_only_subsets_with_an_overlap_are_listed() -> None:
    subsets = (SubsetOverlap("b", "one", 9, 1, 2, 3, 1 / 3), SubsetOverlap("b", "two", 4, 0, 0, 0, 0.0))
    _, body = parts(card(Ledger("m", 1, (SHP,)), OverlapReport(5, subsets, (), ("x", "y")), "", near_duplicates=True))
    assert ["b", "one", "9", "1", "2", "3"] in cells(body)
    assert not any(row[:2] == ["b", "two"] for row in cells(body))
    assert "5 training pairs were compared with b; 2 have" in body


def test_text_from_outside_makes_no_markup_and_no_cell() -> None:
    evil = replace(SHP, data=EVIL, title=EVIL, licence=EVIL)
    overlap = OverlapReport(1, (SubsetOverlap(EVIL, EVIL, 1, 1, 0, 0, 1.0),), (), ())
    plain = card(
        Ledger("m", 1, (SHP,)),
        OverlapReport(1, (SubsetOverlap("b", "s", 1, 1, 0, 0, 1.0),), (), ()),
        "",
        near_duplicates=True,
    )
    text = card(Ledger(EVIL, 1, (evil,)), overlap, "", near_duplicates=True)
    assert "<script>" not in text
    assert "](y)" not in text.replace("\\]", "")
    assert [len(row) for row in cells(text)] == [len(row) for row in cells(plain)]
    assert len(text.splitlines()) == len(plain.splitlines())
