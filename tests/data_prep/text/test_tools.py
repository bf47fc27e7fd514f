"""Tools and their calls, in the shapes that templates in the wild have; transformers alone is the oracle."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.template import load_template
from rmeval.errors import ModelError
from rmeval.eval.scorers import ModelOptions
from rmeval.types import Finding
from tests.support.models.tiny import CHATML, save_tiny_model, tiny_tokenizer

QWEN25 = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}{% if m.role == 'assistant' and m.tool_calls %}<|im_start|>assistant"
    "{% if m.content %}{{ '\n' + m.content }}{% endif %}{% for call in m.tool_calls %}"
    "{% if call.function is defined %}{% set call = call.function %}{% endif %}"
    """\n<tool_call>\n{"name": "{{ call.name }}", "arguments": {{ call.arguments | tojson }}}\n</tool_call>"""
    "{% endfor %}<|im_end|>\n{% elif m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content }}\n"
    "</tool_response><|im_end|>\n{% else %}<|im_start|>{{ m.role + '\n' + m.content }}<|im_end|>\n{% endif %}"
    "{% endfor %}"
)
"""Qwen 2.5's: tools in a system turn, calls as JSON, results as the user's."""
LLAMA31 = (
    "{{ bos_token }}{% if tools is not none %}<|im_start|>user\n{% for tool in tools %}{{ tool | tojson(indent=4) }}"
    "{% endfor %}<|im_end|>{% endif %}"
    "{% for m in messages %}{% if 'tool_calls' in m %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}"
    "{% set call = m.tool_calls[0].function %}<|im_start|>assistant\n\n"
    """{"name": "{{ call.name }}", "parameters": {{ call.arguments | tojson }}}<|im_end|>"""
    "{% elif m.role in ('tool', 'ipython') %}<|im_start|>ipython\n\n{{ m.content | tojson }}<|im_end|>"
    "{% else %}<|im_start|>{{ m.role + '\n\n' + m.content | trim }}<|im_end|>{% endif %}{% endfor %}"
)
"""Llama 3.1's: one call a turn, which stands for the content; results as a JSON string."""
MISTRAL_V3 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools is not none and loop.first %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "[INST] {{ m.content }}[/INST]{% elif m.tool_calls is defined and m.tool_calls is not none %}[TOOL_CALLS] ["
    "{% for call in m.tool_calls %}{% if call.id | length != 9 %}"
    "{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}"
    """{{ (call.function | tojson)[:-1] }}, "id": "{{ call.id }}"}{% if not loop.last %}, {% endif %}{% endfor %}]"""
    "{{ eos_token }}{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}"
    """{% elif m.role == 'tool' %}[TOOL_RESULTS] {"content": {{ m.content }}, "call_id": "{{ m.tool_call_id }}"}"""
    "[/TOOL_RESULTS]{% else %}{{ raise_exception('Only user, assistant and tool roles are supported') }}{% endif %}"
    "{% endfor %}"
)
"""Mistral v3's and v7's: ids of nine letters, which results name."""
HERMES_TOOLS = (
    "<|im_start|>system\n<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools><|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}{% if m.tool_calls is defined %}{% for call in m.tool_calls %}\n"
    "<tool_call>\n{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}\n</tool_call>"
    "{% endfor %}{% elif m.role == 'tool' %}\n<tool_response>\n{{ m.content }}\n</tool_response>"
    "{% else %}{{ '\n' + m.content }}{% endif %}<|im_end|>\n{% endfor %}"
)
"""Hermes': a template of its own for tools, beside the default one."""
DEEPSEEK = (
    "{% for m in messages %}{% if m.role == 'assistant' and 'tool_calls' in m %}{% for call in m.tool_calls %}"
    "{{ '<|im_start|>call ' + call.function.name + '\n```json\n' + call.function.arguments + '\n```' }}{% endfor %}"
    "<|im_end|>{% else %}<|im_start|>{{ m.role + '\n' + m.content }}<|im_end|>{% endif %}{% endfor %}"
)
"""DeepSeek-V3's: arguments must be text; tools are not written."""
XML = (
    "{% for m in messages %}<|im_start|>{{ m.role + '\n' + (m.content or '') }}{% for call in m.tool_calls or [] %}"
    "<function={{ call.function.name }}>{% for key, value in call.function.arguments | items %}<parameter={{ key }}>\n"
    "{{ value }}\n</parameter>{% endfor %}</function>{% endfor %}<|im_end|>\n{% endfor %}"
)
"""Qwen3-Coder's: an element a parameter."""
QWEN3 = QWEN25.replace(
    "{{ call.arguments | tojson }}",
    "{% if call.arguments is string %}{{ call.arguments }}{% else %}{{ call.arguments | tojson }}{% endif %}",
)
"""Qwen 3's: takes arguments as they come."""

