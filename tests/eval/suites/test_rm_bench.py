"""RM-Bench: nine pairs a row, levels and domains; real rows and the published board."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate
from rmeval.data_prep.rows.in_memory import Rows
from rmeval.errors import DataError
from rmeval.eval.numbers.weights import overall_mean, weighted_mean
from rmeval.eval.suites import get_suite
from rmeval.reports.run.examples_data import examples_text

SUITE = get_suite("rm-bench")
LEVELS = ("easy", "normal", "hard")
DOMAINS = ("chat", "math", "code", "safety")


def row(domain: str, chars: tuple[int, ...] = (1, 2, 3, 1, 2, 3)) -> dict[str, object]:
    texts = ["x" * count for count in chars]
    return {"id": 1, "prompt": f"{domain}?", "domain": domain, "chosen": texts[:3], "rejected": texts[3:]}


def test_nine_pairs_and_their_levels() -> None:
    examples, findings = SUITE.read(Rows("made", [row("code"), row("safety-refuse")]))
    sizes = [(each.subset, len(each.chosen[0][0].content), len(each.rejected[0][0].content)) for each in examples[:9]]
    assert sizes == [
        ("code-normal", 1, 1), ("code-hard", 1, 2), ("code-hard", 1, 3),
        ("code-easy", 2, 1), ("code-normal", 2, 2), ("code-hard", 2, 3),
        ("code-easy", 3, 1), ("code-easy", 3, 2), ("code-normal", 3, 3),
    ]  # fmt: skip
    assert {each.subset for each in examples[9:]} == {"safety-easy", "safety-normal", "safety-hard"}
    assert len({each.id for each in examples}) == 18
    assert {each.code for each in findings} == {"ids-not-used", "identical-completions"}


def test_longer_wins_all_easy_pairs_and_no_other(tmp_path: Path) -> None:
    """Of one row a domain: easy 1, hard 0, normal all ties: each domain 1/3, each level its own."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row(domain)) + "\n" for domain in DOMAINS))
    results = evaluate("baseline:longest", "rm-bench", dataset=str(file)).info.results
    assert {name: each.accuracy for name, each in results.sections.items()} == pytest.approx(
        {"Chat": 1 / 3, "Math": 1 / 3, "Code": 1 / 3, "Safety": 1 / 3, "Easy": 1, "Normal": 0, "Hard": 0}
    )
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx(1 / 3)


