"""The gate in a terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.eval.gate.check import Gate, check
from rmeval.eval.gate.rules import Mode, parse_rule
from rmeval.reports.gate.console import as_json, as_text, cells, columns, headline, print_gate
from tests.support.comparing import run_of, write_rows


def gate(folder: Path, *, name: str = "a", mode: Mode = "regression") -> Gate:
    """Twenty flips down in the subset called ``name``, one in b; something of every kind of line."""
    data = write_rows(folder / "rows.jsonl", [name] * 100 + ["b"] * 50)
    before, after = "+" * 150, "-" * 20 + "+" * 80 + "-" + "+" * 48 + "n"
    rules = ["overall:0", "subset:*:1%", "invalid:0", "truncated:0"]
    return check(
        run_of(data, after).with_info(partial_reasons=(f"only {name}",)),
        run_of(data, before),
        rules=[parse_rule(rule) for rule in rules],
        mode=mode,
        margin=0.01 if mode == "noninferiority" else None,
    )


def test_a_lines_numbers(tmp_path: Path) -> None:
    """20 of 100, by hand; the bound is near -20 + 1.64 · 4."""
    found = gate(tmp_path)
    baseline, candidate, difference, bound, p, detectable, flips = cells(found.lines[1], found.mode)
    assert columns(found)[3:5] == ["one-sided 95% bound", "one-sided p"]
    assert len(columns(found)) == 7
    assert [baseline, candidate, difference, p, flips] == ["100.00", "80.00", "-20.00", "<0.001", "+0 -20"]
    assert bound.startswith("≤ -")
    assert float(bound[2:]) == pytest.approx(-13.4, abs=1.5)
    assert 10 < float(detectable) < 16


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    print_gate(gate(tmp_path), "out/comparison.html")
    out, err = capsys.readouterr()
    assert err == ""
    assert "…" not in out  # A table too wide for its terminal is not cut.
    first, statistics = out.split("\n\n")[1:3]  # Two tables, each with its own header: no line is of two columns.
    assert statistics.split("\n")[0].split() == ["one-sided", "95%", "bound", "one-sided", "p", "detectable"]
    assert [line.split("  ")[0] for line in statistics.splitlines()[1:]] == ["overall", "subset a", "subset b"]
    rows = {line.split("  ")[0]: line.split() for line in first.splitlines()}
    assert rows["subset a"][-1] == "regression"
    assert rows["subset b"][-2:] == ["cannot", "tell"]
    assert rows["invalid"][1:3] == ["0", "1"]
    assert rows["invalid"][-1] == "regression"
    assert rows["truncated"][-1] == "pass"
    assert (
        "regression: subset a dropped by 20.00 points, 1.00 points allowed, significant (one-sided p below 0.001)"
        in out
    )
    assert "regression: invalid 0 to 1 examples, 0 more allowed" in out
    assert "warning: the candidate is partial: only a" in out
    assert "significant up to 0.05; adjusted for 3 tests, the bound is not; detectable" in " ".join(out.split())
    assert "HTML comparison: out/comparison.html" in out
    assert out.splitlines()[-1] == "FAIL: 3 of 5 checks"


def test_what_p_means_in_a_test_of_noninferiority(tmp_path: Path) -> None:
    text = as_text(gate(tmp_path, mode="noninferiority"))
    assert "if it had dropped by the margin; passes up to 0.05" in text
    assert "cannot tell: subset b not shown to have dropped by less than 1.00 points" in text


def test_markup_and_control_characters_are_text(tmp_path: Path) -> None:
    text = as_text(gate(tmp_path, name="[bold]x[/] \x1b[2J"))
    assert "subset [bold]x[/] \N{REPLACEMENT CHARACTER}[2J" in text
    assert "\x1b" not in text


def test_floors_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a"] * 4), "+++-")
    found = check(run, floors=[parse_rule("overall:0.9")])
    print_gate(found)
    out = capsys.readouterr().out
    assert "baseline  " not in out.splitlines()[0]
    assert "regression: overall 75.00% is below 90.00%" in out
    assert "p:" not in out
    assert headline(found) == "FAIL: 1 of 1 check"
    assert as_json(found)["baseline"] is None


def test_json_is_plain(tmp_path: Path) -> None:
    found = as_json(gate(tmp_path))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {"passed", "mode", "alpha", "baseline", "candidate", "lines", "warnings"}
    assert (found["passed"], found["mode"], found["alpha"]) == (False, "regression", 0.05)
    line = found["lines"][1]
    assert (line["rule"], line["kind"], line["name"], line["verdict"]) == ("subset:*:1%", "subset", "a", "regression")
    assert (line["difference"], line["n"], line["flipped_to_wrong"], line["limit"]) == (-0.2, 100, 20, 0.01)
    counted = found["lines"][3]
    assert (counted["kind"], counted["baseline"], counted["candidate"], counted["p"]) == ("invalid", 0, 1, None)


def test_the_headline_counts(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 4)
    rules = [parse_rule(rule) for rule in ("overall:0", "invalid:0")]
    assert headline(check(run_of(data, "++++"), run_of(data, "++++"), rules=rules)) == "PASS: 2 checks"


LONG = "llmbar-adver-neighbor"


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 130])
@pytest.mark.parametrize("name", ["a", LONG])
def test_it_fits_any_terminal_with_every_number(
    columns: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    found = gate(tmp_path, name=name)
    print_gate(found)
    shown = capsys.readouterr().out.partition("\n\n")[2].partition("\n\nregression:")[0]
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    words = shown.split()
    for line in found.lines:
        assert {*" ".join(cells(line, found.mode)).replace("–", "").split(), *line.verdict.split()} <= {
            word.strip(";") for word in words
        }


def test_an_improvement_shows_the_p_of_a_rise(tmp_path: Path) -> None:
    """Twelve flips, all up: 2**-12; a drop like this has p 1."""
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 40)
    found = check(run_of(data, "+" * 40), run_of(data, "-" * 12 + "+" * 28), rules=[parse_rule("overall:0")])
    (line,) = found.lines
    assert (line.verdict, line.p, line.p_rise) == ("improvement", 1, 2**-12)
    assert cells(line, found.mode)[4] == "<0.001"
    assert "1.000" not in as_text(found)
    assert as_json(found)["lines"][0]["p_rise"] == 2**-12