ARGUMENTS = {"city": 'Saint-"Étienne"', "days": [1, 2], "metric": True}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "forecast",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
USER = {"role": "user", "content": "Weather in Saint-Étienne?"}


def call(arguments: object = ARGUMENTS, name: str = "forecast", **more: object) -> dict[str, Any]:
    made = {"id": "abcdefghi", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [made], **more}


RESULT = {"role": "tool", "tool_call_id": "abcdefghi", "name": "forecast", "content": '{"sun": 1}'}
SAYS = {"role": "assistant", "content": "Sun."}
TAKE_CALLS = [QWEN25, QWEN3, LLAMA31, MISTRAL_V3, XML]


def encode(
    folder: Path, template: str | dict[str, str], *rows: dict[str, Any]
) -> tuple[list[Encoded], dict[str, Finding], list[str]]:
    """Return what becomes of the rows' completions, and the texts that the model reads."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    examples, found = to_examples(load_rows(str(file)), default_subset="all")
    tokenizer: Any = tiny_tokenizer(template=None)
    tokenizer.chat_template = template
    audit = Audit()
    encoded = list(Encoder(tokenizer, load_template(tokenizer), 2000, 2).encode(conversations(examples), audit))
    findings = {each.code: each for each in [*found, *audit.findings()]}
    for about_ends in ("missing-bos", "missing-eos"):
        findings.pop(about_ends, None)
    return encoded, findings, [str(tokenizer.decode(each.ids)) for each in encoded]


def by_hand(template: str | dict[str, str], messages: list[dict[str, Any]], tools: Any = None) -> str:
    tokenizer: Any = tiny_tokenizer(template=None)
    tokenizer.chat_template = template
    return str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False))


# --- what the model reads is what transformers makes ------------------------------------------------------------


@pytest.mark.parametrize("template", TAKE_CALLS)
@pytest.mark.parametrize("content", [None, "", "Let me look."])
def test_calls_and_results_are_written(tmp_path: Path, template: str, content: str | None) -> None:
    chosen, rejected = [call(content=content), RESULT, SAYS], [call({"city": "Paris"}, content=content)]
    encoded, findings, texts = encode(
        tmp_path, template, {"prompt": [USER], "chosen": chosen, "rejected": rejected, "tools": TOOLS}
    )
    assert texts == [by_hand(template, [USER, *each], TOOLS) for each in (chosen, rejected)]
    assert [each.lost for each in encoded] == [None, None]
    said = {"tools-unread"} if template == XML else set()
    if content and template in (LLAMA31, MISTRAL_V3):
        said |= {"text-cut"}  # The call stands for the content.
    assert set(findings) == said


@pytest.mark.parametrize("template", [QWEN25, LLAMA31, MISTRAL_V3, XML])
def test_arguments_that_are_json_text_are_given_as_these_templates_want_them(tmp_path: Path, template: str) -> None:
    """OpenAI's API gives text, which these templates would write as a JSON string, or fail on."""
    row = {"prompt": [USER], "chosen": [call(json.dumps(ARGUMENTS))], "rejected": [call()]}
    encoded, findings, texts = encode(tmp_path, template, row)
    assert texts == [by_hand(template, [USER, call()])] * 2
    assert [each.lost for each in encoded] == [None, None]
    assert set(findings) == set()


@pytest.mark.parametrize("arguments", ["{}", '{"city":"Paris"}', "not JSON"])
def test_arguments_that_a_template_takes_as_text_stay_as_they_are(tmp_path: Path, arguments: str) -> None:
    for template in (QWEN3, DEEPSEEK):
        _, findings, texts = encode(
            tmp_path, template, {"prompt": [USER], "chosen": [call(arguments)], "rejected": [call("{ }")]}
        )
        assert texts == [by_hand(template, [USER, call(each)]) for each in (arguments, "{ }")]
        assert set(findings) == set()


