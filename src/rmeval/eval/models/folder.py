"""From a name to a folder that is safe to load: all checks that need no weights in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.data_prep.rows.hub import is_hub_id, snapshot
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import ModelError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.models.heads import Head, find_head, stored_tensors
from rmeval.eval.models.own_code import code_files, needs_own_code, own_calls_of
from rmeval.eval.models.shipped import SHIPPED, shipped_path
from rmeval.eval.numbers.reference_lines import PREFIX, REFERENCE_LINES

_SAFE = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.merges")
_PICKLE = ("*.bin", "*.pt", "*.pth")
_CODE = ("*.py",)
_RECORDS = {"training.json", "trainer_state.json"}
"""How a model came about; not what it computes."""
_BLOCK = 1 << 20

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this machine's disk."""

    name: str
    """As the user gave it."""
    path: Path
    revision: str | None
    """The commit of a Hub model."""
    fingerprint: str
    config: dict[str, Any]
    """``config.json``."""
    head: Head | None = None
    """Its reward head, where that is no classifier's of transformers."""
    adapter: Path | None = None
    """The folder of a PEFT adapter; everything else is then of the model that it adapts."""

    @property
    def has_adapter_beside(self) -> bool:
        """True where an adapter lies in the folder of a model that is whole without it, such as its own merged one."""
        return self.adapter is None and (self.path / ADAPTER_CONFIG).exists()

    @property
    def tokenizer_path(self) -> Path:
        """Where the tokenizer is: with the adapter, if it has one."""
        own = self.adapter is not None and (self.adapter / "tokenizer_config.json").exists()
        return self.adapter if own and self.adapter is not None else self.path


def locate(
    name: str,
    *,
    revision: str | None = None,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    journal: Journal | None = None,
    weights: bool = True,
    own_call: bool = False,
) -> ModelFolder:
    """Find a model that ships with rmeval, a folder, or a Hub model to download, and check that it may be loaded.

    The folder of a PEFT adapter leads to the model that it adapts. The journal remembers the fingerprints of folders.
    ``weights`` set to False asks for a configuration only. ``own_call`` says that the model is called as its authors
    do, by code of its own that may be run.

    Raises:
        ModelError: if there is no such folder or Hub model, if it has no weights, only pickled ones, or code of its own
            that was not asked for.
    """
    path, commit = _resolve(name, revision, _patterns(allow_pickle, trust_remote_code))
    if _is_adapter(path):
        return _locate_adapted(name, path, commit, allow_pickle, trust_remote_code, journal)
    _check_pointers(name, path)
    config = _read_config(name, path)
    head = find_head(name, config, stored_tensors(path, allow_pickle)) if weights and not own_call else None
    if head is None and not own_call and (families := own_calls_of(config)):
        how, runs = " or ".join(f"--model {each.name}:{name}" for each in families), ", ".join(code_files(config))
        raise ModelError(f"{name} scores by code of its own ({runs}); if you trust it: {how} --trust-remote-code")
    if head is None and needs_own_code(config) and not trust_remote_code:
        raise ModelError(f"{name} needs code of its own; if you trust it, run it with --trust-remote-code")
    if own_call or (head is None and needs_own_code(config)):
        _check_code_is_here(name, config)
    if weights:
        _check_weights(name, path, allow_pickle)
    fingerprint = f"hub:{commit}" if commit else _fingerprint(path, journal)
    return ModelFolder(name, path, commit, fingerprint, config, head)


def _is_adapter(path: Path) -> bool:
    """True for a folder with a PEFT adapter and no model of its own."""
    return (path / ADAPTER_CONFIG).exists() and not any(path.glob("model*.safetensors"))


def _locate_adapted(
    name: str, path: Path, commit: str | None, allow_pickle: bool, trust_remote_code: bool, journal: Journal | None
) -> ModelFolder:
    """Find the model that an adapter adapts."""
    config = _read_json(path / ADAPTER_CONFIG)
    base = config.get("base_model_name_or_path")
    if config.get("task_type") != "SEQ_CLS" or not isinstance(base, str):
        raise ModelError(f"{name} is a PEFT adapter, but not one of a sequence classifier (task_type SEQ_CLS)")
    if not (path / ADAPTER_WEIGHTS).exists():
        raise ModelError(f"{name} is a PEFT adapter without {ADAPTER_WEIGHTS}: save it as safetensors")
    if _is_adapter(Path(base).expanduser()):
        raise ModelError(f"{name} is a PEFT adapter of another adapter, {base}: merge that one first")
    revision = config.get("revision")
    try:
        found = locate(
            base,
            revision=revision,
            allow_pickle=allow_pickle,
            trust_remote_code=trust_remote_code,
            journal=journal,
        )
    except ModelError as error:
        raise ModelError(f"{name} is a PEFT adapter, and the model that it adapts cannot be had: {error}") from None
    own = f"hub:{commit}" if commit else _fingerprint(path, journal)
    return ModelFolder(name, found.path, commit, f"{own}+{found.fingerprint}", found.config, adapter=path)


