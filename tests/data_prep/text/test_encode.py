from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.text.audit import CODES, Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.template import Template, load_template
from rmeval.errors import ModelError
from rmeval.types import Conversation, Message
from tests.support.models.tiny import CHATML, MISTRAL, SPECIAL, tiny_tokenizer

BOS, EOS, PAD, START, END = range(len(SPECIAL))


def talk(*turns: tuple[str, str], name: str = "e1") -> Conversation:
    messages = tuple(Message(role, content) for role, content in turns)
    return Conversation(messages[:-1], messages[-1:], name)


HELLO = talk(("user", "hi"), ("assistant", "yo"))


def encode(
    conversation: Conversation,
    *,
    template: str = CHATML,
    add_bos: bool = False,
    max_length: int = 500,
    pad_token_id: int | None = PAD,
) -> tuple[Encoded, set[str], str]:
    """Return the encoding, the codes the audit noticed, and the text that the ids spell."""
    tokenizer = tiny_tokenizer(template=template, add_bos=add_bos)
    audit = Audit()
    encoder = Encoder(tokenizer, load_template(tokenizer), max_length, pad_token_id)
    (encoded,) = encoder.encode([conversation], audit)
    return encoded, {item.code for item in audit.findings()}, str(tokenizer.decode(encoded.ids))


def test_chatml_text_is_the_templates_word_for_word() -> None:
    encoded, codes, text = encode(HELLO)
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n"
    assert encoded.ids[0] == START
    assert encoded.pooled == len(encoded.ids) - 1
    assert codes == {"missing-bos"}  # The tokenizer has a BOS, and neither it nor the template writes one.


def test_one_bos_where_template_and_tokenizer_both_add_it() -> None:
    encoded, codes, text = encode(HELLO, template=MISTRAL, add_bos=True)
    assert text == "<bos>[INST] hi [/INST]yo<eos>"
    assert (encoded.ids == BOS).sum() == 1
    assert codes == {"bos-once"}


@pytest.mark.parametrize("add_bos", [True, False])
def test_one_bos_where_only_one_of_them_adds_it(add_bos: bool) -> None:
    template = MISTRAL.replace("{{ bos_token }}", "") if add_bos else MISTRAL
    encoded, codes, text = encode(HELLO, template=template, add_bos=add_bos)
    assert text == "<bos>[INST] hi [/INST]yo<eos>"
    assert encoded.ids[1] != BOS
    assert codes == set()


def test_a_template_that_writes_bos_twice_is_mended_where_the_tokenizer_adds_one_and_reported_where_not() -> None:
    twice = "{{ bos_token }}" + MISTRAL
    assert (encode(HELLO, template=twice, add_bos=True)[0].ids == BOS).sum() == 1
    encoded, codes, _ = encode(HELLO, template=twice)
    assert (encoded.ids == BOS).sum() == 2
    assert codes == {"double-bos"}


def test_turn_markers_survive_where_bos_is_the_turn_marker() -> None:
    """In ChatML tokenizers like SmolLM2's, removing every BOS from the text would remove all turns."""
    tokenizer = tiny_tokenizer(bos_token="<|im_start|>")
    encoder = Encoder(tokenizer, load_template(tokenizer), 500, PAD)
    (encoded,) = encoder.encode([HELLO], Audit())
    assert (encoded.ids == START).sum() == 2


def test_left_truncation_keeps_the_end_and_the_added_bos() -> None:
    whole, _, _ = encode(HELLO, template=MISTRAL, add_bos=True)
    cut, codes, text = encode(HELLO, template=MISTRAL, add_bos=True, max_length=6)
    assert cut.truncated
    assert not whole.truncated
    assert cut.ids.tolist() == [BOS, *whole.ids[-5:]]
    assert text.endswith("yo<eos>")
    assert "truncated" in codes


def test_exactly_max_length_is_not_truncated() -> None:
    whole, _, _ = encode(HELLO)
    fits, codes, _ = encode(HELLO, max_length=len(whole.ids))
    assert not fits.truncated
    assert "truncated" not in codes
    assert encode(HELLO, max_length=len(whole.ids) - 1)[0].truncated


def test_a_refused_system_message_is_folded_into_the_first_user_message() -> None:
    encoded = encode(talk(("system", "Be brief."), ("user", "hi"), ("assistant", "yo")), template=MISTRAL)
    assert encoded[2] == "<bos>[INST] Be brief.\n\nhi [/INST]yo<eos>"
    assert "system-folded" in encoded[1]


def test_a_silently_dropped_system_message_is_folded_too() -> None:
    drops = "{% for m in messages %}{% if m['role'] != 'system' %}<|im_start|>{{ m['content'] }}<|im_end|>{% endif %}"
    _, codes, text = encode(
        talk(("system", "Be brief."), ("user", "hi"), ("assistant", "yo")), template=drops + "{% endfor %}"
    )
    assert text == "<|im_start|>Be brief.\n\nhi<|im_end|><|im_start|>yo<|im_end|>"
    assert "system-folded" in codes


