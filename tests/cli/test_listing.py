from __future__ import annotations

import pytest

from rmeval.cli import _run
from rmeval.data_prep.sources import SOURCES
from rmeval.data_prep.text.audit import CODES
from rmeval.eval.models.heads import FAMILIES
from rmeval.eval.models.shipped import SHIPPED
from rmeval.eval.numbers.reference_lines import REFERENCE_LINES
from rmeval.eval.suites import SUITES

NAMES = {
    "suites": list(SUITES),
    "models": list(SHIPPED),
    "baselines": [f"baseline:{name}" for name in REFERENCE_LINES],
    "findings": list(CODES),
    "sources": list(SOURCES),
    "mixtures": ["rm-mistral-7b", "rm-mistral-7b-safe"],
}


@pytest.mark.parametrize("what", NAMES)
def test_lists_are_complete(what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert _run(["list", what]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES[what]
    assert all(len(line.split()) > 2 for line in lines)  # Each says what it means.
    assert err == ""


@pytest.mark.parametrize("what", NAMES)
def test_names_are_whole_in_a_narrow_terminal(
    what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert _run(["list", what]) == 0
    words = capsys.readouterr().out.split()
    assert set(NAMES[what]) <= set(words)


def test_heads_are_listed_with_what_tells_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["list", "heads"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(FAMILIES)
    for line, family in zip(lines, FAMILIES, strict=True):
        assert line.startswith(family.name)
        assert all(part in line for part in (family.source, family.shape, family.reads, family.sign, family.known_by))
        assert (family.max_length is None) == ("at most" not in line)


def test_the_expected_names_are_there() -> None:
    assert {"rewardbench", "pairs", "mini"} <= set(NAMES["suites"])
    assert NAMES["baselines"] == ["baseline:longest", "baseline:shortest", "baseline:random"]
    assert {"truncated", "non-finite-score", "untrained-head"} <= set(NAMES["findings"])


def test_without_a_name_it_says_what_there_is_to_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert set(NAMES) < set(names)
    for name in names:
        assert _run(["list", name]) == 0
    capsys.readouterr()
    assert _run(["list", "nothing"]) == 2
    assert f"(known: {', '.join(names)})" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "suite"], "did you mean 'suites'?"),
        (["list", "finding"], "did you mean 'findings'?"),
        (["list", "zzz"], "(known: suites, kinds, heads, models, baselines, findings, sources, mixtures, recipes)"),
    ],
)
def test_a_name_that_is_none(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert "rmeval: error: " in err


@pytest.mark.parametrize("what", NAMES)
def test_in_a_pipe_a_name_is_a_line(
    what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert _run(["list", what]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == NAMES[what]
