"""Real small models and real rows: what the tests stand on."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # Before any library reads it: no test touches a network.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import tempfile

import pytest

os.environ["RMEVAL_CACHE"] = tempfile.mkdtemp(prefix="rmeval-tests-")  # No test touches the user's journal.
os.environ["HF_MODULES_CACHE"] = tempfile.mkdtemp(prefix="rmeval-tests-")  # Where transformers copies code to.

from tests.support.models.tiny import CHATML, save_tiny_model

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real rows; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("RMEVAL_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real rows: {folder} is absent (set RMEVAL_SHARED to the folder that holds data/)")
    return folder


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of a real 135M classifier; tests that need it skip where it is absent."""
    folder = os.environ.get("RMEVAL_SMOLLM2")
    if not folder or not Path(folder).is_dir():
        pytest.skip("no SmolLM2 classifier: set RMEVAL_SMOLLM2 to its folder")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random Llama classifier with a ChatML template."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", template=CHATML)
