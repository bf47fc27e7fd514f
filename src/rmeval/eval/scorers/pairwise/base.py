"""What pairwise models have in common: every two answers in both orders, and one score an answer out of that.

A model reads a prompt and two answers, and says by one number how much better the first is. It may well prefer what
stands first. So each two answers are read in both orders, and the two numbers are made one probability. An answer's
score is the mean probability that it is better than each of the others: it means something among the answers of its own
prompt only. Of n answers that takes n × (n − 1) comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.data_prep.text.max_length import usable_length
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.eval.engine.precision import Precision
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.models.folder import ModelFolder, locate, locate_tokenizer
from rmeval.eval.models.loading import load_tokenizer
from rmeval.eval.models.padding import padding_of
from rmeval.eval.scorers.pairwise.turns import UnreadableError
from rmeval.run_info import Accounting, ModelInfo
from rmeval.types import Finding, Item, Progress, Scale, Score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Both: TypeAlias = tuple[float, float]
"""What the model says of (first, second) and of (second, first): above 0 where what stands first is better."""


class Reader(Protocol):
    """How a family of models is given a prompt and two answers."""

    template_hash: str | None
    """sha256 of the chat template, where one is used."""

    def read(self, item: Item, first: int, second: int) -> tuple[list[int], bool]:
        """Return the token ids of a comparison of two of an item's completions, and whether something was cut off.

        Raises:
            UnreadableError: if the conversation is none that the model can be given.
        """
        ...


Loaded: TypeAlias = "tuple[PreTrainedModel, Precision, Reader, int]"
"""A model, what it computes in, how it is given its input, and the most tokens that it takes."""


@dataclass(frozen=True, slots=True)
class Loading:
    """What a family needs to load a model."""

    folder: ModelFolder
    options: ModelOptions
    dtype: torch.dtype
    device: torch.device
    tokenizer: PreTrainedTokenizerBase
    audit: Audit

    def length(self, positions: int | None) -> int:
        """Return the most tokens that a comparison may have, by the model's positions and what was asked for."""
        return usable_length(positions, self.tokenizer.model_max_length, self.options.max_length)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of pairwise model."""

    name: str
    """Of the kind; its models are called ``NAME:MODEL``."""
    load: Callable[[Loading], Loaded]
    probability: Callable[[Both], float]
    """The probability that the first is better, out of both orders."""


class PairwiseScorer:
    """Scores completions by comparing each two of an item's.

    Args:
        family: Its kind.
        name: ``NAME:MODEL``, a folder or Hub id.
        options: How to load and run it.
        journal: Where comparisons are kept; None for nowhere. Whoever opened it closes it.

    Raises:
        ModelError: if the model or its tokenizer cannot be used.
        UsageError: if an option has a value that does not exist.
    """

    scale: Scale = "within-item"

    def __init__(self, family: Family, name: str, options: ModelOptions, journal: Journal | None = None) -> None:
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        if device.type == "cpu":
            keep_freed_memory()
        folder = locate(
            name.removeprefix(f"{family.name}:"),
            revision=options.revision,
            allow_pickle=options.allow_pickle,
            journal=journal,
        )
        self._audit = Audit()
        self._family = family
        tokenizer = load_tokenizer(folder, options)
        model, precision, self._reader, length = family.load(
            Loading(folder, options, dtype, device, tokenizer, self._audit)
        )
        self._precision = precision
        self._own_attention: str | None = getattr(model.config, "_attn_implementation", None)
        self._engine = Engine(
            model,
            precision,
            pad_token_id=padding_of(model, tokenizer.pad_token_id).fills,
            batch_size=options.batch_size,
            journal=journal,
            context=f"{folder.fingerprint}\0{device.type}\0{self._own_attention}\0{family.name}",
            audit=self._audit,
            fast=options.attn_implementation is None,
            compile=options.compile,
        )
        self._info = ModelInfo(
            name=name,
            kind=family.name,
            fingerprint=folder.fingerprint,
            revision=folder.revision,
            architecture=str((folder.config.get("architectures") or [None])[0]),
            parameters=model.num_parameters(),
            device=str(device),
            max_length=length,
            template_hash=self._reader.template_hash,
            tokenizer=options.tokenizer,
            tokenizer_fingerprint=None if options.tokenizer is None else locate_tokenizer(options.tokenizer)[1],
            scale="within-item",
        )
        self.lost: str | None = None
        """Why nothing of the last ``score`` is a score of what was asked; None where some is."""
        self.accounting: Accounting | None = None
        """Where the tokens of the last ``score`` went, and how many comparisons it took."""
        self.plan_seconds = 0.0
        """How long the last ``score`` planned and checked itself."""
        self._last: tuple[list[Encoded], np.ndarray] | None = None
        self.identity = self.info
        """Which model this is, whatever it turns out to compute in."""
        self._noticed = Audit()
        """What loading noticed."""
        self._noticed.merge(self._audit)

    def begin(self) -> None:
        """Forget what was noticed of other data."""
        self._audit.go_back_to(self._noticed)
        self._engine.begin()

    @property
    def info(self) -> ModelInfo:
        """Which model this is, and what it computes in: that may change with the first items."""
        engine, precision = self._engine, self._precision
        fast = "packed-flex" if (self._info.device or "").startswith("cuda") else "packed"
        return replace(
            self._info,
            dtype=_name(precision.active),
            residual_dtype=_name(precision.between),
            attention=fast if engine.path.startswith("packed") else self._own_attention,
            attention_dtype=_name(engine.attention_dtype),
            path=engine.path,
            why_path=engine.why_plain,
        )

    @property
    def drift(self) -> float | None:
        """Margins of the last ``score`` within this could be decided otherwise in float32; None where that is moot.

        A probability moves by at most a quarter of what its logit does, and a margin is of two.
        """
        if self._last is None:
            return None
        bound = self._engine.margin_drift(*self._last)
        return None if bound is None else bound / 2

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        """Compare the completions of each item.

        Raises:
            ModelError: if the model fails on a comparison.
            RunError: if the journal cannot be written.
        """
        each = [self._encoded(item) for item in items]
        encoded = [comparison for some in each for comparison in some or ()]
        self.lost = None
        if not encoded and any(some is None for some in each):
            self.lost = "no conversation is one that this kind of model can be given: see the findings"
        found: list[float] = []
        self._last, self.accounting = None, Accounting(0, 0, 0, 0, recalled=0, comparisons=0)
        if encoded:
            scored = self._engine.score(encoded, progress)
            self._last = encoded, scored.values
            self.accounting = replace(scored.accounting, comparisons=len(encoded))
            self.plan_seconds = scored.plan_seconds
            found = scored.values.tolist()
        left = iter(zip(encoded, found, strict=True))
        return [
            [Score(math.nan, note="not compared") for _ in item.completions]
            if some is None
            else self._scores(item, left)
            for item, some in zip(items, each, strict=True)
        ]

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        return self._audit.findings()

    def _encoded(self, item: Item) -> list[Encoded] | None:
        """Return all comparisons of an item: each two answers in one order, then the other; None where it has none."""
        found = []
        try:
            for pair in combinations(range(len(item.completions)), 2):
                for first, second in (pair, pair[::-1]):
                    ids, cut = self._reader.read(item, first, second)
                    found.append(Encoded(np.array(ids, dtype=np.int32), len(ids) - 1, cut))
        except UnreadableError as error:
            self._audit.note("unreadable-turns", f"{item.id} ({error})".strip())
            return None
        if any(each.truncated for each in found):
            self._audit.note("truncated", item.id)
        return found

    def _scores(self, item: Item, left: Iterator[tuple[Encoded, float]]) -> list[Score]:
        """Make scores of what the model said of an item's comparisons, in their order."""
        count = len(item.completions)
        wins: list[list[float]] = [[] for _ in range(count)]
        notes: list[list[str]] = [[] for _ in range(count)]
        tokens, cut = [0] * count, [False] * count
        for first, second in combinations(range(count), 2):
            (one, ahead), (_, behind) = next(left), next(left)
            probability = self._family.probability((ahead, behind))
            if ahead * behind > 0 and item.completions[first] != item.completions[second]:
                self._audit.note("position-bias", item.id)
            for place, other, share in ((first, second, probability), (second, first, 1 - probability)):
                wins[place].append(share)
                notes[place].append(f"{share:.3f} against {other}")
                tokens[place] += len(one.ids)
                cut[place] = cut[place] or one.truncated
        return [
            Score(math.fsum(won) / len(won) if won else 0.5, tokens[place], cut[place], note=", ".join(notes[place]))
            for place, won in enumerate(wins)
        ]


def sigmoid(value: float) -> float:
    """Return 1 / (1 + exp(−value)) without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(value))


def mean_probability(both: Both) -> float:
    """Return the mean of what both orders say of the first: exactly one half where they say the same of both places."""
    return 0.5 + (sigmoid(both[0]) - sigmoid(both[1])) / 2


def _name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
