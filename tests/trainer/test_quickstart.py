"""The generator behind ``--model quickstart``: right labels, nothing that gives them away, nothing of a benchmark."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from rmeval.data_prep.overlap.contamination import find_overlap
from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.sources.base import Pair
from rmeval.errors import UsageError
from rmeval.eval.suites.mini import mini_path
from rmeval.trainer import quickstart
from rmeval.trainer.data import made as made_module
from rmeval.trainer.data.made import made
from rmeval.trainer.quickstart.code import Program, mutants, programs
from rmeval.trainer.quickstart.model import make_config, make_tokenizer
from rmeval.trainer.quickstart.pairs import FAMILIES, WrittenPair, make_pairs, read_texts, write_pairs
from rmeval.trainer.quickstart.reasoning import arithmetic
from rmeval.trainer.quickstart.safety import harmful, harmless
from rmeval.trainer.quickstart.text import Draft, Draws, SplitName, read_sections
from rmeval.trainer.recipe_files import load_recipe
from rmeval.types import Example, Message

GOLDEN = "b1e859da4433e92ca48e07648318fd5d44f0232176a3729284d663c21b88497a"
"""sha256 of the first 500 pairs."""
SPLITS: tuple[SplitName, ...] = ("train", "test")


@cache
def _pairs(split: SplitName) -> tuple[WrittenPair, ...]:
    return tuple(make_pairs(7, 4000, split))


def _texts(pair: WrittenPair) -> Draft:
    return Draft(pair["prompt"][0]["content"], pair["chosen"][0]["content"], pair["rejected"][0]["content"])


def _drafts(maker: Callable[[Draws], Draft], count: int = 600) -> Iterator[Draft]:
    source = Draws("test", "train")
    return (maker(source) for _ in range(count))


# --- the same each time ------------------------------------------------------------------------------------------


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_pairs(tmp_path / name, 3, 200)
    write_pairs(tmp_path / "other", 4, 200)
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    assert len(one.splitlines()) == 200


def test_pairs_are_the_same_on_every_machine() -> None:
    """A change of the generator or its lists makes other pairs: then models made of them are other ones too."""
    text = "".join(json.dumps(pair) for pair in make_pairs(quickstart.SEED, 500))
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN


# --- nothing but the text decides --------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_no_ruler_wins_in_any_family(split: SplitName) -> None:
    longer: dict[str, list[int]] = defaultdict(list)
    for pair in _pairs(split):
        draft = _texts(pair)
        longer[pair["subset"]].append(
            (len(draft.chosen) > len(draft.rejected)) - (len(draft.chosen) < len(draft.rejected))
        )
    assert set(longer) == {name for name, _, _ in FAMILIES}
    for family, signs in longer.items():
        assert abs(sum(signs)) <= 0.04 * len(signs) + 2, family


def test_a_refusal_is_right_as_often_as_wrong() -> None:
    refusals = re.compile(r"\b(can't|cannot|won't|will not|unable to|not able to|decline|not going to|rather not)\b")
    right = wrong = 0
    for pair in _pairs("train"):
        if pair["subset"] in ("harmful", "harmless"):
            draft = _texts(pair)
            right += bool(refusals.search(draft.chosen)) and not refusals.search(draft.rejected)
            wrong += bool(refusals.search(draft.rejected)) and not refusals.search(draft.chosen)
    assert min(right, wrong) > 300
    assert abs(right - wrong) < 0.1 * (right + wrong)


def test_texts_are_different_and_filled_in() -> None:
    slot = re.compile(r"\{(t|x|who|n|a|m|f|d|q|k|w)\}|\[[^\]\n]*\|")
    for pair in (*_pairs("train"), *_pairs("test")):
        draft = _texts(pair)
        assert draft.chosen != draft.rejected
        for text in (draft.prompt, draft.chosen, draft.rejected):
            assert text.strip() == text != ""
            assert pair["subset"] == "code" or not slot.search(text), text


# --- labels are right --------------------------------------------------------------------------------------------


def _holds(program: str, checks: Iterable[str]) -> bool:
    names: dict[str, object] = {}
    exec(program, names)  # noqa: S102  # Our own text.
    try:
        return all(eval(check, names) for check in checks)  # noqa: S307
    except Exception:
        return False


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.description[:40])
def test_programs_are_right_and_planted_faults_are_faults(program: Program) -> None:
    assert _holds(program.source, program.checks)
    assert mutants(program)
    for mutant in mutants(program):
        assert not _holds(mutant, program.checks), mutant


_EQUATION = re.compile(r"(\d+) ([+*×x-]) (\d+) = (-?\d+)")


def _equations(text: str) -> list[tuple[bool, int]]:
    """Return of each equation whether it is right, and its result."""
    signs = {"+": int.__add__, "-": int.__sub__}
    found = []
    for left, sign, right, result in _EQUATION.findall(text):
        value = signs.get(sign, int.__mul__)(int(left), int(right))
        found.append((value == int(result), int(result)))
    return found


def test_arithmetic_is_right_where_chosen() -> None:
    for draft in _drafts(arithmetic):
        equations = _equations(draft.chosen)
        assert all(right for right, _ in equations)
        final = [int(number) for number in re.findall(r"-?\d+", re.sub(_EQUATION, "", draft.chosen))]
        if equations:
            assert equations[-1][1] in final
        other = [int(number) for number in re.findall(r"-?\d+", re.sub(_EQUATION, "", draft.rejected))]
        assert [number for number in final if number not in (1, 2, 3)] != other


def _instructions(pattern: str) -> list[tuple[re.Match[str], Draft]]:
    found = []
    for pair in _pairs("train"):
        draft = _texts(pair)
        match = re.search(pattern, draft.prompt, re.IGNORECASE)
        if pair["subset"] == "instructions" and match:
            found.append((match, draft))
    assert found, pattern
    return found


def test_length_rules() -> None:
    for match, draft in _instructions(r"(?:at most|no more than) (\d+) words"):
        assert len(draft.chosen.split()) <= int(match[1]) < len(draft.rejected.split())
    for match, draft in _instructions(r"(?:at least |in )(\d+) words(?: or more)?"):
        assert len(draft.chosen.split()) >= int(match[1]) > len(draft.rejected.split())
    for match, draft in _instructions(r"(?:exactly|sentence with) (\d+) words"):
        assert len(draft.chosen.split()) == int(match[1]) != len(draft.rejected.split())


def test_json_rule() -> None:
    for match, draft in _instructions(r"JSON object with the keys (.*)\."):
        keys = match[1].split(", ")
        assert sorted(json.loads(draft.chosen)) == sorted(keys)
        with contextlib.suppress(ValueError):
            assert sorted(json.loads(draft.rejected)) != sorted(keys)


def test_order_rule() -> None:
    for match, draft in _instructions(r"Sort (alphabetically|from \w+ to \w+|in rising order|from .*est): (.*)"):
        words: list[str] | list[int] = match[2].split(", ")
        if match[2][0].isdigit():
            words = [int(word) for word in match[2].split(", ")]
        ordered = sorted(words, reverse=match[1].startswith("from"))
        right = ", ".join(map(str, ordered))
        assert draft.chosen == right != draft.rejected


def test_letter_rule() -> None:
    for match, draft in _instructions(r"begin with the letter (\w)"):
        fits = [[word[0] == match[1].lower() for word in text.split(", ")] for text in (draft.chosen, draft.rejected)]
        assert all(fits[0])
        assert not all(fits[1])


# --- held-out pairs are of other things --------------------------------------------------------------------------


def test_splits_share_no_request() -> None:
    asked = {split: {_texts(pair).prompt.lower() for pair in _pairs(split)} for split in SPLITS}
    shared = asked["train"] & asked["test"]
    assert len(shared) < 0.06 * len(asked["test"])  # Short tasks of few words can meet by chance.
    sources = {split: Draws("x", split) for split in SPLITS}
    for lines in read_sections("safety.txt").values():
        train, test = (set(sources[split].pool(lines)) for split in SPLITS)
        assert not train & test or len(lines) < 8
        assert train | test == set(lines)


# --- nothing of a benchmark --------------------------------------------------------------------------------------


def _examples(path: Path) -> list[Example]:
    return to_examples(load_rows(str(path)), default_subset="x")[0]


def _training_rows() -> Iterator[tuple[str, Pair]]:
    for split in SPLITS:
        for number, pair in enumerate(_pairs(split)):
            draft = _texts(pair)
            prompt, chosen, rejected = (
                (Message(role, text),)
                for role, text in (("user", draft.prompt), ("assistant", draft.chosen), ("assistant", draft.rejected))
            )
            yield f"{split} {number}", Pair(prompt, chosen, rejected, group="")


def test_no_overlap_with_mini() -> None:
    report = find_overlap({"mini": _examples(mini_path())}, _training_rows())
    assert report.rows == 8000
    assert report.hits == ()


def test_no_overlap_with_real_rows(shared_data: Path) -> None:
    path = shared_data / "rewardbench" / "filtered-partial.jsonl"
    assert find_overlap({"real": _examples(path)}, _training_rows()).hits == ()


_COMMON = frozenset(
    "a an the of in on to for and or is are do does did i my we our you it that this how what which who why when where "  # noqa: SIM905
    "can could should would will with as at by be have has from if not no so me your there write tell give python "
    "function".split()
)


def _content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower())) - _COMMON


def test_no_prompt_is_like_one_of_mini() -> None:
    """Less than half of the content words of any two prompts are shared: no paraphrase either."""
    ours = {_content(_texts(pair).prompt) for split in SPLITS for pair in _pairs(split)}
    for example in _examples(mini_path()):
        words = _content(" ".join(message.content for message in example.prompt))
        for other in ours:
            assert len(words & other) < max(2, 0.5 * len(words | other)), (example.id, sorted(other))


# --- tokenizer, shape, recipe ------------------------------------------------------------------------------------


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    drafts = [_texts(pair) for pair in _pairs("train")[:1000]]
    return make_tokenizer([text for draft in drafts for text in (draft.prompt, draft.chosen)], vocabulary=1024)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_tokenizer_loses_nothing(text: str) -> None:
    tokenizer = _tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not any(str(token) in text for token in tokenizer.all_special_tokens):
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_digits_stand_alone_and_one_bos_leads() -> None:
    tokenizer = _tokenizer()
    assert len(tokenizer("1234", add_special_tokens=False)["input_ids"]) == 4
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Yes."}], tokenize=False
    )
    assert text == "<|user|>Hi<|end|><|assistant|>Yes.<|end|>"
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[-1] == tokenizer.eos_token_id != tokenizer.pad_token_id


def test_same_texts_make_the_same_tokenizer() -> None:
    texts = [_texts(pair).chosen for pair in _pairs("test")[:300]]
    first, second = (make_tokenizer(texts, vocabulary=600).backend_tokenizer.to_str() for _ in range(2))
    assert first == second


def test_config_is_of_the_tokenizer() -> None:
    config = make_config(_tokenizer())
    assert (config.vocab_size, config.num_labels, config.pad_token_id) == (1024, 1, _tokenizer().pad_token_id)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make few pairs."""
    monkeypatch.setattr(quickstart, "TRAIN_PAIRS", 400)
    monkeypatch.setattr(quickstart, "HELD_OUT_PAIRS", 120)
    made_module._make.cache_clear()
    yield
    made_module._make.cache_clear()


