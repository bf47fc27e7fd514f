"""The kinds of reward model. A new one is a file here and a line in ``KINDS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.own_code import OWN_CALLS
from rmeval.eval.scorers.base import Scorer

if TYPE_CHECKING:
    from rmeval.eval.journal.journal import Journal

__all__ = ["KINDS", "Kind", "ModelOptions", "kind_of", "load_scorer"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of reward model: which names are its, and how it is loaded."""

    name: str
    form: str
    """What ``--model`` looks like."""
    description: str
    claims: Callable[[str], bool]
    """True for names of this kind."""
    load: Callable[[str, ModelOptions, int, Journal | None], Scorer]
    """Loads the model of that name; the others are its options, ``--seed``, and where an engine keeps scores."""
    options: frozenset[str] = frozenset()
    """The names of the ``ModelOptions`` that it has: what a run records."""
    command: str = ""
    """What is typed behind the name of a suite's command, for an example."""
    brings: Callable[[str], str | None] = lambda name: None
    """The data set that a model of that name brings along, where a suite of any data set is given none."""


def _baseline(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.numbers.reference_lines import PREFIX
    from rmeval.eval.scorers.baseline import BaselineScorer

    return BaselineScorer(name.removeprefix(PREFIX), seed)


def _scores(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.published import PREFIX, PublishedScores

    return PublishedScores(name.removeprefix(PREFIX), options.steps)


def _module(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.module import load_factory

    return load_factory(name, trusted=options.trust_remote_code)


def _classifier(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.classifier import ClassifierScorer  # Imports torch.

    return ClassifierScorer(name, options, journal)


def _dpo(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.dpo import DpoScorer  # Imports torch.

    return DpoScorer(name, options, journal)


def _token_prob(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.token_prob import TokenProbScorer  # Imports torch.

    return TokenProbScorer(name, options, journal)


def _own_call(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.remote import RemoteScorer  # Imports torch.

    return RemoteScorer(OWN_CALLS[name.partition(":")[0]], name, options, journal)


def _pairrm(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.pairwise.base import PairwiseScorer  # Imports torch, as those below.
    from rmeval.eval.scorers.pairwise.pairrm import PAIRRM

    return PairwiseScorer(PAIRRM, name, options, journal)


def _preference(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.pairwise.base import PairwiseScorer
    from rmeval.eval.scorers.pairwise.preference import PREFERENCE

    return PairwiseScorer(PREFERENCE, name, options, journal)


def _steamshp(name: str, options: ModelOptions, seed: int, journal: Journal | None) -> Scorer:
    from rmeval.eval.scorers.pairwise.base import PairwiseScorer
    from rmeval.eval.scorers.pairwise.steamshp import STEAMSHP

    return PairwiseScorer(STEAMSHP, name, options, journal)


def _is_module(name: str) -> bool:
    from rmeval.eval.scorers.module import is_factory

    return is_factory(name)


def _is_called(prefix: str, name: str) -> bool:
    return name.startswith(prefix)


_DPO = {"reference", "log_probs", "sequential"}
_OUTPUTS = {"output_index", "output_name", "output_weights"}
_OWN_CODE = {"trust_remote_code", "allow_untrained_head"}
_LOCAL = frozenset(field.name for field in fields(ModelOptions)) - {"steps", "question"} - _DPO - _OUTPUTS - _OWN_CODE
"""Options of all kinds whose models are on this machine."""
_PAIRWISE = _LOCAL - {"template_date", "refine"}

KINDS: tuple[Kind, ...] = (
    Kind(
        "baseline",
        "baseline:longest|shortest|random",
        "a reference line, which chooses without reading: what a number must be held against",
        lambda name: name.startswith("baseline:"),
        _baseline,
        command="--model baseline:longest",
    ),
    Kind(
        "scores",
        "scores:FILE",
        "scores that somebody published or made: JSON lines, JSON, CSV or Parquet",
        lambda name: name.startswith("scores:"),
        _scores,
        frozenset({"steps"}),
        command="--model scores:published.jsonl",
        brings=lambda name: name.removeprefix("scores:"),
    ),
    Kind(
        "dpo",
        "dpo:POLICY",
        "how much likelier a policy finds an answer than --reference MODEL does, or than none (beta moves no order)",
        lambda name: name.startswith("dpo:"),
        _dpo,
        _LOCAL | _DPO,
        command="--model dpo:my/policy --reference my/sft-model",
    ),
    Kind(
        "token-prob",
        "token-prob:MODEL",
        "how likely a language model answers a --question about the conversation with a token, such as Yes",
        lambda name: name.startswith("token-prob:"),
        _token_prob,
        _LOCAL | _OUTPUTS | {"question"},
        command='--model token-prob:MODEL --question "Is the answer good?" --output-weights Yes=1,No=-1',
    ),
    *(
        Kind(
            family.name,
            f"{family.name}:MODEL",
            f"{family.title}: scores by Python code that comes with the model, with --trust-remote-code",
            partial(_is_called, f"{family.name}:"),
            _own_call,
            _LOCAL - {"compile"} | {"trust_remote_code"},
            command=f"--model {family.name}:{family.example} --trust-remote-code",
        )
        for family in OWN_CALLS.values()
    ),
    Kind(
        "pairrm",
        "pairrm:MODEL",
        "PairRM compares each two answers in both orders; a score is the mean probability to be better",
        lambda name: name.startswith("pairrm:"),
        _pairrm,
        _PAIRWISE - {"max_length", "chat_template"},
        command="--model pairrm:llm-blender/PairRM-hf",
    ),
    Kind(
        "pair-preference",
        "pair-preference:MODEL",
        "RLHFlow's pair-preference model, asked for A or B, compares as above",
        lambda name: name.startswith("pair-preference:"),
        _preference,
        _PAIRWISE,
        command="--model pair-preference:RLHFlow/pair-preference-model-LLaMA3-8B",
    ),
    Kind(
        "steamshp",
        "steamshp:MODEL",
        "SteamSHP (T5), asked for A or B, compares as above",
        lambda name: name.startswith("steamshp:"),
        _steamshp,
        _PAIRWISE - {"chat_template"},
        command="--model steamshp:stanfordnlp/SteamSHP-flan-t5-large",
    ),
    Kind(
        "module",
        "MODULE:FACTORY",
        "a scorer of your own in Python, with --trust-remote-code",
        _is_module,
        _module,
        frozenset({"trust_remote_code", "cache"}),
        command="--model my_module:make --trust-remote-code",
    ),
    Kind(
        "classifier",
        "a folder, a Hub id, quickstart",
        "a sequence classifier: one output of it, or a sum of several; or a model with a head of `rmeval list heads`",
        lambda name: True,
        _classifier,
        _LOCAL | _OUTPUTS | _OWN_CODE,
        command="--model Skywork/Skywork-Reward-V2-Qwen3-0.6B",
    ),
)
"""The first that claims a name has it."""


def kind_of(name: str) -> Kind:
    """Return the kind of the model of that name."""
    return next(kind for kind in KINDS if kind.claims(name))


def load_scorer(name: str, options: ModelOptions, seed: int = 0, journal: Journal | None = None) -> Scorer:
    """Load the model of that name; ``rmeval list kinds`` prints what names there are.

    Args:
        name: Of the model.
        options: How to load and run it.
        seed: Of what draws at random.
        journal: Where the engine of a local model keeps scores, open as long as it scores; None for nowhere.

    Raises:
        ModelError: if the model cannot be used.
        UsageError: if there is no such model, or an option has a value that does not exist.
    """
    return kind_of(name).load(name, options, seed, journal)
