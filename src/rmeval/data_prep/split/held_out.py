"""Which openings are held out: by a hash of their own, near-duplicates together.

An opening is the normalised first user turn of a pair's conversation (``data_prep.text.normalise``); all pairs of an
opening are in one split. Openings are taken in the order of the mixture, source by source.

1. An opening's *lead* is itself, or the lead of an earlier opening that it is near to. The hash of the seed and the
   lead decides for all that follow it.
2. With a fraction f, a lead is held out where its hash, as a number from 0 to 1, is below f. With a count N, the leads
   of each source with the lowest hashes are held out until the source has N pairs there, those that follow an earlier
   source's leads included.
3. Where the near-duplicates of one opening, up to the end of a source, are more than 100 and more than a tenth of all
   openings, those of the source are divided one by one: in one split they would be all of it. ``warnings`` says so.
4. An opening that is also near to an earlier one of the other split is dropped. To move one of them instead would move
   what is near to it, and so on: such chains can join half of the data.

All steps look at one source and those before it: a source added at the end of a mixture moves
no row of another. One added before others moves only what has the same opening, or a near-duplicate, in it; with a
count, also as many leads as these have pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.split.near_duplicates import THRESHOLD, Candidates
from rmeval.errors import UsageError
from rmeval.types import Progress

__all__ = ["NEAR_BOTH", "Assignment", "Opening", "Split", "SplitCounts", "assign_splits"]

Assignment: TypeAlias = Literal["train", "test", "dropped"]

_CLUSTER, _CLUSTER_SHARE = 100, 0.1
"""Openings that are all near-duplicates of a first one are divided one by one where they are more than both."""
_THIN = 0.01
"""a split with a smaller share of the pairs is worth a warning."""
_PARTS = 32
"""Sources whose templates are told apart; each takes time for all before it."""

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
class SplitCounts:
    """Where the pairs of a source are."""

    train: int
    test: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Split:
    """Which split every opening is in."""

    assigned: Mapping[str, Assignment]
    """Opening -> split, in the order of the mixture."""
    leads: Mapping[str, str]
    """Near-duplicate -> the opening whose hash decided for it; openings that decided for themselves are left out."""
    pairs: Mapping[str, SplitCounts]
    """Source -> its pairs in each split."""
    warnings: tuple[str, ...] = ()
    """What is odd about the splits, a line each."""


def assign_splits(
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
        threshold: least Jaccard similarity of near-duplicates (``near_duplicates``); None to look for none.
        progress: called with openings looked at, and openings in all.

    Returns:
        The same for the same arguments, on every machine. No opening of one split is near to one of the other, as far
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
    ends = _ends(sources)
    candidates = Candidates(texts, ends, progress) if threshold is not None else Candidates([])
    near = _Near(len(texts), ends, candidates, 1.0 if threshold is None else threshold)
    leads = near.leads
    hashes = {lead: _unit(seed, texts[lead]) for lead in sorted(set(leads))}
    if isinstance(held_out, int):
        tested = _lowest(hashes, leads, texts, sources, held_out)
    else:
        tested = {lead for lead, value in hashes.items() if value < held_out}
    held = np.array([lead in tested for lead in leads], dtype=np.bool_)
    dropped = near.on_both(held)
    assigned: dict[str, Assignment] = {
        text: "dropped" if dropped[place] else "test" if held[place] else "train" for place, text in enumerate(texts)
    }
    pairs = {source: _counts(pairs, assigned) for source, pairs in sources.items()}
    alike = {text for place, text in enumerate(texts) if near.alike[place]}
    return Split(
        assigned=assigned,
        leads={text: texts[lead] for place, (text, lead) in enumerate(zip(texts, leads, strict=True)) if lead != place},
        pairs=pairs,
        warnings=(*_thin(pairs, held_out), *_alike(sources, alike)),
    )


def _pairs_by_source(openings: Iterable[Opening]) -> dict[str, dict[str, int]]:
    """Return source -> opening -> pairs, both in order of first appearance."""
    sources: dict[str, dict[str, int]] = {}
    for each in openings:
        pairs = sources.setdefault(each.source, {})
        pairs[each.text] = pairs.get(each.text, 0) + each.pairs
    return sources


def _ends(sources: Mapping[str, Mapping[str, int]]) -> list[int]:
    """Return how many openings there are up to the end of each source; of very many sources, of all of them."""
    seen: set[str] = set()
    ends = []
    for pairs in sources.values():
        seen.update(pairs)
        ends.append(len(seen))
    return ends if len(ends) <= _PARTS else ends[-1:]


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


def _counts(pairs: Mapping[str, int], assigned: Mapping[str, Assignment]) -> SplitCounts:
    found: dict[Assignment, int] = {"train": 0, "test": 0, "dropped": 0}
    for text, number in pairs.items():
        found[assigned[text]] += number
    return SplitCounts(**found)


def _thin(pairs: Mapping[str, SplitCounts], held_out: float) -> Iterator[str]:
    """Say where one split has next to nothing, unless that was asked for."""
    if not held_out:
        return
    for source, counts in pairs.items():
        if counts.train + counts.test and not (counts.train and counts.test):
            which, rest = ("held out", "trains") if counts.test else ("in the training split", "is held out")
            yield f"all {counts.train + counts.test:,} pairs of {source} are {which}, none {rest}"
    train, test = (sum(getattr(each, name) for each in pairs.values()) for name in ("train", "test"))
    for name, number in (("training", train), ("held-out", test)):
        if number < _THIN * (train + test) and not 0 < held_out < _THIN:
            yield f"the {name} split has {number:,} of {train + test:,} pairs"


def _alike(sources: Mapping[str, Mapping[str, int]], alike: set[str]) -> Iterator[str]:
    for source, pairs in sources.items():
        number = len(alike & pairs.keys())
        if number:
            yield (
                f"{number:,} of the {len(pairs):,} openings of {source} are nearly the same: they are divided one by "
                "one, so that there are near-duplicates in both splits"
            )


class _Near:
    """Which of the texts are near to which earlier ones."""

    def __init__(self, texts: int, ends: Sequence[int], candidates: Candidates, threshold: float) -> None:
        self._candidates = candidates
        self._threshold = threshold
        self.leads = list(range(texts))
        """For each text the lead of the first earlier text that it is near to, or itself."""
        self.alike = np.zeros(texts, dtype=np.bool_)
        """Which texts are of so many near ones that each is divided by itself: shape (texts,)."""
        self._likely: dict[int, NDArray[np.int32]] = {}
        """Text -> the earlier ones that it is compared with."""
        for place in candidates.texts():
            likely = candidates.likely(place, candidates.earlier(place), threshold)
            if len(likely):
                self._likely[place] = likely
                first = self._first(place, likely)
                self.leads[place] = place if first is None else self.leads[first]
        self._clusters = np.array(self.leads, dtype=np.int64)
        for start, end in pairwise([0, *ends]):
            sizes = np.bincount(self._clusters[:end], minlength=end)
            large = sizes > max(_CLUSTER, _CLUSTER_SHARE * end)
            self.alike[start:end] = large[self._clusters[start:end]]
        for place in np.flatnonzero(self.alike).tolist():
            self.leads[place] = place

    def on_both(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which texts must go, so that those left in different splits are not near: bool of shape (texts,)."""
        dropped = np.zeros(len(held), dtype=np.bool_)
        for place, likely in self._likely.items():
            others = likely[(held[likely] != held[place]) & ~dropped[likely]]
            if self.alike[place]:
                others = others[self._clusters[others] != self._clusters[place]]
            dropped[place] = self._first(place, others) is not None
        return dropped

    def _first(self, place: int, others: NDArray[np.int32]) -> int | None:
        """Return the first of some earlier texts that is near to the one at ``place``."""
        near = (one for one in others.tolist() if self._candidates.similarity(place, one) >= self._threshold)
        return next(near, None)
