"""M-RewardBench (Gureja et al., 2024, arXiv:2410.15522): RewardBench's sections in 23 languages.

Each language has RewardBench's subsets, weighted as there (``analysis/plot_utils.py`` of for-ai/aya_rm_multilingual has
the counts of the ``rewardbench`` package). A language's number is the mean of its four sections, the overall number the
mean of the languages. A section's number is over all languages: a view of the same subsets.
"""

from __future__ import annotations

from collections.abc import Mapping
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
_SECTIONS = {name: each.subsets for name, each in REWARDBENCH.sections("today").items() if name != "Prior Sets"}


def _is_row(row: Mapping[str, object]) -> bool:
    return {"chosen", "rejected", "subset", "chosen_model"} <= set(row) and row.get("language") in _LANGUAGES


def _read(rows: Rows) -> Read:
    """Turn rows into pairs; a subset is one of RewardBench's in a language."""
    from rmeval.data_prep.rows.examples import to_examples

    named = [_named(row, rows.file(place), rows.locate(place)) for place, row in enumerate(rows.rows)]
    return to_examples(replace(rows, rows=named), default_subset="")


def _named(row: Mapping[str, object], file: str, place: str) -> dict[str, object]:
    """Return a row whose subset and id say its language, by its column or the name of its file or folder."""
    language = row.get("language") or next((code for code in _LANGUAGES if code in file), None)
    if language not in _LANGUAGES:
        raise DataError(f"{place}: its language is {language!r}, not one of {', '.join(_LANGUAGES)}")
    subset = row.get("subset")
    if not any(subset in subsets for subsets in _SECTIONS.values()):
        raise DataError(f"{place}, column 'subset': {subset!r} is no subset of RewardBench")
    return {**row, "subset": f"{language}/{subset}", **({"id": f"{language}/{row['id']}"} if "id" in row else {})}


def _of_language(code: str) -> dict[str, float]:
    """Return the weights of a language's subsets that make the mean of its four sections."""
    return {
        f"{code}/{name}": weight / sum(subsets.values())
        for subsets in _SECTIONS.values()
        for name, weight in subsets.items()
    }


M_REWARDBENCH = Suite(
    name="m-rewardbench",
    title="M-RewardBench",
    description="RewardBench's four sections in 23 languages (C4AI-Community/multilingual-reward-bench)",
    dataset="C4AI-Community/multilingual-reward-bench",
    split="filtered",
    layout=(tuple(f"*{code}*filtered*" for code in _LANGUAGES), tuple(f"*{code}*" for code in _LANGUAGES)),
    is_row=_is_row,
    read=_read,
    weights={
        "today": {
            **{title: Section(1, _of_language(code)) for code, title in _LANGUAGES.items()},
            **{
                name: Section(0, {f"{code}/{each}": w for code in _LANGUAGES for each, w in subsets.items()})
                for name, subsets in _SECTIONS.items()
            },
        }
    },
    about=About(
        measures=(
            "What RewardBench measures (chat, hard chat, safety, reasoning) in 23 languages, into which its filtered"
            " rows were translated, about 2,870 rows each."
        ),
        reading=(
            "A language's number is the mean of its four sections, with RewardBench's weights; the overall number is"
            " the mean of the languages. Chat, Chat Hard, Safety and Reasoning are each over all languages."
        ),
        ties="A tie is wrong, in the source and here.",
        licence="code MIT; that of the data is unverified",
        paper="https://arxiv.org/abs/2410.15522",
        source="https://github.com/for-ai/aya_rm_multilingual; the data is on the Hub alone",
        problems=(
            "The authors' code cuts conversations at 512 tokens by default.",
            "Copies of the `rewardbench` package before 10 September 2024 have the weights of two subsets of Safety"
            " swapped.",
        ),
        unverified=(
            "the Hub id, whose organisation was renamed since, and the names of the files there",
            "how many rows each language has in each subset: nothing says when some are missing but an empty section",
            "the part of the benchmark about translation (de-en, zh-en), which is not in this suite",
        ),
    ),
)
