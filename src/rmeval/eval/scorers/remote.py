"""Reward models that score by code of their own, called as their authors do: by consent, one conversation at a time.

``eval/models/own_code.py`` has the table of the families; facts are from their model cards, and for what
``get_score`` does from what it is documented to do: the text of the chat template without special tokens of the
tokenizer's, and a reward token behind it where the template writes none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rmeval.data_prep.text.answers import UNCUT
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.template import Template, load_template
from rmeval.errors import ModelError, UsageError
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.own_call import OwnCallEngine
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.causal import load_language_model
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.models.folder import ModelFolder, configuration_of, locate, locate_tokenizer
from rmeval.eval.models.held import Held, context_of
from rmeval.eval.models.loading import load_tokenizer
from rmeval.eval.models.own_code import OwnCall, auto_map, code_digest, code_files, load_own
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation, Message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Given(Encoded):
    """A conversation for ``get_score``, which makes the same tokens of it."""

    turns: tuple[dict[str, str], ...] = ()


class OwnCallEncoder(Encoder):
    """Writes conversations as a family's authors do.

    Args:
        family: Whose.
        tokenizer: The model's.
        template: The chat template.
        max_length: Tokens; a longer conversation loses its beginning, or is lost where ``get_score`` would read it.
        today: What a template that asks for today's date is told.
        reward_token: Stands behind every text for ``get_score``; None for nothing.
    """

    def __init__(
        self,
        family: OwnCall,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        max_length: int,
        today: date,
        reward_token: int | None,
    ) -> None:
        self._whole = family.read == "get_score"
        super().__init__(tokenizer, template, UNCUT if self._whole else max_length, None, today, special=family.special)
        self._family = family
        self._most = max_length
        self._reward_token = reward_token
        self.tokenizer = copy.deepcopy(tokenizer)
        """For the model's own use, since another thread may be encoding."""
        self.tokenizer.chat_template = template.saved

    def encode(self, conversations: Sequence[Conversation], audit: Audit) -> Iterator[Encoded]:
        """Encode conversations; errors are those of ``Encoder``."""
        told = [self._told(each) for each in conversations]
        for conversation, item in zip(told, super().encode(told, audit), strict=True):
            yield self._given(conversation, item, audit) if self._whole else item

    def score(self, model: Any, turns: Sequence[dict[str, str]]) -> object:
        """Let a model score a conversation by ``get_score``; its template is told our date."""
        with self._renderer.clock.held() if self.template.may_ask_for_date else nullcontext():
            return model.get_score(self.tokenizer, list(turns))

    def _told(self, conversation: Conversation) -> Conversation:
        """Put the family's system message first where there is none."""
        system, first = self._family.system, conversation.messages[:1]
        if system is None or (first and first[0].role == "system"):
            return conversation
        return replace(conversation, prompt=(Message("system", system), *conversation.prompt))

    def _given(self, conversation: Conversation, item: Encoded, audit: Audit) -> Given:
        """Return what ``get_score`` is given, with the tokens that it will make of it."""
        ids, lost = item.ids, item.lost
        if self._reward_token is not None and ids[-1] != self._reward_token:
            ids = np.append(ids, np.int32(self._reward_token))
        rendered = self._renderer.render(conversation, Audit())
        turns = tuple({"role": each.role, "content": each.content} for each in rendered.messages)
        if lost is None and len(ids) > self._most:
            audit.note("too-long", conversation.example_id)
            lost = f"it has {len(ids):,} tokens, and the model's own call cannot be given a part of it"
        elif lost is None and self._text_of(turns) != rendered.text:
            audit.note("unreadable-turns", conversation.example_id)
            lost = "the model's own call takes plain messages only"
        return Given(ids, len(ids) - 1, False, lost, turns)

    def _text_of(self, turns: Sequence[dict[str, str]]) -> str | None:
        """Return what the tokenizer's own template makes of messages; None where it fails."""
        with self._renderer.clock.held() if self.template.may_ask_for_date else nullcontext():
            try:
                return str(self.tokenizer.apply_chat_template(list(turns), tokenize=False))
            except Exception:  # A template is a program.
                return None


