"""The metadata of a model's README.md: every number, read back by the Hub's own helpers, and nothing else touched."""

from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import ModelCard

from rmeval import RunRecord
from rmeval.errors import RunError
from rmeval.reports.export.export import export
from rmeval.reports.export.model_index import CARD, merged

README = """---
license: apache-2.0
model-index:
- name: mine
  results:
  - task:
      type: text-generation
    dataset:
      name: Other
      type: org/other
    metrics:
    - type: accuracy
      value: 0.25
      name: Other accuracy
---

# Mine

What I wrote: ünïcode, `code`, <b>markup</b>
"""


def data_of(card: str) -> Any:
    return ModelCard(card).data


def values(card: str) -> dict[str, float]:
    return {each.metric_name: each.metric_value for each in data_of(card).eval_results}


def test_every_number_is_there(whole: RunRecord) -> None:
    found = export(whole, "model-index")
    assert list(found.files) == [CARD]
    results, read = whole.info.results, values(found.files[CARD])
    assert results.overall is not None
    assert read.pop("Overall") == pytest.approx(results.overall.accuracy, abs=1e-12)
    for name, section in results.sections.items():
        assert read.pop(f"Section: {name}") == pytest.approx(section.accuracy, abs=1e-12)
    for name, subset in results.subsets.items():
        assert read.pop(f"Subset: {name}") == pytest.approx(subset.accuracy, abs=1e-12)
    assert read == {}
    data = data_of(found.files[CARD])
    assert data.model_name == "model"
    chosen = next(each for each in data.eval_results if each.metric_name == "Subset: llmbar-natural")
    own = results.subsets["llmbar-natural"]
    assert (chosen.dataset_type, chosen.dataset_name) == ("allenai/reward-bench", "RewardBench")
    assert (chosen.dataset_split, chosen.dataset_revision) == ("filtered", "d" * 40)
    assert chosen.metric_args["n"] == own.n
    assert chosen.metric_args["ties"] == own.ties
    assert chosen.metric_args["low"] == pytest.approx(own.low, abs=1e-12)
    assert chosen.metric_args["high"] == pytest.approx(own.high, abs=1e-12)
    assert chosen.metric_args["interval"].startswith("Clopper-Pearson")
    assert sum(each.metric_args["invalid"] for each in data.eval_results if "Subset" in each.metric_name) == 1


def test_what_stands_in_the_card_stays(whole: RunRecord) -> None:
    ours = export(whole, "model-index").files[CARD]
    card = merged(README, ours)
    assert card.endswith(README.partition("\n---\n")[2])
    assert data_of(card).to_dict()["license"] == "apache-2.0"
    assert data_of(card).model_name == "mine"
    assert values(card) == {"Other accuracy": 0.25, **values(ours)}


def test_newer_results_take_the_place_of_older_ones(whole: RunRecord) -> None:
    ours = export(whole, "model-index").files[CARD]
    overall = whole.info.results.overall
    assert overall is not None
    older = ours.replace(str(overall.accuracy), "0.123").replace("d" * 40, "e" * 40)
    assert values(older)["Overall"] == 0.123
    again = merged(merged(README, older), ours)
    assert len(data_of(again).eval_results) == 1 + len(values(ours))
    assert values(again) == {"Other accuracy": 0.25, **values(ours)}
    assert merged(again, ours) == again


def test_a_model_without_a_card_gets_one(whole: RunRecord) -> None:
    ours = export(whole, "model-index").files[CARD]
    assert values(merged("", ours)) == values(ours)


def test_a_damaged_card_is_left_alone(whole: RunRecord) -> None:
    ours = export(whole, "model-index").files[CARD]
    with pytest.raises(
        RunError, match=r"^cannot read the metadata of the model's README.md \([^\n]*\): mend it first$"
    ):
        merged("---\nlicense: [\n---\n", ours)
