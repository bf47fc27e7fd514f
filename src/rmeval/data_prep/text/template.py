"""Chat templates: where they come from, and that they write the same text on every day."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_DATE = date(2024, 7, 26)
"""What a template that asks for today's date is told: what Llama 3.1's own template falls back on."""

_CLOCK = "strftime_now"
"""What transformers calls the function that gives templates today's date."""
_held = threading.Lock()


@dataclass(frozen=True)
class Template:
    """A chat template and where it came from."""

    text: str
    source: str
    """``tokenizer``, or the path of the file."""
    tool_use: str | None = None
    """The tokenizer's template for conversations with tools, where it has one of its own."""

    @property
    def for_tools(self) -> str:
        """The template for conversations with tools."""
        return self.text if self.tool_use is None else self.tool_use

    @property
    def saved(self) -> str | dict[str, str]:
        """What a tokenizer holds as its ``chat_template``."""
        return self.text if self.tool_use is None else {"default": self.text, "tool_use": self.tool_use}

    @property
    def sha256(self) -> str:
        """Hash of the template's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def words(self) -> Sequence[str]:
        """Names and operators of the template's code, in order; nothing where it is not valid Jinja."""
        import jinja2

        lexed = jinja2.Environment().lex(self.text + (self.tool_use or ""))  # noqa: S701 (nothing is rendered)
        try:
            return [value for _, kind, value in lexed if kind in ("name", "operator")]
        except jinja2.TemplateSyntaxError:
            return ()  # It fails when it is used, with its own reason.

    @property
    def may_ask_for_date(self) -> bool:
        """True where today's date may be part of the text."""
        return _CLOCK in self.words

    @property
    def drawn(self) -> str | None:
        """What makes the text a matter of chance; None where nothing does."""
        pairs = set(itertools.pairwise(self.words))
        return "the filter random" if ("|", "random") in pairs else "lipsum" if ("lipsum", "(") in pairs else None


def load_template(tokenizer: PreTrainedTokenizerBase, path: str | None = None, needed: str | None = None) -> Template:
    """Return the template in the file at ``path``, else the tokenizer's own; ``needed`` says what the model reads.

    Raises:
        ModelError: if the file cannot be read, if there is no file and the tokenizer has no template, or if the
            template draws at random.
    """
    if path is not None:
        try:
            template = Template(Path(path).read_text(encoding="utf-8-sig"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"cannot read the chat template {path}: {error}") from None
    else:
        try:
            text = tokenizer.get_chat_template().removeprefix("\ufeff")
            tool_use = tokenizer.get_chat_template(tools=[]).removeprefix("\ufeff")
            template = Template(text, "tokenizer", None if tool_use == text else tool_use)
        except ValueError:
            hint = "" if needed is None else f" (the model's text: {needed})"
            raise ModelError(f"the tokenizer has no chat template; give one with --chat-template FILE{hint}") from None
    if template.drawn is not None:
        raise ModelError(
            f"the chat template draws at random ({template.drawn}), so that the same conversation has another text "
            "each time; give one that does not with --chat-template FILE"
        )
    return template


class HeldClock:
    """Today's date, as templates are told it: the same on every day."""

    def __init__(self, today: date) -> None:
        self._today = datetime.combine(today, time())
        self.asked = 0
        """How often a template asked for it."""

    def now(self, *_: object) -> datetime:
        """Stand in for ``datetime.now``."""
        self.asked += 1
        return self._today

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold transformers' clock of chat templates inside this block.

        Raises:
            ModelError: if this version of transformers has it elsewhere.
        """
        from transformers.utils import chat_template_utils

        module: Any = chat_template_utils  # A function of ours given as an argument would be made into text.
        with _held:
            own = getattr(module, "datetime", None)
            if own is None:
                raise ModelError("the chat template asks for today's date, which cannot be held in this transformers")
            module.datetime = self
            try:
                yield
            finally:
                module.datetime = own
