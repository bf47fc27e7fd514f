"""RLHFlow's pair-preference model: a language model is asked which of two answers is better, and says A or B.

Only the logits of these two tokens count: their softmax is the sigmoid of their difference, which is one linear
function of the last state. So the model is run as a classifier whose head is the difference of two rows of its
vocabulary's matrix, and contexts are shared on the engine's fast path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from rmeval.data_prep.text.template import Template, load_template
from rmeval.errors import ModelError
from rmeval.eval.models.causal import load_language_model, positions_of
from rmeval.eval.scorers.pairwise.base import Family, Loaded, Loading, mean_probability
from rmeval.eval.scorers.pairwise.turns import UnreadableError, alternating, same_before_the_last
from rmeval.types import Item

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CONTEXT = (
    "\n{% for message in messages %}{% if loop.index0 % 2 == 0 %}\n\n<turn> user\n {{ message['content'] }}"
    "{% else %}\n\n<turn> assistant\n {{ message['content'] }}{% endif %}{% endfor %}\n\n\n"
)
_QUESTION = "[CONTEXT] {context} [RESPONSE A] {first} [RESPONSE B] {second} \n"


class PreferenceReader:
    """Writes a comparison as the model's authors do: no BOS, no generation prompt.

    Args:
        tokenizer: The model's.
        template: Its chat template.
        max_length: Tokens; a longer comparison loses its beginning.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: Template, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._max_length = max_length
        self.template_hash: str | None = template.sha256

    def read(self, item: Item, first: int, second: int) -> tuple[list[int], bool]:
        """Return the token ids of a comparison, and whether something was cut off.

        Raises:
            UnreadableError: if turns do not alternate, or the conversations differ before their last message.
        """
        before, one, other = same_before_the_last(item, first, second)
        turns = alternating((*before, item.completions[first][-1]))
        messages = [
            {"role": role, "content": text}
            for turn in turns
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ][:-1]
        context = self._apply(messages, _CONTEXT)
        # The texts may hold braces of their own.
        question = _QUESTION.replace("{context}", "\0").replace("{first}", "\1").replace("{second}", "\2")
        asked = question.replace("\0", context, 1).replace("\1", one, 1).replace("\2", other, 1)
        text = self._apply([{"role": "user", "content": asked}], self._template.text)
        bos = self._tokenizer.bos_token
        while bos and text.startswith(str(bos)):
            text = text.removeprefix(str(bos))
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids[-self._max_length :], len(ids) > self._max_length

    def _apply(self, messages: list[dict[str, str]], template: str) -> str:
        try:
            return str(self._tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False))
        except Exception as error:  # A template is a program.
            raise UnreadableError(" ".join(str(error).split())[:100]) from None


def _load(loading: Loading) -> Loaded:
    folder, tokenizer = loading.folder, loading.tokenizer
    first, second = (only_token(tokenizer, text, folder.name) for text in "AB")
    length = loading.length(positions_of(folder))

    def chosen(model: PreTrainedModel) -> PreTrainedModel:
        return as_classifier(model, first, second)

    model, precision = load_language_model(
        folder, loading.options, loading.dtype, loading.device, loading.audit, change=chosen
    )
    template = load_template(tokenizer, loading.options.chat_template)
    return model, precision, PreferenceReader(tokenizer, template, length), length


def only_token(tokenizer: PreTrainedTokenizerBase, text: str, name: str) -> int:
    """Return the one token that a text is.

    Raises:
        ModelError: if it is none, or several.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise ModelError(f"the tokenizer of {name} has no single token {text!r}, which would be the verdict")
    return ids[0]


def as_classifier(model: PreTrainedModel, better: int, worse: int) -> PreTrainedModel:
    """Return a language model as a classifier whose logit is that of one token minus that of another.

    Raises:
        ModelError: if transformers classifies nothing with models of its type, or its logits are no linear function.
    """
    config = model.config
    if getattr(config.get_text_config(), "final_logit_softcapping", None):
        raise ModelError("the model bounds its logits, so that no head gives their difference")
    head = model.get_output_embeddings()
    weight, bias = head.weight, getattr(head, "bias", None)
    config.num_labels = 1
    try:
        with torch.device("meta"):
            classifier: PreTrainedModel = AutoModelForSequenceClassification.from_config(
                config, dtype=weight.dtype, trust_remote_code=False
            )
    except ValueError:
        raise ModelError(f"transformers has no classifier of the type {config.model_type}") from None
    setattr(classifier, classifier.base_model_prefix, model.base_model)
    score = nn.Linear(weight.shape[1], 1, bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        score.weight.copy_(weight[better] - weight[worse])
        if bias is not None:
            score.bias.copy_(bias[better] - bias[worse])
    classifier.score = score
    return classifier


PREFERENCE = Family("pair-preference", _load, mean_probability)
