"""From a folder to a tokenizer and a model in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.template import TEMPLATE_DATE
from rmeval.errors import ModelError
from rmeval.eval.engine.precision import Precision, lower
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.adapter import adapter_weights, merge_adapter
from rmeval.eval.models.checkpoint import error_line, note_folder, why_no_float32, without_adapter
from rmeval.eval.models.folder import ModelFolder, locate_tokenizer
from rmeval.eval.models.heads import PICKLED_HEAD, Head, Tensors, found_beside, put_head, stored_tensors
from rmeval.eval.models.hushed import hushed
from rmeval.eval.models.outputs import head_of, labels, outputs_of, read_only
from rmeval.eval.models.own_code import load_own, needs_own_code

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CLASSIFIER: Any = transformers.AutoModelForSequenceClassification


def load_tokenizer(folder: ModelFolder, options: ModelOptions) -> PreTrainedTokenizerBase:
    """Load the model's tokenizer, or the one asked for instead.

    Raises:
        ModelError: if that fails.
    """
    source = folder.tokenizer_path if options.tokenizer is None else locate_tokenizer(options.tokenizer)[0]
    try:
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            source, trust_remote_code=options.trust_remote_code, local_files_only=True
        )
    except Exception as error:  # Whatever transformers raises, the user gets one line.
        name = options.tokenizer or folder.name
        raise ModelError(f"cannot load the tokenizer of {name}: {error_line(error)}") from None
    return tokenizer


def template_day(options: ModelOptions) -> date:
    """Return what a chat template that asks for today's date is told."""
    return TEMPLATE_DATE if options.template_date is None else date.fromisoformat(options.template_date)


def load_model(
    folder: ModelFolder, options: ModelOptions, dtype: torch.dtype, device: torch.device, audit: Audit
) -> tuple[PreTrainedModel, Precision, bool]:
    """Load the model in evaluation mode; return it, what it computes in, and whether its head is untrained.

    Below float32 the weights are loaded in float32 where they fit beside their low copy: then what flows between the
    layers is not rounded, and a close decision can be looked at again.

    Raises:
        ModelError: if it is not a classifier, none of several outputs was chosen, or its weights do not fit or are not
            all there.
        UsageError: if an output was chosen that it has not.
    """
    head, tensors = head_of(folder, options), stored_tensors(folder.path, options.allow_pickle)
    if folder.adapter is None and head is None:
        _check_head(folder, options, tensors)
    chosen = outputs_of(folder, options)
    why_low = None if dtype == torch.float32 else why_no_float32(folder, options, dtype, device)
    own = torch.float32 if why_low is None else dtype
    extra: dict[str, Any] = _shape(folder, head)
    # Where it is not told, transformers asks at the terminal whether to run the code of a folder, and runs it.
    load: Callable[..., Any] = partial(_CLASSIFIER.from_pretrained, trust_remote_code=False)
    if runs_own_code(folder, options, head):
        load = partial(load_own, auto=_CLASSIFIER.__name__, labels=extra.pop("num_labels"))
    if options.attn_implementation is not None:
        extra["attn_implementation"] = options.attn_implementation
    torch.manual_seed(0)  # An untrained head is at least the same one each time.
    try:
        with without_adapter(folder) as path, hushed():
            model, report = load(
                path,
                dtype=own,
                use_safetensors=None if options.allow_pickle else True,
                local_files_only=True,
                output_loading_info=True,
                **extra,
            )
    except Exception as error:  # As above.
        raise ModelError(f"cannot load {folder.name}: {error_line(error)}") from None
    note_folder(folder, audit)
    restored: set[str] = set()
    if head is not None:
        put_head(folder.name, model, head, tensors)
        restored = {key for key in report["missing_keys"] if key.startswith("score.")}
    if folder.adapter is None:
        used = set() if head is None else {*head.names, "lm_head.weight", "lm_head.bias"}
        again = None if head is None else head.twice
        for key in sorted(set(report["unexpected_keys"]) - used):
            if again is None or not key.startswith(again):
                audit.note("unused-weights", key)
    else:  # What is adapted may have another head, which is not used; the adapter has one.
        restored = adapter_weights(folder.adapter)
    missing = sorted(set(report["missing_keys"]) - restored)
    untrained = _check_missing(folder, model, missing, options.allow_untrained_head and not restored, audit, tensors)
    model = _place(model, folder, device, audit)
    if why_low is not None:
        audit.note("no-float32-copy", why_low)
    for own_head in model.children():
        if own_head is not model.base_model:  # An encoder's pooler may hand it low precision.
            own_head.register_forward_pre_hook(_in_own_dtype)
    read_only(model, chosen)
    return model, lower(model, dtype) if own != dtype else Precision(dtype, own=dtype), untrained


def runs_own_code(folder: ModelFolder, options: ModelOptions, head: Head | None) -> bool:
    """Return whether a classifier is made of code that comes with it, which may be run; ``head`` is what is put on."""
    return options.trust_remote_code and head is None and needs_own_code(folder.config)


def _shape(folder: ModelFolder, head: Head | None) -> dict[str, Any]:
    """Return what transformers is told of the model's shape."""
    if head is not None and head.body is not None:
        return {"num_labels": 1, "key_mapping": {rf"^{re.escape(head.body)}\.": "model."}}
    if head is None or head.model_type is None:
        return {"num_labels": len(labels(folder))}
    left_out = ("model_type", "architectures", "auto_map")
    fields = {name: value for name, value in folder.config.items() if name not in left_out}
    config = transformers.AutoConfig.for_model(head.model_type, **fields)
    config.num_labels = 1
    return {"config": config}


