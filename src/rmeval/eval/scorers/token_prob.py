"""A language model that is asked a question after the conversation: how likely it is to answer with a certain token.

The score is the logarithm of the token's probability over the whole vocabulary, or a weighted sum of such logarithms:
``Yes=1,No=-1`` gives the log-odds of the two. They hang on the state of the last token alone, so that the model runs
as a classifier does, with a head that is a function of its own one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForSequenceClassification

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.render import Renderer
from rmeval.data_prep.text.template import load_template
from rmeval.errors import ModelError, UsageError
from rmeval.eval.engine.body import RowWise
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.causal import load_language_model
from rmeval.eval.models.device import pick_device, pick_dtype
from rmeval.eval.models.folder import locate, locate_tokenizer
from rmeval.eval.models.held import Held, context_of
from rmeval.eval.models.loading import load_tokenizer
from rmeval.eval.models.outputs import weights_of
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFIX = "token-prob:"
_LOGITS = 1 << 26
"""Logits computed at a time: 256 MB in float32."""


class TokenHead(RowWise):
    """Gives each state the weighted sum of the log-probabilities of a few tokens, in float32.

    With logits z and weights w that is Σ wᵢ zᵢ − (Σ wᵢ) log Σ exp z: where the weights add up to 0 the vocabulary does
    not count, and is not computed.

    Args:
        head: The language model's own.
        cap: What bounds its logits (``final_logit_softcapping``); None for nothing.
        weights: Token id -> weight.
    """

    def __init__(self, head: nn.Linear, cap: float | None, weights: Mapping[int, float]) -> None:
        super().__init__()
        self.head = head
        self._cap = cap
        self._tokens, self._weights = list(weights), list(weights.values())

    def forward(self, states: Tensor) -> Tensor:
        """Return scores of shape (…, 1) for states of shape (…, hidden size)."""
        rows = states.reshape(-1, states.shape[-1])
        size = max(1, _LOGITS // self.head.weight.shape[0])
        found = [self._scores(rows[first : first + size]) for first in range(0, len(rows), size)]
        return torch.cat(found).reshape(*states.shape[:-1], 1)

    def logits(self, states: Tensor, tokens: Sequence[int] | None = None) -> Tensor:
        """Return the logits of some tokens, or of all, in float32."""
        weight: Tensor = self.head.weight
        bias: Tensor | None = self.head.bias
        if tokens is not None:
            weight, bias = weight[tokens], None if bias is None else bias[tokens]
        logits = functional.linear(states.to(weight.dtype), weight, bias).float()
        return logits if self._cap is None else torch.tanh(logits / self._cap) * self._cap

    def _scores(self, states: Tensor) -> Tensor:
        weights = torch.tensor(self._weights, dtype=torch.float32, device=states.device)
        picked = self.logits(states, self._tokens)
        total = sum(self._weights)
        if total == 0:
            return (picked * weights).sum(-1)
        every = torch.logsumexp(self.logits(states), dim=-1, keepdim=True)
        return ((picked - every) * weights).sum(-1)


class AskingEncoder(Encoder):
    """Asks a question after each conversation, and ends where the answer would begin.

    Raises:
        ModelError: if the template does not write where that is.
    """

    def __init__(self, held: Held, max_length: int, today: date, question: str | None) -> None:
        super().__init__(held.tokenizer, held.template, max_length, None, today, asks=True)
        self._asked = () if question is None else (Message("user", question),)
        if question is not None and not _writes_header(held, today):
            raise ModelError(
                "the chat template writes no header of the next turn where it is asked for one "
                "(add_generation_prompt), so that the model would not be about to answer: give one that does with "
                "--chat-template FILE"
            )

    def encode(self, conversations: Sequence[Conversation], audit: Audit) -> Iterator[Encoded]:
        """Encode conversations; errors are those of ``Encoder``."""
        return super().encode(
            [replace(each, completion=(*each.completion, *self._asked)) for each in conversations], audit
        )


def _writes_header(held: Held, today: date) -> bool:
    """Return whether a text ends where an answer begins; some templates write nothing between question and answer."""
    asked, answered = (Message("user", "rmeval's question"),), (Message("assistant", "rmeval's answer"),)
    plain = Renderer(held.tokenizer, held.template, today)
    asks = Renderer(held.tokenizer, held.template, today, asks=True)
    try:
        before, after = (each.render(Conversation(asked, ()), Audit()).text for each in (plain, asks))
        whole = plain.render(Conversation(asked, answered), Audit()).text
    except ModelError:
        return True  # It may take others: whoever renders those says so.
    if after != before or not whole.startswith(before.rstrip()):
        return True
    return not whole.partition(answered[0].content)[0].removeprefix(before.rstrip()).strip()


class TokenProbScorer(ClassifierScorer):
    """Scores conversations by how likely a language model is to answer a question about them with a token.

    Args:
        name: ``token-prob:MODEL``, a folder or Hub id.
        options: How to load and run it; ``output_name``, ``output_index`` or ``output_weights`` say which token.
        journal: Where scores are kept; None for nowhere. Whoever opened it closes it.

    Raises:
        ModelError: if the model, its tokenizer or its template cannot be used, or a token is several.
        UsageError: if nothing is asked, no token is named, or an option has a value that does not exist.
    """

    kind = "token-prob"

    def __init__(self, name: str, options: ModelOptions, journal: Journal | None = None) -> None:
        if not options.question and options.chat_template is None:
            raise UsageError(f"{PREFIX} needs --question TEXT, or a --chat-template FILE that asks it")
        self._question = options.question or None
        super().__init__(name, options, journal)

    @property
    def info(self) -> ModelInfo:
        """Which model this is, and what it is asked."""
        asked = None if self._question is None else hashlib.sha256(self._question.encode()).hexdigest()
        return replace(super().info, prompt_hash=asked)

    def _load(self, name: str, options: ModelOptions, journal: Journal | None) -> Held:
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        if device.type == "cpu":
            keep_freed_memory()
        folder = locate(
            name.removeprefix(PREFIX), revision=options.revision, allow_pickle=options.allow_pickle, journal=journal
        )
        tokenizer = load_tokenizer(folder, options)
        template = load_template(tokenizer, options.chat_template)
        weights = tokens_of(folder.name, tokenizer, options)
        model, precision = load_language_model(
            folder, options, dtype, device, self._audit, change=lambda model: as_reader(model, weights)
        )
        outputs = {f"{token} {tokenizer.decode([token])!r}": weight for token, weight in weights.items()}
        return Held(
            model,
            tokenizer,
            template,
            precision,
            name=name,
            fingerprint=folder.fingerprint,
            context=f"{context_of(folder, model, outputs=outputs)}\0{PREFIX}",
            revision=folder.revision,
            tokenizer_name=options.tokenizer,
            tokenizer_fingerprint=None if options.tokenizer is None else locate_tokenizer(options.tokenizer)[1],
            outputs=outputs,
        )

    def _encoder_of(self, held: Held, max_length: int, today: date) -> Encoder:
        return AskingEncoder(held, max_length, today, self._question)


def tokens_of(name: str, tokenizer: PreTrainedTokenizerBase, options: ModelOptions) -> dict[int, float]:
    """Return the tokens whose log-probabilities make the score, and their weights.

    Raises:
        ModelError: if a text is not one token.
        UsageError: if none is named, or two options name some.
    """
    index, text, weights = options.output_index, options.output_name, options.output_weights
    given = {"--output-index": index, "--output-name": text, "--output-weights": weights}
    asked = [option for option, value in given.items() if value is not None]
    if len(asked) != 1:
        how = '--output-name Yes, --output-weights "Yes=1,No=-1" or --output-index TOKEN_ID'
        raise UsageError(f"{PREFIX} needs one of {how}, not {' and '.join(asked) or 'nothing'}")
    if index is not None:
        if not 0 <= index < len(tokenizer):
            raise UsageError(f"--output-index {index}: {name} has {len(tokenizer):,} tokens")
        return {index: 1.0}
    named = [(text, 1.0)] if text is not None else weights_of(str(weights), "Yes")
    found: dict[int, float] = {}
    for each, weight in named:
        token = _only_token(name, tokenizer, each)
        if token in found:
            raise UsageError(f"{asked[0]}: {each!r} stands there twice")
        found[token] = weight
    return found


def _only_token(name: str, tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        parts = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(ids)))
        raise ModelError(
            f"{text!r} is {len(ids)} tokens of {name} ({parts}), and its probability is asked of one: try it with or "
            "without a space before it, or --output-index TOKEN_ID"
        )
    return ids[0]


def as_reader(model: PreTrainedModel, weights: Mapping[int, float]) -> PreTrainedModel:
    """Return a language model as a classifier whose logit is a sum of log-probabilities after the last token.

    Raises:
        ModelError: if transformers classifies nothing with models of its type, a token is not
            among its outputs, or its logits are not its head's.
    """
    config, own = model.config, model.get_output_embeddings()
    if not isinstance(own, nn.Linear):
        raise ModelError(f"the head of the {type(model).__name__} is no linear layer")
    if max(weights) >= own.out_features:
        raise ModelError(
            f"its tokenizer has token {max(weights)}, and its head {own.out_features:,} rows: the tokenizer is another "
            "model's, or the resized embeddings were not saved"
        )
    head = TokenHead(own, getattr(config.get_text_config(), "final_logit_softcapping", None), weights)
    _check_logits(model, head)
    config.num_labels = 1
    # Without a pad token, transformers reads at the last token of all.
    config.pad_token_id = config.get_text_config().pad_token_id = None
    try:
        with torch.device("meta"):
            classifier: PreTrainedModel = AutoModelForSequenceClassification.from_config(
                config, dtype=model.dtype, trust_remote_code=False
            )
    except ValueError:
        raise ModelError(f"transformers has no classifier of the type {config.model_type}") from None
    if not isinstance(getattr(classifier, "score", None), nn.Module):
        raise ModelError(f"transformers' classifier of the type {config.model_type} is no decoder with a head")
    setattr(classifier, classifier.base_model_prefix, model.base_model)
    classifier.score = head
    return classifier


@torch.inference_mode()
def _check_logits(model: PreTrainedModel, head: TokenHead) -> None:
    """See that a model's logits are what its head makes of the body's last state: some scale them besides."""
    ids = torch.arange(min(8, head.head.weight.shape[0]))[None]
    expected = model(input_ids=ids).logits[0].float()
    found = head.logits(model.base_model(input_ids=ids).last_hidden_state[0])
    if (found - expected).abs().max() > 1e-2 * expected.abs().max():
        raise ModelError(f"the logits of the {type(model).__name__} are not its head's product, which rmeval computes")
