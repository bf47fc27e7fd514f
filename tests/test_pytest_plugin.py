"""The pytest plugin, used as a project of its own would."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from rmeval.errors import UsageError
from rmeval.pytest_plugin import assert_no_regression
from tests.conftest import REPOSITORY
from tests.support.comparing import run_of, write_rows

pytest_plugins = ["pytester"]

TESTS = """
from rmeval.pytest_plugin import assert_no_regression


def test_scores_once(rmeval_score):
    run = rmeval_score("baseline:longest", "mini")
    assert rmeval_score("baseline:longest", "mini") is run
    assert rmeval_score("baseline:longest", "mini", limit=3) is not run
    assert rmeval_score("baseline:shortest", "mini") is not run


def test_the_session_shares_it(rmeval_score, request):
    run = rmeval_score("baseline:longest", suite="mini")
    assert_no_regression(run, run)


def test_it_got_worse(rmeval_score):
    one, other = (rmeval_score(f"baseline:{name}", "pairs", dataset="rows.jsonl") for name in ("longest", "shortest"))
    assert_no_regression(one, other, ["overall:1%"])
"""


def test_in_a_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(pytester.path / "rows.jsonl", ["a"] * 40)  # "yes" is longer than "no".
    pytester.makepyfile(TESTS)
    installed = any(each.value == "rmeval.pytest_plugin" for each in metadata.entry_points(group="pytest11"))
    done = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", *([] if installed else ["-p", "rmeval.pytest_plugin"])
    )
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        ["*AssertionError: *", "*regression: overall dropped by 100.00 points*", "*FAIL: 1 of 1 check"]
    )
    done.stdout.no_fnmatch_line("*pytest_plugin.py:*: AssertionError")  # The failure is shown in the user's test.


def test_folders_and_runs(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 40)
    good = run_of(data, "+" * 40, output=tmp_path / "good")
    bad = run_of(data, "-" * 20 + "+" * 20)
    assert assert_no_regression(tmp_path / "good", good).passed
    assert assert_no_regression(str(tmp_path / "good"), bad, ["overall:60%"]).lines[0].verdict == "pass"
    with pytest.raises(AssertionError) as caught:
        assert_no_regression(good, bad, ["overall:1%", "subset:*:1%"])
    expected = (
        "regression: subset a dropped by 50.00 points, 1.00 points allowed, significant (one-sided p below 0.001)"
    )
    assert expected in str(caught.value)
    assert str(caught.value).endswith("FAIL: 2 of 2 checks")
    with pytest.raises(AssertionError, match="not shown"):
        assert_no_regression(good, good, ["overall:0"], mode="noninferiority", margin=0.01)
    with pytest.raises(UsageError, match="did you mean 'overall'"):
        assert_no_regression(good, good, ["overal:0"])


def test_pytest_does_not_pay_for_it() -> None:
    code = "import sys, rmeval.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pyarrow", "pydantic", "typer", "rich.table"} & set(done.stdout.split())


def test_the_package_declares_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"rmeval": "rmeval.pytest_plugin"}
