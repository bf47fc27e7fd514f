"""Which tokens are the answer, by hand: in these tokenizers a token is a byte, but for the special ones."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from rmeval.data_prep.text.answers import UNCUT, Answer, AnswerEncoder
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoder
from rmeval.data_prep.text.template import load_template
from rmeval.types import Conversation, Message
from tests.support.models.tiny import CHATML, MISTRAL, tiny_tokenizer


def encode(
    conversation: Conversation, *, template: str = CHATML, add_bos: bool = False, max_length: int = 4096
) -> tuple[Answer, list[str], Audit]:
    """The answer, the text of each span, and what the audit noticed."""
    tokenizer = tiny_tokenizer(template=template, add_bos=add_bos)
    encoder = Encoder(tokenizer, load_template(tokenizer), UNCUT, None)
    audit = Audit()
    found = AnswerEncoder(encoder, tokenizer, max_length).encode([conversation], audit)[0]
    return found, [str(tokenizer.decode(found.ids[start:stop].tolist())) for start, stop in found.spans], audit


def said(role: str, content: str) -> Message:
    return Message(role, content)


PROMPT = (said("system", "Be brief."), said("user", "Hi?"))


def codes(audit: Audit) -> set[str]:
    return {finding.code for finding in audit.findings()}


def test_header_and_prompt_are_not_the_answer_and_the_end_of_its_turn_is() -> None:
    found, texts, _ = encode(Conversation(PROMPT, (said("assistant", "Yes."),)))
    assert texts == ["Yes.<|im_end|>\n"]
    assert found.scored == 6
    assert found.spans[0][1] == len(found.ids)


@pytest.mark.parametrize("answer", ["Hi?", "Be brief.", "rmeval's own answer", "assistant\n", "", " ", "\n\n"])
def test_an_answer_that_repeats_what_is_there_is_whole(answer: str) -> None:
    assert encode(Conversation(PROMPT, (said("assistant", answer),)))[1] == [f"{answer}<|im_end|>\n"]


def test_there_is_one_bos() -> None:
    prompt = (said("user", "Hi?"),)
    found, texts, audit = encode(Conversation(prompt, (said("assistant", "Yes"),)), template=MISTRAL, add_bos=True)
    assert found.ids.tolist().count(0) == 1
    assert found.ids[0] == 0
    assert texts == ["Yes<eos>"]
    assert codes(audit) == {"bos-once"}


def test_of_several_turns_those_of_the_user_are_not_scored() -> None:
    completion = (said("assistant", "One"), said("user", "More?"), said("assistant", "Two"))
    found, texts, _ = encode(Conversation(PROMPT, completion))
    assert texts == ["One<|im_end|>\n", "Two<|im_end|>\n"]
    assert found.scored == 10


def test_a_prompt_may_be_empty() -> None:
    conversation = Conversation((), (said("user", "Hi?"), said("assistant", "Yes")))
    assert encode(conversation)[1] == ["Yes<|im_end|>\n"]


def test_nothing_stands_before_the_first_token() -> None:
    bare = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    assert encode(Conversation((), (said("assistant", "Yes"),)), template=bare)[1] == ["es"]


def test_a_beginning_that_is_cut_off_is_counted() -> None:
    conversation = Conversation((said("user", "x" * 100),), (said("assistant", "Yes"),), "it")
    found, texts, audit = encode(conversation, max_length=40)
    assert len(found.ids) == 40
    assert found.truncated
    assert found.lost is None
    assert texts == ["Yes<|im_end|>\n"]
    assert {"truncated"} <= codes(audit)
    with_bos = encode(conversation, template=MISTRAL, add_bos=True, max_length=40)[0]
    assert (len(with_bos.ids), with_bos.ids[0]) == (40, 0)


def test_an_answer_is_never_cut() -> None:
    conversation = Conversation((said("user", "Hi?"),), (said("assistant", "y" * 50),), "it")
    found, _, audit = encode(conversation, max_length=40)
    assert found.lost == "the answer alone is longer than 40 tokens"
    assert {"truncated", "answer-cut"} <= codes(audit)


def test_a_completion_of_another_role_has_no_answer() -> None:
    found, texts, audit = encode(Conversation(PROMPT, (said("user", "Yes"),)))
    assert (texts, found.scored) == ([], 0)
    assert found.lost == "there is nothing that the assistant says"
    assert "no-answer" in codes(audit)


def test_no_token_crosses_the_border() -> None:
    """Together ``:b`` would be one token, and the header's colon would be scored."""
    letters = {token: place for place, token in enumerate([*"abc:", "<bos>", "<eos>", ":b"])}
    core = Tokenizer(models.BPE(vocab=letters, merges=[(":", "b")]))
    core.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 4), ("<eos>", 5)]
    )
    template = "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'user' %}:{% endif %}{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, chat_template=template, bos_token="<bos>", eos_token="<eos>"
    )
    encoder = AnswerEncoder(Encoder(tokenizer, load_template(tokenizer), UNCUT, None), tokenizer, 99)
    audit = Audit()
    pair = [Conversation((said("user", "aa"),), (said("assistant", text),), text) for text in ("bc", "cc")]
    first, second = encoder.encode(pair, audit)
    assert first.ids.tolist() == [4, 0, 0, 3, 1, 2, 5]
    assert second.ids.tolist() == [4, 0, 0, 3, 2, 2, 5]
    assert first.spans == second.spans == ((4, 7),)
    assert [each.examples for each in audit.findings() if each.code == "header-apart"] == [("bc",)]
    turns = (said("assistant", "c"), said("user", "a"), said("assistant", "b"))
    several = encoder.encode([Conversation((said("user", "a"),), turns)], Audit())[0]
    assert several.ids.tolist() == [4, 0, 3, 2, 0, 3, 1, 5]
    assert several.spans == ((3, 4), (6, 8))
