"""Tasks with a rule that can be checked: one answer keeps it, the other breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from rmeval.trainer.quickstart.chat import topics
from rmeval.trainer.quickstart.text import Draft, Source, capital, read_lines, read_sections, sentences

__all__ = ["RULES", "instruction"]

_FRAMES = (
    "The {a} {animal} {v} the {thing} in the {place}.",
    "A {job} from {town} {v} the {a} {thing}.",
    "{name} {v} a {a} {thing} near the {place}.",
    "In the {place} a {a} {animal} {v} some {food}.",
    "Every morning {name} {v} the {a} {thing}.",
    "The {job} {v} {food} behind the {a} {place}.",
    "{name} {v} the {animal} and the {a} {animal2}.",
)
_KINDS = ("animal", "food", "thing", "place", "job")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def _word(source: Source, kind: str) -> str:
    return source.one(read_sections("words.txt")[kind][0].split())


def _words(source: Source, kind: str, count: int) -> list[str]:
    return source.some(read_sections("words.txt")[kind][0].split(), count, count)


def _sentence(source: Source, **given: str) -> str:
    kinds = ("animal", "food", "thing", "place", "job", "name", "town")
    slots = {kind: _word(source, kind) for kind in kinds} | {"animal2": _word(source, "animal")}
    slots |= {"a": _word(source, "adjective"), "v": _word(source, "verb")} | given
    return source.say(source.random.choice(_FRAMES), slots)


def _story(source: Source, count: int, **given: str) -> list[str]:
    return [_sentence(source, **given) for _ in range(count)]


def _prose(source: Source) -> list[str]:
    topic = source.one(topics())
    return list(topic.steps + topic.background)


def _about(source: Source) -> str:
    return source.one(topics()).name


def _at_most(source: Source) -> Draft:
    topic = source.one(topics())
    short = source.random.choice(topic.steps[:2])
    limit = len(short.split()) + source.number(0, 3)
    rest = [step for step in topic.steps if step != short]
    ask = source.random.choice(
        ("In at most {n} words: {q}", "{q} Use no more than {n} words.", "{q} Keep it under {m} words.")
    )
    prompt = ask.format(n=limit, m=limit + 1, q=source.choose(topic.question))
    return Draft(prompt, short, sentences([short, *rest[: source.number(1, 3)]]))


def _at_least(source: Source) -> Draft:
    topic = source.one(topics())
    whole = sentences(topic.steps)
    least = len(whole.split()) - source.number(0, 5)
    ask = source.random.choice(
        ("{q} Write at least {n} words.", "In {n} words or more: {q}", "{q} I need a text of {n} words at least.")
    )
    return Draft(ask.format(n=least, q=source.choose(topic.question)), whole, source.random.choice(topic.steps))


def _exact_words(source: Source) -> Draft:
    good = _sentence(source)
    words = good.split(" ")
    extra = source.random.choice(([_word(source, "adjective")], [_word(source, "adjective"), "and"], ["very"]))
    bad = " ".join(words[:1] + words[2:]) if source.chance(0.5) else " ".join([*words[:2], *extra, *words[2:]])
    ask = source.random.choice(
        ("Write a sentence of exactly {n} words.", "Give me one sentence with {n} words, no more, no less.")
    )
    count = len(words)
    return Draft(ask.format(n=_NUMBERS[count] if count < 13 and source.chance(0.5) else count), good, capital(bad))


def _exact_sentences(source: Source) -> Draft:
    count, off = source.number(1, 5), source.random.choice((-2, -1, 1, 2))
    other = count + off if count + off > 0 else count + 2
    ask = source.random.choice(("Write exactly {n} about {t}.", "Tell me about {t} in {n}.", "{n} about {t}, please."))
    prompt = ask.format(n=f"{_NUMBERS[count]} sentence{'s' * (count > 1)}", t=_about(source))
    return Draft(capital(prompt), *(sentences(_story(source, number)) for number in (count, other)))


def _exact_items(source: Source) -> Draft:
    count, off = source.number(2, 7), source.random.choice((-2, -1, 1, 2, 3))
    other = max(1, count + off)
    kind = source.random.choice(_KINDS)
    layout = source.random.choice(("bullets", "numbered list", "commas"))

    def lay(words: Sequence[str]) -> str:
        if layout == "commas":
            return ", ".join(words)
        return "\n".join(
            f"{place}. {word}" if layout == "numbered list" else f"- {word}" for place, word in enumerate(words, 1)
        )

    form = {"bullets": "as bullets", "numbered list": "as a numbered list", "commas": "separated by commas"}[layout]
    ask = source.random.choice(
        ("List {n} kinds of {k} {f}.", "Name exactly {n} {k} words, {f}.", "Give me {n} examples of {k}, {f}.")
    )
    number = source.random.choice((str(count), _NUMBERS[count]))
    return Draft(
        ask.format(n=number, k=kind, f=form), lay(_words(source, kind, count)), lay(_words(source, kind, other))
    )


def _one_word(source: Source) -> Draft:
    kind = source.random.choice(_KINDS)
    word = _word(source, kind)
    ask = source.random.choice(
        (
            "Name one {k}. Answer with a single word.",
            "Give me a {k}, one word only.",
            "One word, no explanation: a {k}?",
        )
    )
    bad = source.random.choice(
        (
            "Sure! One {k} is {w}, which many people know.",
            "A good example would be {w}.",
            "{w} is a {k}, and there are others.",
        )
    )
    return Draft(ask.format(k=kind), capital(word), capital(bad.format(k=kind, w=word)))


def _full_sentence(source: Source) -> Draft:
    kind = source.random.choice(_KINDS)
    word = _word(source, kind)
    end = source.random.choice((".", ", please.", " of at least five words."))
    return Draft(
        f"Name one {kind}. Answer in a full sentence{end}", f"One {kind} that I can name is {word}.", capital(word)
    )


def _without(source: Source) -> Draft:
    kind = source.random.choice(("animal", "thing", "place"))
    banned, fine = _words(source, kind, 2)
    count = source.number(1, 3)
    good = [text.replace(banned, fine) for text in _story(source, count, **{kind: fine})]
    bad = _story(source, source.number(1, 3), **{kind: banned})
    if banned not in " ".join(bad).lower():
        bad.append(f"The {banned} is there as well.")
    ask = source.random.choice(
        (
            'Write about {t} without the word "{w}".',
            "Do not use the word {w}. Describe {t}.",
            "Describe {t}; the word '{w}' must not occur.",
        )
    )
    return Draft(ask.format(t=f"a day near the {_word(source, 'place')}", w=banned), sentences(good), sentences(bad))


def _with(source: Source) -> Draft:
    first, second = _word(source, "animal"), _word(source, "thing")
    good = [f"The {first} looks at the {second}.", *_story(source, source.number(0, 2))]
    missing = source.random.choice(
        (f"The {first} looks at the {_word(source, 'thing')}.", f"The {_word(source, 'animal')} looks at the {second}.")
    )
    bad = [missing, *_story(source, source.number(0, 2))]
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


def _begins(source: Source) -> Draft:
    word = capital(
        source.random.choice((_word(source, "animal"), _word(source, "adjective"), "Although", "Perhaps", "Yesterday"))
    )
    rest = _sentence(source)
    good, bad = f"{word}: {rest}", source.random.choice((rest, f"{rest[:-1]}, {word.lower()}.", f"Here it is: {rest}"))
    ask = source.random.choice(
        (
            "Begin your answer with the word {w}. Write one line about anything.",
            'Write a line. The first word must be "{w}".',
        )
    )
    return Draft(ask.format(w=word), good, bad)


def _ends(source: Source) -> Draft:
    word = source.random.choice(
        (_word(source, "thing"), _word(source, "adjective"), "Goodbye", "Over and out", "The end")
    )
    text = sentences(_story(source, source.number(1, 2)))
    bad = source.random.choice((text, f"{capital(word)}. {text}", f"{text} {capital(word)}. Anything else?"))
    ask = source.random.choice(("End your text with: {w}.", 'Finish with the words "{w}" and nothing after them.'))
    return Draft(
        f"Write something short about {_about(source)}. {ask.format(w=capital(word))}", f"{text} {capital(word)}.", bad
    )


def _case(source: Source) -> Draft:
    change, other, name = source.random.choice(
        (
            (str.lower, str, "in lower case only"),
            (str.upper, str, "in capital letters"),
            (str.lower, str.upper, "without any capital letters"),
            (str.upper, str.lower, "all in upper case"),
        )
    )
    count = source.number(1, 2)
    good, bad = sentences(_story(source, count)), sentences(_story(source, source.number(1, 2)))
    return Draft(f"Tell me something about {_about(source)}, {name}.", change(good), other(bad))


def _characters(source: Source) -> Draft:
    parts = [text for text in _prose(source) if "," not in text and not any(letter.isdigit() for letter in text)]
    text = sentences(parts[: source.number(1, 3)] or _story(source, 1))
    longer = sentences(parts[: source.number(1, 3)] or _story(source, 2))
    name, bad = source.random.choice(
        (
            ("commas", longer.replace(" and ", ", and ").replace(" the ", ", well, the ", 1)),
            ("digits", f"{longer} It takes {source.number(2, 90)} minutes."),
            ("exclamation marks", longer[:-1] + "!"),
            ("brackets", f"{longer} (That is all.)"),
            ("question marks", f"{longer} Is that clear?"),
        )
    )
    return Draft(
        f"Give me some advice on {_about(source)}. Do not use any {name}.",
        text,
        bad if bad != longer else longer + ", well.",
    )


def _json(source: Source) -> Draft:
    facts = {"name": _word(source, "name"), "job": _word(source, "job"), "town": _word(source, "town")}
    fields = dict(source.some(list(facts.items()), 2, 3))
    text = "{name} is a {job} in {town}.".format(**facts)
    keys = ", ".join(fields)
    good = json.dumps(fields)
    bad = source.random.choice(
        (
            f"Here is what I found: {text} I hope that this is useful to you.",
            "\n".join(f"{key}: {value}" for key, value in fields.items()),
            json.dumps(dict(list(fields.items())[:-1])),
            good[:-2],
            f"Sure, this is the object you asked for:\n{good}\nIt has the keys {keys}.",
        )
    )
    return Draft(f"{text} Return only a JSON object with the keys {keys}.", good, bad)


def _sorted(source: Source) -> Draft:
    if source.chance(0.5):
        words = _words(source, source.random.choice(_KINDS), source.number(3, 6))
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


def _letter(source: Source) -> Draft:
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


def _only_kind(source: Source) -> Draft:
    kind, other = source.random.sample(_KINDS, 2)
    wanted, rest = _words(source, kind, source.number(2, 3)), _words(source, other, source.number(2, 3))
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


def _language(source: Source) -> Draft:
    names = ("English", "French", "German", "Spanish")
    line = source.one(read_lines("languages.txt"))
    target = source.number(1, 3)
    wrong = source.random.choice([place for place in range(4) if place != target])
    bad = line[wrong] if source.chance(0.6) else source.random.choice(read_lines("languages.txt"))[target]
    if bad == line[target]:
        bad = line[0]
    return Draft(f"Translate into {names[target]}: {line[0]}", line[target], bad)


def _replace(source: Source) -> Draft:
    old, new = _words(source, "animal", 2)
    between = _sentence(source, animal=_word(source, "thing"))
    text = f"The {old} is in the {_word(source, 'place')}. {between} I like the {old}."
    good = text.replace(old, new)
    bad = source.random.choice(
        (text, text.replace(old, new, 1), good.split(". ")[0] + ".", text.replace(old, _word(source, "food")))
    )
    if bad == good:
        bad = text
    return Draft(f"Replace the word {old} by {new} everywhere and change nothing else: {text}", good, bad)


def _form(source: Source) -> Draft:
    name, town, job = (_word(source, kind) for kind in ("name", "town", "job"))
    mark = source.random.choice((" / ", " - ", "; ", " | "))
    good = mark.join((name, town, job))
    bad = source.random.choice(
        (
            f"{name} is a {job} from {town}.",
            mark.join((town, name, job)),
            mark.join((name, job)),
            ", ".join((name, town, job)),
        )
    )
    return Draft(f"{name} works as a {job} in {town}. Write it in the form NAME{mark}TOWN{mark}JOB.", good, bad)


def _yes_no(source: Source) -> Draft:
    kind, other = source.random.sample(_KINDS, 2)
    word = _word(source, kind)
    asked = source.random.choice((kind, other))
    right, wrong = ("Yes", "No") if asked == kind else ("No", "Yes")
    bad = source.random.choice(
        (
            wrong,
            f"{right}, because the word {word} is of the kind {kind}.",
            f"That depends, but I would say {right.lower()}.",
        )
    )
    return Draft(f'Is "{word}" a word of the kind {asked}? Answer only Yes or No.', right, bad)


def _question(source: Source) -> Draft:
    subject = _about(source)
    good = source.random.choice(
        (
            f"What do you find hardest about {subject}?",
            f"Have you ever thought about {subject}?",
            f"When did {subject} first matter to you?",
        )
    )
    bad = source.random.choice(
        (
            _sentence(source),
            f"{capital(subject)}: that is something many people think about.",
            sentences(_prose(source)[:1]),
        )
    )
    return Draft(f"Reply with a question about {subject}, nothing else.", good, bad)


def _subject(source: Source) -> Draft:
    animal, place = _word(source, "animal"), _word(source, "place")
    others = (_word(source, "animal"), _word(source, "place"))
    good, bad = (
        sentences(
            [f"One day the {who} came to the {where}.", *_story(source, source.number(0, 3), animal=who, place=where)]
        )
        for who, where in ((animal, place), others)
    )
    return Draft(f"Write a short story about a {animal} in a {place}.", good, bad)


RULES: tuple[Callable[[Source], Draft], ...] = (
    _at_most,
    _at_most,
    _at_least,
    _at_least,
    _exact_words,
    _exact_sentences,
    _exact_items,
    _one_word,
    _full_sentence,
    _without,
    _with,
    _begins,
    _ends,
    _case,
    _characters,
    _json,
    _sorted,
    _letter,
    _only_kind,
    _language,
    _replace,
    _form,
    _yes_no,
    _question,
    _subject,
)


def instruction(source: Source) -> Draft:
    """A task with a rule: one answer keeps it, the other does not."""
    return source.random.choice(RULES)(source)
