"""M-RewardBench (Gureja et al., 2024, arXiv:2410.15522): RewardBench's sections in 23 languages.

A language's number is the mean of its four sections, the overall number the mean of the languages. The authors weigh
the subsets of a section by their rows (``analysis/plot_utils.py`` of for-ai/aya_rm_multilingual: f2a9c96, before that
03aa966 with RewardBench's own numbers, which are of more rows than were kept). A section's number is over all
languages: a view of the same subsets. On the Hub the subset's column is called ``source``
(``notebooks/upload_to_hf.ipynb`` there).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.errors import DataError
from rmeval.eval.suites.base import About, Read, Section, Suite
from rmeval.eval.suites.rewardbench import REWARDBENCH

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["M_REWARDBENCH"]

_LANGUAGES = {
    "arb_Arab": "Arabic",
    "ces_Latn": "Czech",
    "deu_Latn": "German",
    "ell_Grek": "Greek",
    "fra_Latn": "French",
    "heb_Hebr": "Hebrew",
    "hin_Deva": "Hindi",
    "ind_Latn": "Indonesian",
    "ita_Latn": "Italian",
    "jpn_Jpan": "Japanese",
    "kor_Hang": "Korean",
    "nld_Latn": "Dutch",
    "pes_Arab": "Persian",
    "pol_Latn": "Polish",
    "por_Latn": "Portuguese",
    "ron_Latn": "Romanian",
    "rus_Cyrl": "Russian",
    "spa_Latn": "Spanish",
    "tur_Latn": "Turkish",
    "ukr_Cyrl": "Ukrainian",
    "vie_Latn": "Vietnamese",
    "zho_Hans": "Chinese (simplified)",
    "zho_Hant": "Chinese (traditional)",
}
_REWARDBENCHS = {name: each.subsets for name, each in REWARDBENCH.sections("today").items() if name != "Prior Sets"}
_KEPT = {
    "alpacaeval-easy": 79,
    "alpacaeval-length": 79,
    "alpacaeval-hard": 76,
    "mt-bench-easy": 24,
    "mt-bench-med": 38,
    "mt-bench-hard": 35,
    "math-prm": 447,
    "refusals-dangerous": 100,
    "refusals-offensive": 100,
    "llmbar-natural": 76,
    "llmbar-adver-neighbor": 124,
    "llmbar-adver-GPTInst": 87,
    "llmbar-adver-GPTOut": 42,
    "llmbar-adver-manual": 43,
    "xstest-should-refuse": 154,
    "xstest-should-respond": 247,
    "donotanswer": 135,
    "hep-cpp": 164,
    "hep-go": 164,
    "hep-java": 164,
    "hep-js": 164,
    "hep-python": 163,
    "hep-rust": 164,
}
"""The rows of each subset that were kept in a language, 2,869 in all."""
_COUNTED = _KEPT | {"math-prm": 983}
"""What they weigh: mathematics as much as code."""
_AUTHORS = {name: {subset: float(_COUNTED[subset]) for subset in subsets} for name, subsets in _REWARDBENCHS.items()}
_SUBSET, _LANGUAGE = ("subset", "source"), ("language", "target_language")
"""The columns that say them, before the data was put on the Hub and there, and the other way around."""


def _is_row(row: Mapping[str, object]) -> bool:
    columns = {"chosen", "rejected", "chosen_model"} <= set(row)
    return columns and _told(row, _SUBSET, _KEPT) is not None and _told(row, _LANGUAGE, _LANGUAGES) is not None


def _told(row: Mapping[str, object], columns: Sequence[str], known: Collection[str]) -> str | None:
    """Return the first value of some columns that is a known name."""
    values = [row.get(column) for column in columns]
    return next((value for value in values if isinstance(value, str) and value in known), None)


def _read(rows: Rows) -> Read:
    """Turn rows into pairs; a subset is one of RewardBench's in a language."""
    from rmeval.data_prep.rows.examples import to_examples

    named = [_named(row, rows.file(place), rows.locate(place)) for place, row in enumerate(rows.rows)]
    return to_examples(replace(rows, rows=named), default_subset="")


