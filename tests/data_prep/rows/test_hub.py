from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from rmeval.data_prep.rows.hub import HubKind, is_hub_id, snapshot
from rmeval.errors import DataError, ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached_repo(cache: Path, kind: str = "dataset", commit: str = COMMIT) -> Path:
    """Lay out a repository ``org/name`` as the Hub's cache does and return its snapshot."""
    repo = cache / f"{kind}s--org--name"
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    (snapshot / "data.jsonl").write_text("{}\n")
    return snapshot


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A Hub on this machine that refuses every request with the status and code put in here."""
    answer = {"status": "404", "code": "RepoNotFound"}

    class Refusal(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(answer["status"]))
            self.send_header("X-Error-Code", answer["code"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["gpt2", "org/name", "Org-1/na.me_2"])
def test_hub_ids(name: str) -> None:
    assert is_hub_id(name)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../b", "a..b", "/a/b", "a\\b", "C:\\a", "a--b", "org/", "a b", "-a", "a.git", "x" * 97, "\0"]
)
def test_no_hub_ids(name: str) -> None:
    assert not is_hub_id(name)


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_the_cached_snapshot_and_its_commit(cache: Path, kind: HubKind, revision: str | None) -> None:
    folder = cached_repo(cache, kind)
    assert snapshot("org/name", kind=kind, revision=revision, allow_patterns=["*.jsonl"]) == (folder, COMMIT)


def test_the_environment_is_honoured(tmp_path: Path) -> None:
    """The library reads its variables when it is imported, so this takes a process of its own."""
    folder = cached_repo(tmp_path / "hub")
    code = (
        "from rmeval.data_prep.rows.hub import snapshot\n"
        "print(snapshot('org/name', kind='dataset', revision=None, allow_patterns=['*'])[0])"
    )
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_CACHE"}
    env |= {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}\n"


@pytest.mark.parametrize(("kind", "error"), [("model", ModelError), ("dataset", DataError)])
def test_offline_and_not_in_the_cache(cache: Path, kind: HubKind, error: type[Exception]) -> None:
    word = {"model": "model", "dataset": "data set"}[kind]
    with pytest.raises(
        error, match=rf"^{word} 'org/name' is not .* in the local cache and HF_HUB_OFFLINE is set: unset"
    ):
        snapshot("org/name", kind=kind, revision=None, allow_patterns=["*"])


def test_offline_and_another_revision_in_the_cache(cache: Path) -> None:
    cached_repo(cache)
    with pytest.raises(DataError, match=r"^data set 'org/name' at revision 'v2' is not .* in the local cache"):
        snapshot("org/name", kind="dataset", revision="v2", allow_patterns=["*"])


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (
            "401",
            "RepoNotFound",
            "no data set 'org/name' at revision 'v2' on the Hub, or no access to it: check the name",
        ),
        ("403", "GatedRepo", "is gated: accept its terms at https://huggingface.co/datasets/org/name and log in"),
        ("404", "RevisionNotFound", "data set 'org/name' has no revision 'v2'"),
        ("400", "", "cannot download data set 'org/name' at revision 'v2' ("),
    ],
)
def test_what_the_hub_refuses(hub: dict[str, str], status: str, code: str, line: str) -> None:
    hub.update(status=status, code=code)
    with pytest.raises(DataError) as caught:
        snapshot("org/name", kind="dataset", revision="v2", allow_patterns=["*"])
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ModelError, match=r"cannot download model 'org/name' \(.+\): check the connection") as caught:
        snapshot("org/name", kind="model", revision=None, allow_patterns=["*"])
    assert "\n" not in str(caught.value)
    folder = cached_repo(cache, "model")
    assert snapshot("org/name", kind="model", revision=None, allow_patterns=["*"]) == (folder, COMMIT)


@pytest.mark.parametrize("name", ["../etc", "a/b/c"])
def test_a_name_that_is_none(cache: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"^'{name}' is not a Hub id: expected 'name' or 'org/name'"):
        snapshot(name, kind="dataset", revision=None, allow_patterns=["*"])
