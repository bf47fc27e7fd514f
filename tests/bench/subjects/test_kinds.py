"""Every kind of model that evaluation loads is timed, and gives the scores there that it gives in an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmeval.bench.plan import Sweep
from rmeval.bench.run import bench
from rmeval.bench.subjects.model import ModelSubjects
from rmeval.bench_info import Setting
from rmeval.cli import main
from rmeval.errors import RmevalError
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers import load_scorer
from rmeval.eval.scorers.base import Pointwise
from tests.eval.models.heads.test_gated import armorm, put, save_body
from tests.eval.scorers.test_remote import internlm, urm
from tests.eval.scorers.test_token_prob import ASKING
from tests.support.models.tiny import edit_config, save_tiny_language_model, save_tiny_model

Given = tuple[str, dict[str, Any]]
"""The name of a model, and its options."""


def with_head(folder: Path, head: dict[str, torch.Tensor], body: str = "llama", **changes: Any) -> Path:
    """Write a language model, and a reward head beside its body."""
    save_tiny_language_model(folder, model_type=body)
    weights = {name: value for name, value in load_file(folder / "model.safetensors").items() if "lm_head" not in name}
    weights = {name: value for name, value in weights.items() if "embed_out" not in name}
    save_file({**weights, **head}, folder / "model.safetensors", {"format": "pt"})
    edit_config(folder, **changes)
    return folder


def outputs(folder: Path) -> Given:
    names = {0: "bad", 1: "good"}
    return str(save_tiny_model(folder, num_labels=2, id2label=names)), {"output_name": "good"}


def weighted(folder: Path) -> Given:
    return outputs(folder)[0], {"output_weights": "good=1,bad=-1"}


def pythia(folder: Path) -> Given:
    torch.manual_seed(1)
    head = {"out_proj.weight": torch.randn(1, 64), "out_proj.bias": torch.randn(1)}
    changes = {"model_type": "gpt_neox_reward_model", "architectures": ["GPTNeoXRewardModel"], "pooling": "last"}
    return str(with_head(folder, head, "gpt_neox", **changes)), {}


def ultra(folder: Path) -> Given:
    torch.manual_seed(1)
    head = {"regression_head.weight": torch.randn(1, 64)}
    return str(with_head(folder, head, architectures=["LlamaRewardModel"])), {}


def gated(folder: Path) -> Given:
    put(save_body(folder), armorm())
    return str(folder), {}


def token_logit(folder: Path) -> Given:
    return str(save_tiny_language_model(folder)), {"output_index": 0}


def own_code(folder: Path) -> Given:
    urm(folder)
    edit_config(folder, architectures=["OwnForSequenceClassification"])
    return str(folder), {"trust_remote_code": True}


CLASSIFIERS = (outputs, weighted, pythia, ultra, gated, token_logit, own_code)


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_a_classifier_of_each_kind_scores_as_in_an_evaluation(tmp_path: Path, make: Callable[[Path], Given]) -> None:
    name, given = make(tmp_path / "m")
    options = ModelOptions(dtype="float32", device="cpu", cache=False, **given)
    source = ModelSubjects(Sweep(name, dataset="mini", options=options), torch.device("cpu"))
    rows = source.rows(6, None)
    found, _ = source.load(Setting("float32")).request(rows)
    scorer = load_scorer(name, options)
    assert isinstance(scorer, Pointwise)
    expected = scorer.score_conversations([row.conversation for row in rows if row.conversation])
    assert found.tolist() == pytest.approx([score.value for score in expected], abs=1e-5)
    assert [row.tokens for row in rows] == [score.tokens for score in expected]


def test_a_bench_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = outputs(tmp_path / "m")
    command = ["bench", "--model", name, "--batch-sizes", "1", "--dtypes", "float32", "--lengths", "8"]
    command += ["--max-time", "0.1", "--device", "cpu", "--output-dir", str(tmp_path / "b")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert (ended.value.code, "has 2 outputs (0 bad, 1 good)" in capsys.readouterr().err) == (2, True)
    with pytest.raises(SystemExit) as ended:
        main([*command, "--output-index", "1"])
    out, err = capsys.readouterr()
    assert (ended.value.code, "float32-1x8" in out) == (0, True), err


def dpo(folder: Path) -> Given:
    return f"dpo:{save_tiny_language_model(folder)}", {"reference": "none"}


def token_prob(folder: Path) -> Given:
    return f"token-prob:{save_tiny_language_model(folder, template=ASKING)}", {"question": "Good?", "output_name": "Y"}


def get_score(folder: Path) -> Given:
    return f"internlm2-reward:{internlm(folder)}", {"trust_remote_code": True}


@pytest.mark.parametrize("make", [dpo, token_prob, get_score])
def test_other_kinds_are_timed_on_rows(tmp_path: Path, make: Callable[[Path], Given]) -> None:
    name, given = make(tmp_path / "m")
    sweep = Sweep(name, (1,), max_time=0.1, options=ModelOptions(device="cpu", **given))
    (cell,) = bench(sweep, tmp_path / "b")["rmeval"]["cells"]
    assert cell["status"] == "measured"
    assert (cell["name"], cell["path"]) == ("own-1xrows", name.partition(":")[0])
    assert cell["tokens"]


def test_what_evaluation_refuses(tmp_path: Path) -> None:
    folder = save_tiny_language_model(tmp_path / "m")
    with pytest.raises(RmevalError, match="no reward head that is known"):
        bench(Sweep(str(folder), (1,), max_time=0.1), tmp_path / "b")
