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
    ours, theirs = SUITE.sections("today"), get_suite("rewardbench")
    table = {name: each for name, each in theirs.sections("today").items() if name != "Prior Sets"}
    names = [name for each in table.values() for name in each.subsets]
    assert len(names) == 23
    accuracies = {name: (7 * place % 23) / 23 for place, name in enumerate(names)}
    expected = overall_mean(theirs, table, accuracies, {})
    translated = {f"ell_Grek/{name}": value for name, value in accuracies.items()}
    assert overall_mean(SUITE, ours, translated, {}) == pytest.approx(expected, abs=1e-12)
    languages = [name for name, each in ours.items() if each.weight]
    assert (len(languages), len(ours)) == (23, 27)


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