class RemoteScorer(ClassifierScorer):
    """Scores conversations by a call that is the model's own.

    Args:
        family: Its kind.
        name: ``KIND:MODEL``, a folder or Hub id.
        options: How to load and run it.
        journal: Where scores are kept; None for nowhere. Whoever opened it closes it.

    Raises:
        ModelError: if the model, its tokenizer or its template cannot be used.
        UsageError: if its code may not be run, or an option has a value that does not exist.
    """

    def __init__(self, family: OwnCall, name: str, options: ModelOptions, journal: Journal | None = None) -> None:
        self.kind = family.name
        self._family = family
        super().__init__(name, options, journal)

    def _load(self, name: str, options: ModelOptions, journal: Journal | None) -> Held:
        family, source = self._family, name.removeprefix(f"{self._family.name}:")
        if not options.trust_remote_code:
            files = ", ".join(code_files(configuration_of(source, options.revision))) or "none that it names"
            raise UsageError(
                f"{name} runs Python code that comes with the model ({files}): pass --trust-remote-code if you trust it"
            )
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        folder = locate(
            source,
            revision=options.revision,
            allow_pickle=options.allow_pickle,
            trust_remote_code=True,
            journal=journal,
            own_call=True,
        )
        _check(family, folder)
        tokenizer = load_tokenizer(folder, options)
        template = load_template(tokenizer, options.chat_template)
        model, precision = load_language_model(
            folder,
            options,
            dtype,
            device,
            self._audit,
            load=partial(load_own, auto=family.auto),
            endings=("",),
            what=f"a whole {family.title} model",
            own_code=True,
        )
        if family.read == "get_score" and not callable(getattr(model, "get_score", None)):
            raise ModelError(f"{source} has no get_score: its class {type(model).__name__} is no {family.title} model")
        return Held(
            model,
            tokenizer,
            template,
            precision,
            name=name,
            fingerprint=folder.fingerprint,
            context=f"{context_of(folder, model)}\0{family}",
            revision=folder.revision,
            own_code=code_digest(folder.path),
            tokenizer_name=options.tokenizer,
            tokenizer_fingerprint=None if options.tokenizer is None else locate_tokenizer(options.tokenizer)[1],
        )

    def _encoder_of(self, held: Held, max_length: int, today: date) -> Encoder:
        reward_token: int | None = getattr(held.model.config, "reward_token_id", None)
        self._own = OwnCallEncoder(self._family, held.tokenizer, held.template, max_length, today, reward_token)
        return self._own

    def _engine_of(self, held: Held, options: ModelOptions, journal: Journal | None) -> Engine:
        return OwnCallEngine(
            held.model, held.precision, self._call, journal=journal, context=held.context, audit=self._audit
        )

    def _call(self, model: PreTrainedModel, item: Encoded) -> float:
        """Score a conversation.

        Raises:
            ModelError: if what comes back is not one number.
        """
        if isinstance(item, Given):
            return _one_number(self._own.score(model, item.turns), "get_score")
        ids = torch.from_numpy(item.ids).to(model.device, torch.long)[None]
        given = {"input_ids": ids}
        if self._family.masked:
            given["attention_mask"] = torch.ones_like(ids)
        output = model(**given)
        try:
            answer = output[0] if self._family.read == "outputs[0]" else output.logits[0][0]
        except (AttributeError, IndexError, KeyError, TypeError):
            raise ModelError(f"its forward returned {_named(output)}, without {self._family.read}") from None
        return _one_number(answer, self._family.read)


def _check(family: OwnCall, folder: ModelFolder) -> None:
    """See that a folder's own code is of the family.

    Raises:
        ModelError: if it is not.
    """
    code = auto_map(folder.config)
    if family.auto not in code:
        named = ", ".join(code) or "none"
        raise ModelError(f"{folder.name} is no {family.title} model: its auto_map names no {family.auto} (but {named})")


def _one_number(answer: object, what: str) -> float:
    """Return a number that a model said.

    Raises:
        ModelError: if it is none, or several.
    """
    value = answer.item() if isinstance(answer, torch.Tensor) and answer.numel() == 1 else answer
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ModelError(f"{what} gave {_named(answer)}, and a score is one number")
    return float(value)


def _named(answer: object) -> str:
    if isinstance(answer, torch.Tensor):
        return f"a tensor of shape {list(answer.shape)}"
    size = f" of {len(answer)}" if isinstance(answer, list | tuple) else ""
    return "None" if answer is None else f"a {type(answer).__name__}{size}"
