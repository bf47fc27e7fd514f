from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval import RmevalError, evaluate
from rmeval.data_prep.mixture import Mixture
from rmeval.data_prep.prepare import prepare
from rmeval.data_prep.text.normalise import pair_opening
from rmeval.errors import DataError, RunError, UsageError
from rmeval.files import LOCK
from rmeval.types import Example, Message
from tests.support.preparing import contents, hh_row, hh_rows, mixture_of, rows_of, sides_of, write_rows
from tests.test_files import holder

FILES = ["README.md", "contamination.json", "data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"]
FILES += ["ledger.json", "mixture.yaml", "statistics.json"]


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """Three files of hh-rlhf's rows on different topics: label -> path."""
    return {topic: write_rows(tmp_path / f"{topic}.jsonl", hh_rows(40, topic)) for topic in ("soup", "bread", "jam")}


def openings_of(folder: Path, split: str) -> set[str]:
    """The openings of one split, worked out from what is written."""
    found = set()
    for row in rows_of(folder, split):
        messages: Any = row["chosen"]
        found.add(pair_opening(tuple(Message(**each) for each in messages), ()))
    return found


@pytest.mark.parametrize(
    ("where", "message"),
    [("/elsewhere/cache.arrow", "cannot use /elsewhere/cache.arrow: Permission denied"), ("data", "cannot write to")],
)
def test_an_error_of_the_file_system_names_the_file_that_it_is_of(
    tmp_path: Path, paths: dict[str, str], where: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "out" / where))  # An absolute one stays itself.

    monkeypatch.setattr("rmeval.data_prep.prepare.build_source", denied)
    with pytest.raises(RmevalError, match=message):
        prepare(mixture_of(paths, 10), tmp_path / "out")


# --- the whole way ----------------------------------------------------------------------------------------------


def test_what_is_written(tmp_path: Path, paths: dict[str, str]) -> None:
    seen: list[tuple[str, int, int]] = []
    done = prepare(mixture_of(paths, 10), tmp_path / "out", progress=lambda *at: seen.append(at))
    out = tmp_path / "out"
    assert list(contents(out)) == FILES
    assert (done.path, done.kept) == (out, ())
    assert (len(rows_of(out, "train")), len(rows_of(out, "test"))) == (90, 30)
    assert [row["subset"] for row in rows_of(out, "test")] == ["soup"] * 10 + ["bread"] * 10 + ["jam"] * 10
    first = rows_of(out, "train")[0]
    assert list(first) == ["id", "chosen", "rejected", "subset", "group", "chosen_score", "rejected_score"]
    assert len(sides_of(out)) == 120  # Every id is another.
    ledger = json.loads((out / "ledger.json").read_text())
    assert ledger == json.loads(json.dumps(done.ledger.to_json()))
    assert [source["name"] for source in ledger["sources"]] == ["soup", "bread", "jam"]
    assert [(source["rows"], source["train"], source["test"]) for source in ledger["sources"]] == [(40, 30, 10)] * 3
    assert ledger["totals"]["pairs"] == 120
    assert json.loads((out / "statistics.json").read_text()) == json.loads(json.dumps(done.statistics))
    assert [source["train"] for source in done.statistics["sources"]] == [30, 30, 30]
    assert done.statistics["split"] == {
        "held_out": "10",
        "openings": 120,
        "near_duplicates": 0,
        "dropped_pairs": 0,
    }
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["soup", "bread", "jam", "near-duplicates", "overlap with benchmarks", "writing"]
    assert seen[-1] == ("writing", 120, 120)


def test_no_path_time_or_number_of_workers_is_in_it(tmp_path: Path, paths: dict[str, str]) -> None:
    prepare(mixture_of(paths), tmp_path / "one", workers=1)
    moved = {label: write_rows(tmp_path / "elsewhere" / f"{label}.jsonl", hh_rows(40, label)) for label in paths}
    prepare(mixture_of(moved), tmp_path / "two", workers=3)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert not any(str(tmp_path).encode() in text for text in one.values())
    built = yaml.safe_load(one["mixture.yaml"])
    assert [source["path"] for source in built["sources"]] == ["soup.jsonl", "bread.jsonl", "jam.jsonl"]
    # What was built can be built again from what it says.
    again = {label: str(tmp_path / "elsewhere" / f"{label}.jsonl") for label in paths}
    prepare(tmp_path / "one" / "mixture.yaml", tmp_path / "three", paths=again)
    assert contents(tmp_path / "three") == one


