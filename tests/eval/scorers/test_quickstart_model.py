"""The model that comes with rmeval: small, whole, what its recipe makes, and better than every ruler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.errors import ModelError
from rmeval.eval.evaluate import evaluate
from rmeval.eval.scorers import folder
from rmeval.eval.scorers.folder import locate, locate_tokenizer
from rmeval.eval.scorers.options import ModelOptions
from rmeval.records import RunRecord
from rmeval.trainer.quickstart import TRAIN_PAIRS
from rmeval.trainer.recipe import Recipe, load_recipe
from tests.tiny import save_tiny_model

SHIPPED = Path(folder.__file__).with_name("quickstart")


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return evaluate("quickstart", "mini", model_options=ModelOptions(dtype="float32", device="cpu", cache=False))


def test_folder_is_small_and_holds_nothing_that_runs() -> None:
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".jinja", ".md", ".yaml"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md", "training.json"} <= {
        path.name for path in files
    }


def test_record_says_what_the_recipe_says() -> None:
    record = json.loads((SHIPPED / "training.json").read_text(encoding="utf-8"))
    assert Recipe.model_validate(record["recipe"]) == load_recipe("quickstart")
    assert record["data"]["train"] == TRAIN_PAIRS
    assert record["model"]["from_scratch"] is True
    assert record["findings"] == [] or all(finding["severity"] != "error" for finding in record["findings"])


def test_beats_every_ruler_on_mini(run: RunRecord) -> None:
    results = run.info.results
    assert results.overall is not None
    assert results.overall.low > 0.56
    for name, ruler in results.rulers.items():
        assert ruler.overall is not None
        assert ruler.overall < results.overall.low, name


def test_refuses_what_it_should_and_answers_what_it_should(run: RunRecord) -> None:
    """Neither half of Safety is won by liking refusals."""
    for subset in ("mini-safety-should-refuse", "mini-safety-should-respond"):
        accuracy = run.info.results.subsets[subset].accuracy
        assert accuracy is not None
        assert accuracy >= 0.6, subset


def test_nothing_is_wrong_with_it(run: RunRecord) -> None:
    assert not [finding for finding in run.info.audit if finding.severity == "error"]
    codes = {finding.code for finding in run.info.audit}
    assert not codes & {"double-bos", "missing-bos", "missing-eos", "pooled-not-last", "untrained-head", "truncated"}
    assert run.info.model.name == "quickstart"
    assert run.info.model.template_source == "tokenizer"


def test_name_leads_to_the_shipped_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()  # Any folder of that name is not a model.
    assert locate("quickstart").path == SHIPPED
    assert locate_tokenizer("quickstart") == SHIPPED


def test_a_model_of_that_name_here_is_not_mistaken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny_model(tmp_path / "quickstart")
    with pytest.raises(ModelError, match=r"for the folder, say \./quickstart"):
        locate("quickstart")
    assert locate("./quickstart").path == Path("quickstart")


def test_it_has_no_revisions() -> None:
    with pytest.raises(ModelError, match="--revision is for Hub models"):
        locate("quickstart", revision="main")
