"""Requests to refuse, and harmless ones that only sound like them. A refusal is right in half of the pairs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from rmeval.trainer.quickstart.chat import any_answer, frame, manner, politely
from rmeval.trainer.quickstart.rows import Request, asked, begin, misread, refused, split
from rmeval.trainer.quickstart.text import Draft, Draws, listed, read_sections, read_text, sentences

__all__ = ["harmful", "harmless"]


def _lines(section: str) -> tuple[str, ...]:
    return read_sections("safety.txt")[section]


@cache
def _look_alikes() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return harmless requests that sound harmful, each with the sentences that answer it."""
    found: list[tuple[str, list[str]]] = []
    for line in read_text("benign.txt").splitlines():
        if line.startswith("Q:"):
            found.append((line[2:].strip(), []))
        elif line.startswith("S:"):
            found[-1][1].append(line[2:].strip())
    return tuple((question, tuple(steps)) for question, steps in found)


def _asked(source: Draws, deed: str, after: str) -> str:
    """Ask for something, sometimes with what led to it and what it is for."""
    if source.chance(0.25):
        deed = f"{deed} {source.choose(after)}"
    question = source.say(source.one(_lines("ask")), {"x": deed})
    return _told(source, question)


def _told(source: Draws, question: str) -> str:
    if source.chance(0.35):
        return f"{source.say(source.choose(_contrast(source, 'before')), _slots(source))} {question}"
    return question


def _slots(source: Draws) -> dict[str, str]:
    words = read_sections("words.txt")
    slots = {kind: source.one(words[kind][0].split()) for kind in ("job", "food", "thing")}
    return slots | {"who": source.one(_lines("who")[0].split("|"))}


def _contrast(source: Draws, section: str) -> str:
    return source.one(read_sections("contrasts.txt")[section])


def _request(source: Draws) -> str:
    """Return something harmful that one could do."""
    if source.chance(0.4):
        text = f"{_contrast(source, 'verb')} {_contrast(source, 'victim')}"
    else:
        text = source.one(_lines("harm"))
    return source.choose(source.choose(text), _slots(source))


def _play(source: Draws) -> str:
    """Return something that would be harmful if it were done to somebody in this world."""
    if source.chance(0.3):
        return f"{_request(source)} {source.choose(_contrast(source, 'world'))}"
    return source.choose(source.choose(f"{_contrast(source, 'verb')} {_contrast(source, 'thing')}"), _slots(source))


def _explained(source: Draws) -> tuple[str, str]:
    """Return a question about words or history of crime, and a factual answer."""
    crimes = source.some(read_sections("contrasts.txt")["crime"][0].split("|"), 2, 2)
    slots = {"v": _contrast(source, "verb"), "crime": crimes[0], "crime2": crimes[1]}
    question = source.say(_contrast(source, "define"), slots)
    answers = source.some(read_sections("contrasts.txt")["define-answer"], 1, 2)
    return question, sentences([source.say(answer, {"n": str(source.number(2, 9))}) for answer in answers])


def _refusal(source: Draws) -> str:
    parts = [source.say(line) for line in source.some(_lines("refuse"), 1, 1)]
    parts += [source.say(line) for line in source.some(_lines("reason"), 0, 2)]
    if source.chance(0.2):
        source.random.shuffle(parts)
    parts += [source.say(line) for line in source.some(_lines("instead"), 0, 2)]
    return sentences(parts)


def _compliance(source: Draws, slots: Mapping[str, str]) -> str:
    """Go along with it: in vague words, or in a form as concrete as that of a good answer."""
    vague = [source.say(line, slots) for line in source.some(_lines("comply"), 1, 4)]
    if source.chance(0.6):
        vague += manner(source, "wink", 1, 4)
        source.random.shuffle(vague)
    if source.chance(0.6):
        vague += begin(source, source.one(refused()).wrong)
        return listed(source, vague[source.number(0, 1) :])
    if source.chance(0.5):
        return listed(source, vague)
    steps = any_answer(source)
    return steps if source.chance(0.3) else f"{vague[0]}{source.random.choice((' ', chr(10)))}{steps}"


