"""More templates in the shapes of the wild: whole conversations pass, and what is lost of others is said."""

from __future__ import annotations

import pytest

from tests.data_prep.text.test_kept import encode
from tests.support.models.tiny import tiny_tokenizer

GEMMA3 = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}"
    "{% endif %}<|im_start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ first if loop.first else '' }}"
    "{{ m.content | trim }}<|im_end|>\n{% endfor %}"
)
"""Gemma 3's: the system message before the first user message."""
QWEN3 = (
    "{% set seen = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set seen.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% set content = m.content %}"
    "{% if m.role == 'assistant' %}{% set thought = m.reasoning_content or '' %}{% if '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{% if loop.index0 > seen.last %}<think>\n{{ thought }}\n</think>\n\n{% endif %}{% endif %}"
    "{{ content }}<|im_end|>\n{% endfor %}"
)
"""Qwen 3's: reasoning of the last answer alone."""
PHI4 = (
    "{% for m in messages %}{% if m.role in ('system', 'user', 'assistant') %}"
    "{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
)
"""Phi-4's."""
LLAMA2 = (
    "{% set system = messages[0].content if messages[0].role == 'system' else false %}"
    "{% for m in (messages[1:] if system else messages) %}"
    "{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m.content if system and loop.first else m.content %}"
    "{% if m.role == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""Llama 2's: a BOS a turn, the system message within the first."""
MISTRAL_V7 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% elif m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
    "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}{% else %}{{ raise_exception('roles') }}{% endif %}"
    "{% endfor %}"
)
"""Mistral v7's: the system message in marks of its own."""
LAST_SYSTEM = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for m in (messages[1:] if system else messages) %}{% if m.role == 'user' %}"
    "[INST] {{ system + '\n\n' if system and loop.last else '' }}{{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content + eos_token }}{% endif %}{% endfor %}"
)
"""Mistral v3's: the system message before the last user message, if that is the last of all."""
DEFAULT_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role + '\n' + m.content }}<|im_end|>\n{% endfor %}"
)
"""Qwen 2.5's: a system message of its own where there is none."""
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}"
)
"""Of models trained on the assistant's tokens alone."""

USER, ANSWER, SYSTEM = ("user", "Hi, A or B?\nSay it."), ("assistant", "It is A."), ("system", "Be brief.")
THOUGHT = ("assistant", "<think>\nlet me see\n</think>\n\nIt is A.")


@pytest.mark.parametrize("template", [GEMMA3, QWEN3, PHI4, LLAMA2, MISTRAL_V7, DEFAULT_SYSTEM, MARKED])
@pytest.mark.parametrize("turns", [(USER, ANSWER), (SYSTEM, USER, ANSWER), (USER, ANSWER, USER, ANSWER)])
def test_whole_conversations_pass_as_transformers_writes_them(
    template: str, turns: tuple[tuple[str, str], ...]
) -> None:
    encoded, found, text = encode(template, *turns)
    assert (encoded.lost, found) == (None, [])
    messages = [{"role": role, "content": content} for role, content in turns]
    assert text == tiny_tokenizer(template=template).apply_chat_template(messages, tokenize=False)


def test_reasoning_of_the_last_answer_is_kept_and_that_of_others_cut() -> None:
    assert encode(QWEN3, USER, THOUGHT)[1] == []
    encoded, found, text = encode(QWEN3, USER, THOUGHT, USER, ANSWER)
    assert (encoded.lost, found) == (None, [("text-cut", ("e1 (assistant)",))])
    assert "let me see" not in text


def test_a_system_message_that_only_another_place_would_hold_is_folded() -> None:
    _, found, text = encode(LAST_SYSTEM, SYSTEM, USER, ANSWER)
    assert found == [("system-folded", ("e1",))]
    assert text.startswith(f"[INST] Be brief.\n\n{USER[1]} [/INST]")


@pytest.mark.parametrize(
    ("template", "turns", "role"),
    [
        (LLAMA2, (USER, ANSWER, SYSTEM, USER, ANSWER), "system"),
        (PHI4, (USER, ("tool", "42"), ANSWER), "tool"),
        (PHI4, (("developer", "Be brief."), USER, ANSWER), "developer"),
        (LAST_SYSTEM, (USER, ANSWER, SYSTEM, USER, ANSWER), "system"),
    ],
)
def test_a_message_that_is_left_out_makes_the_example_invalid(
    template: str, turns: tuple[tuple[str, str], ...], role: str
) -> None:
    encoded, found, _ = encode(template, *turns)
    assert encoded.lost == f"the chat template writes nothing of a message of role {role!r}"
    assert found == [("text-dropped", (f"e1 ({role})",))]


@pytest.mark.parametrize(
    "change", ["[:40]", " | truncate(40)", " | e", " | replace('\n', '<n>')", ".split('\n')[0]", " | striptags"]
)
def test_text_that_a_filter_changes_is_cut(change: str) -> None:
    """Escaped for HTML, cut at a length, its lines joined: the model reads another text than the data's."""
    template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content" + change + " }}<|im_end|>{% endfor %}"
    answer = "<b>It</b> is A & B,\nas " + "all the world " * 5 + "says."
    encoded, found, _ = encode(template, ("user", "A or B?"), ("assistant", answer))
    assert (encoded.lost, found) == (None, [("text-cut", ("e1 (assistant)",))])
