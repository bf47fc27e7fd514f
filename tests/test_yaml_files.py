"""YAML that people write, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rmeval.errors import UsageError
from rmeval.yaml_files import explain, parse_yaml, read_yaml


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int
    colour: str = "green"


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    height: int | float = 1
    apples: tuple[Leaf, ...] = ()
    crown: Leaf | None = None
    weights: dict[str, int] = {}

    @field_validator("name")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 5:
            raise ValueError("at most 5 letters")
        return value


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "the key 'name' is missing"),
        ({"name": "oak", "hight": 1}, "unknown key 'hight'; did you mean 'height'?"),
        ({"name": "oak", "x": 1}, "unknown key 'x' (known: name, height, apples, crown, weights)"),
        ({"name": "sycamore"}, "name: at most 5 letters"),
        ({"name": 3}, "name: input should be a valid string, found 3"),
        ({"name": ["y" * 200]}, f"name: input should be a valid string, found ['{'y' * 78}"),
        ({"name": "oak", "height": "tall"}, "height: input should be a valid integer, unable to parse string as an "
         "integer, found 'tall'"),
        ({"name": "oak", "apples": [{"size": 1}, {"size": "a\nb"}]}, "apple 2: size: input should be a valid integer, "
         "unable to parse string as an integer, found 'a\\nb'"),
        ({"name": "oak", "apples": [{}]}, "apple 1: the key 'size' is missing"),
        ({"name": "oak", "apples": [{"size": 1, "color": 2}]}, "apple 1: unknown key 'color'; did you mean 'colour'?"),
        ({"name": "oak", "apples": [4]}, "apple 1: input should be a valid dictionary or instance of Leaf, found 4"),
        ({"name": "oak", "crown": {"siz": 1, "size": 1}}, "unknown key 'crown.siz'; did you mean 'size'?"),
        ({"name": "oak", "crown": {"size": None}}, "crown.size: input should be a valid integer, found None"),
        ({"name": "oak", "weights": {"a": "b"}}, "weights: a: input should be a valid integer, unable to parse string "
         "as an integer, found 'b'"),
    ],
)  # fmt: skip
def test_the_first_mistake_is_one_line_with_its_place(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(table)
    assert explain(caught.value, Tree, apples=Leaf, crown=Leaf) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", "file line 2 is not YAML that can be read: 'c' is there twice"),
        ("a: !!python/name:os.system\n", "file line 1 is not YAML that can be read: could not determine a constructor"),
        ("[" * 5000, "file is not YAML that can be read"),
        ("2024-13-45\n", "file is not YAML that can be read: month must be in 1..12"),
    ],
)
def test_what_is_not_yaml_is_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, "file")
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_keys_that_a_merge_brings_are_not_there_twice() -> None:
    assert parse_yaml("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", "file") == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 3},
    }


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "a.yaml", "recipe") == {"a": 1}
    (tmp_path / "b.yaml").write_bytes(b"a: \xff\n")
    for name, words in (("b.yaml", "cannot read the recipe "), (".", "cannot read the recipe "), ("c", "no such file")):
        with pytest.raises(UsageError, match=words):
            read_yaml(tmp_path / name, "recipe")
