"""Word problems whose working is right or wrong, small logic, and questions with a plausible wrong answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rmeval.trainer.quickstart.text import Draft, Draws, capital, read_lines, read_sections, sentences

__all__ = ["arithmetic", "subtle"]

_APPLY: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_SWAPPED = {"+": "-", "-": "+", "*": "+"}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    left: str
    sign: str
    right: str


def _steps(text: str) -> list[_Step]:
    found = []
    for step in text.split(";"):
        name, _, left, sign, right = step.split()
        found.append(_Step(name, left, sign, right))
    return found


def _work(steps: Sequence[_Step], numbers: Mapping[str, int], slip: int | None, by: int) -> tuple[list[str], int]:
    """Return each step as ``a * b = c`` and the last result; the step ``slip`` is off by ``by``."""
    known = {**numbers, "2": 2, "3": 3}
    lines = []
    for place, step in enumerate(steps):
        value = _APPLY[step.sign](known[step.left], known[step.right]) + (by if place == slip else 0)
        lines.append(f"{known[step.left]} {step.sign} {known[step.right]} = {value}")
        known[step.name] = value
    return lines, known[steps[-1].name]


def _tell(source: Draws, lines: Sequence[str], result: int, unit: str) -> str:
    style = source.number(0, 5)
    words = ("First", "Then", "Next")
    if style == 0:
        text = " ".join(f"{words[min(place, 2)]}, {line}." for place, line in enumerate(lines))
    elif style == 1:
        text = "\n".join(f"{place}. {line}" for place, line in enumerate(lines, start=1))
    elif style == 2:
        text = "That is " + ", and then ".join(lines) + "."
    elif style == 3:
        text = "; ".join(lines) + "."
    elif style == 4:
        text = "We get " + lines[0] + "." + "".join(f" Now {line}." for line in lines[1:])
    else:
        text = ""
    end = source.random.choice(
        ("The answer is {r}.", "So it is {r}.", "Answer: {r}", "That makes {r}.", "= {r}", "Result: {r}.")
    )
    figure = f"{result} {unit}".strip() if source.chance(0.5) else str(result)
    joint = "\n" if "\n" in text else " "
    told = (text + joint + end.replace("{r}", figure)).strip()
    sign = source.random.choice(("*", "×", "x", "*"))
    return told.replace(" * ", f" {sign} ")


def arithmetic(source: Draws) -> Draft:
    """A word problem: worked out right, or with a slip, a wrong operation, too few steps or another final number."""
    question, work, unit = source.one(read_lines("stories.txt"))
    numbers = {name: source.number(2, 12) for name in "abe"} | {"c": source.number(160, 400), "d": source.number(2, 60)}
    words = read_sections("words.txt")
    slots = {kind: source.one(words[kind][0].split()) for kind in ("food", "place", "job", "thing", "town")}
    slots |= {"m": source.one(words["name"][0].split())} | {name: str(value) for name, value in numbers.items()}
    steps = _steps(work)
    right, result = _work(steps, numbers, None, 0)
    slip = source.number(0, len(steps) - 1)
    by = source.random.choice((-10, -3, -2, -1, 1, 2, 3, 10))
    kind = source.number(0, 4)
    if kind == 0 and len(steps) > 1:
        wrong, other = _work(steps[:-1], numbers, None, 0)
    elif kind == 1:
        step = steps[slip]
        swapped = [*steps[:slip], _Step(step.name, step.left, _SWAPPED[step.sign], step.right), *steps[slip + 1 :]]
        wrong, other = _work(swapped, numbers, None, 0)
    elif kind == 2:
        wrong, other = right, result + by
    else:
        wrong, other = _work(steps, numbers, slip, by)
    if other == result:  # 2 * 2 and 2 + 2 are the same
        wrong, other = right, result + by
    unit = source.choose(unit, slots)
    return Draft(source.say(question, slots), _tell(source, right, result, unit), _tell(source, wrong, other, unit))


def _order(source: Draws) -> Draft:
    names = source.some(read_sections("words.txt")["name"][0].split(), 3, 3)
    more, most = source.random.choice(
        (("taller", "tallest"), ("older", "oldest"), ("faster", "fastest"), ("richer", "richest"))
    )
    facts = [f"{names[0]} is {more} than {names[1]}.", f"{names[1]} is {more} than {names[2]}."]
    source.random.shuffle(facts)
    chain = f"{names[0]} is ahead of {names[1]}, who is ahead of {names[2]}."
    asked = sentences([*facts, f"Who is the {most}?"])
    wrong = source.random.choice(names[1:])
    because = f" {chain}" if source.chance(0.5) else ""
    guess = f" {wrong} is named in the text, so it must be {wrong}." if source.chance(0.5) else ""
    return Draft(asked, f"{names[0]} is the {most}.{because}", f"{wrong} is the {most}.{guess}")


def _follows(source: Draws) -> Draft:
    words = read_sections("words.txt")
    first, second, third = (f"{word}s" for word in source.some(words["job"][0].split(), 3, 3))
    all_all = source.chance(0.5)
    premise = f"All {first} are {second}. " + (
        f"All {second} are {third}." if all_all else f"Some {second} are {third}."
    )
    yes = source.random.choice(
        (
            f"Yes. Every one of the {first} is among the {second}, and all of those are {third}.",
            f"Yes, it follows: the {first} belong to the {second}, who are all {third}.",
        )
    )
    no = source.random.choice(
        (
            f"No. The {second} who are {third} may be other ones, so none of the {first} has to be among them.",
            f"No, it does not follow. Some {second} are {third}, but perhaps not those who are {first}.",
        )
    )
    asked = source.random.choice(("Does it follow that {q}?", "Can we conclude that {q}?", "Is it certain that {q}?"))
    prompt = f"{premise} " + asked.replace("{q}", f"some {first} are {third}")
    return Draft(prompt, *((yes, no) if all_all else (no, yes)))


def _day(source: Draws) -> Draft:
    start, later = source.number(0, 6), source.number(2, 9)
    right = _DAYS[(start + later) % 7]
    wrong = source.random.choice([day for day in _DAYS if day != right])
    working = (
        f"Counting on from {_DAYS[start]}: " + ", ".join(_DAYS[(start + i) % 7] for i in range(1, later + 1)) + ". "
    )
    good, bad = (working if source.chance(0.4) else "" for _ in range(2))
    return Draft(
        f"Today is {_DAYS[start]}. What day is it in {later} days?", f"{good}It is {right}.", f"{bad}It is {wrong}."
    )


def _larger(source: Draws) -> Draft:
    whole, tenth = source.number(0, 9), source.number(3, 9)
    shorter, longer = f"{whole}.{tenth}", f"{whole}.{source.number(1, tenth - 1)}{source.number(1, 9)}"
    first, second = source.random.sample((shorter, longer), 2)
    good = f"{shorter}. " + (f"It has {tenth} tenths, and {longer} has only {longer[2]}." if source.chance(0.5) else "")
    bad = f"{longer}. " + (f"It has more digits after the point than {shorter}." if source.chance(0.5) else "")
    return Draft(f"Which number is larger, {first} or {second}?", good.strip(), bad.strip())


def _contradiction(source: Draws) -> Draft:
    """A short text that agrees with the facts given, and one that does not."""
    words = read_sections("words.txt")
    kinds = ("name", "job", "town", "animal", "thing")
    facts = {kind: source.one(words[kind][0].split()) for kind in kinds}
    others = {**facts}
    changed = source.random.choice(kinds)
    others[changed] = source.random.choice(
        [word for word in source.pool(words[changed][0].split()) if word != facts[changed]]
    )
    note = "Name: {name}\nJob: {job}\nTown: {town}\nPet: {animal}\nOwns: {thing}"
    story = source.random.choice(
        (
            "{name} is a {job} who lives in {town} with a {animal} and a {thing}.",
            "A {job} called {name} has a {animal} and owns a {thing}. The home is in {town}.",
            "In {town} lives {name}, a {job}, together with a {animal}, and the {thing} is always near.",
        )
    )
    good, bad = (story.format(**found) for found in (facts, others))
    extra = " " + source.random.choice(
        ("All details are from the notes.", "That is what the notes say.", "Nothing was added.")
    )
    good, bad = (text + (extra if source.chance(0.3) else "") for text in (good, bad))
    return Draft("Turn these notes into a sentence or two:\n" + note.format(**facts), good, bad)


def _fact(source: Draws) -> Draft:
    return Draft(*source.one(read_lines("facts.txt")))


def subtle(source: Draws) -> Draft:
    """Answers that read alike, of which one is wrong."""
    makers: tuple[Callable[[Draws], Draft], ...] = (_order, _follows, _day, _larger, _contradiction, _fact, _fact)
    draft = source.random.choice(makers)(source)
    return Draft(draft.prompt, capital(draft.chosen), capital(draft.rejected))
