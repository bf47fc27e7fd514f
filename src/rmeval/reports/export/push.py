"""The one place that sends something: a pull request on the Hub."""

from __future__ import annotations

from rmeval.errors import RmevalError, RunError
from rmeval.reports.export.model_index import CARD, merged
from rmeval.reports.export.parts import Export

__all__ = ["push"]


def push(export: Export) -> str:
    """Open a pull request with an export's files; return its address.

    The token is the one of ``hf auth login`` or ``HF_TOKEN``. Nothing is written to a branch of the repository.

    Raises:
        RunError: if that fails, in one line.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    repository, files = export.repository, dict(export.files)
    try:
        if CARD in files:
            try:
                path = hf_hub_download(repository, CARD, repo_type=export.kind, force_download=True)
                with open(path, encoding="utf-8", newline="") as stream:
                    current = stream.read()
            except RemoteEntryNotFoundError:  # Not its parent, which is raised where the Hub cannot be reached, too.
                current = ""
            files[CARD] = merged(current, files[CARD])
        done = HfApi().create_commit(
            repository,
            [CommitOperationAdd(path, text.encode()) for path, text in files.items()],
            repo_type=export.kind,
            commit_message=export.title,
            create_pr=True,
        )
    except RmevalError:
        raise
    except Exception as error:  # HTTP, proxy, token, name: whatever it is, the user gets one line.
        raise RunError(f"no pull request was opened in {repository}: {_explain(error)}") from error
    return str(done.pr_url)


def _explain(error: Exception) -> str:
    from huggingface_hub import errors, is_offline_mode

    if is_offline_mode():
        return "HF_HUB_OFFLINE is set; unset it, or leave --push out to see what would be sent"
    if isinstance(error, errors.LocalTokenNotFoundError):
        return "nobody is logged in; log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or no access to it; check --model-id, or log in with `hf auth login`"
    return " ".join(str(error).split())[:200] or type(error).__name__
