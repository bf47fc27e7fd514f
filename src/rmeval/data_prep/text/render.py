"""Conversation to text: what the chat template makes of it, and whether all of it is there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.kept import Shape, Written, is_in, probes, shape, written
from rmeval.data_prep.text.template import HeldClock, Template
from rmeval.data_prep.text.tools import Turn, calls_of, forms, leaves, probe_tools, twice_json
from rmeval.errors import ModelError
from rmeval.types import Conversation, Message, Messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Rendered", "Renderer"]

_PARTS = re.compile(r"""['"]type['"]\s*:\s*['"]text['"]""")
"""What a template writes of parts that it takes for text."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as text."""

    text: str
    lost: str | None
    """What of the conversation is not there at all; None where all is."""
    messages: Messages = ()
    """What the template was given: the conversation's, or with the system message folded."""


class Renderer:
    """Renders conversations and tells the audit what the template leaves out.

    Args:
        tokenizer: The model's tokenizer.
        template: The chat template.
        today: What a template that asks for today's date is told.
        asks: Let the text end with the header of the assistant's next turn (``add_generation_prompt``).
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: Template, today: date, *, asks: bool = False
    ) -> None:
        self.template = template
        self.clock = HeldClock(today)
        self._tokenizer = tokenizer
        self._asks = asks
        self._writes: dict[tuple[tuple[Shape, ...], int], Written] = {}
        """What the template writes at all, by the shape of a conversation and the number of its tools."""

    def render(self, conversation: Conversation, audit: Audit) -> Rendered:
        """Render a conversation to text, as the template writes it.

        Raises:
            ModelError: if the template fails on it.
        """
        messages, tools, asked = conversation.messages, conversation.tools, self.clock.asked
        text, problem = self._render(messages, tools)
        if messages and messages[0].role == "system" and (problem or self._drops_system(messages, tools, text)):
            messages = _fold_system(messages)
            text, problem = self._render(messages, tools)
            audit.note("system-folded", conversation.example_id)
        if problem:
            where = f" (example {conversation.example_id})" if conversation.example_id else ""
            raise ModelError(f"the chat template fails on a conversation{where}: {problem}; try --chat-template FILE")
        rendered = replace(self._whole(messages, tools, text, conversation.example_id, audit), messages=messages)
        if self.clock.asked > asked:
            audit.note("template-reads-the-clock", conversation.example_id)
        return rendered

    def _whole(self, messages: Messages, tools: str, text: str, place: str, audit: Audit) -> Rendered:
        """See that every message is in the text, and note what is not."""
        writes = self._written(messages, tools)
        if not writes.tools:
            audit.note("tools-unread", place)
        for message, called in zip(messages, writes.calls, strict=True):
            if not called:
                audit.note("text-dropped", f"{place} ({message.role})".strip())
                return Rendered(
                    text, f"the chat template writes nothing of the tool calls of a {message.role!r} message"
                )
        there = zip(messages, writes.contents, strict=True)
        missing = [message for message, has in there if message.content and not has]
        if missing:
            parts = self._render(messages, tools, as_parts=True)[0]
            if parts and not _PARTS.search(parts) and all(is_in(message.content, parts) for message in messages):
                audit.note("content-as-parts", place)
                return Rendered(parts, None)
        for message in missing:
            if not calls_of(message):
                audit.note("text-dropped", f"{place} ({message.role})".strip())
                return Rendered(text, f"the chat template writes nothing of a message of role {message.role!r}")
        whole = (message not in missing and all(is_in(each, text) for each in _says(message)) for message in messages)
        cut = next((message for message, kept in zip(messages, whole, strict=True) if not kept), None)
        if cut is not None:
            audit.note("text-cut", f"{place} ({cut.role})".strip())
        return Rendered(text, None)

    def _written(self, messages: Messages, tools: str) -> Written:
        """Return what the template writes at all: what a message says may stand elsewhere in the text."""
        probed = probe_tools(tools) if tools else []
        key = tuple(map(shape, messages)), len(probed)
        if key not in self._writes:
            asked = probes(messages)
            text, problem = self._render(asked, json.dumps(probed) if probed else "")
            # A template may refuse a probe that is no JSON.
            self._writes[key] = Written.all_of(asked) if problem else written(asked, probed, text)
        return self._writes[key]

    def _drops_system(self, messages: Messages, tools: str, text: str) -> bool:
        return messages[0].content.strip() not in text or not self._written(messages, tools).contents[0]

    def _render(self, messages: Messages, tools: str, *, as_parts: bool = False) -> tuple[str, str]:
        """Return (text, "") or, where the template fails, ("", the reason).

        With ``as_parts`` contents are lists of parts, as templates of multimodal models want them. Calls of tools are
        given in the first form that the template takes.
        """
        turns = [message.turn() for message in messages]
        if as_parts:
            for turn in turns:
                if turn["content"] is not None:
                    turn["content"] = [{"type": "text", "text": turn["content"]}]
        if not any(message.extra for message in messages):
            return self._apply(turns, tools)
        found = "", ""
        for form in forms(turns):
            text, problem = self._apply(form, tools)
            if not problem and not twice_json(form, text):
                return text, ""
            if not any(found) or (found[1] and not problem):
                found = text, problem
        return found

    def _apply(self, turns: Sequence[Turn], tools: str) -> tuple[str, str]:
        held = self.clock.held() if self.template.may_ask_for_date else nullcontext()
        try:
            with held:
                rendered = self._tokenizer.apply_chat_template(
                    list(turns),
                    tools=json.loads(tools) if tools else None,
                    chat_template=self.template.for_tools if tools else self.template.text,
                    tokenize=False,
                    add_generation_prompt=self._asks,
                )
        except ModelError:
            raise
        except Exception as error:  # A template is a program: it may raise anything.
            return "", " ".join(str(error).split()) or type(error).__name__
        return str(rendered), ""


def _says(message: Message) -> list[str]:
    """Return the texts of a message that must be found in what a template wrote."""
    if not message.extra:
        return [message.content]
    turn = message.turn()
    spoken = [str(turn[key]) for key in ("reasoning_content", "thinking") if key in turn]
    called = [text for call in calls_of(message) for text in (call["name"], *leaves(call.get("arguments")))]
    return [message.content, *spoken, *called]


def _fold_system(messages: Messages) -> Messages:
    """Put the system message before the first user message; without one, make it a user message."""
    system, rest = messages[0], messages[1:]
    if rest and rest[0].role == "user":
        return (replace(rest[0], content=f"{system.content}\n\n{rest[0].content}"), *rest[1:])
    return (Message("user", system.content), *rest)
