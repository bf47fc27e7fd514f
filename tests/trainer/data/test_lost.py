"""Training on rows of which the chat template leaves something out, and on calls of tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from numpy.typing import NDArray
from transformers import AutoTokenizer

from rmeval.data_prep.rows.examples import fingerprint
from rmeval.errors import ModelError
from rmeval.records import load_run
from rmeval.trainer.data.encoded import lengths
from rmeval.trainer.data.pairs import load_pairs, without
from rmeval.trainer.recipe_files import load_recipe
from rmeval.trainer.train import train
from tests.data_prep.text.test_tools import QWEN25, SAYS, TOOLS, USER, call
from tests.support.training import made_up_pairs, save_base, write_jsonl, write_recipe

KNOWS = (
    "{% for m in messages if m.role in ('user', 'assistant') %}{{ '<|im_start|>' + m.content }}<|im_end|>{% endfor %}"
)
"""Zephyr's kind: other roles are passed over."""
WHY = "the chat template writes nothing of a message of role 'gpt'"


def rows(odd: set[int]) -> list[dict[str, Any]]:
    """Return 40 pairs; the answers of some have a role that the template does not know."""
    made = made_up_pairs(40)
    for place in odd:
        made[place]["chosen"] = [{"role": "gpt", "content": made[place]["chosen"]}]
    return made


def test_lost_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    odd = set(range(0, 40, 5))
    base = save_base(tmp_path / "base", template=KNOWS)
    recipe = write_recipe(tmp_path / "r.yaml", base, write_jsonl(tmp_path / "pairs.jsonl", rows(odd)), max_steps=2)
    notes: list[str] = []
    done = train(str(recipe), tmp_path / "model", note=notes.append)
    assert done is not None
    data = done.record["data"]
    assert data["dropped"] == {WHY: 8}
    assert data["train"] + data["selection"] + data["report"] == 32
    assert f"warning: left out 8 pairs: {WHY}" in notes
    whole = load_pairs(load_recipe(str(recipe)))
    kept = [pair for pair in whole.train if pair.row not in odd]
    assert (data["train"], data["fingerprint"]) == (len(kept), fingerprint(kept))
    lost = len(whole.train) + len(whole.selection) - data["train"] - data["selection"]
    assert [each["count"] for each in done.record["findings"] if each["code"] == "text-dropped"] == [lost]
    assert load_run(done.path / "held-out" / "run").info.data.rows == data["report"]
    assert f"8 ({WHY.replace('_', chr(92) + '_')})" in (done.path / "README.md").read_text().replace("&#x27;", "'")


def test_where_all_are_lost_nothing_trains(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", template=KNOWS)
    data = write_jsonl(tmp_path / "pairs.jsonl", rows(set(range(40))))
    recipe = write_recipe(tmp_path / "r.yaml", base, data)
    with pytest.raises(ModelError, match=rf"no pair is left to train on \({WHY}\): mend the rows, or give another"):
        train(str(recipe), tmp_path / "model")
    template = tmp_path / "all.jinja"
    template.write_text("{% for m in messages %}{{ '<|im_start|>' + m.content }}<|im_end|>{% endfor %}")
    done = train(str(recipe), tmp_path / "other", overrides=[f"chat_template_path={template}", "max_steps=2"])
    assert done is not None  # The advice is good.
    assert done.record["data"]["dropped"] == {}


def test_margins_stay_with_their_pairs(tmp_path: Path) -> None:
    made = [{**row, "margin": float(place)} for place, row in enumerate(made_up_pairs(12))]
    data = write_jsonl(tmp_path / "pairs.jsonl", made)
    recipe = write_recipe(tmp_path / "r.yaml", tmp_path, data, held_out=0, margin=True)
    whole = load_pairs(load_recipe(str(recipe)))
    assert whole.margins is not None
    left = without(whole, {0: WHY, 5: "other"}, {}, {})
    assert left.margins == tuple(each for place, each in enumerate(whole.margins) if place not in (0, 5))
    assert [pair.row for pair in left.train] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert left.record.dropped == {WHY: 1, "other": 1}
    assert without(whole, {}, {}, {}) is whole


def test_calls_of_tools_train_as_transformers_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_base(tmp_path / "base", template=QWEN25, max_position_embeddings=1024)
    made = [
        {
            "prompt": [{**USER, "content": f"Weather on day {day}?"}],
            "chosen": [call({"city": "Rome", "day": day})],
            "rejected": [SAYS],
            "tools": TOOLS,
        }
        for day in range(8)
    ]
    data = write_jsonl(tmp_path / "pairs.jsonl", made)
    recipe = write_recipe(tmp_path / "r.yaml", base, data, max_steps=1, max_length=1000, held_out=0)
    seen: list[Dataset] = []

    def seeing(pairs: Dataset) -> NDArray[np.int64]:
        seen.append(pairs)
        return lengths(pairs)

    monkeypatch.setattr("rmeval.trainer.session.lengths", seeing)
    done = train(str(recipe), tmp_path / "model")
    assert done is not None
    assert done.record["data"]["dropped"] == {}
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    texts = [
        tokenizer.apply_chat_template([*row["prompt"], *row[side]], tools=TOOLS, tokenize=False)
        for row in made
        for side in ("chosen", "rejected")
    ]
    assert json.dumps({"city": "Rome", "day": 3}) in texts[6]
    assert seen[0]["chosen_ids"][:] == tokenizer(texts[::2])["input_ids"]
    assert seen[0]["rejected_ids"][:] == tokenizer(texts[1::2])["input_ids"]
