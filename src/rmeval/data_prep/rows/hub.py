"""Downloads from the Hugging Face Hub, through its own cache, with one clear line for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from rmeval.errors import DataError, ModelError

__all__ = ["HubKind", "is_hub_id", "snapshot"]

HubKind: TypeAlias = Literal["model", "dataset"]
_WORDS: dict[HubKind, str] = {"model": "model", "dataset": "data set"}


def is_hub_id(name: str) -> bool:
    """Return whether ``name`` is a valid Hub id, ``name`` or ``org/name``; asks nobody whether it exists."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def snapshot(repo_id: str, *, kind: HubKind, revision: str | None, allow_patterns: Sequence[str]) -> tuple[Path, str]:
    """Download the matching files of a Hub repository, or find them in the cache.

    ``HF_HOME`` and ``HF_HUB_OFFLINE`` are honoured; without a network, what is in the cache is taken.

    Args:
        repo_id: ``name`` or ``org/name``.
        kind: whether it is a model or a data set.
        revision: a branch, tag or commit; None for the default branch.
        allow_patterns: the files to fetch; ``*`` also matches ``/``.

    Returns:
        The local folder and the commit it is of.

    Raises:
        DataError: if a data set cannot be had.
        ModelError: if a model cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(repo_id, repo_type=kind, revision=revision, allow_patterns=list(allow_patterns))
    except Exception as error:  # HTTP, proxy, cache, disk, name: whatever it is, the user gets one line
        message = _explain(error, repo_id, kind, revision)
        raise (ModelError if kind == "model" else DataError)(message) from error
    return Path(folder), Path(folder).name


def _explain(error: Exception, repo_id: str, kind: HubKind, revision: str | None) -> str:
    """Say in one line why the download failed and what to do."""
    from huggingface_hub import errors, is_offline_mode

    what = f"{_WORDS[kind]} {repo_id!r}" + (f" at revision {revision!r}" if revision is not None else "")
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    if isinstance(error, errors.GatedRepoError):
        return f"{what} is gated: accept its terms at {page} and log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"no {what} on the Hub, or no access to it: check the name, or log in with `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{_WORDS[kind]} {repo_id!r} has no revision {revision!r}: see {page}/tree/main for its branches"
    if isinstance(error, errors.HFValidationError):
        return f"{repo_id!r} is not a Hub id: expected 'name' or 'org/name'"
    if is_offline_mode():
        return f"{what} is not (wholly) in the local cache and HF_HUB_OFFLINE is set: unset it, or give a local path"
    reason = " ".join(str(error.__cause__ or error).split())[:200] or type(error).__name__
    return f"cannot download {what} ({reason}): check the connection and the disk, or give a local path"