def test_a_taken_system_message_stays() -> None:
    _, codes, text = encode(talk(("system", "Be brief."), ("user", "hi"), ("assistant", "yo")))
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>")
    assert "system-folded" not in codes


def test_any_other_template_error_names_the_example_and_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"example e1.*must alternate.*--chat-template"):
        encode(talk(("user", "hi"), ("user", "hello?"), ("assistant", "yo")), template=MISTRAL)


def test_no_template_is_an_error(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(template=None)
    with pytest.raises(ModelError, match=r"no chat template.*--chat-template"):
        load_template(tokenizer)
    with pytest.raises(ModelError, match="cannot read the chat template"):
        load_template(tokenizer, str(tmp_path / "absent.jinja"))
    (tmp_path / "t.jinja").write_text("{{ messages[0]['content'] }}")
    template = load_template(tokenizer, str(tmp_path / "t.jinja"))
    assert template == Template("{{ messages[0]['content'] }}", str(tmp_path / "t.jinja"))


def test_pad_equal_to_eos_pools_the_token_before_and_says_so() -> None:
    encoded, codes, _ = encode(HELLO, template=MISTRAL, pad_token_id=EOS)
    assert encoded.ids[-1] == EOS
    assert encoded.pooled == len(encoded.ids) - 2
    assert codes == {"pooled-not-last"}


def test_an_answer_left_open_is_reported() -> None:
    _, codes, _ = encode(HELLO, template="{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}")
    assert codes == {"missing-eos"}


def test_special_tokens_in_the_data_are_reported() -> None:
    _, codes, _ = encode(talk(("user", "what is <|im_end|>?"), ("assistant", "yo")))
    assert "special-token-in-text" in codes


def test_a_conversation_of_which_nothing_is_written_is_lost() -> None:
    encoded, codes, _ = encode(HELLO, template="{{ '' }}")
    assert encoded.lost == "the chat template writes nothing of a message of role 'user'"
    assert "text-dropped" in codes


def test_a_bos_that_truncation_takes_is_missed() -> None:
    """The tokenizer adds none, so it cuts off the one that the template wrote."""
    long = talk(("user", "hi " * 50), ("assistant", "yo"))
    encoded, codes, _ = encode(long, template=MISTRAL, max_length=40)
    assert encoded.ids[0] != BOS
    assert {"truncated", "missing-bos"} <= codes
    assert "missing-bos" not in encode(long, template=MISTRAL)[1]
    assert "missing-bos" not in encode(long, template=MISTRAL, add_bos=True, max_length=40)[1]


# --- what changes with the moment --------------------------------------------------------------------------------

CLOCK = "{{ 'Today is ' + strftime_now('%d %B %Y') + '\n' }}" + CHATML


def test_a_template_that_asks_for_today_gets_the_same_day_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import chat_template_utils

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Tomorrow:
            return cls(2031, 1, 2)

    monkeypatch.setattr(chat_template_utils, "datetime", Tomorrow)
    tokenizer = tiny_tokenizer(template=CLOCK)
    assert "02 January 2031" in tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    _, codes, text = encode(HELLO, template=CLOCK)
    assert text.startswith("Today is 26 July 2024\n")
    assert "template-reads-the-clock" in codes
    encoder, audit = Encoder(tokenizer, load_template(tokenizer), 500, PAD, date(2026, 11, 28)), Audit()
    assert encoder.text(HELLO, audit).startswith("Today is 28 November 2026\n")
    assert [(each.code, each.count) for each in audit.findings()] == [("template-reads-the-clock", 1)]
    assert encoder.reads_clock
    silent = Encoder(tiny_tokenizer(), load_template(tiny_tokenizer()), 500, PAD)
    silent.text(HELLO, Audit())
    assert not silent.reads_clock


@pytest.mark.parametrize("chance", ["{{ ['a', 'b'] | random }}", "{% set x = [1, 2]|random %}", "{{ lipsum(n=1) }}"])
def test_a_template_that_draws_at_random_is_refused(chance: str) -> None:
    with pytest.raises(ModelError, match="draws at random") as caught:
        encode(HELLO, template=chance + CHATML)
    assert "\n" not in str(caught.value)
    encode(HELLO, template="{{ 'a | random choice, lipsum(1)' }}" + CHATML)  # Text is not code.


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXT), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=5), st.integers(4, 60))
def test_a_row_is_encoded_the_same_alone_and_among_others(rows: list[list[tuple[str, str]]], max_length: int) -> None:
    tokenizer = tiny_tokenizer(add_bos=True)
    encoder = Encoder(tokenizer, load_template(tokenizer), max_length, PAD)
    conversations = [talk(*turns, name=str(i)) for i, turns in enumerate(rows)]
    together = list(encoder.encode(conversations, Audit()))
    for conversation, encoded in zip(conversations, together, strict=True):
        (alone,) = encoder.encode([conversation], Audit())
        assert alone.ids.tolist() == encoded.ids.tolist()
        assert len(encoded.ids) <= max_length
        assert encoded.ids[0] == BOS


def test_every_code_in_the_table_has_a_severity_and_a_meaning() -> None:
    for severity, meaning in CODES.values():
        assert severity in ("info", "warning", "error")
        assert meaning
