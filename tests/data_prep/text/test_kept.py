"""Text that a template or a tokenizer loses, in the shapes that templates in the wild have."""

from __future__ import annotations

import pytest

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.kept import share_back
from rmeval.data_prep.text.template import load_template
from rmeval.types import Conversation, Message
from tests.support.models.tiny import CHATML, tiny_tokenizer

ZEPHYR = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ '<|system|>\n' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\n' + message['content'] + eos_token }}{% endif %}"
    "\n{% endfor %}"
)
"""Zephyr's: other roles are passed over."""
PARTS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
)
"""Of vision-language models: content is a list of parts."""
R1 = (
    "{% for message in messages %}{% set content = message['content'] %}"
    "{% if message['role'] == 'assistant' and '</think>' in content %}{% set content = content.split('</think>')[-1] %}"
    "{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + content + '<|im_end|>\n' }}{% endfor %}"
)
"""DeepSeek-R1-Distill's and Qwen 3's: of an answer what comes after its reasoning."""
LLAMA3 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n\n' }}"
    "{{ message['content'] | trim + '<|im_end|>' }}{% endfor %}"
)
"""Llama 3's: trimmed."""
GEMMA = (
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<|im_start|>' + role + '\n' + message['content'].strip() + '<|im_end|>\n' }}{% endfor %}"
)
"""Gemma's: another name for the assistant."""
LAST = "{% for message in messages[-1:] %}{{ '<|im_start|>' + message['content'] + '<|im_end|>' }}{% endfor %}"
"""Reads the last message only."""


def encode(template: str, *turns: tuple[str, str]) -> tuple[Encoded, list[tuple[str, tuple[str, ...]]], str]:
    tokenizer = tiny_tokenizer(template=template)
    messages = tuple(Message(role, content) for role, content in turns)
    audit = Audit()
    encoder = Encoder(tokenizer, load_template(tokenizer), 500, 2)
    (encoded,) = encoder.encode([Conversation(messages[:-1], messages[-1:], "e1")], audit)
    found = [(each.code, each.examples) for each in audit.findings() if each.code not in ("missing-bos", "missing-eos")]
    return encoded, found, str(tokenizer.decode(encoded.ids))


@pytest.mark.parametrize("template", [CHATML, ZEPHYR, LLAMA3, GEMMA, R1, PARTS])
@pytest.mark.parametrize("answer", ["yes", "  yes,\n\n  it  is \n", "", "日本語 ✓", "{{ 1 + 1 }}"])
def test_whole_text_is_not_suspected(template: str, answer: str) -> None:
    encoded, found, text = encode(template, ("user", "is it?\n"), ("assistant", answer))
    assert encoded.lost is None
    assert found == ([("content-as-parts", ("e1",))] if template == PARTS else [])
    assert answer.strip() in text


@pytest.mark.parametrize(
    ("template", "role"), [(ZEPHYR, "gpt"), (ZEPHYR, "Assistant"), (ZEPHYR, "model"), (ZEPHYR, "tool")]
)
def test_an_answer_of_a_role_that_the_template_does_not_know_is_lost(template: str, role: str) -> None:
    encoded, found, _ = encode(template, ("user", "hi"), (role, "hello"))
    assert encoded.lost == f"the chat template writes nothing of a message of role {role!r}"
    assert found == [("text-dropped", (f"e1 ({role})",))]


@pytest.mark.parametrize("role", ["human", "developer", "ipython"])
def test_a_question_or_an_instruction_is_missed_too(role: str) -> None:
    encoded, found, _ = encode(ZEPHYR, (role, "be brief"), ("user", "hi"), ("assistant", "hello"))
    assert encoded.lost is not None
    assert found == [("text-dropped", (f"e1 ({role})",))]


def test_a_template_that_reads_the_last_message_only() -> None:
    encoded, _, _ = encode(LAST, ("user", "how are you?"), ("assistant", "fine"))
    assert encoded.lost == "the chat template writes nothing of a message of role 'user'"


