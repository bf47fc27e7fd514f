"""From a folder to a language model in memory, with the head that says what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import transformers

from rmeval.data_prep.text.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.engine.precision import Precision, lower
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.checkpoint import error_line, note_folder, why_no_float32, without_adapter
from rmeval.eval.models.folder import ModelFolder
from rmeval.eval.models.hushed import hushed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_ENDINGS = ("ForCausalLM", "LMHeadModel")
_FROM_PRETRAINED = partial(transformers.AutoModelForCausalLM.from_pretrained, trust_remote_code=False)


def load_language_model(
    folder: ModelFolder,
    options: ModelOptions,
    dtype: torch.dtype,
    device: torch.device,
    audit: Audit,
    *,
    load: Callable[..., Any] = _FROM_PRETRAINED,
    endings: tuple[str, ...] = _ENDINGS,
    what: str = "a language model",
    own_code: bool = False,
    change: Callable[[PreTrainedModel], PreTrainedModel] = lambda model: model,
) -> tuple[PreTrainedModel, Precision]:
    """Load a language model in evaluation mode; return it, and what it computes in.

    Args:
        folder: Where it is.
        options: How to load it.
        dtype: What its matrix products compute in; below float32 its weights stay in float32 where they fit.
        device: Where it goes.
        audit: Told of weights that are not used, and of a float32 copy that does not fit.
        load: ``from_pretrained`` of transformers' class that loads models of its kind, or what does the same.
        endings: What the names of its kind's architectures end with.
        what: What a model of its kind is called.
        own_code: Python code that comes with it is run.
        change: Makes another model of it, before it computes in low precision.

    Raises:
        ModelError: if it is no language model, or its weights do not fit or are not all there.
    """
    if folder.adapter is not None:
        raise ModelError(f"{folder.name} is a PEFT adapter, not {what}: merge it into the model that it adapts")
    name = (folder.config.get("architectures") or ["model of unknown architecture"])[0]
    if not str(name).endswith(endings):
        raise ModelError(f"{folder.name} is a {name}, not {what} (needed: …{' or …'.join(endings)})")
    why_low = None if dtype == torch.float32 else why_no_float32(folder, options, dtype, device)
    own = torch.float32 if why_low is None else dtype
    extra = {} if options.attn_implementation is None else {"attn_implementation": options.attn_implementation}
    model: Any
    model, report = _load(folder, options, own, load, extra)
    note_folder(folder, audit, own_code=own_code)
    for each in sorted(report["unexpected_keys"]):
        audit.note("unused-weights", each)
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{folder.name} lacks {len(missing)} weights (such as {missing[0]}): what it says would be random"
        )
    try:
        changed: Any = change(model)
        placed: PreTrainedModel = changed.to(device).eval()
    except ModelError:
        raise
    except Exception as error:  # As below.
        raise ModelError(f"cannot load {folder.name}: {error_line(error)}") from None
    if why_low is not None:
        audit.note("no-float32-copy", why_low)
    return placed, lower(placed, dtype) if own != dtype else Precision(dtype, own=dtype)


def _load(
    folder: ModelFolder,
    options: ModelOptions,
    dtype: torch.dtype,
    load: Callable[..., Any],
    extra: Mapping[str, Any],
) -> tuple[PreTrainedModel, dict[str, Any]]:
    try:
        with without_adapter(folder) as path, hushed():
            model, report = load(
                path,
                dtype=dtype,
                use_safetensors=None if options.allow_pickle else True,
                local_files_only=True,
                output_loading_info=True,
                **extra,
            )
    except Exception as error:  # Whatever transformers raises, the user gets one line.
        raise ModelError(f"cannot load {folder.name}: {error_line(error)}") from None
    return model, report


def positions_of(folder: ModelFolder) -> int | None:
    """Return how many tokens a model has positions for, as its configuration says; None where it does not.

    Raises:
        ModelError: if the configuration cannot be read.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # As above.
        raise ModelError(f"cannot load {folder.name}: {error_line(error)}") from None
    limit: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    return limit if limit is not None and limit > 0 else None


def check_same_tokens(
    name: str, tokenizer: PreTrainedTokenizerBase, other_name: str, other: PreTrainedTokenizerBase
) -> None:
    """See that two models read the same tokens: ids that both tokenizers have mean the same in both.

    One of the two may have more tokens, such as a pad token that was added for training.

    Raises:
        ModelError: if they do not.
    """
    ours, theirs = ({id: token for token, id in each.get_vocab().items()} for each in (tokenizer, other))
    both = ours.keys() & theirs.keys()
    differs = next((id for id in sorted(both) if ours[id] != theirs[id]), None)
    if differs is None and 2 * len(both) > max(len(ours), len(theirs)):
        return
    what = (
        f"token {differs} is {ours[differs]!r} in the one and {theirs[differs]!r} in the other"
        if differs is not None
        else f"{len(ours):,} tokens and {len(theirs):,}"
    )
    raise ModelError(f"{other_name} has another tokenizer than {name} ({what}): log-probabilities cannot be compared")