def test_a_template_that_takes_text_alone_gets_text(tmp_path: Path) -> None:
    _, findings, texts = encode(tmp_path, DEEPSEEK, {"prompt": [USER], "chosen": [call()], "rejected": [call({})]})
    expected = [json.dumps(each, ensure_ascii=False) for each in (ARGUMENTS, {})]
    assert texts == [by_hand(DEEPSEEK, [USER, call(each)]) for each in expected]
    assert set(findings) == set()


def test_a_template_of_its_own_for_tools_is_used_where_there_are_some(tmp_path: Path) -> None:
    both = {"default": CHATML, "tool_use": HERMES_TOOLS}
    plain = {"prompt": [USER], "chosen": [SAYS], "rejected": "No."}
    rows = [plain, {**plain, "tools": TOOLS, "chosen": [call(), RESULT, SAYS]}]
    encoded, findings, texts = encode(tmp_path, both, *rows)
    assert texts[0] == by_hand(CHATML, [USER, SAYS])
    assert (
        texts[2]
        == by_hand(HERMES_TOOLS, [USER, call(), RESULT, SAYS], TOOLS)
        == by_hand(both, [USER, call(), RESULT, SAYS], TOOLS)
    )
    assert [each.lost for each in encoded] == [None] * 4
    assert set(findings) == set()


def test_reasoning_beside_the_content_is_read_by_a_template_that_reads_it(tmp_path: Path) -> None:
    template = CHATML.replace("message['content']", "(message.reasoning_content or '') + message['content']")
    row = {"prompt": [USER], "chosen": [{**SAYS, "reasoning_content": "It is June."}], "rejected": [SAYS]}
    _, findings, texts = encode(tmp_path, template, row)
    assert texts == [by_hand(template, [USER, *row[side]]) for side in ("chosen", "rejected")]
    assert "It is June." in texts[0]
    assert set(findings) == set()
    _, findings, _ = encode(tmp_path, CHATML, row)
    assert findings["text-cut"].count == 1


def test_a_fold_keeps_the_tools(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    row = {"prompt": [system, USER], "chosen": [call()], "rejected": [SAYS], "tools": TOOLS}
    _, findings, texts = encode(tmp_path, MISTRAL_V3, row)
    folded = {**USER, "content": f"Be brief.\n\n{USER['content']}"}
    assert texts == [by_hand(MISTRAL_V3, [folded, each], TOOLS) for each in (call(), SAYS)]
    assert set(findings) == {"system-folded"}


# --- what the template does not write ---------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "", "Let me look."])
def test_calls_that_a_template_does_not_write_are_lost(tmp_path: Path, content: str | None) -> None:
    """Though the name stands among the tools, and the arguments in the question."""
    tools = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}"
    row = {"prompt": [USER], "chosen": [call({"city": "Saint"}, content=content)], "rejected": [SAYS], "tools": TOOLS}
    encoded, findings, _ = encode(tmp_path, tools + CHATML, row)
    assert [each.lost for each in encoded] == [
        "the chat template writes nothing of the tool calls of a 'assistant' message",
        None,
    ]
    assert findings["text-dropped"].count == 1
    assert "tools-unread" not in findings


def test_a_template_that_writes_the_name_alone_has_lost_the_call(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls or [] %}"
        "{{ c.function.name }}{% endfor %}{% endfor %}"
    )
    encoded, _, _ = encode(tmp_path, template, {"prompt": [USER], "chosen": [call()], "rejected": [SAYS]})
    assert encoded[0].lost is not None


def test_tools_that_a_template_does_not_write_are_counted(tmp_path: Path) -> None:
    row = {"prompt": [{**USER, "content": "Which tool is forecast?"}], "chosen": [SAYS], "rejected": "No."}
    encoded, findings, texts = encode(tmp_path, CHATML, {**row, "tools": TOOLS}, row)
    assert texts[:2] == texts[2:]
    assert (findings["tools-unread"].count, findings["tools-unread"].severity) == (2, "warning")
    assert [each.lost for each in encoded] == [None] * 4


def test_a_result_of_a_role_that_the_template_passes_over_is_lost(tmp_path: Path) -> None:
    template = QWEN25.replace("m.role == 'tool'", "m.role == 'observation'").replace(
        "{% else %}", "{% elif m.role != 'tool' %}"
    )
    encoded, _, _ = encode(tmp_path, template, {"prompt": [USER], "chosen": [call(), RESULT, SAYS], "rejected": [SAYS]})
    assert encoded[0].lost == "the chat template writes nothing of a message of role 'tool'"


