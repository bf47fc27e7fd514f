"""What the gate is asked: the grammar of rules, and the files that hold rules and floors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.errors import UsageError
from rmeval.eval.gate.rules import (
    DEFAULT_RULES,
    GateRule,
    Settings,
    find_settings,
    matching,
    parse_mode,
    parse_rule,
    parse_share,
    read_floors,
)


@pytest.mark.parametrize(
    ("text", "kind", "name", "limit"),
    [
        ("overall:1%", "overall", None, 0.01),
        ("overall:0", "overall", None, 0.0),
        (" overall: 0.5 % ", "overall", None, 0.005),
        ("section:Safety:0.02", "section", "Safety", 0.02),
        ("section:Chat Hard:2%", "section", "Chat Hard", 0.02),
        ("subset:*:5%", "subset", "*", 0.05),
        ("subset:a:b:5%", "subset", "a:b", 0.05),
        ("throughput:10%", "throughput", None, 0.1),
        ("invalid:0", "invalid", None, 0.0),
        ("truncated:12", "truncated", None, 12.0),
    ],
)
def test_rules(text: str, kind: str, name: str | None, limit: float) -> None:
    rule = parse_rule(text)
    assert (rule.text, rule.kind, rule.name) == (text.strip(), kind, name)
    assert rule.limit == pytest.approx(limit, abs=1e-15)


def test_the_default_rules_are_rules() -> None:
    assert [parse_rule(text).limit for text in DEFAULT_RULES] == [0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no kind ''"),
        ("overal:1%", "no kind 'overal'; did you mean 'overall'?"),
        ("overall", "write overall:LIMIT, such as overall:1%"),
        ("invalid", "write invalid:LIMIT, such as invalid:0"),
        ("section:1%", "write section:NAME:LIMIT"),
        ("subset::1%", "write subset:NAME:LIMIT"),
        ("overall:one", "'one' is not a number; write 1% or 0.01"),
        ("overall:", "'' is not a number"),
        ("overall:nan", "nan is not between 0 and 1"),
        ("overall:inf", "inf is not between 0 and 1"),
        ("overall:-1%", "-1% is not between 0 and 1"),
        ("overall:101%", "101% is not between 0 and 1"),
        ("overall:5", "5 is not between 0 and 1 (or 0% and 100%); 5% is written 5% or 0.05"),
        ("overall:1", "could never fail: 1 is 100%; 1% is 0.01"),
        ("invalid:1%", "'1%' is no count"),
        ("invalid:-1", "'-1' is no count"),
        ("truncated:0.5", "'0.5' is no count"),
    ],
)
def test_what_is_no_rule(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rule(text)
    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text())
def test_any_text_is_a_rule_or_one_clear_error(text: str) -> None:
    try:
        rule = parse_rule(text)
    except UsageError:
        return
    assert rule.limit >= 0


def test_names() -> None:
    known = ["hep-cpp", "hep-go", "a*b", "a.b", "axb", "*"]
    matched = {
        "hep-*": ["hep-cpp", "hep-go"],
        "*": known,  # Though there is one of that name: what a subset is called must not switch checks off.
        "a*b": ["a*b"],
        "a.b": ["a.b"],
        "a.*": ["a.b"],
        "*-go": ["hep-go"],
    }
    for pattern, names in matched.items():
        assert matching(GateRule("", "subset", pattern, 0), known) == names
    assert matching(GateRule("", "subset", "*", 0), known[:5]) == known[:5]
    assert matching(GateRule("", "section", "*", 0), []) == []  # A suite without sections: nothing to ask.
    with pytest.raises(UsageError, match=r"no subset 'hep-cp'; did you mean 'hep-cpp'\? \(known: hep-cpp, hep-go"):
        matching(GateRule("x", "subset", "hep-cp", 0), known)
    with pytest.raises(UsageError, match=r"no section 'Safety' \(known: none\)"):
        matching(GateRule("x", "section", "Safety", 0), [])


@pytest.mark.parametrize(
    ("value", "share"), [("1%", 0.01), (0.02, 0.02), ("0.5", 0.5), (0, 0.0), (1, 1.0), ("100%", 1.0)]
)
def test_shares(value: object, share: float) -> None:
    assert parse_share(value, "x") == pytest.approx(share)


@pytest.mark.parametrize("value", [True, None, [], "1%%", "%", 1.5])
def test_what_is_no_share(value: object) -> None:
    with pytest.raises(UsageError, match=r"^here: "):
        parse_share(value, "here")


def test_modes() -> None:
    assert parse_mode("noninferiority", "x") == "noninferiority"
    with pytest.raises(UsageError, match="did you mean 'noninferiority'"):
        parse_mode("noninferior", "--mode")


# --- files ------------------------------------------------------------------------------------------------------


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert find_settings(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_settings(tmp_path) == Settings()


def test_settings_of_both_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.rmeval.check]\nfail-on = ["overall:1%"]\nalpha = 0.01\n')
    assert find_settings(tmp_path) == Settings(rules=(parse_rule("overall:1%"),), alpha=0.01)
    (tmp_path / "rmeval.toml").write_text('[check]\nmode = "noninferiority"\nmargin = "2%"\n')
    assert find_settings(tmp_path) == Settings(mode="noninferiority", margin=0.02)  # One file counts, not a mixture.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[check]\nfail_on = []", "no key 'fail_on'; did you mean 'fail-on'?"),
        ('[check]\nfail-on = "overall:1%"', "write a list of rules"),
        ("[check]\nfail-on = [1]", "write a list of rules"),
        ('[check]\nfail-on = ["overal:1%"]', "did you mean 'overall'"),
        ('[check]\nmode = "fast"', "no mode 'fast'"),
        ("[check]\nmode = 3", "no mode 3"),
        ('[check]\nalpha = "often"', "'often' is not a number"),
        ("[check]\nmargin = true", "'True' is not a number"),
        ("check = 3", "[check] is no table"),
        ("[chekc]", "no key 'chekc'; did you mean 'check'?"),
        ("[other]\n[check]", "no key 'other'"),
        ("[tool.rmeval.check]\nalpha = 0.1", "write [check] there"),
        ("[check]\nbaseline = 3", "[check] baseline: write a path"),
        ('[check]\nthresholds = ""', "[check] thresholds: write a path"),
        ("[check]\nbaseline = '  '", "[check] baseline: write a path"),
        ("[check", "cannot read rmeval.toml: "),
        ("\xff", "cannot read rmeval.toml: "),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "rmeval.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        find_settings(tmp_path)
    assert words in str(caught.value)
    assert "rmeval.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.rmeval.chekc]", "[tool.rmeval]: no key 'chekc'; did you mean 'check'?"),
        ("[tool.rmeval]\nalpha = 0.1", "[tool.rmeval]: no key 'alpha'"),
        ("[tool]\nrmeval = 3", "[tool.rmeval] is no table"),
    ],
)
def test_settings_that_are_none_in_a_project(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        find_settings(tmp_path)
    assert words in str(caught.value)
    (tmp_path / "pyproject.toml").write_text("[tool.other.chekc]\nx = 1\n")  # Another tool's.
    assert find_settings(tmp_path) == Settings()


def test_paths_in_settings_are_relative_to_their_folder(tmp_path: Path) -> None:
    (tmp_path / "rmeval.toml").write_text('[check]\nbaseline = "runs/before"\nthresholds = "/floors.yaml"\n')
    found = find_settings(tmp_path)
    assert (found.baseline, found.thresholds) == (tmp_path / "runs" / "before", Path("/floors.yaml"))


def floors_of(tmp_path: Path, text: str) -> list[GateRule]:
    file = tmp_path / "floors.yaml"
    file.write_bytes(text.encode("latin-1"))
    return read_floors(file)


def test_floors(tmp_path: Path) -> None:
    text = """
