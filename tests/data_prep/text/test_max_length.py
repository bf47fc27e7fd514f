"""How long a conversation may be."""

from __future__ import annotations

import pytest

from rmeval.data_prep.text.max_length import usable_length
from rmeval.errors import ModelError


@pytest.mark.parametrize(
    ("model", "tokenizer", "asked", "expected"),
    [
        (2048, 10**30, None, 2048),
        (32768, 10**30, None, 4096),
        (None, None, None, 4096),
        (514, 512, None, 512),
        (32768, 512, 8192, 8192),
    ],
)
def test_usable_length(model: int | None, tokenizer: int, asked: int | None, expected: int) -> None:
    assert usable_length(model, tokenizer, asked) == expected


def test_what_a_models_own_code_reads_is_a_default_and_no_bound() -> None:
    assert usable_length(4096, 10**30, own=2048) == 2048
    assert usable_length(1024, 10**30, own=2048) == 1024
    assert usable_length(4096, 10**30, 3000, own=2048) == 3000


@pytest.mark.parametrize("asked", [0, -1, 2049])
def test_impossible_lengths_are_refused(asked: int) -> None:
    with pytest.raises(ModelError, match="--max-length"):
        usable_length(2048, None, asked)


@pytest.mark.parametrize("limit", [-1, 0])
def test_a_limit_below_one_is_none(limit: int) -> None:
    """XLNet's configuration and some tokenizers say so that there is no limit."""
    assert usable_length(limit, limit) == 4096
    assert usable_length(limit, limit, 100) == 100
    assert usable_length(limit, 300) == 300
