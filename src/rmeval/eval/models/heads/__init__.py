"""Reward heads that are no classifier's of transformers: a folder's own files and config say which it has."""

from rmeval.eval.models.heads.base import Head
from rmeval.eval.models.heads.families import FAMILIES, HeadFamily, find_head, put_head
from rmeval.eval.models.heads.linear import vocabulary_head
from rmeval.eval.models.heads.stored import PICKLED_HEAD, Tensors, found_beside, stored_tensors

__all__ = [
    "FAMILIES",
    "PICKLED_HEAD",
    "Head",
    "HeadFamily",
    "Tensors",
    "find_head",
    "found_beside",
    "put_head",
    "stored_tensors",
    "vocabulary_head",
]