overall: 75%
sections: {Safety: 0.8}
subsets:
  hep-go: 70%
  1: 1%
invalid: 0
truncated: 3
throughput: 25.5
"""
    found = [(rule.kind, rule.name, rule.limit) for rule in floors_of(tmp_path, text)]
    assert found == [
        ("overall", None, 0.75),
        ("section", "Safety", 0.8),
        ("subset", "hep-go", pytest.approx(0.7)),
        ("subset", "1", 0.01),
        ("invalid", None, 0),
        ("truncated", None, 3),
        ("throughput", None, 25.5),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no thresholds"),
        ("- overall", "holds no thresholds"),
        ("overal: 75%", "no key 'overal'; did you mean 'overall'?"),
        ("overall: good", "'good' is not a number"),
        ("overall: 75", "75% is written 75% or 0.75"),
        ("sections: 75%", "write a floor for each name"),
        ("sections: {Safety: [1]}", "sections Safety: '[1]' is not a number"),
        ("invalid: 1.5", "'1.5' is no count"),
        ("throughput: fast", "'fast' is no speed"),
        ("throughput: -1", "-1 is no speed"),
        ("a: [", "is not YAML"),
        ("overall: 90%\noverall: 10%", "'overall' is there twice"),
        ("a: \xff\xfe", "cannot read the thresholds"),
        ("a: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_floors_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        floors_of(tmp_path, text)
    assert words in str(caught.value)
    assert "floors.yaml" in str(caught.value)


def test_floors_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_floors(tmp_path / "absent.yaml")
    with pytest.raises(UsageError, match="directory"):
        read_floors(tmp_path)
