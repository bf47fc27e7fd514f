"""From a scorer and rows to a run, with a scorer of the user's own, reference lines and a tiny model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rmeval import ModelOptions, RunRecord, Scorer, evaluate, load_run
from rmeval.errors import RmevalError, UsageError
from rmeval.eval.evaluate import default_output_dir
from rmeval.eval.models import checkpoint
from rmeval.eval.runner import recompute
from rmeval.eval.scorers.base import Pointwise
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

NAN, INF = math.nan, math.inf


class Lookup(Pointwise):
    """Scores a completion by its text; the texts in ``cut`` count as truncated."""

    def __init__(self, values: Mapping[str, float], cut: Sequence[str] = ()) -> None:
        self.values, self.cut = values, cut

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(name="lookup", kind="lookup", fingerprint="lookup:1")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        texts = [item.completion[0].content for item in conversations]
        if progress:
            progress(len(texts), len(texts))
        return [Score(self.values[text], 7, text in self.cut) for text in texts]

    def findings(self) -> Sequence[Finding]:
        return ()


class Short(Lookup):
    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return super().score_conversations(conversations)[:-1]


def pairs(folder: Path, *answers: tuple[str, str], **columns: Sequence[str]) -> str:
    """Write a data set of these (chosen, rejected) answers and other columns; return its path."""
    rows = [
        {"prompt": f"q{i}", "chosen": c, "rejected": r, **{name: values[i] for name, values in columns.items()}}
        for i, (c, r) in enumerate(answers)
    ]
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def refused(*arguments: object, **options: object) -> str:
    with pytest.raises(RmevalError) as caught:
        evaluate(*arguments, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- a scorer of the user's own ---------------------------------------------------------------------------------

VALUES = {
    "right": 3.0,
    "worse": 1.0,
    "wrong": 0.5,
    "better": 1.5,
    "tie": 2.0,
    "same": 2.0,
    "nan": NAN,
    "inf": INF,
    "-inf": -INF,
}
ANSWERS = (("right", "worse"), ("wrong", "better"), ("tie", "same"), ("nan", "worse"), ("inf", "-inf"))


def test_a_scorer_of_the_users_own(tmp_path: Path) -> None:
    scorer = Lookup(VALUES)
    assert isinstance(scorer, Scorer)
    assert not isinstance(object(), Scorer)
    calls: list[tuple[int, int]] = []
    run = evaluate(
        scorer,
        "pairs",
        dataset=pairs(tmp_path, ANSWERS[0]),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(2, 2)]
    assert run.path is None
    assert run.info.model == scorer.info
    assert run.info.suite == "pairs"
    assert run.info.partial is False
    assert run.info.accounting is None
    assert run.info.results.overall is not None
    assert run.info.results.overall.accuracy == 1.0


def test_every_kind_of_outcome_is_counted(tmp_path: Path) -> None:
    """Of five examples two are invalid; of the other three one is right: margins 2, -1 and 0."""
    run = evaluate(Lookup(VALUES, cut=("right", "worse", "same")), "pairs", dataset=pairs(tmp_path, *ANSWERS))
    result = run.info.results.subsets["all"]
    assert (result.n, result.right, result.ties, result.invalid) == (3, 1, 1, 2)
    assert result.truncated == 3  # "right"/"worse" once although both were cut, "same", and "worse" beside "nan".
    assert result.accuracy == pytest.approx(1 / 3)
    assert result.mean_margin == pytest.approx(1 / 3)
    assert run.info.partial
    assert run.info.partial_reasons == ("2 examples have no finite score",)
    (finding,) = run.info.audit
    ids = run.examples_table["example_id"].to_pylist()
    assert (finding.code, finding.severity, finding.count) == ("non-finite-score", "error", 3)
    assert finding.examples == (ids[3], ids[4])  # Two of the three scores are of one example, which is named once.


def test_a_run_without_one_finite_score(tmp_path: Path) -> None:
    run = evaluate(Lookup(VALUES), "pairs", dataset=pairs(tmp_path, ("nan", "inf")), output_dir=tmp_path / "run")
    assert run.info.results.overall is None
    result = run.info.results.subsets["all"]
    assert (result.n, result.accuracy, result.low, result.high, result.mean_margin) == (0, None, None, None, None)
    assert load_run(tmp_path / "run").info == run.info


def test_the_wrong_number_of_scores(tmp_path: Path) -> None:
    data = pairs(tmp_path, *ANSWERS[:2])
    with pytest.raises(UsageError, match=r"^the scorer gave 3 scores for 4 conversations$"):
        evaluate(Short(VALUES), "pairs", dataset=data, output_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("keep_text", [True, False])
def test_every_number_recomputes_from_the_run_on_disk(tmp_path: Path, keep_text: bool) -> None:
    data = pairs(tmp_path, *ANSWERS, subset=["a", "b", "a", "b", "c"])
    evaluate(Lookup(VALUES), "pairs", dataset=data, output_dir=tmp_path / "run", seed=3, keep_text=keep_text)
    run = load_run(tmp_path / "run")
    assert recompute(run) == run.info.results
    assert run.info.settings["seed"] == 3
    assert recompute(run.with_info(settings={"seed": 4})) == run.info.results  # Nothing in it is random.


def test_a_suite_with_sections_recomputes(tmp_path: Path) -> None:
    evaluate("baseline:random", "mini", output_dir=tmp_path / "run", seed=5)
    run = load_run(tmp_path / "run")
    assert recompute(run) == run.info.results
    assert not run.info.partial


# --- names ------------------------------------------------------------------------------------------------------


def test_unknown_names(tmp_path: Path) -> None:
    data = pairs(tmp_path, ("a", "b"), ("a", "b"), subset=["first", "second"])
    assert "unknown suite 'rewardbnch'; did you mean 'rewardbench'?" in refused("baseline:longest", "rewardbnch")
    assert "no subset 'secnd' in the data; did you mean 'second'? (it has: first, second)" in refused(
        "baseline:longest", "pairs", dataset=data, subsets=["secnd"]
    )
    assert "rewardbench has no weights '2024'; did you mean '2024-05'? (known: today, 2024-05)" in refused(
        "baseline:longest", dataset=data, weights="2024"
    )
    assert "pairs has no weights 'x' (known: none)" in refused("baseline:longest", "pairs", dataset=data, weights="x")
    assert "unknown baseline 'longst'; did you mean 'longest'?" in refused("baseline:longst", "mini")


def test_the_mini_set_is_never_called_rewardbench() -> None:
    run = evaluate("baseline:longest", "rewardbench", dataset="mini")
    assert (run.info.suite, run.info.data.dataset, run.info.data.rows) == ("mini", "mini", 256)
    assert not run.info.partial
    assert run.info.weights == "equal"
    assert "mini has no weights 'today'" in refused("baseline:longest", dataset="mini", weights="today")


@pytest.mark.parametrize(
    "model",
    ["../../etc/passwd", "/abs/x", "..", ".", "", "a/b", "x" * 300, "~/m", "a\\b", "a\nb\0", "-rf", "模型", ". ."],
)
def test_the_default_folder_lies_in_runs(model: str, tmp_path: Path) -> None:
    folder = default_output_dir("rewardbench", model)
    assert folder.parent == Path("runs")
    assert folder.name.startswith("rewardbench-")
    full = tmp_path / folder
    full.mkdir(parents=True)
    assert full.resolve().parent == tmp_path.resolve() / "runs"
    assert folder.name.isprintable()
    assert folder.name.isascii()


def test_the_default_folder_names_the_model() -> None:
    assert default_output_dir("mini", "org/some-model").name.startswith("mini-org-some-model-2")
    assert default_output_dir("mini", "..").name.startswith("mini-model-2")


# --- reference lines and models ---------------------------------------------------------------------------------


def scores(run: RunRecord) -> list[float]:
    found: list[float] = run.scores_table["score"].to_pylist()
    return found


def test_the_random_ruler_hangs_on_the_seed() -> None:
    first, again, other = (evaluate("baseline:random", "mini", limit=8, seed=seed) for seed in (1, 1, 2))
    assert scores(first) == scores(again)
    assert not set(scores(first)) & set(scores(other))
    assert first.info.results == again.info.results
    assert first.info.model.fingerprint != other.info.model.fingerprint
    assert len(set(scores(first))) == 16


def test_the_longest_ruler(tmp_path: Path) -> None:
    run = evaluate("baseline:longest", "pairs", dataset=pairs(tmp_path, ("é漢", "a"), ("a", "bb"), ("ab", "cd")))
    assert scores(run) == [2.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    result = run.info.results.subsets["all"]
    assert (result.right, result.ties, result.n) == (1, 1, 3)
    assert run.info.results.reference_lines["longest"].overall == pytest.approx(1 / 3)


def test_the_same_scores_whatever_the_batch_size(tiny_model: Path) -> None:
    runs = [
        evaluate(
            str(tiny_model),
            "mini",
            limit=5,
            model_options=ModelOptions(dtype="float32", device="cpu", batch_size=size, max_length=200),
        )
        for size in (None, 1, 5)
    ]
    first = runs[0]
    assert max(scores(first)) - min(scores(first)) > 0.1
    for run, size in zip(runs, (None, 1, 5), strict=True):
        assert scores(run) == pytest.approx(scores(first), abs=1e-5)
        assert run.info.settings["batch_size"] == size
        found, expected = (r.info.results.subsets["mini-chat-helpful"] for r in (run, first))
        assert (found.right, found.ties, found.truncated) == (expected.right, expected.ties, expected.truncated)
        assert run.info.accounting is not None
        assert run.info.accounting.given == sum(run.scores_table["tokens"].to_pylist())
    assert first.info.model.max_length == 200


def test_without_room_for_float32_close_calls_are_counted_as_undecided(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "free_bytes", lambda device: 1000.0)
    options = ModelOptions(dtype="bfloat16", device="cpu", max_length=200, cache=False)
    run = evaluate(str(tiny_model), "mini", subsets=["mini-arithmetic"], model_options=options)
    assert "no-float32-copy" in {item.code for item in run.info.audit}
    assert not run.scores["refined"].any()
    assert run.info.drift is not None
    item = run.info.results.subsets["mini-arithmetic"]
    close = sum(abs(margin) <= run.info.drift for margin in margins(run))
    assert item.undecided == close
    assert item.lowest is not None
    assert item.highest is not None
    assert item.highest - item.lowest == pytest.approx(close / 32)


def test_refined_decisions_equal_float32s(tiny_model: Path) -> None:
    def decisions(dtype: str, *, refine: bool = True) -> list[bool]:
        options = ModelOptions(dtype=dtype, device="cpu", max_length=200, cache=False, refine=refine)
        run = evaluate(str(tiny_model), "mini", model_options=options)
        if dtype != "float32":
            undecided = sum(item.undecided for item in run.info.results.subsets.values())
            assert (undecided == 0) == refine
            assert run.scores["refined"].any() == refine
        return [margin > 0 for margin in margins(run)]

    assert decisions("bfloat16") == decisions("float32")
    assert len(decisions("bfloat16", refine=False)) == 256


def margins(run: RunRecord) -> list[float]:
    values = run.scores_table.column("score").to_pylist()
    return [chosen - rejected for chosen, rejected in zip(values[::2], values[1::2], strict=True)]
