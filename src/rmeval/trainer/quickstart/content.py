"""Tasks whose rule says which words the answer is to have."""

from __future__ import annotations

from collections.abc import Callable

from rmeval.trainer.quickstart import phrases
from rmeval.trainer.quickstart.text import Draft, Draws, read_lines, read_sections, sentences

__all__ = ["CONTENT"]


def _without(source: Draws) -> Draft:
    kind = source.random.choice(("animal", "thing", "place"))
    banned, fine = phrases.words(source, kind, 2)
    count = source.number(1, 3)
    good = [text.replace(banned, fine) for text in phrases.story(source, count, **{kind: fine})]
    bad = phrases.story(source, source.number(1, 3), **{kind: banned})
    if banned not in " ".join(bad).lower():
        bad.append(f"The {banned} is there as well.")
    ask = source.random.choice(
        (
            'Write about {t} without the word "{w}".',
            "Do not use the word {w}. Describe {t}.",
            "Describe {t}; the word '{w}' must not occur.",
        )
    )
    return Draft(
        ask.format(t=f"a day near the {phrases.word(source, 'place')}", w=banned), sentences(good), sentences(bad)
    )


def _with(source: Draws) -> Draft:
    first, second = phrases.word(source, "animal"), phrases.word(source, "thing")
    good = [f"The {first} looks at the {second}.", *phrases.story(source, source.number(0, 2))]
    missing = source.random.choice(
        (
            f"The {first} looks at the {phrases.word(source, 'thing')}.",
            f"The {phrases.word(source, 'animal')} looks at the {second}.",
        )
    )
    bad = [missing, *phrases.story(source, source.number(0, 2))]
    source.random.shuffle(good)
    source.random.shuffle(bad)
    ask = source.random.choice(
        (
            "Write a text that contains the words {a} and {b}.",
            "Use both {a} and {b} in your answer.",
            'Make up something with "{a}" and "{b}".',
        )
    )
    return Draft(ask.format(a=first, b=second), sentences(good), sentences(bad))


def _sorted(source: Draws) -> Draft:
    if source.chance(0.5):
        words = phrases.words(source, source.random.choice(phrases.KINDS), source.number(3, 6))
        down, what = source.chance(0.3), "alphabetically"
        good = sorted(words, reverse=down)
        what = "from Z to A" if down else "alphabetically"
    else:
        numbers = source.random.sample(range(1, 200), source.number(3, 6))
        down = source.chance(0.5)
        words = [str(number) for number in numbers]
        good = [str(number) for number in sorted(numbers, reverse=down)]
        what = "from the largest to the smallest" if down else "in rising order"
    bad = [*good]
    while bad == good:
        first = source.number(0, len(bad) - 2)
        bad[first], bad[first + 1] = bad[first + 1], bad[first]
        if source.chance(0.3):
            bad = [*words] if words != good else bad[::-1]
    return Draft(f"Sort {what}: {', '.join(words)}", ", ".join(good), ", ".join(bad))


def _letter(source: Draws) -> Draft:
    kind = source.random.choice(("animal", "food", "thing", "place", "job", "adjective"))
    every = read_sections("words.txt")[kind][0].split()
    letter = source.random.choice([word[0] for word in every])
    fitting = [word for word in every if word[0] == letter]
    others = [word for word in every if word[0] != letter]
    count = min(len(fitting), source.number(1, 4))
    good = source.random.sample(fitting, count)
    bad = [*source.random.sample(fitting, count - 1), source.random.choice(others)]
    source.random.shuffle(bad)
    return Draft(f"Name {kind} words that begin with the letter {letter.upper()}.", ", ".join(good), ", ".join(bad))


def _only_kind(source: Draws) -> Draft:
    kind, other = source.random.sample(phrases.KINDS, 2)
    wanted, rest = phrases.words(source, kind, source.number(2, 3)), phrases.words(source, other, source.number(2, 3))
    mixed = source.random.sample([*wanted, *rest], len(wanted) + len(rest))
    good = [word for word in mixed if word in wanted]
    bad = source.random.choice(
        ([word for word in mixed if word in rest], [*good[:-1], rest[0]], mixed, good[:-1] or rest)
    )
    ask = source.random.choice(
        (
            "Which of these belong to the group {k}?",
            "Copy only the {k} words.",
            "Leave out everything that is not of the kind {k}.",
        )
    )
    return Draft(f"{ask.format(k=kind)} {', '.join(mixed)}", ", ".join(good), ", ".join(bad))


def _language(source: Draws) -> Draft:
    names = ("English", "French", "German", "Spanish")
    line = source.one(read_lines("languages.txt"))
    target = source.number(1, 3)
    wrong = source.random.choice([place for place in range(4) if place != target])
    bad = line[wrong] if source.chance(0.6) else source.random.choice(read_lines("languages.txt"))[target]
    if bad == line[target]:
        bad = line[0]
    return Draft(f"Translate into {names[target]}: {line[0]}", line[target], bad)


def _replace(source: Draws) -> Draft:
    old, new = phrases.words(source, "animal", 2)
    between = phrases.sentence(source, animal=phrases.word(source, "thing"))
    text = f"The {old} is in the {phrases.word(source, 'place')}. {between} I like the {old}."
    good = text.replace(old, new)
    bad = source.random.choice(
        (text, text.replace(old, new, 1), good.split(". ")[0] + ".", text.replace(old, phrases.word(source, "food")))
    )
    if bad == good:
        bad = text
    return Draft(f"Replace the word {old} by {new} everywhere and change nothing else: {text}", good, bad)


def _subject(source: Draws) -> Draft:
    animal, place = phrases.word(source, "animal"), phrases.word(source, "place")
    others = (phrases.word(source, "animal"), phrases.word(source, "place"))
    good, bad = (
        sentences(
            [
                f"One day the {who} came to the {where}.",
                *phrases.story(source, source.number(0, 3), animal=who, place=where),
            ]
        )
        for who, where in ((animal, place), others)
    )
    return Draft(f"Write a short story about a {animal} in a {place}.", good, bad)


CONTENT: tuple[Callable[[Draws], Draft], ...] = (
    _without,
    _with,
    _sorted,
    _letter,
    _only_kind,
    _language,
    _replace,
    _subject,
)
