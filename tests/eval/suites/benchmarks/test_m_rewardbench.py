"""M-RewardBench: RewardBench's sections, a language at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.errors import DataError
from rmeval.eval.numbers.weights import overall_mean
from rmeval.eval.suites import get_suite

SUITE = get_suite("m-rewardbench")


def row(language: str, subset: str, chosen: str, rejected: str, number: int = 0) -> dict[str, object]:
    texts = {"prompt": f"{language} {subset} {number}", "chosen": chosen, "rejected": rejected}
    models = {"chosen_model": "a", "rejected_model": "b"}
    return {"id": number, "language": language, "subset": subset, **texts, **models}


def test_a_language_is_the_mean_of_rewardbenchs_sections() -> None:
    """All subsets of a language have accuracies of their own; RewardBench makes of them what is here the language's."""
    ours, theirs = SUITE.sections("rewardbench"), get_suite("rewardbench")
    table = {name: each for name, each in theirs.sections("today").items() if name != "Prior Sets"}
    names = [name for each in table.values() for name in each.subsets]
    assert len(names) == 23
    accuracies = {name: (7 * place % 23) / 23 for place, name in enumerate(names)}
    expected = overall_mean(theirs, table, accuracies, {})
    translated = {f"ell_Grek/{name}": value for name, value in accuracies.items()}
    assert overall_mean(SUITE, ours, translated, {}) == pytest.approx(expected, abs=1e-12)
    languages = [name for name, each in ours.items() if each.weight]
    assert (len(languages), len(ours)) == (23, 27)


def test_the_weights_are_the_rows_that_were_kept_and_mathematics_weighs_as_much_as_code() -> None:
    own = {name.partition("/")[2]: rows for name, rows in SUITE.expected.items() if name.startswith("heb_Hebr/")}
    assert (len(own), sum(own.values()), len(SUITE.expected)) == (23, 2869, 23 * 23)
    code = sum(rows for name, rows in own.items() if name.startswith("hep-"))
    reasoning = SUITE.sections("authors")["Reasoning"].subsets
    assert reasoning["heb_Hebr/math-prm"] == code == 983
    assert own["math-prm"] == 447
    # Of one language: the mean of four sections, each weighted by its rows.
    accuracies = {name: (5 * place % 23) / 23 for place, name in enumerate(own)}
    sections = [each for name, each in get_suite("rewardbench").sections("today").items() if name != "Prior Sets"]
    weights = {**own, "math-prm": code}
    means = [
        sum(weights[name] * accuracies[name] for name in each.subsets) / sum(weights[name] for name in each.subsets)
        for each in sections
    ]
    found = overall_mean(
        SUITE, SUITE.sections("authors"), {f"heb_Hebr/{name}": value for name, value in accuracies.items()}, {}
    )
    assert found == pytest.approx(sum(means) / 4, abs=1e-12)


def test_languages_count_alike_and_sections_are_over_all(tmp_path: Path) -> None:
    safety = get_suite("rewardbench").sections("today")["Safety"].subsets
    names = {name: "Safety" if name in safety else "" for name in get_suite("rewardbench").expected}
    rows = [row("deu_Latn", name, "xx" if of else "x", "xx" if not of else "x") for name, of in names.items()]
    rows += [row("zho_Hant", name, "xx", "x") for name in names]
    for each in rows:
        file = tmp_path / str(each["language"]) / "filtered.jsonl"
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as stream:
            stream.write(json.dumps(each) + "\n")
    (tmp_path / "de-en").mkdir()
    (tmp_path / "de-en" / "filtered.jsonl").write_text('{"prompt": "a translation"}\n')
    run = evaluate("baseline:longest", "m-rewardbench", dataset=str(tmp_path))
    results = run.info.results
    assert {name: each.accuracy for name, each in results.sections.items()} == pytest.approx(
        {
            "German": 1 / 4,
            "Chinese (traditional)": 1,
            "Chat": 1 / 2,
            "Chat Hard": 1 / 2,
            "Safety": 1,
            "Reasoning": 1 / 2,
        }
    )
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx(5 / 8)
    assert run.info.partial


def test_rows_that_are_not_of_the_benchmark() -> None:
    with pytest.raises(DataError, match="its language is 'eng_Latn', not one of arb_Arab"):
        evaluate("baseline:longest", "m-rewardbench", dataset=[row("eng_Latn", "donotanswer", "a", "b")])
    with pytest.raises(DataError, match="column 'subset': 'poetry' is no subset of RewardBench"):
        evaluate("baseline:longest", "m-rewardbench", dataset=[row("deu_Latn", "poetry", "a", "b")])
    with pytest.raises(DataError, match="has rows of M-RewardBench: score them with rmeval m-rewardbench --dataset"):
        evaluate("baseline:longest", "rewardbench", dataset=[row("deu_Latn", "donotanswer", "a", "b")])
