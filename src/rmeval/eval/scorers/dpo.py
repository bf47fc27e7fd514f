"""DPO's implicit reward: how much likelier a policy finds an answer than the model that it started from does.

The reward is β (log p(answer | prompt) of the policy − the same of the reference). β is left out: it is one factor of
all rewards, and changes no order. Without a reference the policy's own log-probability is the reward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from rmeval.data_prep.text.answers import UNCUT, Answer, AnswerEncoder
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoder
from rmeval.data_prep.text.max_length import usable_length
from rmeval.data_prep.text.template import load_template
from rmeval.errors import UsageError
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.eval.engine.log_probs import added
from rmeval.eval.engine.packed import Values
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import LogProbs, ModelOptions
from rmeval.eval.models.causal import check_same_tokens, positions_of
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.models.folder import locate, locate_tokenizer
from rmeval.eval.models.loading import load_tokenizer, template_day
from rmeval.eval.scorers.base import Pointwise
from rmeval.eval.scorers.encoded import encode, why_all_lost
from rmeval.eval.scorers.language_model import LanguageModel
from rmeval.run_info import Accounting, ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

PREFIX = "dpo:"
NONE = "none"


class DpoScorer(Pointwise):
    """Scores answers by the log-probabilities that a policy, and a reference, give them.

    Args:
        name: ``dpo:POLICY``, a folder or Hub id.
        options: How to load and run both; ``reference`` names the other one, or is ``none``.
        journal: Where each model's log-probabilities are kept; None for nowhere. Whoever opened it closes it.

    Raises:
        ModelError: if a model, its tokenizer or its template cannot be used, or the two read different tokens.
        UsageError: if an option has a value that does not exist, or no reference is given.
    """

    def __init__(self, name: str, options: ModelOptions, journal: Journal | None = None) -> None:
        today = template_day(options)
        self._kind = _kind(options)
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        if device.type == "cpu":
            keep_freed_memory()
        self._audit = Audit()
        names = [name.removeprefix(PREFIX), *([] if options.reference == NONE else [str(options.reference)])]
        policy, *others = [
            locate(each, revision=revision, allow_pickle=options.allow_pickle, journal=journal)
            for each, revision in zip(names, (options.revision, None), strict=False)
        ]
        tokenizer = load_tokenizer(policy, options)
        for other in others:
            own = load_tokenizer(other, replace(options, tokenizer=None))
            check_same_tokens(policy.name, tokenizer, other.name, own)
        template = load_template(tokenizer, options.chat_template)
        limits = [limit for folder in (policy, *others) if (limit := positions_of(folder)) is not None]
        length = usable_length(min(limits, default=None), tokenizer.model_max_length, options.max_length)
        self._encoder = Encoder(tokenizer, template, UNCUT, None, today)
        self._answers = AnswerEncoder(self._encoder, tokenizer, length)
        self._tokenizer = tokenizer
        self._today = today
        self._sequential = options.sequential
        self._models = [
            LanguageModel(folder, options, dtype, device, self._kind, journal, self._audit)
            for folder in (policy, *others)
        ]
        for model in self._models[: 1 if self._sequential else None]:
            model.load()
        fingerprints = dict(zip(("policy", "reference"), (m.folder.fingerprint for m in self._models), strict=False))
        self._info = ModelInfo(
            name=name,
            kind="dpo",
            fingerprint="+".join(fingerprints.values()),
            revision=policy.revision,
            architecture=self._models[0].architecture,
            parameters=self._models[0].parameters,
            device=str(device),
            max_length=length,
            template_hash=template.sha256,
            template_source=template.source,
            tokenizer=options.tokenizer,
            tokenizer_fingerprint=None if options.tokenizer is None else locate_tokenizer(options.tokenizer)[1],
            fingerprints=fingerprints,
        )
        self.lost: str | None = None
        """Why nothing of the last ``score`` is a score of what was asked; None where some is."""
        self.accounting: Accounting | None = None
        """Where the tokens of the last ``score`` went, through both models."""
        self.plan_seconds = 0.0
        """How long the last ``score`` planned and checked itself."""
        self._last: list[tuple[list[Answer], Values]] = []
        self._drifts: list[float | None] = []
        self.identity = self.info
        """Which models these are, whatever they turn out to compute in."""
        self._noticed = Audit()
        """What loading noticed."""
        self._noticed.merge(self._audit)

    def begin(self) -> None:
        """Forget what was noticed of other data, and that low precision would have decided too little of it."""
        self._audit.go_back_to(self._noticed)
        self._encoder.look_again()
        for model in self._models:
            model.begin()

    @property
    def info(self) -> ModelInfo:
        """Which models these are, and what the policy computes in: that may change with the first conversations."""
        date = self._today.isoformat() if self._encoder.reads_clock else None
        return replace(self._info, template_date=date, **self._models[0].state)

    @property
    def can_refine(self) -> bool:
        """True where ``rescore`` says more than ``score`` did."""
        return any(model.can_refine for model in self._models)

    @property
    def drift(self) -> float | None:
        """Margins of the last ``score`` within this could be decided otherwise in float32; None where that is moot.

        The models' drifts added up: they may err in opposite directions.
        """
        if not self._drifts:
            self._drifts = [self._drift(*each) for each in zip(self._models, self._last, strict=False)]
        known = [drift for drift in self._drifts if drift is not None]
        return sum(known) if known else None

    def _drift(self, model: LanguageModel, last: tuple[list[Answer], Values]) -> float | None:
        answers, values = last
        return self._loaded(model).margin_drift(answers, values, self._scale(answers))

    def _loaded(self, model: LanguageModel) -> LanguageModel:
        """Return a model, in memory; with ``--sequential`` without the other."""
        if self._sequential:
            for other in self._models:
                if other is not model:
                    other.free()
        return model.load()

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        """Score each conversation, with one model after the other.

        Raises:
            ModelError: if the template or a model fails on a conversation.
            RunError: if the journal cannot be written.
        """
        answers = self._encoded(conversations, self._audit)
        self.lost = why_all_lost(conversations, answers, self._audit)
        self._last, self._drifts, parts = [], [], []
        self.plan_seconds = 0.0
        for place, model in enumerate(self._models):
            self._loaded(model).check_fits(conversations, answers, self._tokenizer)
            scored = model.engine.score(answers, _part(progress, place, len(self._models)))
            self._last.append((answers, scored.values))
            parts.append(scored.accounting)
            self.plan_seconds += scored.plan_seconds
            if self._sequential:  # Later it would have to be loaded again.
                self._drifts.append(self._drift(model, self._last[-1]))
        self.accounting = replace(added(parts), recalled=min(part.recalled or 0 for part in parts))
        scores = self._scores(answers, [values for _, values in self._last], refined=False)
        # What overflows in low precision may well be a number in float32.
        again = [n for n, (score, item) in enumerate(zip(scores, answers, strict=True)) if _is_odd(score, item)]
        if again and self.can_refine:
            for place, score in zip(again, self._rescored([answers[place] for place in again]), strict=True):
                scores[place] = score
        return scores

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score each conversation in float32, whatever the dtype is otherwise."""
        return self._rescored(self._encoded(conversations, Audit()), progress)  # Audited when first scored.

    def try_out(self, conversations: Sequence[Conversation]) -> tuple[list[Score], float | None] | None:
        """Score a few conversations of many, and measure their drift, before all are scored.

        None where the journal has them, or where the models would have to be loaded in turns for it.
        """
        answers = self._encoded(conversations, Audit())
        self._encoder.look_again()
        if self._sequential or all(model.engine.knows(answers) for model in self._models):
            return None
        found, drifts = [], []
        for model in self._models:
            with model.engine.unkept():
                found.append(model.engine.score(answers).values)
                drifts.append(model.margin_drift(answers, found[-1], self._scale(answers)))
        known = [drift for drift in drifts if drift is not None]
        return self._scores(answers, found, refined=False), sum(known) if known else None

    def use_float32(self) -> None:
        """Compute in float32 from now on, because low precision would decide too little."""
        self._audit.note("low-precision-in-vain")
        for model in self._models:
            model.use_float32()

    def findings(self) -> Sequence[Finding]:
        """What the audit noticed up to now."""
        return self._audit.findings()

    def _encoded(self, conversations: Sequence[Conversation], audit: Audit) -> list[Answer]:
        return encode(self._answers, conversations, audit)

    def _rescored(self, answers: list[Answer], progress: Progress | None = None) -> list[Score]:
        found = [
            self._loaded(model).engine.rescore(answers, _part(progress, place, len(self._models))).values
            for place, model in enumerate(self._models)
        ]
        return self._scores(answers, found, refined=True)

    def _scale(self, answers: Sequence[Answer]) -> Values:
        """Return what each model's float is divided by: of a mean, the tokens that were scored."""
        counts = [max(1, item.scored) if self._kind == "mean" else 1 for item in answers]
        return np.array(counts, dtype=np.float64)

    def _scores(self, answers: Sequence[Answer], found: Sequence[Values], *, refined: bool) -> list[Score]:
        rewards = found[0] - found[1] if len(found) > 1 else found[0]
        rewards = rewards / self._scale(answers)
        return [
            Score(
                math.nan if item.lost else float(reward),
                len(item.ids),
                item.truncated,
                refined,
                note=self._note(item, [float(values[place]) for values in found]),
            )
            for place, (item, reward) in enumerate(zip(answers, rewards, strict=True))
        ]

    def _note(self, item: Answer, found: Sequence[float]) -> str:
        """Say what each model said of an answer: of it all, and a token."""
        count = max(1, item.scored)
        said = [
            f"{name} {value:.4f}" + ("" if self._kind == "norm" else f" ({value / count:.4f} a token)")
            for name, value in zip(("policy", "reference"), found, strict=False)
        ]
        return f"log-probability of {item.scored} tokens: {', '.join(said)}"


def _kind(options: ModelOptions) -> LogProbs:
    """Return what of log-probabilities counts.

    Raises:
        UsageError: if that does not exist, or there is no reference where one is needed.
    """
    if not options.reference:
        raise UsageError("dpo: needs --reference MODEL, the model that the policy started from, or --reference none")
    known = get_args(LogProbs)
    if options.log_probs is not None and options.log_probs not in known:
        raise UsageError(f"--log-probs takes {', '.join(known)}, not {options.log_probs!r}")
    if options.log_probs == "norm" and options.reference != NONE:
        raise UsageError("--log-probs norm is for --reference none: two norms have no meaningful difference")
    return options.log_probs or ("mean" if options.reference == NONE else "sum")


def _is_odd(score: Score, item: Answer) -> bool:
    return not item.lost and not math.isfinite(score.value)


def _part(progress: Progress | None, place: int, parts: int) -> Callable[[int, int], None] | None:
    """Return a report of the work of one model among several."""
    if progress is None:
        return None
    return lambda done, every: progress(done + place * every, parts * every)
