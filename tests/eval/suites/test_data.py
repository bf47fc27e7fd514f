"""Which rows make the whole benchmark, and what is said of the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval import RunRecord, evaluate, load_run
from rmeval.data_prep.rows.in_memory import Rows
from rmeval.errors import DataError, UsageError
from rmeval.eval.runner import recompute
from rmeval.eval.scorers.base import Pointwise
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.mini import mini_path
from rmeval.eval.suites.whole import is_own
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

REWARDBENCH = get_suite("rewardbench")
PRIOR_SUBSETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PRIOR_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
Row = dict[str, Any]


class Prefers(Pointwise):
    """Finds every example right but those of some subsets, which its rows name in the prompt."""

    def __init__(self, *wrong: str) -> None:
        self.wrong = wrong

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(name="prefers", kind="lookup", fingerprint="prefers:1")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        found = []
        for item in conversations:
            wrong = item.prompt[0].content.split()[0] in self.wrong
            found.append(Score(float((item.index == 0) != wrong), 1))
        return found

    def findings(self) -> Sequence[Finding]:
        return ()


def subset_rows(name: str, count: int) -> list[Row]:
    return [{"prompt": f"{name} {i}", "chosen": "yes", "rejected": "no", "subset": name, "id": i} for i in range(count)]


def rewardbench_rows(**counts: int) -> list[Row]:
    """Rows of the right subsets and counts, but for the counts given."""
    expected = {**REWARDBENCH.expected, **{name.replace("_", "-"): count for name, count in counts.items()}}
    return [row for name, count in expected.items() for row in subset_rows(name, count)]


def write(file: Path, rows: Sequence[Row]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def hub_set(cache: Path, name: str, splits: Mapping[str, Sequence[Row]], commit: str) -> None:
    """Lay out a data set as the Hub's cache does, with a Parquet file a split."""
    repo = cache / f"datasets--{name.replace('/', '--')}"
    data = repo / "snapshots" / commit / "data"
    data.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    for split, rows in splits.items():
        pq.write_table(pa.Table.from_pylist(list(rows)), data / f"{split}-00000-of-00001.parquet")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache, and no network."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder


def reasons(data: str | None, suite: str = "rewardbench", **options: Any) -> tuple[str, ...]:
    return load_dataset(get_suite(suite), DataOptions(data, **options)).partial_reasons


def overall(run: RunRecord) -> float:
    assert run.info.results.overall is not None
    return run.info.results.overall.accuracy


def sections(run: RunRecord) -> dict[str, float]:
    return {name: estimate.accuracy for name, estimate in run.info.results.sections.items()}


# --- what makes a run partial -----------------------------------------------------------------------------------


