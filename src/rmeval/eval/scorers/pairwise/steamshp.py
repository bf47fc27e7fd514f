"""SteamSHP: T5 reads a post and two responses, and writes A or B.

Of the first token that it would write, only the logits of A and B count: their softmax is the sigmoid of the
difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import SequenceClassifierOutput

from rmeval.eval.models.causal import load_language_model
from rmeval.eval.scorers.pairwise.base import Family, Loaded, Loading, mean_probability
from rmeval.eval.scorers.pairwise.preference import only_token
from rmeval.eval.scorers.pairwise.turns import same_before_the_last
from rmeval.types import Item

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SteamSHP(T5ForConditionalGeneration):  # type: ignore[misc, unused-ignore]
    """The model; its only logit is that of A minus that of B, as the first token that it writes."""

    choice = (0, 0)
    """The tokens A and B."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **given: Any) -> SequenceClassifierOutput:
        """Return logits of shape (batch, 1)."""
        start = torch.full_like(input_ids[:, :1], self.config.decoder_start_token_id)
        found = super().forward(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=start, use_cache=False
        )
        logits = found.logits[:, -1].float()
        better, worse = self.choice
        return SequenceClassifierOutput(logits=(logits[:, better] - logits[:, worse])[:, None])


class SteamSHPReader:
    """Writes a comparison for SteamSHP, whose texts have no line breaks.

    Args:
        tokenizer: The model's.
        max_length: Tokens; a longer comparison loses its beginning.
    """

    template_hash: str | None = None

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length

    def read(self, item: Item, first: int, second: int) -> tuple[list[int], bool]:
        """Return the token ids of a comparison, and whether something was cut off.

        Raises:
            UnreadableError: if the conversations differ before their last message.
        """
        before, one, other = same_before_the_last(item, first, second)
        post = " ".join(message.content for message in before)
        post, one, other = (" ".join(text.split("\n")) for text in (post, one, other))
        text = f"POST: {post}\n\n RESPONSE A: {one}\n\n RESPONSE B: {other}\n\n Which response is better? RESPONSE"
        ids: list[int] = self._tokenizer(text, verbose=False)["input_ids"]
        return ids[-self._max_length :], len(ids) > self._max_length


def _load(loading: Loading) -> Loaded:
    folder, tokenizer = loading.folder, loading.tokenizer
    choice = tuple(only_token(tokenizer, text, folder.name) for text in "AB")
    model, precision = load_language_model(
        folder,
        loading.options,
        loading.dtype,
        loading.device,
        loading.audit,
        load=SteamSHP.from_pretrained,
        endings=("ForConditionalGeneration",),
        what="a T5 that writes",
    )
    for each in (model, precision.copy):
        if each is not None:
            vars(each)["choice"] = choice
    length = loading.length(None)
    return model, precision, SteamSHPReader(tokenizer, length), length


STEAMSHP = Family("steamshp", _load, mean_probability)
