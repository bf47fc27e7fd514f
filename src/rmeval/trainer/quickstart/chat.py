"""Questions about things people do: helpful answers, relevant answers, and worse ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from rmeval.trainer.quickstart.rows import Question, asked, begin, misread, questions, refused, say_part, split
from rmeval.trainer.quickstart.text import Draft, Draws, listed, read_lines, read_sections, read_text, sentences

__all__ = ["Topic", "answer", "any_answer", "aspect", "frame", "helpful", "manner", "politely", "relevant", "topics"]

_GREETINGS = ("Hi!", "Hello,", "Quick question:", "Please help.", "I have a question.", "Hey there.")
_THANKS = ("Thanks!", "Thank you.", "Thanks in advance.", "Please be specific.", "I'm new to this.", "Any ideas?")


@dataclass(frozen=True, slots=True)
class Topic:
    """Something people ask about."""

    name: str
    question: str
    steps: tuple[str, ...]
    """Sentences that answer the question."""
    background: tuple[str, ...]
    """True sentences that do not."""
    others: tuple[tuple[str, str], ...]
    """Other questions about it, each with its answer."""


@cache
def topics() -> tuple[Topic, ...]:
    """Return all topics."""
    found = []
    for block in read_text("topics.txt").split("\n\n"):
        parts = [(line[:1], line[2:].strip()) for line in block.splitlines() if line[1:2] == ":"]
        if not parts:
            continue
        of = {kind: tuple(text for mark, text in parts if mark == kind) for kind in "TQSBA"}
        pairs = (text.split("||") for text in of["A"])
        others = tuple((question.strip(), reply.strip()) for question, reply in pairs)
        found.append(Topic(of["T"][0], of["Q"][0], of["S"], of["B"], others))
    return tuple(found)


def politely(source: Draws, question: str) -> str:
    """Return a question, sometimes with a greeting or a word of thanks."""
    before = source.random.choice(_GREETINGS) if source.chance(0.15) else ""
    after = source.random.choice(_THANKS) if source.chance(0.15) else ""
    text = sentences([before, question, after])
    return text.lower() if source.chance(0.05) else text


def manner(source: Draws, section: str, least: int, most: int, topic: str = "that") -> list[str]:
    """Return sentences of one manner (``vague``, ``rude``, …) about a topic."""
    return [source.say(line, {"t": topic}) for line in source.some(read_sections("manners.txt")[section], least, most)]


def answer(source: Draws, topic: Topic, most: int = 9) -> str:
    """Return steps of a topic as a good answer."""
    count = min(source.number(1, len(topic.steps)), most)
    start = 0 if source.chance(0.7) else source.number(0, len(topic.steps) - count)
    parts = list(topic.steps[start : start + count])
    return frame(source, listed(source, parts))


def frame(source: Draws, text: str) -> str:
    """Return an answer, sometimes with words before or after it that any answer may have."""
    if source.chance(0.2):
        text = manner(source, "open", 1, 1)[0] + ("\n" if "\n" in text else " ") + text
    if source.chance(0.2):
        text += ("\n\n" if "\n" in text else " ") + manner(source, "close", 1, 1)[0]
    return text


def any_answer(source: Draws) -> str:
    """Return a good answer to some question."""
    if source.chance(0.4):
        return answer(source, source.one(topics()))
    if source.chance(0.3):
        return frame(source, say_part(source, source.one(misread()).right))
    return frame(source, say_part(source, asked(source, 0.3).answer))


def _vague(source: Draws, topic: Topic) -> str:
    return listed(source, manner(source, "vague", 1, 6, topic.name))


def _background(source: Draws, topic: Topic) -> str:
    parts = [*topic.background, *manner(source, "vague", 0, 4, topic.name)]
    source.random.shuffle(parts)
    return sentences(parts)


def _rude(source: Draws, topic: Topic) -> str:
    parts = manner(source, "rude", 1, 3, topic.name)
    if source.chance(0.3):
        parts.append(topic.steps[-1])
    return sentences(parts)


def _ramble(source: Draws, topic: Topic) -> str:
    return sentences([*manner(source, "ramble", 2, 6, topic.name), *manner(source, "vague", 0, 2, topic.name)])


def _padded(source: Draws, topic: Topic) -> str:
    parts = [
        source.random.choice(topic.steps),
        *manner(source, "filler", 1, 3),
        *manner(source, "vague", 1, 3, topic.name),
    ]
    source.random.shuffle(parts)
    return sentences(parts)


def _repeated(source: Draws, topic: Topic) -> str:
    return sentences([source.random.choice(topic.steps)] * source.number(2, 4))


def _elsewhere(source: Draws, topic: Topic) -> str:
    other = source.one(topics())
    return _background(source, topic) if other is topic else answer(source, other)


def _cut(source: Draws, topic: Topic) -> str:
    words = answer(source, topic).split(" ")
    return " ".join(words[: max(3, len(words) * source.number(3, 8) // 10)]).rstrip(".:,;")


def _refused(source: Draws, topic: Topic) -> str:
    lines = read_sections("safety.txt")
    parts = [source.say(source.one(lines["refuse"]))]
    return sentences([*parts, *(source.say(line) for line in source.some(lines["reason"], 0, 2))])


_WORSE: tuple[tuple[Callable[[Draws, Topic], str], int], ...] = (
    (_vague, 5),
    (_background, 5),
    (_rude, 3),
    (_ramble, 4),
    (_padded, 3),
    (_repeated, 1),
    (_elsewhere, 5),
    (_cut, 2),
    (_refused, 2),
)


def _weak(source: Draws, question: Question) -> list[str]:
    """Return sentences that say little, some of them about the question."""
    parts = list(split(question.weak if question.weak and source.chance(0.7) else source.one(questions()).weak))
    parts += manner(source, "vague", 0, 3)
    if source.chance(0.7):
        source.random.shuffle(parts)
    return parts[: source.number(1, len(parts))]


def _little(source: Draws, question: Question) -> str:
    return sentences(_weak(source, question))


def _beside(source: Draws, question: Question) -> str:
    parts = begin(source, question.beside)
    if source.chance(0.4):
        parts += _weak(source, question)
        source.random.shuffle(parts)
    return sentences(parts)


def _blown_up(source: Draws, question: Question) -> str:
    parts = [split(question.answer)[0], *_weak(source, question), *manner(source, "filler", 0, 2)]
    if source.chance(0.5):
        source.random.shuffle(parts)
    return sentences(parts)


def _broken_off(source: Draws, question: Question) -> str:
    words = question.answer.split(" ")
    return " ".join(words[: max(3, len(words) * source.number(2, 8) // 10)]).rstrip(".:,;")


def _other(source: Draws, question: Question) -> str:
    other = asked(source, 0.3)
    return _little(source, question) if other is question else say_part(source, other.answer)


def _snapped(source: Draws, question: Question) -> str:
    return sentences([*manner(source, "rude", 1, 3, "that"), *(_weak(source, question) if source.chance(0.3) else [])])


def _turned_down(source: Draws, question: Question) -> str:
    pool = misread() if source.chance(0.5) else refused()
    entry = source.one(pool)
    return sentences(begin(source, entry.wrong if pool is misread() else entry.right))


_LESS: tuple[tuple[Callable[[Draws, Question], str], int], ...] = (
    (_little, 8),
    (_beside, 7),
    (_blown_up, 3),
    (_broken_off, 2),
    (_other, 4),
    (_snapped, 2),
    (_turned_down, 2),
)


def _asked(source: Draws) -> Draft:
    question = asked(source, 0.25)
    makers, weights = zip(*_LESS, strict=True)
    worse = source.random.choices(makers, weights)[0]
    good = frame(source, say_part(source, question.answer))
    return Draft(politely(source, source.choose(question.text)), good, worse(source, question))


def helpful(source: Draws) -> Draft:
    """An answer with substance, and one that is vague, rude, rambling, padded, off the point, cut off or refused."""
    if source.chance(0.6):
        return _asked(source)
    topic = source.one(topics())
    makers, weights = zip(*_WORSE, strict=True)
    worse = source.random.choices(makers, weights)[0]
    if worse in (_vague, _background, _ramble, _refused) and source.chance(0.25):
        question, good = source.random.choice(topic.others)
    else:
        question, good = source.choose(topic.question), answer(source, topic)
    return Draft(politely(source, question), good, worse(source, topic))


def relevant(source: Draws) -> Draft:
    """The answer to this question, and the answer to another one about the same thing."""
    if source.chance(0.6):
        row = asked(source, 0.6)
        wrong = row.beside if source.chance(0.7) else asked(source, 0.6).answer
        right, wrong = (sentences(begin(source, text)) for text in (row.answer, wrong))
        return Draft(politely(source, source.choose(row.text)), right, wrong)
    topic = source.one(topics())
    place = source.number(0, len(topic.others))
    replies = [(source.choose(topic.question), answer(source, topic, 2)), *topic.others]
    question, good = replies.pop(place)
    bad = source.random.choice(replies)[1]
    if source.chance(0.2):
        bad = sentences(topic.background[: source.number(1, 2)])
    return Draft(politely(source, question), good, bad)


def aspect(source: Draws) -> Draft:
    """The same for invented things: the answer of this question, or one of another question or another thing."""
    lines = read_lines("aspects.txt")
    words = read_sections("words.txt")

    def word(kind: str) -> str:
        return source.one(words[kind][0].split())

    first, second, third, fourth = source.some(words["thing"][0].split(), 4, 4)
    slots = {"n": first, "o": second, "a": word("adjective"), "m": word("name"), "w": word("town")}
    slots |= {"d": str(source.number(11, 99)), "j": word("job"), "p": word("place")}
    (asked, reply), (_, other) = source.some(lines, 2, 2)
    prompt = politely(source, source.say(asked, slots))
    good = source.say(reply, slots)
    subject = f"the {slots['n']}"
    if source.chance(0.25):  # The right kind of answer, about something else.
        slots = {**slots, "n": third, "o": fourth, "p": word("place"), "w": word("town")}
        good = f"About {subject}: {good}"
        bad = f"About the {slots['n']}: {source.say(reply, slots)}"
    else:
        bad = source.say(other, slots)
        if source.chance(0.3):
            good, bad = (f"As for {subject}: {text}" for text in (good, bad))
    return Draft(prompt, good, bad)