def test_a_stand_in_with_all_the_right_counts_is_partial(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", rewardbench_rows())
    run = evaluate(Prefers(), dataset=data)
    assert run.info.data.rows == 2985
    assert overall(run) == 1.0
    assert run.info.partial
    assert run.info.partial_reasons == (
        f"unverified local copy (rows of {data}, not of allenai/reward-bench split filtered)",
    )


def test_a_local_folder_that_is_called_like_the_benchmark_is_a_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "allenai" / "reward-bench" / "data"
    folder.mkdir(parents=True)
    for split in ("filtered", "raw"):
        pq.write_table(pa.Table.from_pylist(rewardbench_rows()), folder / f"{split}-00000-of-00001.parquet")
    data = load_dataset(REWARDBENCH, DataOptions())
    assert data.info.revision is None
    assert any(reason.startswith("unverified local copy") for reason in data.partial_reasons)


def test_other_rows_with_the_mini_sets_counts_are_a_stand_in(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in mini_path().read_text(encoding="utf-8").splitlines()]
    data = write(tmp_path / "rows.jsonl", [{**row, "chosen": "yes", "rejected": "no"} for row in rows])
    assert reasons(data, "mini") != ()


def test_what_is_missing_too_much_or_foreign_is_named(tmp_path: Path) -> None:
    rows = [row for row in rewardbench_rows(hep_cpp=163, donotanswer=137) if row["subset"] != "math-prm"]
    data = write(tmp_path / "rows.jsonl", [*rows, *subset_rows("cooking", 2), *subset_rows("chess", 1)])
    *found, stand_in = reasons(data)
    assert found == [
        "1 of 23 subsets missing (math-prm)",
        "1 short (hep-cpp 163/164)",
        "1 with too many rows (donotanswer 137/136)",
        "2 subsets that rewardbench does not have (cooking, chess)",
    ]
    assert stand_in.startswith("unverified local copy")


def test_a_filter_and_a_limit_are_named() -> None:
    found = reasons("mini", subsets=("mini-code", "mini-arithmetic"))
    assert found[0] == "only some subsets asked for (mini-code, mini-arithmetic)"
    assert found[1].startswith("6 of 8 subsets missing (mini-chat-helpful, ")
    found = reasons("mini", limit=256)
    assert found == ("only the first 256 examples asked for",)
    found = reasons("mini", limit=40)
    assert found[1].startswith("6 of 8 subsets missing")
    assert found[2] == "1 short (mini-chat-relevant 8/32)"
    assert reasons("mini") == ()


def test_any_pairs_are_whole_but_not_a_part_of_them(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", subset_rows("mine", 3))
    assert reasons(data, "pairs") == ()
    assert reasons(data, "pairs", limit=2) == ("only the first 2 examples asked for",)
    assert reasons(data, "pairs", subsets=("mine",)) == ("only some subsets asked for (mine)",)


def test_subset_comes_before_limit(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", [*subset_rows("a", 3), *subset_rows("b", 3)])
    found = load_dataset(get_suite("pairs"), DataOptions(data, subsets=("b",), limit=2))
    assert [(example.subset, example.row) for example in found.examples] == [("b", 3), ("b", 4)]
    assert (found.info.rows, found.info.subsets, found.info.limit) == (2, ("b",), 2)


# --- the benchmark itself ---------------------------------------------------------------------------------------

RAW = {"raw": subset_rows("alpacaeval-easy", 5)}


def test_the_whole_benchmark_from_the_hub(cache: Path, tmp_path: Path) -> None:
    """All right but math-prm and xstest-should-refuse: 984 of 1968 and 154, or once 250, of 740 count as wrong."""
    hub_set(cache, "allenai/reward-bench", {"filtered": rewardbench_rows(), **RAW}, COMMIT)
    scorer = Prefers("math-prm", "xstest-should-refuse")
    run = evaluate(scorer, output_dir=tmp_path / "run")
    assert not run.info.partial
    assert run.info.partial_reasons == ()
    assert run.info.data.revision == COMMIT
    assert (run.info.data.dataset, run.info.data.split) == ("allenai/reward-bench", "filtered")
    assert run.info.weights == "today"
    today = {"Chat": 1, "Chat Hard": 1, "Safety": 586 / 740, "Reasoning": 0.5}
    assert sections(run) == pytest.approx(today)
    assert overall(run) == pytest.approx((1 + 1 + 586 / 740 + 0.5) / 4)
    assert load_run(tmp_path / "run").info == run.info
    assert recompute(load_run(tmp_path / "run")) == run.info.results

    old = evaluate(scorer, weights="2024-05")
    assert old.info.weights == "2024-05"
    assert sections(old) == pytest.approx({**today, "Safety": 490 / 740})
    assert overall(old) == pytest.approx((1 + 1 + 490 / 740 + 0.5) / 4)


def test_another_split_of_the_benchmark_is_a_stand_in(cache: Path) -> None:
    hub_set(cache, "allenai/reward-bench", {"filtered": RAW["raw"], "raw": rewardbench_rows()}, COMMIT)
    assert any("split raw, not of" in reason for reason in reasons(None, split="raw"))


def test_rows_missing_from_the_hub_are_noticed(cache: Path) -> None:
    hub_set(cache, "allenai/reward-bench", {"filtered": rewardbench_rows(hep_go=1), **RAW}, COMMIT)
    assert reasons(None) == ("1 of 23 subsets short (hep-go 1/164)",)


def test_another_hub_set_is_a_stand_in(cache: Path) -> None:
    hub_set(cache, "someone/reward-bench", {"filtered": rewardbench_rows(), **RAW}, COMMIT)
    (reason,) = reasons("someone/reward-bench")
    assert reason.startswith("another data set or split")


def test_another_hub_set_is_none_of_several_that_are_one_benchmark() -> None:
    suite = get_suite("ppe-correctness")
    home = " + ".join(part.dataset for part in suite.parts.values())
    assert is_own(suite, Rows(home, [], revision=COMMIT), None)
    assert not is_own(suite, Rows(home, []), None)
    assert not is_own(suite, Rows("someone/ppe", [], revision=COMMIT), None)


# --- prior sets -------------------------------------------------------------------------------------------------


def prior_splits() -> dict[str, list[Row]]:
    """Four splits of 2, 3, 4 and 5 rows, whose ids are the same, also as the main set's."""
    return {
        split: [{key: row[key] for key in ("prompt", "chosen", "rejected", "id")} for row in subset_rows(split, 2 + i)]
        for i, split in enumerate(PRIOR_SUBSETS)
    }


def test_prior_sets_count_half_as_much_as_a_section(cache: Path) -> None:
    """Four sections at 1 with weight 2 and prior sets at 2 of 4 with weight 1: (8 + 0.5) / 9."""
    hub_set(cache, "allenai/reward-bench", {"filtered": rewardbench_rows(), **RAW}, COMMIT)
    hub_set(cache, "allenai/preference-test-sets", prior_splits(), PRIOR_COMMIT)
    run = evaluate(Prefers("shp", "summarize"), suite_options=("include-prior-sets",))
    assert sections(run) == pytest.approx({"Chat": 1, "Chat Hard": 1, "Safety": 1, "Reasoning": 1, "Prior Sets": 0.5})
    assert overall(run) == pytest.approx(8.5 / 9)
    assert {name: run.info.results.subsets[name].n for name in PRIOR_SUBSETS} == dict(
        zip(PRIOR_SUBSETS, (2, 3, 4, 5), strict=True)
    )
    assert run.info.data.added == {"include-prior-sets": PRIOR_COMMIT}
    assert run.info.data.revision == COMMIT
    assert run.info.data.rows == 2985 + 14
    ids = run.examples_table["example_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert ids[-1].startswith("summarize/")
    assert run.info.partial_reasons == ()


def test_findings_in_prior_sets_name_the_ids_of_the_run(cache: Path) -> None:
    hub_set(cache, "allenai/reward-bench", {"filtered": rewardbench_rows(), **RAW}, COMMIT)
    splits = prior_splits()
    splits["shp"][1] = {**splits["shp"][1], "rejected": splits["shp"][1]["chosen"]}
    hub_set(cache, "allenai/preference-test-sets", splits, PRIOR_COMMIT)
    data = load_dataset(REWARDBENCH, DataOptions(suite_options=("include-prior-sets",)))
    (found,) = [each for each in data.findings if each.code == "identical-completions"]
    assert found.examples == (f"shp/{splits['shp'][1]['id']}",)
    assert found.examples[0] in {example.id for example in data.examples}


def test_prior_sets_belong_to_rewardbench(cache: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", subset_rows("a", 1))
    with pytest.raises(UsageError, match="pairs has no option --include-prior-sets of its own"):
        load_dataset(get_suite("pairs"), DataOptions(data, suite_options=("include-prior-sets",)))
    with pytest.raises(UsageError, match="mini has no option --include-prior-sets of its own"):
        load_dataset(REWARDBENCH, DataOptions("mini", suite_options=("include-prior-sets",)))


def test_prior_sets_that_are_not_there(cache: Path, tmp_path: Path) -> None:
    hub_set(cache, "allenai/reward-bench", {"filtered": rewardbench_rows(), **RAW}, COMMIT)
    with pytest.raises(DataError, match="'allenai/preference-test-sets' is not"):
        load_dataset(REWARDBENCH, DataOptions(suite_options=("include-prior-sets",)))
    hub_set(cache, "allenai/preference-test-sets", {"shp": prior_splits()["shp"]}, PRIOR_COMMIT)
    with pytest.raises(DataError, match="no split 'anthropic_helpful'"):
        load_dataset(REWARDBENCH, DataOptions(suite_options=("include-prior-sets",)))


# --- what cannot be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "options", "words"),
    [
        ("mini", DataOptions(limit=0), "--limit must be at least 1, not 0"),
        ("mini", DataOptions(limit=-3), "--limit must be at least 1, not -3"),
        ("pairs", DataOptions(), "pairs has no data set of its own; give one with --dataset"),
        ("mini", DataOptions(split="test"), "the mini set has no splits"),
        ("rewardbench", DataOptions("mini", revision="main"), "no revisions"),
        ("mini", DataOptions(subsets=("mini-cod",)), "did you mean 'mini-code'?"),
    ],
)
def test_options_that_cannot_be(suite: str, options: DataOptions, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_dataset(get_suite(suite), options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_subset_may_have_a_star(tmp_path: Path) -> None:
    names = ["harm/a", "harm/b", "help/a", "h*"]
    data = write(tmp_path / "rows.jsonl", [row for name in names for row in subset_rows(name, 2)])

    def kept(*patterns: str) -> list[str]:
        found = load_dataset(get_suite("pairs"), DataOptions(data, subsets=patterns))
        assert found.partial_reasons == (f"only some subsets asked for ({', '.join(patterns)})",)
        return sorted({example.subset for example in found.examples})

    assert kept("harm/*") == ["harm/a", "harm/b"]
    assert kept("*/a", "harm/b") == ["harm/a", "harm/b", "help/a"]
    assert kept("h*") == ["h*"]  # A name is a name first.
    with pytest.raises(UsageError, match=r"no subset 'nothing/\*' in the data"):
        kept("nothing/*")
