"""What a scorer is: the whole contract between a kind of reward model and everything that asks it.

A scorer is given *items*, each a prompt and its completions, and gives one score a completion. What else it can do is
said by small protocols, asked for by ``isinstance``: a new kind needs none of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Protocol, get_args, runtime_checkable

from rmeval.errors import ModelError, RmevalError, UsageError
from rmeval.run_info import Accounting, ModelInfo
from rmeval.types import Conversation, Example, Finding, Item, Progress, Scale, Score, Status

__all__ = [
    "Accounts",
    "Drifts",
    "Identified",
    "Keyed",
    "Loses",
    "Plans",
    "Pointwise",
    "Prefetches",
    "Refinable",
    "Rescores",
    "Reusable",
    "Scorer",
    "Settling",
    "ask",
    "conversations_of",
    "items_of",
    "told",
]


@runtime_checkable
class Scorer(Protocol):
    """A kind of reward model."""

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        ...

    @property
    def scale(self) -> Scale:
        """``pointwise`` where scores compare everywhere, ``within-item`` where only those of one item do."""
        ...

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Return a list of scores for each item, in order: one score for each of its completions, in order."""
        ...

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        ...


class Pointwise(ABC):
    """A scorer that reads one conversation at a time, a prompt and one completion; give it ``info`` and this method."""

    scale: Scale = "pointwise"

    @abstractmethod
    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        """Return one score for each conversation, in order."""

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Score the conversations of all items together."""
        scores = self.score_conversations(conversations_of(items), progress)
        _check_scores(scores, sum(len(item.completions) for item in items), "conversations")
        left = iter(scores)
        return [[next(left) for _ in item.completions] for item in items]

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now: nothing."""
        return ()


# --- what some can, beside ----------------------------------------------------------------------------------------


class Rescores(Protocol):
    """One that can score in a higher precision."""

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score in float32."""
        ...


@runtime_checkable
class Drifts(Protocol):
    """One that knows how far its precision may move a margin."""

    @property
    def drift(self) -> float | None:
        """Margins of the last ``score`` within this could be decided otherwise in float32; None where that is moot."""
        ...


@runtime_checkable
class Refinable(Rescores, Drifts, Protocol):
    """One that can say more than it did."""

    @property
    def can_refine(self) -> bool:
        """True where ``rescore`` computes in a higher precision than ``score``."""
        ...


@runtime_checkable
class Settling(Refinable, Protocol):
    """One that can try its precision out before it scores everything."""

    def try_out(self, conversations: Sequence[Conversation]) -> tuple[list[Score], float | None] | None:
        """Return scores of a few, and the bound on the drift of a margin of theirs; None where trying saves nothing."""
        ...

    def use_float32(self) -> None:
        """Score in float32 from now on."""
        ...


@runtime_checkable
class Accounts(Protocol):
    """One that counts tokens."""

    @property
    def accounting(self) -> Accounting | None:
        """Where the tokens of the last ``score`` went."""
        ...


@runtime_checkable
class Plans(Protocol):
    """One that plans before it computes."""

    @property
    def plan_seconds(self) -> float:
        """How long the last ``score`` planned and checked itself."""
        ...


@runtime_checkable
class Prefetches(Protocol):
    """One that can prepare what comes next while it scores."""

    def prefetch(self, items: Sequence[Item]) -> None:
        """Prepare these; called in another thread. The same items are scored later, in one call."""
        ...


@runtime_checkable
class Loses(Protocol):
    """One that can tell that nothing reached the model."""

    @property
    def lost(self) -> str | None:
        """Why nothing of the last ``score`` is a score of what was asked; None where some is."""
        ...


@runtime_checkable
class Reusable(Protocol):
    """One that can be asked for one data set after another as if it had been loaded anew for each."""

    def begin(self) -> None:
        """Forget what was noticed of the data up to now, and what was decided because of it."""
        ...


@runtime_checkable
class Identified(Protocol):
    """One whose ``info`` may change while it scores."""

    @property
    def identity(self) -> ModelInfo:
        """Which model this is, whatever it turns out to compute in."""
        ...


@runtime_checkable
class Keyed(Protocol):
    """One whose scores are kept in the journal: asked once, not again after a crash."""

    @property
    def journal_key(self) -> str:
        """Everything that moves a score, but the item: model, prompts, sampling, versions, the scorer's own too."""
        ...

    @property
    def at_once(self) -> int:
        """Items that are asked together; they are kept when all of them are answered."""
        ...


