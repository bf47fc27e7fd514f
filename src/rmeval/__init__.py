"""rmeval evaluates reward models: the models that score answers in RLHF, best-of-n and data filtering.

The public names are loaded on first use: importing rmeval imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rmeval.bench.plan import Sweep as Sweep
    from rmeval.bench.run import run_bench as run_bench

    __version__: str
    from rmeval.data_prep.prepare import prepare as prepare
    from rmeval.errors import RmevalError as RmevalError
    from rmeval.eval.evaluate import evaluate as evaluate
    from rmeval.eval.gate.check import Gate as Gate
    from rmeval.eval.gate.check import check as check
    from rmeval.eval.model_options import ModelOptions as ModelOptions
    from rmeval.eval.numbers.compare import Comparison as Comparison
    from rmeval.eval.numbers.compare import compare as compare
    from rmeval.eval.scorers.base import Pointwise as Pointwise
    from rmeval.eval.scorers.base import Scorer as Scorer
    from rmeval.eval.scorers.held import from_model as from_model
    from rmeval.eval.scoring.score import ScoreSummary as ScoreSummary
    from rmeval.eval.scoring.score import score as score
    from rmeval.eval.suites.base import Suite as Suite
    from rmeval.records import RunRecord as RunRecord
    from rmeval.records import load_run as load_run
    from rmeval.reports.board.entries import Leaderboard as Leaderboard
    from rmeval.reports.board.leaderboard import leaderboard as leaderboard
    from rmeval.reports.run.report import report as report
    from rmeval.run_info import ModelInfo as ModelInfo
    from rmeval.trainer.train import train as train
    from rmeval.types import Conversation as Conversation
    from rmeval.types import Example as Example
    from rmeval.types import Item as Item
    from rmeval.types import Message as Message
    from rmeval.types import Score as Score

_HOMES = {
    "Comparison": "rmeval.eval.numbers.compare",
    "Conversation": "rmeval.types",
    "Example": "rmeval.types",
    "Gate": "rmeval.eval.gate.check",
    "Item": "rmeval.types",
    "Leaderboard": "rmeval.reports.board.entries",
    "Message": "rmeval.types",
    "ModelInfo": "rmeval.run_info",
    "ModelOptions": "rmeval.eval.model_options",
    "Pointwise": "rmeval.eval.scorers.base",
    "RmevalError": "rmeval.errors",
    "RunRecord": "rmeval.records",
    "Score": "rmeval.types",
    "ScoreSummary": "rmeval.eval.scoring.score",
    "Scorer": "rmeval.eval.scorers.base",
    "Suite": "rmeval.eval.suites.base",
    "Sweep": "rmeval.bench.plan",
    "check": "rmeval.eval.gate.check",
    "compare": "rmeval.eval.numbers.compare",
    "evaluate": "rmeval.eval.evaluate",
    "from_model": "rmeval.eval.scorers.held",
    "leaderboard": "rmeval.reports.board.leaderboard",
    "load_run": "rmeval.records",
    "prepare": "rmeval.data_prep.prepare",
    "report": "rmeval.reports.run.report",
    "run_bench": "rmeval.bench.run",
    "score": "rmeval.eval.scoring.score",
    "train": "rmeval.trainer.train",
}

__all__ = [
    "Comparison",
    "Conversation",
    "Example",
    "Gate",
    "Item",
    "Leaderboard",
    "Message",
    "ModelInfo",
    "ModelOptions",
    "Pointwise",
    "RmevalError",
    "RunRecord",
    "Score",
    "ScoreSummary",
    "Scorer",
    "Suite",
    "Sweep",
    "check",
    "compare",
    "evaluate",
    "from_model",
    "leaderboard",
    "load_run",
    "prepare",
    "report",
    "run_bench",
    "score",
    "train",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    if name == "__version__":
        from importlib import metadata

        return metadata.version("rmeval")
    if name not in _HOMES:
        raise AttributeError(f"module 'rmeval' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
