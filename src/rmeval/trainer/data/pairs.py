"""From a data set to the pairs that train, the pairs that choose a checkpoint, and the pairs that are reported.

No prompt is in two of the three: pairs are told apart by their opening, the first user turn in normal form
(``rmeval.data_prep.text.normalise``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from rmeval.data_prep.rows.examples import fingerprint, to_examples
from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.data_prep.rows.stream import open_source
from rmeval.data_prep.split.held_out import Opening, assign_splits
from rmeval.data_prep.split.near_duplicates import THRESHOLD
from rmeval.data_prep.text.normalise import pair_opening
from rmeval.errors import DataError, ModelError, UsageError
from rmeval.trainer.data.made import made
from rmeval.trainer.data.margins import margins_of
from rmeval.trainer.recipe import Recipe
from rmeval.training_info import DataRecord
from rmeval.types import Example, Finding, Progress

__all__ = ["TrainingPairs", "load_pairs", "opening_of", "without"]


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Pairs with one chosen and one rejected completion each."""

    train: tuple[Example, ...]
    margins: tuple[float, ...] | None
    """Of the pairs that train; None where the recipe asks for none."""
    selection: tuple[Example, ...]
    report: tuple[Example, ...]
    record: DataRecord
    findings: tuple[Finding, ...]


def load_pairs(recipe: Recipe, progress: Progress | None = None) -> TrainingPairs:
    """Read a recipe's data set and divide it.

    Raises:
        DataError: if it cannot be read, a row is not one pair, or too few pairs are left.
    """
    rows = _train_rows(recipe)
    examples, findings = _pairs(rows)
    test = _test_rows(recipe)
    dropped: dict[str, int] = {}
    warnings: tuple[str, ...] = ()
    if test is not None:
        train, held, reason = examples, _pairs(test)[0], f"split {test.split!r} of {recipe.dataset_name}"
        known = {opening_of(example) for example in train}
        held, gone = _keep(held, lambda example: opening_of(example) not in known)
        _count(dropped, "held out, but its prompt trains", gone)
        if not held:
            warnings += (f"no pair of the {reason} is left: nothing chooses a checkpoint, and nothing is reported",)
    elif recipe.held_out:
        train, held, near, warnings = _split(examples, recipe.held_out, recipe.seed, progress)
        reason = f"held_out: {recipe.held_out} by prompt, seed {recipe.seed}"
        _count(dropped, "near-duplicate of a held-out prompt", near)
    else:
        train, held, reason = examples, [], "none"
    train, equal = _keep(train, lambda example: example.chosen != example.rejected)
    _count(dropped, "chosen and rejected are the same text", equal)
    # Of another seed: the hash that held a prompt out would put every held-out one in one split.
    selection, report, near, _ = _split(held, 0.5, recipe.seed + 1, progress) if held else ([], [], 0, ())
    if held and not (selection and report):
        selection, report, *_ = _split(held, 0.5, recipe.seed + 1, progress, threshold=None)
        near = 0
        warnings += ("the held-out prompts are nearly the same, so that there are near-duplicates in both halves",)
    _count(dropped, "near-duplicate between the two held-out halves", near)
    train = _sample(train, recipe.max_train_samples, recipe.seed)
    selection = _sample(selection, recipe.max_eval_samples, recipe.seed)
    if not train:
        why = "; ".join([*(f"{count:,} left out: {reason}" for reason, count in dropped.items()), *warnings])
        raise DataError(f"{recipe.dataset_name}: no pair is left to train on" + (f" ({why})" if why else ""))
    if held and not (selection and report):
        raise DataError(
            f"{recipe.dataset_name}: {len(held)} held-out pairs cannot be halved by prompt; --set held_out=0.2 holds "
            "out more of a file, --set held_out=0 none"
        )
    margins = None
    if recipe.margin:
        found, without = margins_of(rows, examples, train)
        margins, warnings = tuple(found), (*warnings, *without)
    record = DataRecord(
        recipe.dataset_name,
        rows.revision,
        fingerprint(train),
        len(train),
        len(selection),
        len(report),
        reason,
        dropped,
        _by_subset(train),
        warnings,
    )
    return TrainingPairs(tuple(train), margins, tuple(selection), tuple(report), record, tuple(findings))