def test_the_real_file_builds_whole(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "preferences" / "hh-rlhf-harmless-base-test.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    equal = sum(row["chosen"] == row["rejected"] for row in rows)
    builds = {}
    for workers in (1, 2, 4):
        done = prepare(mixture_of({"hh": str(file)}, 0.1), tmp_path / f"{workers}", workers=workers)
        builds[workers] = contents(tmp_path / f"{workers}")
    assert builds[1] == builds[2] == builds[4]
    [source] = done.ledger.sources
    assert source.rows == len(rows) == 2312
    assert source.rows == source.used_rows + sum(source.dropped_rows.values())
    assert source.candidates == source.pairs + sum(source.dropped_pairs.values())
    assert source.dropped_pairs.get("equal-texts", 0) >= equal
    written = [rows_of(tmp_path / "1", split) for split in ("train", "test")]
    assert [len(side) for side in written] == [source.train, source.test]
    assert 0.05 < source.test / source.pairs < 0.2
    assert not openings_of(tmp_path / "1", "train") & openings_of(tmp_path / "1", "test")
    texts = {row["chosen"].rsplit("\n\nAssistant:", 1)[1].strip() for row in rows}
    for row in [*written[0], *written[1]]:
        messages: Any = row["chosen"]
        assert messages[-1]["content"] in texts


PROMPTS = st.lists(
    st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["Soup?", "soup", "SOUP!", "Bread?", ""]),
    min_size=8,
    max_size=20,
)


@given(prompts=PROMPTS, held_out=st.sampled_from([0.3, 0.5, 3]))
@settings(deadline=None, max_examples=15)
def test_no_opening_is_on_both_sides_and_a_second_build_is_the_same(prompts: list[str], held_out: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        half = len(prompts) // 2
        rows = [hh_row(prompt, f"Yes {place}.") for place, prompt in enumerate([*prompts, "one", "two", "three"])]
        files = {"a": rows[:half], "b": rows[half:]}
        paths = {label: write_rows(work / f"{label}.jsonl", part) for label, part in files.items()}
        mixture = mixture_of(paths, held_out)
        with suppress(DataError):  # Sometimes no pair is left to train on.
            prepare(mixture, work / "one", workers=1)
        if not (work / "one" / "ledger.json").exists():
            return
        prepare(mixture, work / "two", workers=1)
        assert contents(work / "one") == contents(work / "two")
        assert not openings_of(work / "one", "train") & openings_of(work / "one", "test")
        ledger = json.loads((work / "one" / "ledger.json").read_text())
        assert len(sides_of(work / "one")) == ledger["totals"]["pairs"]


# --- who reads it -----------------------------------------------------------------------------------------------


def test_datasets_reads_it(tmp_path: Path, paths: dict[str, str]) -> None:
    prepare(mixture_of(paths, 10), tmp_path / "out")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 90, "test": 30}
    assert found["test"][0] == rows_of(tmp_path / "out", "test")[0]


def test_pairs_reads_the_test_side_and_reports_by_source(tmp_path: Path, paths: dict[str, str]) -> None:
    prepare(mixture_of(paths, 10), tmp_path / "out")
    run = evaluate("baseline:longest", "pairs", dataset=str(tmp_path / "out"))
    assert run.info.data.split == "test"
    # "It is 7." is one character longer than "Not 7.": the reference line has them all.
    found = {name: (subset.n, subset.accuracy) for name, subset in run.info.results.subsets.items()}
    assert found == dict.fromkeys(paths, (10, 1.0))
    assert set(run.examples["example_id"]) == {row["id"] for row in rows_of(tmp_path / "out", "test")}


def test_trl_trains_on_it(tmp_path: Path, paths: dict[str, str], tiny_model: Path) -> None:
    trl = pytest.importorskip("trl")
    prepare(mixture_of(paths, 10), tmp_path / "out")
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    arguments = trl.RewardConfig(
        str(tmp_path / "model"), max_steps=1, per_device_train_batch_size=2, report_to="none", use_cpu=True, bf16=False
    )
    trainer = trl.RewardTrainer(str(tiny_model), args=arguments, train_dataset=rows)
    assert trainer.train().global_step == 1
    assert len(trainer.train_dataset) == 90