@pytest.mark.usefixtures("small")
def test_made_names() -> None:
    pairs = Path(made("made:quickstart/pairs"))
    assert sorted(path.name for path in pairs.iterdir()) == ["test.jsonl", "train.jsonl"]
    assert len(list(read_texts(pairs / "train.jsonl"))) == 3 * 400
    assert (Path(made("made:quickstart/model")) / "config.json").exists()
    assert pairs.parent == Path(made("made:quickstart/model")).parent
    assert made("my-org/model") == "my-org/model"
    with pytest.raises(UsageError, match=r"made:quickstrat/model: .* did you mean 'quickstart'"):
        made("made:quickstrat/model")
    with pytest.raises(UsageError, match=r"made:quickstart: .*made:quickstart/model, made:quickstart/pairs"):
        made("made:quickstart")


@pytest.mark.usefixtures("small")
def test_recipe_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also into a folder that is called like the model that ships: it is the one that was trained that is scored."""
    monkeypatch.chdir(tmp_path)
    from rmeval.trainer.train import train

    overrides = ("max_steps=2", "save_steps=1", "eval_steps=1", "max_eval_samples=20")
    done = train("quickstart", "quickstart", overrides=overrides)
    assert done is not None
    assert done.record["model"]["from_scratch"] is True
    assert done.record["model"]["base"] == "made:quickstart/model"
    assert done.record["data"]["dataset"] == "made:quickstart/pairs"
    assert done.record["licences"][0]["licence"] == "Apache-2.0"
    assert "rmeval-quickstart-" not in json.dumps(done.record)  # No path of this machine.
    lengths = [len(line) for line in (tmp_path / "quickstart" / "README.md").read_text().splitlines()]
    assert any(lengths)


def test_recipe_is_for_a_small_cpu() -> None:
    recipe = load_recipe("quickstart")
    assert recipe.use_cpu
    assert recipe.max_length == 512


def test_safety_families_are_not_told_apart_by_their_opening() -> None:
    """Both kinds of request come with the same greetings and forms of question."""
    starts = [{draft.prompt.split()[0] for draft in _drafts(maker)} for maker in (harmful, harmless)]
    assert {"How", "What"} <= starts[0] & starts[1]


def test_pairwise_neighbours_differ() -> None:
    prompts = [_texts(pair).prompt for pair in _pairs("train")]
    assert sum(one == two for one, two in pairwise(prompts)) < 10