def _specific(source: Draws, entry: Request) -> str:
    """Refuse in the words of an entry, sometimes with some that fit everywhere."""
    parts = list(split(entry.right))
    parts = parts[: source.number(1, len(parts))]
    if source.chance(0.3):
        parts = [source.say(source.one(_lines("refuse"))), *parts[source.number(0, 1) :]]
    if source.chance(0.2):
        parts += [source.say(line) for line in source.some(_lines("instead"), 1, 1)]
    return sentences(parts)


def _of_its_own(source: Draws) -> Draft:
    """A harmful request with a refusal and a going-along of its own."""
    entry = source.one(refused())
    good = _specific(source, entry) if source.chance(0.8) else _refusal(source)
    kind = source.number(0, 9)
    if kind <= 5:
        parts = list(split(entry.wrong))
        start = source.number(0, 1) if len(parts) > 2 else 0
        parts = parts[start : source.number(start + 1, len(parts))]
        bad = sentences([*parts, *(manner(source, "wink", 1, 3) if source.chance(0.3) else [])])
    elif kind == 6:
        bad = sentences(manner(source, "wink", 1, 6))
    elif kind <= 7:
        bad = _compliance(source, {"x": "do it"})
    else:
        bad = any_answer(source)
    return Draft(politely(source, source.choose(entry.text)), good, bad)


def _misread(source: Draws) -> Draft:
    """A harmless request that somebody misread, or one that nobody could."""
    if source.chance(0.25):
        question = asked(source, 0.3)
        text, right, wrong = question.text, question.answer, source.one(misread()).wrong
    else:
        entry = source.one(misread())
        text, right, wrong = entry.text, entry.right, entry.wrong
    good = frame(source, listed(source, begin(source, right)))
    kind = source.number(0, 9)
    if kind <= 5:
        bad = sentences(begin(source, wrong))
        if source.chance(0.4):
            bad = sentences([bad, source.say(source.one(_lines("refuse"))), *manner(source, "lecture", 0, 2)])
    elif kind == 6:
        bad = sentences(manner(source, "lecture", 1, 4))
    elif kind <= 7:
        bad = _specific(source, source.one(refused()))
    else:
        bad = _refusal(source)
    return Draft(politely(source, source.choose(text)), good, bad)


def harmful(source: Draws) -> Draft:
    """A harmful request: refused, or gone along with."""
    if source.chance(0.5):
        return _of_its_own(source)
    slots = {"x": _request(source)}
    prompt = politely(source, _asked(source, slots["x"], read_sections("contrasts.txt")["after"][0]))
    bad = _compliance(source, slots)
    if source.chance(0.1):
        bad = sentences(manner(source, "vague", 1, 3, slots["x"])) + " " + bad
    return Draft(prompt, _refusal(source), bad)


def harmless(source: Draws) -> Draft:
    """A harmless request that sounds harmful: answered, or refused as if it were."""
    if source.chance(0.5):
        return _misread(source)
    kind = source.number(0, 9)
    if kind <= 1:
        asked, replies = _lines("about"), _lines("about-answer")
        place = source.number(0, len(asked) - 1)
        prompt = source.say(asked[place], {"x": _request(source)})
        good = sentences([source.say(replies[place]), *([source.say(replies[-1])] if source.chance(0.2) else [])])
    elif kind <= 3:
        prompt, good = _explained(source)
    elif kind <= 6:
        prompt = _asked(source, _play(source), read_sections("contrasts.txt")["after"][1])
        good = any_answer(source)
    else:
        question, steps = source.one(_look_alikes())
        prompt = _told(source, source.say(question))
        parts = list(steps[: source.number(1, len(steps))])
        good = frame(source, listed(source, parts))
    bad = _refusal(source) if source.chance(0.6) else sentences(begin(source, source.one(misread()).wrong))
    return Draft(politely(source, prompt), good, bad)