def test_each_answer_stands_once_in_the_page(tmp_path: Path) -> None:
    """Nine pairs of a row show six answers: their texts are not there three times."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row("chat", (1, 2, 3, 4, 5, 6))) + "\n")
    texts = examples_text([evaluate("baseline:longest", "rm-bench", dataset=str(file))])
    assert texts is not None
    assert len(texts["completions"]) == 6
    assert len(texts["completion"]) == 18


def test_the_files_of_one_domain_have_other_names_for_it() -> None:
    names = ["alpacaeval", "math-prm", "hep-python", "xstest-should-respond", "safety-refuse", "code"]
    rows = [{**row("x"), "domain": name} for name in names]
    examples, _ = SUITE.read(Rows("made", rows))
    assert [each.subset.split("-")[0] for each in examples[::9]] == ["chat", "math", "code", "safety", "safety", "code"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"domain": "poetry"}, "its domain cannot be told by 'poetry'"), ({"chosen": ["a"]}, "1 chosen and 3 rejected")],
)
def test_rows_that_are_not_of_the_benchmark(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=f"made row 1: {words}"):
        SUITE.read(Rows("made", [{**row("chat"), **wrong}]))


def test_the_whole_set_has_1327_rows() -> None:
    assert sum(SUITE.expected.values()) == 9 * 1327


def test_length_alone_reaches_37_on_the_real_chat_rows(shared_data: Path) -> None:
    """37.38: counted over the nine pairs of 129 rows by other code."""
    file = shared_data / "suites/rm-bench-chat.json"
    counts = dict.fromkeys(LEVELS, 0)
    rows = json.loads(file.read_text())
    for each in rows:
        for i, right in enumerate(each["chosen"]):
            for j, wrong in enumerate(each["rejected"]):
                counts[LEVELS[1 if i == j else 0 if i > j else 2]] += len(right) > len(wrong)
    results = evaluate("baseline:longest", "rm-bench", dataset=str(file)).info.results
    assert {name: each.right for name, each in results.subsets.items()} == {f"chat-{k}": n for k, n in counts.items()}
    assert 100 * results.sections["Chat"].accuracy == pytest.approx(37.38, abs=0.005)
    assert 100 * sum(counts.values()) / (9 * len(rows)) == pytest.approx(37.38, abs=0.005)


def test_the_published_board_obeys_the_same_means(shared_data: Path) -> None:
    """Of rows whose domains and levels have the same mean, 32, the overall number is ours from either."""
    file = shared_data / "reference-results/rm-bench.leaderboard.csv"
    table = SUITE.sections("equal")
    consistent = 0
    for each in csv.DictReader(file.open(encoding="utf-8-sig")):
        try:
            domains = [float(each[name]) for name in ("Chat", "Math", "Code", "Safety")]
            levels = [float(each[name]) for name in ("Easy", "Normal", "Hard")]
        except ValueError:
            continue
        if abs(sum(domains) / 4 - sum(levels) / 3) > 0.15:
            continue
        consistent += 1
        # Subsets that have these domains and levels: domain + level − overall.
        mean = sum(domains) / 4
        subsets = {
            f"{domain}-{level}": a + b - sum(levels) / 3
            for domain, a in zip(DOMAINS, domains, strict=True)
            for level, b in zip(LEVELS, levels, strict=True)
        }
        assert overall_mean(SUITE, table, subsets, {}) == pytest.approx(mean, abs=1e-9)
        for name, value in zip(("Easy", "Normal", "Hard"), levels, strict=True):
            assert weighted_mean(subsets, table[name].subsets) == pytest.approx(value, abs=0.16)
    assert consistent == 32


def test_every_reference_line_of_the_real_rows(shared_data: Path) -> None:
    """Chat and safety-response, each cell of the nine counted by other code."""
    import hashlib

    score: dict[str, Callable[..., Any]] = {
        "longest": lambda example, place, text: len(text),
        "shortest": lambda example, place, text: -len(text),
        "random": lambda example, place, text: hashlib.sha256(f"0\x1f{example}\x1f{place}".encode()).digest()[:8],
    }
    for name, domain in (("rm-bench-chat", "chat"), ("rm-bench-safety-response", "safety")):
        file = shared_data / "suites" / f"{name}.json"
        for line, of in score.items():
            run = evaluate(f"baseline:{line}", "rm-bench", dataset=str(file))
            ids = iter(run.examples_table.column("example_id").to_pylist())
            cells = dict.fromkeys(LEVELS, 0)
            rows = json.loads(file.read_text())
            for each in rows:
                for i, right in enumerate(each["chosen"]):
                    for j, wrong in enumerate(each["rejected"]):
                        example = next(ids)
                        cells[LEVELS[1 if i == j else 0 if i > j else 2]] += of(example, 0, right) > of(
                            example, 1, wrong
                        )
            results = run.info.results
            assert {k: each.right for k, each in results.subsets.items()} == {
                f"{domain}-{k}": n for k, n in cells.items()
            }
            assert results.sections[domain.capitalize()].accuracy == pytest.approx(sum(cells.values()) / 9 / len(rows))
            assert results.reference_lines[line].overall == pytest.approx(sum(cells.values()) / 9 / len(rows))


def test_the_folder_of_the_repository(tmp_path: Path) -> None:
    """The files of the domains, whose names say it where no column does; one file of all takes their place."""
    data = tmp_path / "data"
    data.mkdir()
    for file, subset in (("chat", "alpacaeval"), ("code", None), ("math", None), ("safety-refuse", "donotanswer")):
        own = {key: value for key, value in row(file).items() if key != "domain"}
        (data / f"{file}_filtered.json").write_text(json.dumps([own | ({"subset": subset} if subset else {})]))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "config.json").write_text("{}")
    for folder in (tmp_path, data):
        found = evaluate("baseline:longest", "rm-bench", dataset=str(folder)).info.results
        assert {name.split("-")[0]: each.n for name, each in found.subsets.items()} == dict.fromkeys(DOMAINS, 3)
    (data / "total_dataset.json").write_text(json.dumps([row("math")]))
    assert len(evaluate("baseline:longest", "rm-bench", dataset=str(tmp_path)).info.results.subsets) == 3