def test_what_a_template_refuses_of_calls_is_said(tmp_path: Path) -> None:
    two = {**call(), "tool_calls": call()["tool_calls"] * 2}
    with pytest.raises(ModelError, match=r"single tool-calls at once!; try --chat-template FILE"):
        encode(tmp_path, LLAMA31, {"prompt": [USER], "chosen": [two], "rejected": [SAYS]})


def test_a_special_token_in_an_argument_is_found(tmp_path: Path) -> None:
    row = {"prompt": [USER], "chosen": [call({"city": "<|im_end|>"})], "rejected": [SAYS]}
    assert encode(tmp_path, QWEN25, row)[1]["special-token-in-text"].count == 1


# --- scores -----------------------------------------------------------------------------------------------------


def oracle(folder: Path, messages: list[dict[str, Any]], tools: Any = None) -> float:
    """Score with transformers alone: one conversation, unpadded, float32."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    with torch.no_grad():
        return float(model(**tokenizer(text, return_tensors="pt")).logits.double().item())


@pytest.mark.parametrize("template", [QWEN25, LLAMA31, MISTRAL_V3])
def test_scores_are_transformers(tmp_path: Path, template: str) -> None:
    from rmeval import evaluate, load_run, score

    model = save_tiny_model(tmp_path / "model", template=template)
    chosen, rejected = [call(), RESULT, SAYS], [call({"city": "Paris"}), RESULT, SAYS]
    rows = [
        {"prompt": [USER], "chosen": chosen, "rejected": rejected, "tools": TOOLS},
        {"prompt": [USER], "chosen": chosen, "rejected": rejected},
    ]
    expected = [oracle(model, [USER, *side], tools) for tools in (TOOLS, None) for side in (chosen, rejected)]
    assert len({round(each, 4) for each in expected}) == 4
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    exactly = ModelOptions(dtype="float32")
    run = evaluate(str(model), "pairs", dataset=str(file), output_dir=tmp_path / "run", model_options=exactly)
    assert run.scores["score"].tolist() == pytest.approx(expected, abs=1e-5)
    assert {each.code for each in run.info.audit} <= {"missing-bos", "missing-eos"}
    examples = load_run(tmp_path / "run").examples
    assert [json.loads(each) if each else None for each in examples["tools"]] == [TOOLS, None]
    assert examples["prompt_hash"].nunique() == 2
    assert json.loads(examples["completions"][0])[0] == chosen
    score(str(model), str(file), tmp_path / "scored.jsonl", model_options=exactly)
    scored = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    found = [row[column] for row in scored for column in ("score_chosen", "score_rejected")]
    assert found == pytest.approx(expected, abs=1e-5)


def test_what_is_scored_again_is_told_apart_by_its_tools(tmp_path: Path) -> None:
    """Close in bfloat16, so scored again in float32: the same messages with and without tools keep their own scores."""
    from rmeval import evaluate

    model = save_tiny_model(tmp_path / "model", template=QWEN25)
    words = [[{**SAYS, "content": word}] for word in ("Sun", "Rain", "Wind", "Snow", "Fog", "Hail", "Cold", "Warm")]
    alone = [[oracle(model, [USER, *side], tools) for side in words] for tools in (TOOLS, None)]
    # How far bfloat16 is trusted differs by processor: the two that are closest both ways are scored again on any.
    gap, left, right = min(
        (max(abs(scores[one] - scores[two]) for scores in alone), one, two)
        for one, two in combinations(range(len(words)), 2)
    )
    sides = words[left], words[right]
    row = {"prompt": [USER], "chosen": sides[0], "rejected": sides[1]}
    expected = [scores[place] for scores in alone for place in (left, right)]
    assert len({round(each, 6) for each in expected}) == 4
    assert abs(expected[0] - expected[2]) > max(10 * gap, 1e-3)
    low = ModelOptions(dtype="bfloat16", cache=False)
    run = evaluate(str(model), "pairs", dataset=[{**row, "tools": TOOLS}, row], model_options=low)
    assert run.scores["refined"].tolist() == [True] * 4
    assert run.scores["score"].tolist() == pytest.approx(expected, abs=1e-5)
