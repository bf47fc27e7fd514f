"""ArmoRM's and QRM's heads: their layouts of files, with Llama 3's own token numbers, against the arithmetic here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel

from rmeval.errors import RmevalError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation, Message
from tests.support.models.headed import LLAMA_3, llama_3_tokenizer, near, random, refused, scores, states
from tests.support.models.tiny import CHATML, edit_config, tiny_config, tiny_tokenizer
from tests.support.scoring import said

WIDTH, HIDDEN, OBJECTIVES, QUANTILES = 32, 24, 19, 5
HEADER = [128009, 128006, 78191, 128007, 271]
"""The end of a turn and an assistant's header, in Llama 3's tokens."""
Weights = dict[str, Tensor]
Oracle = Callable[[Weights, Tensor, int], Tensor]
"""From the head's weights, the states of a conversation, shape (tokens, width), and the gate's place to its score."""


def conversations() -> list[Conversation]:
    """Prompts of one turn and of three, with and without a system message, two answers and more to each."""
    found = []
    for i in range(15):
        prompt = [Message("user", f"question {i % 6} " * (1 + i % 4))]
        if i % 6 in (1, 4):
            prompt = [Message("system", "be brief"), *prompt]
        if i % 6 in (2, 4):
            prompt += [Message("assistant", "what?"), Message("user", f"again {i % 6}")]
        found.append(Conversation(tuple(prompt), (Message("assistant", f"ab{i} " * (1 + (i * i) % 23)),), f"e{i}"))
    return found


def place_of_gate(ids: list[int]) -> int:
    """Where the last header of an assistant begins, with the end of the turn before it."""
    return max(place for place in range(len(ids)) if ids[place : place + len(HEADER)] == HEADER)


def save_body(folder: Path, **changes: Any) -> Path:
    torch.manual_seed(0)
    tokens: dict[str, Any] = {"bos_token_id": 128000, "eos_token_id": 128009, "pad_token_id": 128256}
    config = tiny_config(
        hidden_size=WIDTH, num_hidden_layers=2, max_position_embeddings=8192, vocab_size=128257, **tokens
    )
    model = AutoModel.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    weights = {f"model.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    llama_3_tokenizer().save_pretrained(folder)
    names = {str(place): f"objective {place}" for place in range(OBJECTIVES)}
    code = {"AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"}
    edit_config(
        folder,
        architectures=["LlamaForRewardModelWithGating"],
        auto_map=code,
        id2label=names,
        label2id={name: int(place) for place, name in names.items()},
        num_objectives=OBJECTIVES,
        gating_temperature=10,
        gating_hidden_dim=HIDDEN,
        gating_n_hidden=3,
        **changes,
    )
    (folder / "modeling_custom.py").write_text("raise SystemExit('ran')")
    return folder


def put(folder: Path, head: Weights, *, without: str = "nothing") -> None:
    """Write the head beside the body, or over the one that is there."""
    file = folder / "model.safetensors"
    weights = {**load_file(file), **head}
    save_file({name: weights[name] for name in weights if name != without}, file, metadata={"format": "pt"})


def transform() -> Tensor:
    """As ArmoRM's, nearly the identity: a part of one objective is taken off the others."""
    matrix = torch.eye(OBJECTIVES)
    matrix[4] -= 0.3 * torch.rand(OBJECTIVES, generator=torch.Generator().manual_seed(9))
    return matrix


def armorm() -> Weights:
    head = {"regression_layer.weight": random(OBJECTIVES, WIDTH), "reward_transform_matrix": transform()}
    sizes = [WIDTH, HIDDEN, HIDDEN, HIDDEN, OBJECTIVES]
    for place in range(4):
        head[f"gating.layers.{place}.weight"] = random(sizes[place + 1], sizes[place], seed=20 + place) * 3
        head[f"gating.layers.{place}.bias"] = random(sizes[place + 1], seed=30 + place)
    return {**head, "gating.logit_scale": torch.tensor([1.25])}


def armorm_says(w: Weights, h: Tensor, place: int) -> Tensor:
    x = h[place]
    for layer in range(3):
        x = torch.relu(w[f"gating.layers.{layer}.weight"] @ x + w[f"gating.layers.{layer}.bias"])
    x = w["gating.layers.3.weight"] @ x + w["gating.layers.3.bias"]
    gate = torch.softmax(x / 10, dim=0) * w["gating.logit_scale"][0]
    rewards = (w["regression_layer.weight"] @ h[-1]) @ w["reward_transform_matrix"]
    return (gate * rewards).sum()