def test_without_a_test_side(tmp_path: Path, paths: dict[str, str]) -> None:
    prepare(mixture_of(paths, 0), tmp_path / "out")
    assert [name for name in contents(tmp_path / "out") if name.startswith("data")] == [FILES[3]]
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(found) == ["train"]


# --- the held-out split ------------------------------------------------------------------------------------------


def test_a_source_at_the_end_moves_no_row(tmp_path: Path, paths: dict[str, str]) -> None:
    for held_out in (0.3, 10):
        two = {label: paths[label] for label in ("soup", "bread")}
        prepare(mixture_of(two, held_out), tmp_path / f"two{held_out}")
        prepare(mixture_of(paths, held_out), tmp_path / f"three{held_out}")
        before, after = sides_of(tmp_path / f"two{held_out}"), sides_of(tmp_path / f"three{held_out}")
        assert len(before) == 80
        assert before.items() <= after.items()
        assert {"train", "test"} == set(before.values())


def test_the_seed_moves_rows_and_its_option_counts(tmp_path: Path, paths: dict[str, str]) -> None:
    mixture = mixture_of(paths, 0.3)
    prepare(mixture, tmp_path / "a")
    prepare(mixture, tmp_path / "b", seed=1)
    prepare(mixture.model_copy(update={"seed": 1}), tmp_path / "c")
    assert sides_of(tmp_path / "a").keys() == sides_of(tmp_path / "b").keys()
    assert sides_of(tmp_path / "a") != sides_of(tmp_path / "b")
    assert contents(tmp_path / "b") == contents(tmp_path / "c")


def test_near_duplicates_stay_together_and_what_is_near_to_both_is_dropped(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(30)]
    rows = [hh_row(" ".join([*words, f"end{number}"]), f"Yes {number}.") for number in range(20)] + hh_rows(20)
    path = write_rows(tmp_path / "rows.jsonl", rows)
    prepare(mixture_of({"near": path}, 0.5), tmp_path / "near")
    prepare(mixture_of({"near": path}, 0.5, near_duplicates=False), tmp_path / "off")
    alike: dict[str, set[str]] = {}
    for name in ("near", "off"):
        for split in ("train", "test"):
            if any(opening.startswith("w0") for opening in openings_of(tmp_path / name, split)):
                alike.setdefault(name, set()).add(split)
    assert len(alike["near"]) == 1
    assert len(alike["off"]) == 2


def test_the_same_pair_twice_has_two_ids_in_one_source_and_in_two(tmp_path: Path) -> None:
    rows = [hh_row("Soup?"), *hh_rows(5), hh_row("Soup?")]
    mixture = mixture_of({label: write_rows(tmp_path / f"{label}.jsonl", rows) for label in ("a", "b")}, 0.3)
    prepare(mixture, tmp_path / "out")
    sides = sides_of(tmp_path / "out")
    assert len(sides) == 14
    [one, two] = [name for name in sides if name.endswith("#2")]
    assert {one.partition("-")[0], two.partition("-")[0]} == {"a", "b"}
    assert sides[one] == sides[two] == sides[one.removesuffix("#2")]


def test_limits_are_in_the_ledger(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"p{n}", "chosen": "a", "rejected": "b", "chosen_score": n, "rejected_score": 0} for n in range(9)
    ]
    source = {"name": "pairs", "path": write_rows(tmp_path / "rows.jsonl", rows), "min_score_gap": 3.0, "max_pairs": 4}
    mixture = Mixture.model_validate({"name": "m", "held_out": 0, "sources": [source]})
    done = prepare(mixture, tmp_path / "out")
    [ledger] = done.ledger.sources
    # A gap of 0 is an equal score, 1 and 2 are too close; of the six left, four are taken.
    assert ledger.dropped_pairs == {"equal-scores": 1, "max-pairs": 2, "min-score-gap": 2}
    assert (ledger.candidates, ledger.pairs, ledger.published, ledger.difference) == (9, 4, None, None)
    assert all(ledger.reasons.values())
    written = rows_of(tmp_path / "out", "train")
    assert all(isinstance(row["chosen_score"], float) and row["chosen_score"] >= 3 for row in written)


