"""Commands that load a model: the options for that stand here once, in the order of ``--help``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from inspect import Parameter, Signature, signature
from typing import Any

from rmeval.cli.shared import options as opt


def _model_options(
    revision: opt.Revision = None,
    tokenizer: opt.Tokenizer = None,
    chat_template: opt.ChatTemplate = None,
    template_date: opt.TemplateDate = None,
    dtype: opt.Dtype = "auto",
    device: opt.Device = "auto",
    batch_size: opt.BatchSize = "auto",
    max_length: opt.MaxLength = None,
    attn_implementation: opt.Attention = None,
    compile: opt.Compile = "auto",
    refine: opt.Refine = True,
    cache: opt.Cache = True,
    trust_remote_code: opt.TrustRemoteCode = False,
    allow_pickle: opt.AllowPickle = False,
    allow_untrained_head: opt.AllowUntrainedHead = False,
    output_index: opt.OutputIndex = None,
    output_name: opt.OutputName = None,
    output_weights: opt.OutputWeights = None,
    question: opt.Question = None,
    steps: opt.StepsOption = None,
    reference: opt.Reference = None,
    log_probs: opt.LogProbsOption = None,
    sequential: opt.Sequential = False,
) -> None:
    """Declare the options of a model; ``opt.model_options`` collects what they say."""


def with_model_options(
    *, after: str = "model", without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a model beside its own; it is called with its own alone.

    Args:
        after: The option of the command that they follow.
        without: Options that it does not have. One that the command declares itself stands in the shared one's place.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        """Return the command with the shared options declared."""
        own = dict(signature(command, eval_str=True).parameters)
        names = list(own)
        shared = signature(_model_options, eval_str=True).parameters.values()
        common = [own.pop(each.name, each) for each in shared if each.name not in without]
        before = [own[name] for name in names[: names.index(after) + 1]]
        rest = [each for name, each in own.items() if each not in before]

        def run(**given: Any) -> None:
            command(**{name: given[name] for name in names})

        called = as_command(run, [*before, *common, *rest])
        called.__doc__ = command.__doc__
        return called

    return decorate


def as_command(run: Callable[..., None], parameters: Iterable[Parameter]) -> Callable[..., None]:
    """Return a function that typer takes for one with these parameters; it calls ``run`` with them by name."""

    def called(**given: Any) -> None:
        run(**given)

    whole = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
    # Typer reads what a command takes from these two.
    called.__signature__ = Signature(whole)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in whole}
    return called
