"""PairRM (``llm-blender/PairRM-hf``): DeBERTa reads a conversation and two answers, and gives each a logit.

Each of the three parts begins with a token of its own. A head reads the states at the first and at each answer's, and
the number of a comparison is the difference. The conversation is written as its authors do for chats, spelling and all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import DebertaV2Model, DebertaV2PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from rmeval.errors import ModelError
from rmeval.eval.models.causal import load_language_model
from rmeval.eval.scorers.pairwise.base import Family, Loaded, Loading, sigmoid
from rmeval.eval.scorers.pairwise.turns import UnreadableError, alternating
from rmeval.types import Item

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SOURCE, _CANDIDATE = 1224, 412
"""Most tokens of the conversation, and of an answer where the conversation takes all of its own."""
_WHOLE = _SOURCE + 2 * _CANDIDATE
_PREFIXES = {"source_prefix_id": "<|source|>", "cand1_prefix_id": "<|candidate1|>", "cand2_prefix_id": "<|candidate2|>"}
_TASK = "Finish the following coversation in each i-th turn by filling in <Response i> with your response."


class PairRM(DebertaV2PreTrainedModel):  # type: ignore[misc, unused-ignore]
    """The model, with the names that its weights have; its only logit is the first answer's minus the second's."""

    base_model_prefix = "pretrained_model"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.pretrained_model = DebertaV2Model(config)
        size = config.hidden_size
        self.head_layer = nn.Sequential(
            nn.Dropout(config.drop_out),
            nn.Linear(2 * size, size),
            nn.Tanh(),
            nn.Dropout(config.drop_out),
            nn.Linear(size, config.n_tasks),
        )
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SequenceClassifierOutput:
        """Return logits of shape (batch, 1)."""
        states = self.pretrained_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        config, rows = self.config, torch.arange(len(input_ids), device=input_ids.device)
        # The text itself may spell such a token: the first one is the part's own.
        at = [states[rows, (input_ids == getattr(config, name)).int().argmax(dim=1)] for name in _PREFIXES]
        own = next(self.head_layer.parameters()).dtype
        first, second = (self.head_layer(torch.cat([at[0], each], dim=-1).to(own)) for each in at[1:])
        return SequenceClassifierOutput(logits=(first - second).mean(dim=-1, keepdim=True))


class PairRMReader:
    """Writes a comparison for PairRM.

    Args:
        tokenizer: The model's.
    """

    template_hash: str | None = None

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        tokenizer.truncation_side = "right"

    def read(self, item: Item, first: int, second: int) -> tuple[list[int], bool]:
        """Return the token ids of a comparison, and whether something was cut off.

        Raises:
            UnreadableError: if turns do not alternate, or the two conversations have different user turns.
        """
        one, other = (alternating(item.prompt + item.completions[place]) for place in (first, second))
        if [user for user, _ in one] != [user for user, _ in other]:
            raise UnreadableError("the answers differ in what the user says")
        turns = (f"USER: {user}\nAssistant: <Response {place}>" for place, (user, _) in enumerate(one, 1))
        source, cut = self._part("<|source|>" + _TASK + "\n".join(turns), _SOURCE)
        room = (_WHOLE - len(source)) // 2
        ids = list(source)
        for prefix, conversation in (("<|candidate1|>", one), ("<|candidate2|>", other)):
            answers = (f"<Response {place}>: {answer}" for place, (_, answer) in enumerate(conversation, 1))
            part, is_cut = self._part(prefix + "\n".join(answers), room)
            ids, cut = ids + part, cut or is_cut
        return ids, cut

    def _part(self, text: str, most: int) -> tuple[list[int], bool]:
        whole: list[int] = self._tokenizer(text, verbose=False)["input_ids"]
        if len(whole) <= most:
            return whole, False
        part: list[int] = self._tokenizer(text, truncation=True, max_length=most)["input_ids"]
        return part, True


def _load(loading: Loading) -> Loaded:
    folder, tokenizer = loading.folder, loading.tokenizer
    for name, token in _PREFIXES.items():
        own = folder.config.get(name)
        if own is None:
            raise ModelError(f"{folder.name} is not laid out as PairRM: its config.json has no {name}")
        ids: list[int] = tokenizer(token, add_special_tokens=False)["input_ids"]
        if ids != [own]:
            raise ModelError(
                f"the tokenizer of {folder.name} does not make {token} the token {own} that its head reads"
            )
    model, precision = load_language_model(
        folder,
        loading.options,
        loading.dtype,
        loading.device,
        loading.audit,
        load=PairRM.from_pretrained,
        endings=("PairRM",),
        what="a PairRM",
    )
    return model, precision, PairRMReader(tokenizer), _WHOLE


PAIRRM = Family("pairrm", _load, lambda both: sigmoid(both[0] - both[1]))