def qrm(*, dropout: bool = False) -> Weights:
    head = {"regression_layer.weight": random(OBJECTIVES * QUANTILES, WIDTH)}
    if not dropout:
        head["reward_transform_matrix"] = transform()
    step = 4 if dropout else 3
    for layer in range(3):
        name = f"gating.layers.{step * layer}.weight"
        head[name] = random(HIDDEN, WIDTH if layer == 0 else HIDDEN, seed=20 + layer) * 2
        norm = f"gating.layers.{step * layer + 2}"
        head[f"{norm}.weight"] = 1 + random(HIDDEN, seed=40 + layer)
        head[f"{norm}.bias"] = random(HIDDEN, seed=50 + layer)
        head[f"{norm}.running_mean"] = random(HIDDEN, seed=60 + layer).abs()
        head[f"{norm}.running_var"] = 0.5 + random(HIDDEN, seed=70 + layer).abs()
        head[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    last = "gating.layers.11" if dropout else "gating.layers.9"
    head[f"{last}.weight"], head[f"{last}.bias"] = random(OBJECTIVES, HIDDEN, seed=80) * 6, random(OBJECTIVES, seed=81)
    return {**head, "gating.logit_scale": torch.tensor([0.8])}


def qrm_says(w: Weights, h: Tensor, place: int, *, dropout: bool = False) -> Tensor:
    """With torch's own modules, in the order in which the published code has them."""
    layers: list[nn.Module] = []
    for layer in range(3):
        layers += [nn.Linear(WIDTH if layer == 0 else HIDDEN, HIDDEN, bias=False), nn.ReLU(), nn.BatchNorm1d(HIDDEN)]
        layers += [nn.Dropout(0.2)] if dropout and layer < 2 else []
    gating = nn.Sequential(*layers, nn.Linear(HIDDEN, OBJECTIVES)).eval()
    prefix = "gating.layers."
    gating.load_state_dict({name.removeprefix(prefix): w[name] for name in w if name.startswith(prefix)})
    with torch.no_grad():
        gate = torch.softmax(gating(h[place][None]) / 10, dim=1)[0] * w["gating.logit_scale"][0]
    quantiles = (w["regression_layer.weight"] @ h[-1]).reshape(OBJECTIVES, QUANTILES)
    rewards = quantiles.mean(dim=1)
    return (gate * (rewards if dropout else rewards @ w["reward_transform_matrix"])).sum()


@dataclass(frozen=True)
class Layout:
    family: str
    head: Weights
    says: Oracle
    config: dict[str, Any]


LAYOUTS = {
    "armorm": Layout("ArmoRM", armorm(), armorm_says, {}),
    "qrm": Layout("QRM", qrm(), qrm_says, {"num_quantiles": QUANTILES}),
    "qrm with dropout": Layout("QRM", qrm(dropout=True), lambda w, h, place: qrm_says(w, h, place, dropout=True), {}),
}


@pytest.fixture(scope="module", params=list(LAYOUTS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Layout]]:
    layout = LAYOUTS[request.param]
    folder = save_body(tmp_path_factory.mktemp("m") / "m", **layout.config)
    put(folder, layout.head)
    yield folder, layout
    (folder / "model.safetensors").unlink()


def expected(folder: Path, layout: Layout) -> list[float]:
    found = states(folder, conversations=conversations())
    return [float(layout.says(layout.head, hidden, place_of_gate(ids))) for ids, hidden in found]


def test_scores_are_what_the_head_says(made: tuple[Path, Layout]) -> None:
    folder, layout = made
    wanted = expected(folder, layout)
    assert max(wanted) - min(wanted) > 0.1
    for batch_size in (None, 1, 8):
        assert scores(folder, conversations(), batch_size=batch_size) == near(wanted)
        assert scores(folder, conversations(), batch_size=batch_size, attn_implementation="eager") == near(wanted)
    scorer = load_scorer(str(folder), ModelOptions(device="cpu", dtype="float32"))
    said(scorer, conversations())
    assert (scorer.info.head, scorer.info.path, scorer.info.untrained_head) == (layout.family, "packed", False)
    assert not {"untrained-head", "unused-weights", "slow-path"} & {each.code for each in scorer.findings()}
    assert isinstance(scorer, ClassifierScorer)
    assert scorer.accounting is not None
    assert scorer.accounting.distinct < scorer.accounting.given  # Prompts are computed once.


def test_the_gate_decides(made: tuple[Path, Layout]) -> None:
    """Else the tests would not see where it reads: at another place the scores are others."""
    folder, layout = made
    wanted = expected(folder, layout)
    for moved in (-1, 1, 4):
        found = states(folder, conversations=conversations())
        other = [float(layout.says(layout.head, hidden, place_of_gate(ids) + moved)) for ids, hidden in found]
        assert max(abs(one - two) for one, two in zip(wanted, other, strict=True)) > 1e-3


def test_in_low_precision_close_decisions_are_refined(made: tuple[Path, Layout]) -> None:
    folder, _ = made
    exact, low = scores(folder, conversations()), scores(folder, conversations(), dtype="bfloat16")
    assert low == pytest.approx(exact, abs=0.3)
    assert low != exact
    scorer = load_scorer(str(folder), ModelOptions(dtype="bfloat16", device="cpu"))
    assert isinstance(scorer, ClassifierScorer)
    assert scorer.can_refine
    assert [score.value for score in scorer.rescore(conversations())] == near(exact)


def test_the_journal_has_them(made: tuple[Path, Layout], tmp_path: Path) -> None:
    folder, _ = made
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        options = ModelOptions(device="cpu", dtype="float32")
        first, second = (
            load_scorer(str(folder), replace(options, batch_size=size), journal=journal) for size in (None, 8)
        )
        assert isinstance(second, ClassifierScorer)
        assert [each.value for each in said(first, conversations())] == [
            each.value for each in said(second, conversations())
        ]
        assert second.accounting is not None
        assert second.accounting.recalled == len(conversations())


# --- where the gate reads ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_body(tmp_path_factory.mktemp("armorm") / "m")
    put(folder, armorm())
    return folder


def fails(folder: Path, given: list[Conversation], **options: Any) -> str:
    with pytest.raises(RmevalError) as caught:
        scores(folder, given, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def asked(answer: str, *, turns: int = 1, name: str = "the long one") -> Conversation:
    prompt = [Message("user", "hi"), Message("assistant", "yes?")] * (turns - 1) + [Message("user", "say it")]
    return Conversation(tuple(prompt), (Message("assistant", answer),), name)


def test_a_text_that_is_cut_before_the_gate_is_refused(folder: Path) -> None:
    given = [*conversations(), asked("ab " * 40)]
    message = fails(folder, given, max_length=100)
    assert "example the long one" in message
    assert "the last 100 tokens" in message
    assert "--max-length" in message


def test_a_text_that_is_cut_before_its_last_turn_keeps_its_gate(folder: Path) -> None:
    """It is scored as what is left of it: the tokenizer adds no BOS here, so that this is its last 100 tokens."""
    long = asked("ab " * 20, turns=9)
    ((ids, _),) = states(folder, conversations=[long])
    assert len(ids) > 150
    ((_, hidden),) = states(folder, conversations=[long], last=100)
    assert scores(folder, [long], max_length=100) == near(
        [float(armorm_says(armorm(), hidden, place_of_gate(ids[-100:])))]
    )


def test_a_template_without_the_header_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    message = fails(folder, conversations(), chat_template=str(tmp_path / "t.jinja"))
    assert "example e0" in message
    assert "128009, 128006, 78191, 128007, 271" in message
    assert "--chat-template FILE" in message


def test_a_header_that_melts_into_its_answer_is_refused(folder: Path, tmp_path: Path) -> None:
    """Three line breaks are one token: without this, the gate would read an earlier turn, without a word."""
    (tmp_path / "t.jinja").write_text(LLAMA_3.replace("message['content'] | trim", "message['content']"))
    message = fails(folder, [asked("\nwell", turns=2, name="odd")], chat_template=str(tmp_path / "t.jinja"))
    assert "example odd has no token that the model's gate reads" in message
    scores(folder, [asked("\nwell", turns=2)])  # The model's own template trims.


def test_a_conversation_that_is_lost_is_invalid_and_no_more(folder: Path, tmp_path: Path) -> None:
    """A template that drops an answer leaves no gate either; the other examples keep their scores."""
    template = LLAMA_3.replace("in messages %}", "in messages if message['role'] != 'tool' %}")
    (tmp_path / "t.jinja").write_text(template)
    lost = Conversation((Message("user", "hi"),), (Message("tool", "42"),), "lost")
    found = scores(folder, [*conversations(), lost], chat_template=str(tmp_path / "t.jinja"))
    assert math.isnan(found[-1])
    assert found[:-1] == near(scores(folder, conversations()))
    options = ModelOptions(dtype="bfloat16", device="cpu", cache=False, chat_template=str(tmp_path / "t.jinja"))
    low = said(load_scorer(str(folder), options), [*conversations(), lost])
    assert not any(score.refined for score in low)  # Float32 makes no number of it either.


def test_the_maximum_length_is_the_familys_own(folder: Path) -> None:
    assert load_scorer(str(folder), ModelOptions(device="cpu")).info.max_length == 4096
    assert load_scorer(str(folder), ModelOptions(device="cpu", max_length=8192)).info.max_length == 8192


# --- bad input --------------------------------------------------------------------------------------------------


def head_alone(folder: Path, layout: str, **config: Any) -> Path:
    """What is refused before a body is needed."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    own = {"num_quantiles": QUANTILES} if layout == "qrm" else {}
    shape = {"hidden_size": WIDTH, "num_objectives": OBJECTIVES, "gating_n_hidden": 3, "pad_token_id": 128256}
    edit_config(folder, **{"model_type": "llama", **shape, **own, **config})
    save_file(LAYOUTS[layout].head, folder / "model.safetensors", metadata={"format": "pt"})
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("layout", "lost"),
    [
        ("armorm", "regression_layer.weight"),
        ("armorm", "reward_transform_matrix"),
        ("armorm", "gating.layers.1.weight"),
        ("armorm", "gating.layers.2.bias"),
        ("armorm", "gating.layers.3.weight"),
        ("qrm", "gating.layers.3.weight"),
        ("qrm", "gating.layers.5.running_var"),
        ("qrm", "gating.layers.9.bias"),
        ("qrm with dropout", "gating.layers.4.weight"),
    ],
)
def test_a_missing_tensor_is_one_line(tmp_path: Path, layout: str, lost: str) -> None:
    folder = head_alone(tmp_path / "m", layout, gating_temperature=10)
    put(folder, {}, without=lost)
    assert f"a head of the kind {LAYOUTS[layout].family} without {lost}; beside its body" in refused(folder)


@pytest.mark.parametrize(
    ("layout", "name", "shape", "said"),
    [
        ("armorm", "regression_layer.weight", (18, WIDTH), "18 rows for the 19 objectives"),
        ("armorm", "regression_layer.weight", (19, 31), "[19, 31], not […, 32]"),
        ("armorm", "reward_transform_matrix", (18, 18), "[18, 18], not [19, 19]"),
        ("armorm", "gating.layers.1.weight", (HIDDEN, 7), "[24, 7], not […, 24]"),
        ("armorm", "gating.logit_scale", (2,), "[2], not [1]"),
        ("qrm", "regression_layer.weight", (94, WIDTH), "94 rows for the 19 objectives"),
        ("qrm", "regression_layer.weight", (19 * 4, WIDTH), "config.json says num_quantiles 5"),
        ("qrm", "gating.layers.2.running_mean", (7,), "[7], not [24]"),
    ],
)
def test_a_head_of_another_shape_is_one_line(
    tmp_path: Path, layout: str, name: str, shape: tuple[int, ...], said: str
) -> None:
    folder = head_alone(tmp_path / "m", layout)
    put(folder, {name: random(*shape)})
    message = refused(folder)
    assert "of another shape" in message
    assert said in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_objectives": 5}, "num_objectives 5"),
        ({"model_type": "mistral"}, "a gated head over a mistral"),
        ({"pad_token_id": 128009}, "pad_token_id of 128009"),
        ({"gating_temperature": 0}, "gating_temperature of 0"),
        ({"gating_temperature": "hot"}, "gating_temperature 'hot'"),
        ({"gating_n_hidden": float("inf")}, "gating_n_hidden inf: it should be a number of layers"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in refused(head_alone(tmp_path / "m", "armorm", **changes))


def test_a_temperature_that_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    """Of the layout without a transform the published default is not known."""
    assert "gating_temperature of None" in refused(head_alone(tmp_path / "m", "qrm with dropout"))


@pytest.mark.parametrize("name", ["regression_layer.weight", "gating.layers.0.weight", "reward_transform_matrix"])
def test_a_value_that_is_not_finite_is_one_line(tmp_path: Path, name: str) -> None:
    folder = save_body(tmp_path / "m")
    wrong = armorm()
    wrong[name].view(-1)[3] = math.nan
    put(folder, wrong)
    assert f"a head whose {name} holds values that are not finite" in refused(folder)


def test_two_heads_are_refused(tmp_path: Path) -> None:
    folder = head_alone(tmp_path / "m", "armorm")
    put(folder, {"regression_head.weight": random(1, WIDTH)})
    assert "2 heads" in refused(folder)
