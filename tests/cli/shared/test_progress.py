"""Progress where there is no terminal: lines for a log, few, and none for short work."""

from __future__ import annotations

import pytest

from rmeval.cli.shared.progress import progress_bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have gone by, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_line_a_minute_with_the_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("training") as report:
        for done in range(1, 301):  # A second each, so 299 from the first report on.
            report(done, 1200)
            clock[0] += 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "training: 61 of 1,200, about 19 min left",  # (1,200 - 61) s
        "training: 121 of 1,200, about 18 min left",
        "training: 181 of 1,200, about 17 min left",
        "training: 241 of 1,200, about 16 min left",
    ]


def test_short_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("scoring") as report:
        for done in range(50):
            report(done, 50)
            clock[0] += 1
    assert capsys.readouterr() == ("", "")


def test_each_stage_has_a_rate_of_its_own(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """What is reported first was done before, by the run that this one goes on from."""
    with progress_bar("x") as report:
        report(5, 1000)
        clock[0] += 30
        report(1000, 2000)
        clock[0] += 120
        report(1500, 2000)  # 500 in two minutes, 500 to go.
    assert capsys.readouterr().err == "x: 1,500 of 2,000, about 2 min left\n"


def test_a_total_that_is_not_known(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading") as report:
        report(1, 0)
        clock[0] += 61
        report(7000, 0)
    assert capsys.readouterr().err == "reading: 7,000\n"


def test_what_is_counted_is_named(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("scoring", "tokens") as report:
        report(0, 1000)
        clock[0] += 60
        report(500, 1000)
    assert capsys.readouterr().err == "scoring: 500 of 1,000 tokens, about 1 min left\n"