def without(
    pairs: TrainingPairs, train: Mapping[int, str], selection: Mapping[int, str], report: Mapping[int, str]
) -> TrainingPairs:
    """Return the pairs without those that the model cannot read, which the record counts by cause.

    Args:
        pairs: What was encoded.
        train: Place among those that train -> why it is left out.
        selection: The same of those that choose a checkpoint.
        report: The same of those that are reported.

    Raises:
        ModelError: if none is left to train on.
    """
    causes = Counter([*train.values(), *selection.values(), *report.values()])
    if not causes:
        return pairs
    if len(train) == len(pairs.train):
        raise ModelError(
            f"no pair is left to train on ({'; '.join(dict.fromkeys(train.values()))}): mend the rows, or give another "
            "template with --set chat_template_path=FILE"
        )
    kept, chosen, reported = (
        tuple(each for place, each in enumerate(all_) if place not in lost)
        for all_, lost in ((pairs.train, train), (pairs.selection, selection), (pairs.report, report))
    )
    record = replace(
        pairs.record,
        fingerprint=fingerprint(kept),
        train=len(kept),
        selection=len(chosen),
        report=len(reported),
        dropped={**pairs.record.dropped, **causes},
        subsets=_by_subset(kept),
    )
    margins = pairs.margins and tuple(each for place, each in enumerate(pairs.margins) if place not in train)
    return replace(pairs, train=kept, margins=margins, selection=chosen, report=reported, record=record)


def opening_of(example: Example) -> str:
    """Return the opening of a pair: what decides which split it is in."""
    return pair_opening(example.prompt, example.chosen[0])


def _train_rows(recipe: Recipe) -> Rows:
    try:
        return load_rows(
            made(recipe.dataset_name),
            split=recipe.dataset_train_split,
            revision=recipe.dataset_revision,
            default_split="train",
        )
    except DataError as error:
        if recipe.dataset_name.startswith("./"):  # Where the recipes that ship with rmeval look for prepared data.
            raise DataError(
                f"{error}; make it with: rmeval prepare MIXTURE --output-dir {recipe.dataset_name}"
            ) from None
        raise


def _test_rows(recipe: Recipe) -> Rows | None:
    """Return the split of held-out pairs; None where there is none and none is asked for."""
    name, revision, split = made(recipe.dataset_name), recipe.dataset_revision, recipe.dataset_test_split
    if split is None:
        try:
            open_source(name, split="test", revision=revision)
        except (DataError, UsageError):
            return None
    return load_rows(name, split=split or "test", revision=revision)


def _pairs(rows: Rows) -> tuple[list[Example], list[Finding]]:
    examples, findings = to_examples(rows, default_subset="pairs")
    for example in examples:
        if (len(example.chosen), len(example.rejected)) != (1, 1):
            raise DataError(
                f"{rows.locate(example.row)} has {len(example.chosen)} chosen and {len(example.rejected)} rejected "
                "completions: training takes pairs of one each"
            )
    return examples, findings


def _split(
    examples: Sequence[Example],
    held_out: float | int,
    seed: int,
    progress: Progress | None,
    threshold: float | None = THRESHOLD,
) -> tuple[list[Example], list[Example], int, tuple[str, ...]]:
    """Return what stays, what is held out, how many pairs would be near to both, and what is odd about it."""
    openings = [opening_of(example) for example in examples]
    counted = [Opening(text, example.subset, 1) for text, example in zip(openings, examples, strict=True)]
    split = assign_splits(counted, seed=seed, held_out=held_out, threshold=threshold, progress=progress)
    on = [split.assigned[text] for text in openings]
    kept, held = (list(compress(examples, (each == name for each in on))) for name in ("train", "test"))
    return kept, held, len(examples) - len(kept) - len(held), split.warnings


def _keep(examples: Sequence[Example], wanted: Callable[[Example], bool]) -> tuple[list[Example], int]:
    kept = [example for example in examples if wanted(example)]
    return kept, len(examples) - len(kept)


def _count(dropped: dict[str, int], reason: str, number: int) -> None:
    if number:
        dropped[reason] = number


def _sample(examples: Sequence[Example], most: int | None, seed: int) -> list[Example]:
    """Return at most so many examples, those with the lowest hash, in their order."""
    if most is None or len(examples) <= most:
        return list(examples)
    digests = [hashlib.sha256(f"{seed}\0{example.id}".encode()).digest() for example in examples]
    last = sorted(digests)[most - 1]
    return [example for example, digest in zip(examples, digests, strict=True) if digest <= last]


def _by_subset(examples: Sequence[Example]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.subset] = counts.get(example.subset, 0) + 1
    return counts
