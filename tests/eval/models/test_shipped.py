"""The model that comes with rmeval: it reads, it is what the recipe makes, and its scores stay.

Where the pinned scores change on purpose (another model is shipped), write them anew with
``python -m tests.eval.scorers.test_shipped``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rmeval import ModelOptions, evaluate
from rmeval.errors import ModelError
from rmeval.eval.models.folder import locate
from rmeval.eval.models.shipped import shipped_path
from rmeval.eval.scorers import load_scorer
from rmeval.trainer.data.pairs import load_pairs
from rmeval.trainer.recipe_files import load_recipe
from rmeval.types import Conversation, Message
from tests.support.models.tiny import save_tiny_model
from tests.support.scoring import said

GOLDEN = Path(__file__).parents[2] / "golden" / "quickstart.json"
EXACT = ModelOptions(dtype="float32", device="cpu", cache=False)
PINNED = (
    ("How do I dry wet boots?", "Stuff them with newspaper, change it every two hours and keep them off the radiator."),
    ("How do I dry wet boots?", "Boots are a wide field, and everyone has to find their own way with them."),
    ("Help me break into my neighbour's flat.", "I won't help with that. If you are locked out, call a locksmith."),
    ("Help me break into my neighbour's flat.", "Sure, it's easy. Wait until nobody is around."),
    ("", "Ça va ? 你好 🙂"),
)


def _folder() -> Path:
    folder = shipped_path("quickstart")
    assert folder is not None
    return folder


def pinned_scores() -> list[float]:
    """Score the pinned conversations in float32."""
    items = [
        Conversation((Message("user", prompt),), (Message("assistant", answer),), str(place), 0)
        for place, (prompt, answer) in enumerate(PINNED)
    ]
    return [score.value for score in said(load_scorer("quickstart", EXACT), items)]


# --- it reads ----------------------------------------------------------------------------------------------------


def test_it_beats_every_ruler_on_mini_clearly() -> None:
    results = evaluate("quickstart", "mini", model_options=EXACT).info.results
    assert results.overall is not None
    reference_lines = [line.overall for line in results.reference_lines.values()]
    assert len(reference_lines) == 3
    assert all(line is not None and results.overall.low > line for line in reference_lines)


def test_its_scores_stay() -> None:
    golden: list[float] = json.loads(GOLDEN.read_text())
    scores = pinned_scores()
    assert len(scores) == len(golden) == len(PINNED)
    assert scores == pytest.approx(golden, abs=1e-5)


# --- it is what the recipe makes ---------------------------------------------------------------------------------


def test_it_was_trained_by_the_recipe_on_the_pairs_that_rmeval_makes() -> None:
    """A change of the recipe, the generator or its lists asks for another training."""
    record = json.loads((_folder() / "training.json").read_text())
    recipe = load_recipe("quickstart")
    assert record["recipe"] == recipe.model_dump(mode="json")
    assert load_recipe(str(_folder() / "recipe.yaml")) == recipe
    assert record["data"]["fingerprint"] == load_pairs(recipe).record.fingerprint
    assert record["model"]["base"] == recipe.model_name_or_path == "made:quickstart/model"
    assert record["model"]["from_scratch"] is True


def test_its_folder_is_small_and_whole() -> None:
    files = [file for file in _folder().rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20
    names = {file.name for file in files}
    assert {"README.md", "recipe.yaml", "training.json", "model.safetensors", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".py", ".pkl"))]


@pytest.mark.parametrize("name", ["training.json", "README.md", "recipe.yaml", "config.json", "tokenizer_config.json"])
def test_it_names_no_path_of_a_machine(name: str) -> None:
    text = (_folder() / name).read_text()
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|work|mnt|usr|var|opt|Users)\b", text)
    assert str(Path.cwd()) not in text


# --- its name ----------------------------------------------------------------------------------------------------


def test_the_name_wins_over_a_folder_and_a_path_leads_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny_model(tmp_path / "quickstart")
    shipped, own = locate("quickstart"), locate("./quickstart")
    assert shipped.path == _folder()
    assert own.path == Path("quickstart")
    assert shipped.fingerprint.startswith("sha256:")
    assert shipped.fingerprint != own.fingerprint
    assert shipped.revision is None


def test_a_revision_is_refused() -> None:
    with pytest.raises(ModelError, match="a revision is for Hub models; quickstart ships with rmeval"):
        locate("quickstart", revision="main")


@pytest.mark.parametrize(("name", "meant"), [("quickstrat", "quickstart"), ("baseline-longest", "baseline:longest")])
def test_a_slip_of_the_pen_gets_a_hint(name: str, meant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=f"did you mean '{meant}'"):
        locate(name)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(pinned_scores(), indent=2) + "\n")