# --- overlap ----------------------------------------------------------------------------------------------------


def example(prompt: str, place: int = 0) -> Example:
    answers = ((Message("assistant", "a"),),), ((Message("assistant", "b"),),)
    return Example(f"e{place}", place, "kitchen", (Message("user", prompt),), *answers)


def test_overlap_is_reported_and_dropped_where_asked(tmp_path: Path, paths: dict[str, str]) -> None:
    mixture = mixture_of(paths, 10)
    prepare(mixture, tmp_path / "plain")
    openings = {split: sorted(openings_of(tmp_path / "plain", split)) for split in ("train", "test")}
    benchmark = {"bench": [example(openings["train"][0].upper()), example(openings["test"][0], 1)]}
    done = prepare(mixture, tmp_path / "kept", against=benchmark)
    [name] = done.overlap.contaminated
    assert sides_of(tmp_path / "kept") == sides_of(tmp_path / "plain")
    report = json.loads((tmp_path / "kept" / "contamination.json").read_text())
    assert report["contaminated"] == [name]
    [subset] = report["subsets"]  # The test split may hold what a benchmark holds.
    assert (subset["benchmark"], subset["examples"], subset["exact"], subset["share"]) == ("bench", 2, 1, 0.5)
    assert done.statistics["overlap"] == report["subsets"]
    dropped = prepare(mixture, tmp_path / "dropped", against=benchmark, drop_overlap=True)
    assert sides_of(tmp_path / "dropped") == {
        row: side for row, side in sides_of(tmp_path / "plain").items() if row != name
    }
    assert [source.dropped_pairs.get("benchmark-overlap", 0) for source in dropped.ledger.sources].count(1) == 1
    assert dropped.ledger.totals.train == 89
    assert "benchmark-overlap" in (tmp_path / "dropped" / "README.md").read_text()


# --- going on, and what goes wrong ------------------------------------------------------------------------------


def test_sources_that_were_built_are_kept_when_a_later_one_fails(tmp_path: Path, paths: dict[str, str]) -> None:
    clean = prepare(mixture_of(paths), tmp_path / "clean")
    jam = Path(paths["jam"])
    jam.rename(tmp_path / "away.jsonl")
    with pytest.raises(DataError) as caught:
        prepare(mixture_of(paths), tmp_path / "out")
    assert str(caught.value) == (f"source jam: no such file or folder: {jam}; kept for the next start: soup, bread")
    assert [name for name in contents(tmp_path / "out") if not name.startswith(".work/")] == [LOCK]
    (tmp_path / "away.jsonl").rename(jam)
    done = prepare(mixture_of(paths), tmp_path / "out")
    assert (clean.kept, done.kept) == ((), ("soup", "bread"))
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


class Stop(BaseException):
    """Ctrl-C, at a place of our choosing."""


def stop_at(stage: str, call: int) -> Callable[[str, int, int], None]:
    calls = []

    def progress(name: str, done: int, total: int) -> None:
        if name == stage:
            calls.append(done)
        if len(calls) >= call:
            raise Stop

    return progress


