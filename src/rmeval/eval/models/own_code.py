"""Code that comes with a model: who needs it, what of it would be run, and which families have a call of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = [
    "OWN_CALLS",
    "OwnCall",
    "auto_map",
    "code_digest",
    "code_files",
    "is_own_code",
    "load_own",
    "needs_own_code",
    "own_calls_of",
]

_CLASSIFIER = "AutoModelForSequenceClassification"
Read: TypeAlias = Literal["get_score", "outputs[0]", "logits[0][0]"]
"""How a family says its score: by its method ``get_score(tokenizer, messages)``, or by what its forward returns."""


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A family of reward models that score by code of their own, and how its authors call it."""

    name: str
    """Its kind: models are called ``NAME:MODEL``."""
    title: str
    auto: str
    """Transformers' class whose entry in ``auto_map`` loads it."""
    read: Read
    architectures: tuple[str, ...] = ()
    """What the first of ``architectures`` is called, for the message where it was not asked for by its kind."""
    masked: bool = False
    """It is given the attention mask beside the token ids."""
    special: bool = False
    """The tokenizer adds its special tokens."""
    example: str = ""
    """A model of it on the Hub."""
    system: str | None = None
    """What stands first where a conversation has no system message."""


_FAMILIES = (
    OwnCall(
        "internlm2-reward",
        "InternLM2 reward",
        "AutoModel",
        "get_score",
        ("InternLM2ForRewardModel",),
        example="internlm/internlm2-7b-reward",
    ),
    OwnCall(
        "qwen-math-rm",
        "Qwen2.5-Math-RM",
        "AutoModel",
        "outputs[0]",
        ("Qwen2ForRewardModel",),
        system="Please reason step by step, and put your final answer within \\boxed{}.",
        example="Qwen/Qwen2.5-Math-RM-72B",
    ),
    OwnCall(
        "worldpm",
        "WorldPM",
        "AutoModel",
        "outputs[0]",
        ("Qwen2ForRewardModel",),
        system="",  # As its authors' example has it: github.com/QwenLM/WorldPM, README.md.
        example="Qwen/WorldPM-72B",
    ),
    OwnCall(
        "urm",
        "URM",
        _CLASSIFIER,
        "logits[0][0]",
        masked=True,
        special=True,
        example="LxzGordon/URM-LLaMa-3.1-8B",
    ),
)
OWN_CALLS: dict[str, OwnCall] = {each.name: each for each in _FAMILIES}
"""Kind -> family. Two of them may have classes of one name, so that nothing but who asks can tell them apart."""


def auto_map(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a ``config.json`` says of its own code: transformers' class -> file and class; nothing where none."""
    found = config.get("auto_map")
    return found if isinstance(found, Mapping) else {}


def needs_own_code(config: Mapping[str, Any]) -> bool:
    """Return whether a model is made of code that comes with it, not of transformers' own classes.

    Fine-tunes keep the ``auto_map`` of their base, also where transformers has a classifier of its own for it.
    """
    code = auto_map(config)
    if _CLASSIFIER in code:
        return True
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

    return bool(code) and config.get("model_type") not in CLASSES


def own_calls_of(config: Mapping[str, Any]) -> list[OwnCall]:
    """Return the families that a model may be of, by its ``config.json``; none where its classes are not known."""
    code, architectures = auto_map(config), config.get("architectures") or [""]
    return [each for each in OWN_CALLS.values() if each.auto in code and architectures[0] in each.architectures]


def code_files(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the files that ``auto_map`` would have run; those of another repository with its name."""
    entries = [
        name
        for value in auto_map(config).values()
        for name in (value if isinstance(value, list) else [value])
        if isinstance(name, str)
    ]
    return list(dict.fromkeys(f"{entry.rpartition('.')[0]}.py" for entry in entries))


def load_own(path: Path, auto: str, *, labels: int | None = None, **given: Any) -> Any:
    """Load a model with the class that its own ``auto_map`` names, as transformers' auto class of that name would.

    That one remembers classes by their configuration: of two folders in one process that share theirs, the second would
    be run with the code of the first.

    Args:
        path: The model's folder.
        auto: Transformers' auto class.
        labels: The number of outputs; None for what the configuration says.
        given: For ``from_pretrained``.
    """
    from transformers import AutoConfig
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    outputs = {} if labels is None else {"num_labels": labels}
    config = AutoConfig.from_pretrained(path, trust_remote_code=True, local_files_only=True, **outputs)
    own: Any = get_class_from_dynamic_module(config.auto_map[auto], str(path), local_files_only=True)
    return own.from_pretrained(path, config=config, **given)


def is_own_code(thing: object) -> bool:
    """Return whether an object is of a class that came with a model."""
    return type(thing).__module__.startswith("transformers_modules.")  # The package that transformers makes of them.


def code_digest(path: Path) -> str:
    """Return the sha256 of a folder's Python files, names and contents."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.py")):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return f"sha256:{digest.hexdigest()}"