def test_a_message_is_missed_though_its_text_stands_elsewhere() -> None:
    """The answer is in the question, the tool's result too, and the system message in what follows."""
    assert encode(ZEPHYR, ("user", "Which is right, A or B?"), ("model", "A"))[0].lost is not None
    assert encode(ZEPHYR, ("user", "Is it 42?"), ("tool", "42"), ("assistant", "yes"))[0].lost is not None
    every, others = "in messages %}", "in messages if message.role != 'system' %}"
    no_system = CHATML.replace(every, others)
    _, found, text = encode(no_system, ("system", "Q"), ("user", "Q2"), ("assistant", "yes"))
    assert found == [("system-folded", ("e1",))]
    assert "Q\n\nQ2" in text


@pytest.mark.parametrize("change", ["upper", "lower", "title", "capitalize"])
def test_another_case_is_no_loss(change: str) -> None:
    template = CHATML.replace("+ message['content'] +", f"+ message['content'] | {change} +")
    encoded, found, _ = encode(template, ("user", "Is it so?"), ("assistant", "It is, NATO said"))
    assert (encoded.lost, found) == (None, [])


@pytest.mark.parametrize("answer", ["<think>hm</think>answer", "<think>hm\n</think>answer"])
def test_parts_are_never_read_as_their_own_text(answer: str) -> None:
    """A template that prints whatever content is would print the list of parts."""
    template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{% set content = message['content'] %}{% if content is string %}"
        "{% set content = content.split('</think>')[-1] %}{% endif %}{{ content }}{{ '<|im_end|>' }}{% endfor %}"
    )
    _, found, text = encode(template, ("user", "Q"), ("assistant", answer))
    assert found == [("text-cut", ("e1 (assistant)",))]
    assert text == "<|im_start|>user\nQ<|im_end|><|im_start|>assistant\nanswer<|im_end|>"


def test_reasoning_that_is_stripped_is_a_part() -> None:
    encoded, found, text = encode(R1, ("user", "2 + 2?"), ("assistant", "<think>two and two</think>4"))
    assert encoded.lost is None
    assert found == [("text-cut", ("e1 (assistant)",))]
    assert "two and two" not in text


def test_a_template_for_parts_gets_parts() -> None:
    _, found, text = encode(PARTS, ("user", "hi"), ("assistant", "hello"))
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n"
    assert found == [("content-as-parts", ("e1",))]


def test_a_byte_order_mark_before_a_template_is_not_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("t") / "bom.jinja"
    file.write_text(CHATML, encoding="utf-8-sig")
    assert load_template(tiny_tokenizer(), str(file)).text == CHATML
    assert load_template(tiny_tokenizer(template="\ufeff" + CHATML)).text == CHATML


def test_a_second_bos_behind_something_invisible_is_found() -> None:
    audit, tokenizer = Audit(), tiny_tokenizer(template="{{ '\u200b' + bos_token }}" + CHATML, add_bos=True)
    list(Encoder(tokenizer, load_template(tokenizer), 500, 2).encode(talk("hi"), audit))
    assert "double-bos" in [each.code for each in audit.findings()]
    audit, tokenizer = Audit(), tiny_tokenizer(template="{{ 'a' + bos_token }}" + CHATML, add_bos=True)
    list(Encoder(tokenizer, load_template(tokenizer), 500, 2).encode(talk("hi"), audit))
    assert "double-bos" not in [each.code for each in audit.findings()]


def talk(text: str) -> list[Conversation]:
    return [Conversation((Message("user", text),), (Message("assistant", "yes, it is"),), "e1")]


def test_special_tokens_outside_the_tokenizers_map_are_known() -> None:
    tokenizer = tiny_tokenizer(template=CHATML.replace("<|im_end|>", "<|stop|>"))
    tokenizer.add_tokens(["<|stop|>"], special_tokens=True)
    tokenizer.add_tokens(["plain"])
    assert "<|stop|>" not in tokenizer.all_special_tokens
    audit = Audit()
    list(Encoder(tokenizer, load_template(tokenizer), 500, 2).encode(talk("why <|stop|> plain?"), audit))
    codes = [each.code for each in audit.findings()]
    assert "special-token-in-text" in codes
    assert "missing-eos" not in codes


def test_how_much_of_a_text_comes_back_by_hand() -> None:
    assert share_back("Ab, 1!", "ab 1") == 1.0
    assert share_back("abcd", "ab") == 0.5
    assert share_back("é", "e") == pytest.approx(1.0)  # The accent is no letter.
    assert share_back("!?", "") == 1.0