@pytest.mark.parametrize(
    ("stage", "call", "kept"),
    [
        ("soup", 2, ()),
        ("bread", 1, ("soup",)),
        ("bread", 2, ("soup",)),
        ("near-duplicates", 1, ("soup", "bread", "jam")),
        ("overlap with benchmarks", 2, ("soup", "bread", "jam")),
        ("writing", 2, ("soup", "bread", "jam")),
    ],
)
def test_stopped_anywhere_it_goes_on(
    tmp_path: Path, paths: dict[str, str], stage: str, call: int, kept: tuple[str, ...]
) -> None:
    mixture = mixture_of(paths)
    prepare(mixture, tmp_path / "clean")
    with pytest.raises(Stop):
        prepare(mixture, tmp_path / "out", progress=stop_at(stage, call))
    assert not (tmp_path / "out" / "ledger.json").exists()
    assert prepare(mixture, tmp_path / "out").kept == kept
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_stopped_while_it_is_put_in_place(
    tmp_path: Path, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third rename into the folder fails, over a build of something else that was there."""
    prepare(mixture_of(paths), tmp_path / "clean")
    prepare(mixture_of({"other": paths["soup"]}), tmp_path / "out")
    real, renamed = os.replace, []

    def replace(source: Path, target: Path) -> None:
        if target.parent.name in ("out", "data") and ".work" not in target.parts:
            renamed.append(target)
            if len(renamed) == 3:
                raise Stop
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Stop):
        prepare(mixture_of(paths), tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out" / "ledger.json").exists()
    done = prepare(mixture_of(paths), tmp_path / "out")
    assert done.kept == ("soup", "bread", "jam")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_finished_build_is_not_written_over_unless_asked(tmp_path: Path, paths: dict[str, str]) -> None:
    out = tmp_path / "out"
    prepare(mixture_of(paths), out)
    (out / "statistics.html").write_text("of the first build")
    before = contents(out)
    with pytest.raises(
        RunError, match="out holds a finished build of a mixture; choose another --output-dir or pass --overwrite"
    ):
        prepare(mixture_of(paths), out)
    assert contents(out) == before
    (out / "data" / "train-00001-of-00002.parquet").write_bytes(b"of a larger build")
    prepare(mixture_of({"jam": paths["jam"]}), out, overwrite=True)
    assert list(contents(out)) == FILES
    assert {row["subset"] for row in rows_of(out, "train")} == {"jam"}
    with pytest.raises(DataError):  # A build that fails leaves the finished one whole.
        prepare(mixture_of({"jam": "absent.jsonl"}), out, overwrite=True)
    assert {row["subset"] for row in rows_of(out, "train")} == {"jam"}
    assert "ledger.json" in contents(out)


def test_what_is_not_ours_is_not_touched(tmp_path: Path, paths: dict[str, str]) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="project holds other files and no build of a mixture"):
            prepare(mixture_of(paths), folder, overwrite=overwrite)
    assert contents(folder) == {"README.md": b"mine"}
    (folder / ".work").mkdir()
    (folder / "README.md").rename(folder / ".work" / "mine")
    with pytest.raises(RunError, match=r"project holds \.work, which rmeval did not write and would replace"):
        prepare(mixture_of(paths), folder)
    assert contents(folder) == {".work/mine": b"mine"}
    (folder / ".work" / "mine").rename(folder / "README.md")
    (folder / ".work").rmdir()
    (folder / "README.md").rename(folder / ".gitattributes")  # As in a clone of an empty Hub data set.
    prepare(mixture_of(paths), folder)
    assert list(contents(folder)) == [".gitattributes", *FILES]


def test_a_folder_that_another_process_writes_to_is_refused_and_not_touched(
    tmp_path: Path, paths: dict[str, str]
) -> None:
    out = tmp_path / "out"
    with holder(out, what="build of a mixture") as (process, _):
        before = contents(out)
        for overwrite in (False, True):
            with pytest.raises(RunError, match=rf"another rmeval is writing to .*out \(process {process.pid} on "):
                prepare(mixture_of(paths), out, overwrite=overwrite)
        assert contents(out) == before


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"paths": {"sop": "x"}}, UsageError, "test-mixture has no source 'sop'; did you mean 'soup'?"),
        ({"paths": {"soup": "absent.jsonl"}}, DataError, "source soup: no such file or folder: absent.jsonl"),
        ({"workers": 0}, UsageError, "workers must be at least 1, not 0"),
        ({"output_dir": "file/out"}, RunError, "cannot write to the output folder file/out: Not a directory"),
        ({"output_dir": "file"}, RunError, "cannot write to the output folder file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    options: dict[str, Any],
    kind: type[RmevalError],
    words: str,
    tmp_path: Path,
    paths: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(kind) as caught:
        prepare(mixture_of(paths), **{"output_dir": "out", **options})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_nothing_left_to_train_on_is_an_error(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [hh_row("Soup?", "Yes.", "Yes.")])
    expected = (
        r"test-mixture: no training pair is left: soup, 1 rows: 1 pairs equal-texts \(both answers are the same text\)"
    )
    with pytest.raises(DataError, match=expected):
        prepare(mixture_of({"soup": path}), tmp_path / "out")
    assert not (tmp_path / "out" / "ledger.json").exists()
