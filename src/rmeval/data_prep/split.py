"""Which openings are held out: by a hash of their own, near-duplicates together.

An opening is the normalised first user turn of a pair's conversation (``rmeval.data_prep.normalise``); all pairs of an
opening are on one side. Openings are taken in the order of the mixture, source by source.

1. An opening's *lead* is itself, or the lead of an earlier opening that it is near to. The hash of the seed and the
   lead decides for all that follow it.
2. With a fraction f, a lead is held out where its hash, as a number from 0 to 1, is below f. With a count N, the leads
   of each source with the lowest hashes are held out until the source has N pairs there, those that follow an earlier
   source's leads included.
3. An opening that is also near to an earlier one of the other side is dropped. To move one of them instead would move
   what is near to it, and so on: such chains can join half of the data.

Steps 1 and 3 look back only, and step 2 at one source and those before it: a source added at the end of a mixture moves
no row of another. One added before others moves only what has the same opening, or a near-duplicate, in it; with a
count, also as many leads as these have pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.near import THRESHOLD, Candidates, jaccard, shingles
from rmeval.errors import UsageError
from rmeval.types import Progress

__all__ = ["NEAR_BOTH", "Opening", "Side", "SideCounts", "Split", "assign_sides"]

Side: TypeAlias = Literal["train", "test", "dropped"]

NEAR_BOTH = "near-duplicate-of-both-sides"
"""Why the pairs of a dropped opening are dropped."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How many pairs of a source open with a text."""

    text: str
    """Normalised."""
    source: str
    pairs: int


@dataclass(frozen=True, slots=True)
class SideCounts:
    """Where the pairs of a source are."""

    train: int
    test: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Split:
    """Which side every opening is on."""

    sides: Mapping[str, Side]
    """Opening -> side, in the order of the mixture."""
    leads: Mapping[str, str]
    """Near-duplicate -> the opening whose hash decided for it; openings that decided for themselves are left out."""
    pairs: Mapping[str, SideCounts]
    """Source -> its pairs on each side."""


def assign_sides(
    openings: Iterable[Opening],
    *,
    seed: int,
    held_out: float | int,
    threshold: float | None = THRESHOLD,
    progress: Progress | None = None,
) -> Split:
    """Decide for every opening whether it is held out.

    Args:
        openings: in the order of the mixture, each source's in the order of its rows. An opening may come several
            times, in one source (its pairs add up) and in several (the first decides).
        seed: goes into every hash.
        held_out: a float is the fraction of openings. An int is the number of pairs of *each* source; more are held
            out where one lead's pairs go beyond it or more follow earlier sources' leads, fewer where some of them are
            dropped or the source has no more, which is then held out whole.
        threshold: least Jaccard similarity of near-duplicates (``rmeval.data_prep.near``); None to look for none.
        progress: called with openings looked at, and openings in all.

    Returns:
        The same for the same arguments, on every machine. No two openings on opposite sides are near-duplicates, as far
        as MinHash finds them (98.6% of those of similarity 0.8, 99.9% at 0.85).

    Raises:
        UsageError: if ``held_out`` is neither a fraction from 0 to less than 1 nor a whole number of pairs.
    """
    if isinstance(held_out, bool) or held_out < 0 or (isinstance(held_out, float) and not held_out < 1):
        raise UsageError(
            f"held_out is {held_out!r}: give a fraction that is less than 1, or a whole number of pairs a source"
        )
    sources = _pairs_by_source(openings)
    texts = list(dict.fromkeys(text for pairs in sources.values() for text in pairs))
    candidates = Candidates(texts if threshold is not None else [], progress)
    near = _Near(texts, candidates, 1.0 if threshold is None else threshold)
    leads = near.leads()
    hashes = {lead: _unit(seed, texts[lead]) for lead in sorted(set(leads))}
    if isinstance(held_out, int):
        tested = _lowest(hashes, leads, texts, sources, held_out)
    else:
        tested = {lead for lead, value in hashes.items() if value < held_out}
    held = np.array([lead in tested for lead in leads], dtype=np.bool_)
    dropped = near.on_both(held)
    sides: dict[str, Side] = {
        text: "dropped" if dropped[place] else "test" if held[place] else "train" for place, text in enumerate(texts)
    }
    return Split(
        sides=sides,
        leads={text: texts[lead] for place, (text, lead) in enumerate(zip(texts, leads, strict=True)) if lead != place},
        pairs={source: _counts(pairs, sides) for source, pairs in sources.items()},
    )


def _pairs_by_source(openings: Iterable[Opening]) -> dict[str, dict[str, int]]:
    """Return source -> opening -> pairs, both in order of first appearance."""
    sources: dict[str, dict[str, int]] = {}
    for each in openings:
        pairs = sources.setdefault(each.source, {})
        pairs[each.text] = pairs.get(each.text, 0) + each.pairs
    return sources


def _unit(seed: int, text: str) -> float:
    """Return a number from 0 to 1 that is uniform over texts: the first 8 bytes of a SHA-256."""
    digest = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _lowest(
    hashes: Mapping[int, float],
    leads: Sequence[int],
    texts: Sequence[str],
    sources: Mapping[str, Mapping[str, int]],
    wanted: int,
) -> set[int]:
    """Return the leads that are held out so that each source has ``wanted`` pairs there."""
    lead_of = dict(zip(texts, leads, strict=True))
    decided: set[int] = set()
    tested: set[int] = set()
    for pairs in sources.values():
        weights: dict[int, int] = {}
        for text, number in pairs.items():
            weights[lead_of[text]] = weights.get(lead_of[text], 0) + number
        held = sum(number for lead, number in weights.items() if lead in tested)
        for lead in sorted(weights.keys() - decided, key=lambda lead: (hashes[lead], lead)):
            if held >= wanted:
                break
            tested.add(lead)
            held += weights[lead]
        decided |= weights.keys()
    return tested


def _counts(pairs: Mapping[str, int], sides: Mapping[str, Side]) -> SideCounts:
    found: dict[Side, int] = {"train": 0, "test": 0, "dropped": 0}
    for text, number in pairs.items():
        found[sides[text]] += number
    return SideCounts(**found)


class _Near:
    """Which of the texts are near to which earlier ones."""

    def __init__(self, texts: Sequence[str], candidates: Candidates, threshold: float) -> None:
        self._texts = texts
        self._candidates = candidates
        self._threshold = threshold

    def leads(self) -> list[int]:
        """Return for each text the lead of the first earlier text found near to it, or itself."""
        leads = list(range(len(self._texts)))
        for place in self._candidates.texts():
            first = self._first(place, self._candidates.earlier(place))
            if first is not None:
                leads[place] = leads[first]
        return leads

    def on_both(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which texts must go, so that those left on opposite sides are not near: bool of shape (texts,)."""
        dropped = np.zeros(len(held), dtype=np.bool_)
        for place in self._candidates.texts():
            bands = self._candidates.earlier(place)
            opposite = (band[(held[band] != held[place]) & ~dropped[band]] for band in bands)
            dropped[place] = self._first(place, opposite) is not None
        return dropped

    def _first(self, place: int, bands: Iterable[NDArray[np.int32]]) -> int | None:
        """Return the first text of some bands that is near to the one at ``place``."""
        own = shingles(self._texts[place])
        seen: set[int] = set()
        for band in bands:
            for one in self._candidates.likely(place, band, self._threshold).tolist():
                if one not in seen and jaccard(own, shingles(self._texts[one])) >= self._threshold:
                    return int(one)
                seen.add(one)
        return None
