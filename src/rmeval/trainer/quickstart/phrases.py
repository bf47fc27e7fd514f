"""Sentences made of drawn words, for tasks with a rule."""

from __future__ import annotations

from rmeval.trainer.quickstart.chat import topics
from rmeval.trainer.quickstart.text import Draws, read_sections

__all__ = ["KINDS", "NUMBERS", "about", "prose", "sentence", "story", "word", "words"]

_FRAMES = (
    "The {a} {animal} {v} the {thing} in the {place}.",
    "A {job} from {town} {v} the {a} {thing}.",
    "{name} {v} a {a} {thing} near the {place}.",
    "In the {place} a {a} {animal} {v} some {food}.",
    "Every morning {name} {v} the {a} {thing}.",
    "The {job} {v} {food} behind the {a} {place}.",
    "{name} {v} the {animal} and the {a} {animal2}.",
)
KINDS = ("animal", "food", "thing", "place", "job")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def word(source: Draws, kind: str) -> str:
    """Draw a word of a kind."""
    return source.one(read_sections("words.txt")[kind][0].split())


def words(source: Draws, kind: str, count: int) -> list[str]:
    """Draw so many different words of a kind."""
    return source.some(read_sections("words.txt")[kind][0].split(), count, count)


def sentence(source: Draws, **given: str) -> str:
    """Return a sentence made of drawn words; some of them can be given."""
    kinds = ("animal", "food", "thing", "place", "job", "name", "town")
    slots = {kind: word(source, kind) for kind in kinds} | {"animal2": word(source, "animal")}
    slots |= {"a": word(source, "adjective"), "v": word(source, "verb")} | given
    return source.say(source.random.choice(_FRAMES), slots)


def story(source: Draws, count: int, **given: str) -> list[str]:
    """Return so many sentences."""
    return [sentence(source, **given) for _ in range(count)]


def prose(source: Draws) -> list[str]:
    """Return all sentences on some topic."""
    topic = source.one(topics())
    return list(topic.steps + topic.background)


def about(source: Draws) -> str:
    """Return the name of some topic."""
    return source.one(topics()).name