def locate_tokenizer(name: str) -> tuple[Path, str]:
    """Find the folder of a tokenizer, or download it from the Hub; return its fingerprint too.

    Raises:
        ModelError: if there is none.
    """
    path, commit = _resolve(name, None, _SAFE)
    if commit:
        return path, f"hub:{commit}"
    weights = {file for pattern in ("*.safetensors", *_PICKLE) for file in path.glob(pattern)}
    files = sorted({file for pattern in _SAFE for file in path.glob(pattern) if file.is_file()} - weights)
    return path, _hash([file for file in files if file.name not in _RECORDS])


def configuration_of(name: str, revision: str | None) -> dict[str, Any]:
    """Return the ``config.json`` of a folder or a Hub model, of which nothing else is downloaded.

    Raises:
        ModelError: if there is none.
    """
    return _read_config(name, _resolve(name, revision, ("config.json",))[0])


def _patterns(allow_pickle: bool, trust_remote_code: bool) -> Sequence[str]:
    return (*_SAFE, *(_PICKLE if allow_pickle else ()), *(_CODE if trust_remote_code else ()))


def _resolve(name: str, revision: str | None, patterns: Sequence[str]) -> tuple[Path, str | None]:
    if not name.strip():
        raise ModelError("the model has no name: give a Hub id or a folder")
    shipped = shipped_path(name)
    if shipped is not None:
        if revision is not None:
            raise ModelError(f"a revision is for Hub models; {name} ships with rmeval")
        return shipped, None
    path = Path(name).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ModelError(f"a revision is for Hub models; {name} is a folder")
        return path, None
    if path.exists():
        raise ModelError(f"{name} is a file; a model is a folder or a Hub id")
    if not is_hub_id(name) or name.startswith((".", "/", "~")):
        raise ModelError(f"no such folder: {name} (and it is not a Hub id)")
    try:
        return snapshot(name, kind="model", revision=revision, allow_patterns=patterns)
    except ModelError as error:
        near = did_you_mean(name, (*SHIPPED, *(PREFIX + line for line in REFERENCE_LINES)))
        raise ModelError(f"{error}{near}") from error.__cause__


_POINTER, _POINTER_BYTES = b"version https://git-lfs", 1024
_CONFIGS = ("config.json", ADAPTER_CONFIG)


def _read_config(name: str, path: Path) -> dict[str, Any]:
    file = path / "config.json"
    if not file.exists():
        inside = sorted(each.parent.name for each in path.glob("*/*config.json") if each.name in _CONFIGS)
        other = f"; {', '.join(dict.fromkeys(inside))} in it may be one" if inside else ""
        raise ModelError(f"{name} has no config.json: it is not the folder of a transformers model{other}")
    return _read_json(file)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {file}: {error}") from None
    if not isinstance(config, dict):
        raise ModelError(f"{file} is not a JSON object")
    return config


def _check_pointers(name: str, path: Path) -> None:
    """Refuse what git leaves in place of large files where LFS did not fetch them."""
    for file in sorted(path.glob("*")):
        if file.is_file() and file.stat().st_size < _POINTER_BYTES and file.read_bytes().startswith(_POINTER):
            raise ModelError(f"{file.name} of {name} is a Git LFS pointer, not the file: git lfs pull fetches it")


def _check_code_is_here(name: str, config: Mapping[str, Any]) -> None:
    """Refuse code of another repository, of which neither the fingerprint nor the run's record would know."""
    elsewhere = next((file for file in code_files(config) if "--" in file), None)
    if elsewhere is not None:
        raise ModelError(
            f"the code of {name} lies in another repository ({elsewhere}): put it into the model's folder, "
            "and its name into auto_map"
        )


def _check_weights(name: str, path: Path, allow_pickle: bool) -> None:
    if any(path.glob("*.safetensors")):
        return
    pickled = sorted(file.name for pattern in _PICKLE for file in path.glob(pattern))
    if not pickled:
        raise ModelError(f"{name} has no weights (no *.safetensors file)")
    if not allow_pickle:
        raise ModelError(
            f"{name} has only pickled weights ({pickled[0]}), which can run code when loaded; "
            "convert them to safetensors, or pass --allow-pickle if you trust them"
        )


def _fingerprint(path: Path, journal: Journal | None) -> str:
    """Hash the names and contents of the files that decide what the model computes."""
    patterns = (*_SAFE, *_PICKLE, *_CODE)
    files = sorted(
        {file for pattern in patterns for file in path.glob(pattern) if file.is_file() and file.name not in _RECORDS}
    )
    return _hash(files) if journal is None else journal.fingerprint(files, lambda: _hash(files))


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        for block in _blocks(file):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block