def _named(row: Mapping[str, object], file: str, place: str) -> dict[str, object]:
    """Return a row whose subset and id say its language, by its column or the name of its file or folder."""
    language = _told(row, _LANGUAGE, _LANGUAGES) or next((code for code in _LANGUAGES if code in file), None)
    if language is None:
        raise DataError(f"{place}: its language is {row.get('language')!r}, not one of {', '.join(_LANGUAGES)}")
    subset = _told(row, _SUBSET, _KEPT)
    if subset is None:
        column = next((name for name in _SUBSET if name in row), _SUBSET[0])
        raise DataError(f"{place}, column {column!r}: {row.get(column)!r} is no subset of RewardBench")
    return {**row, "subset": f"{language}/{subset}", **({"id": f"{language}/{row['id']}"} if "id" in row else {})}


def _table(weights: Mapping[str, Mapping[str, float]]) -> dict[str, Section]:
    """Return the sections: a language each, and those of RewardBench as views."""
    return {
        **{title: Section(1, _of_language(code, weights)) for code, title in _LANGUAGES.items()},
        **{
            name: Section(0, {f"{code}/{each}": w for code in _LANGUAGES for each, w in subsets.items()})
            for name, subsets in weights.items()
        },
    }


def _of_language(code: str, weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the weights of a language's subsets that make the mean of its four sections."""
    return {
        f"{code}/{name}": weight / sum(subsets.values())
        for subsets in weights.values()
        for name, weight in subsets.items()
    }


M_REWARDBENCH = Suite(
    name="m-rewardbench",
    title="M-RewardBench",
    description="RewardBench's four sections in 23 languages (CohereLabsCommunity/multilingual-reward-bench)",
    dataset="CohereLabsCommunity/multilingual-reward-bench",
    split="test",
    layout=(tuple(f"*{code}*filtered*" for code in _LANGUAGES), tuple(f"*{code}*" for code in _LANGUAGES)),
    is_row=_is_row,
    read=_read,
    weights={"authors": _table(_AUTHORS), "rewardbench": _table(_REWARDBENCHS)},
    expected={f"{code}/{name}": rows for code in _LANGUAGES for name, rows in _KEPT.items()},
    about=About(
        measures=(
            "What RewardBench measures (chat, hard chat, safety, reasoning) in 23 languages, into which its filtered"
            " rows were translated, 2,869 rows each."
        ),
        reading=(
            "A language's number is the mean of its four sections, whose subsets weigh as many rows as they have"
            " (math-prm as much as code); the overall number is the mean of the languages. Chat, Chat Hard, Safety and"
            " Reasoning are each over all languages. `--weights rewardbench` has RewardBench's own weights, as an"
            " earlier version of the authors' file has them."
        ),
        ties="A tie is wrong, in the source and here.",
        licence="code MIT; that of the data is unverified",
        paper="https://arxiv.org/abs/2410.15522",
        source=(
            "https://github.com/for-ai/aya_rm_multilingual; the data is on the Hub alone: a local copy is a folder with"
            " a file or folder a language, whose names are such as arb_Arab"
        ),
        problems=(
            "The authors' code cuts conversations at 512 tokens by default.",
            "Copies of the `rewardbench` package before 10 September 2024 have the weights of two subsets of Safety"
            " swapped.",
        ),
        unverified=(
            "the Hub id, under which four other loaders read it: it was put there as"
            " C4AI-Community/multilingual-reward-bench, an organisation that was renamed",
            "that each language has the same rows: the counts are those of the authors' file, and add up to the 2.87K"
            " rows that are told of each",
            "the part of the benchmark about translation (de-en, zh-en), which is not in this suite",
        ),
    ),
)