# --- asking -------------------------------------------------------------------------------------------------------


def items_of(examples: Iterable[Example]) -> list[Item]:
    """Return what a scorer is asked of examples: an item each, right completions first, and not told which are."""
    return [Item(each.prompt, each.completions, each.id, each.tools) for each in examples]


def conversations_of(items: Iterable[Item]) -> list[Conversation]:
    """Return every completion as a conversation, in order."""
    return [
        Conversation(item.prompt, completion, item.id, index, item.tools)
        for item in items
        for index, completion in enumerate(item.completions)
    ]


def ask(scorer: Scorer, items: Sequence[Item], progress: Progress | None = None) -> list[Score]:
    """Ask a scorer; return the scores of all completions of all items, in order.

    Raises:
        UsageError: if the answer is not what the contract says; one line tells which.
        ModelError: if a scorer of the user's own fails.
    """
    answer: object = _answer(scorer, items, progress)
    _check_scores(answer, len(items), "items", kind=list)
    assert isinstance(answer, list)  # noqa: S101
    for item, scores in zip(items, answer, strict=True):
        _check_scores(scores, len(item.completions), f"completions of item {item.id or 1}")
        for score in scores:
            _check_score(score, item)
    return [replace(score, value=float(score.value)) for scores in answer for score in scores]


def _answer(scorer: Scorer, items: Sequence[Item], progress: Progress | None) -> object:
    """Ask; what goes wrong in code of the user's own is a model's error, not rmeval's."""
    try:
        return scorer.score(items, progress)
    except RmevalError:
        raise
    except Exception as error:
        if type(scorer).__module__.startswith("rmeval."):
            raise
        what = " ".join(str(error).split())[:200]
        raise ModelError(f"the scorer {scorer.info.name} failed: {type(error).__name__}: {what}") from error


def _check_score(score: Score, item: Item) -> None:
    """See that what a score holds is what it should be."""
    value: object = score.value
    if not isinstance(value, Real) or isinstance(value, bool):
        raise UsageError(f"a score's value is a number; that of item {item.id or 1} is {_named(value)}")
    if not isinstance(score.note, str) or score.status not in get_args(Status):
        raise UsageError(
            f"a score's note is text and its status one of {', '.join(get_args(Status))}; item {item.id or 1} has"
            f" {_named(score.note)} and {score.status!r}"
        )


def _check_scores(answer: object, count: int, what: str, *, kind: type = Score) -> None:
    """See that an answer is a list with one Score, or one list of them, for each thing that was asked."""
    needed = f"a scorer returns a list with one {'list of scores' if kind is list else 'Score'} for each of the {what}"
    if not isinstance(answer, list | tuple):
        raise UsageError(f"{needed}, not {_named(answer)}")
    wrong = next((each for each in answer if not isinstance(each, (list, tuple) if kind is list else kind)), None)
    if wrong is not None or any(each is None for each in answer):
        raise UsageError(f"{needed}; this one holds {_named(wrong)}")
    if len(answer) != count:
        given = "lists of scores" if kind is list else "scores"
        raise UsageError(f"the scorer gave {len(answer)} {given} for {count} {what.partition(' of ')[0]}")


def _named(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def told(scorer: Scorer) -> ModelInfo:
    """Return which model a scorer has, as it was loaded: what it computes in may change while it scores."""
    return scorer.identity if isinstance(scorer, Identified) else scorer.info