def described(folder: ModelFolder, options: ModelOptions) -> PreTrainedModel:
    """Build the classifier that ``load_model`` fills, on no device at all: it has layers, and no weights.

    Raises:
        ModelError: as ``load_model``, where that needs no weights; or if transformers has no classifier for it.
        UsageError: if an output was chosen that it has not.
    """
    head = head_of(folder, options)
    if folder.adapter is None and head is None:
        _check_head(folder, options, stored_tensors(folder.path, options.allow_pickle))
    outputs_of(folder, options)
    shape, own_code = _shape(folder, head), runs_own_code(folder, options, head)
    config: Any = shape.get("config")
    if config is None:
        try:
            config = transformers.AutoConfig.from_pretrained(
                folder.path, num_labels=shape["num_labels"], trust_remote_code=own_code, local_files_only=True
            )
        except Exception as error:  # As above.
            raise ModelError(f"cannot read the configuration of {folder.name}: {error_line(error)}") from None
    if head is not None and (head.at_end or head.pad is not None):  # Where it reads, as ``put_head`` has it.
        config.pad_token_id = config.get_text_config().pad_token_id = None if head.at_end else head.pad
    return skeleton(folder.name, config, own_code=own_code)


def skeleton(name: str, config: Any, *, own_code: bool = False) -> PreTrainedModel:
    """Build a classifier of its configuration, on no device at all: it has layers, and no weights.

    ``own_code`` says that Python code which comes with the configuration may be run.

    Raises:
        ModelError: if transformers has none for it.
    """
    try:
        with torch.device("meta"):
            model: PreTrainedModel = _CLASSIFIER.from_config(config, trust_remote_code=own_code)
    except Exception as error:  # Whatever a configuration can be wrong in.
        raise ModelError(f"cannot build {name} from its configuration: {error_line(error)}") from None
    return model


def _place(model: Any, folder: ModelFolder, device: torch.device, audit: Audit) -> PreTrainedModel:
    """Merge the adapter, if there is one, and move the model to its device."""
    try:
        if folder.adapter is not None:
            model = merge_adapter(model, folder.adapter, audit)
        placed: PreTrainedModel = model.to(device).eval()
    except ModelError:
        raise
    except Exception as error:  # As above.
        raise ModelError(f"cannot load {folder.name}: {error_line(error)}") from None
    return placed


def _in_own_dtype(head: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    own = next(head.parameters(), None)
    if own is None:
        return given
    # A model with code of its own may give it token ids, a mask or nothing besides.
    floats = [isinstance(each, Tensor) and each.is_floating_point() for each in given]
    return tuple(each.to(own.dtype) if states else each for each, states in zip(given, floats, strict=True))


def position_limit(model: PreTrainedModel) -> int | None:
    """Return how many tokens a model has positions for; None for no limit.

    RoBERTa and its kin count positions from one behind their pad token's, so that its table is longer than any text.
    """
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit is None or limit < 1:  # XLNet says -1.
        return None
    for name, module in model.named_modules():
        table = isinstance(module, nn.Embedding) and name.rpartition(".")[2] == "position_embeddings"
        if table and module.padding_idx is not None and module.num_embeddings == limit:
            return int(limit - module.padding_idx - 1)
    return int(limit)


def _check_head(folder: ModelFolder, options: ModelOptions, tensors: Tensors) -> None:
    """Refuse what is not a classifier, before its weights are read."""
    pickled = "score.weight" not in tensors and (folder.path / PICKLED_HEAD).exists()
    if pickled and not options.allow_pickle:
        raise ModelError(
            f"the head of {folder.name} is pickled ({PICKLED_HEAD}): --allow-pickle loads it, if you trust it"
        )
    architectures = folder.config.get("architectures") or ["model of unknown architecture"]
    if not any(str(name).endswith("ForSequenceClassification") for name in architectures):
        if options.allow_untrained_head:
            return
        other = "; --output-index N reads the logit of token N" if str(architectures[0]).endswith("ForCausalLM") else ""
        raise ModelError(
            f"{folder.name} is a {architectures[0]}, which has no reward head that is known ({found_beside(tensors)}; "
            f"docs/models.md has those that are){other}; --allow-untrained-head scores it with a random one"
        )


def _check_missing(
    folder: ModelFolder,
    model: PreTrainedModel,
    missing: Sequence[str],
    allow_untrained: bool,
    audit: Audit,
    tensors: Tensors,
) -> bool:
    """Refuse weights that are not there; return True where only the head's are missing and that was allowed."""
    if not missing:
        return False
    body = [key for key in missing if key.startswith(model.base_model_prefix + ".")]
    if body:
        raise ModelError(f"{folder.name} lacks {len(body)} weights of the model's body (such as {body[0]})")
    if not allow_untrained:
        own = "--allow-untrained-head goes on all the same"
        advice = own if folder.adapter is None else "save the adapter with its head (modules_to_save)"
        lacks = f"{', '.join(missing)} not in its weights; {found_beside(tensors)}"
        raise ModelError(f"the head of {folder.name} is untrained ({lacks}), so its scores mean nothing; {advice}")
    audit.note("untrained-head", ", ".join(missing))
    return True
