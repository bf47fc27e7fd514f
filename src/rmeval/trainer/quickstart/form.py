"""Tasks whose rule says how the answer is to look."""

from __future__ import annotations

import json
from collections.abc import Callable

from rmeval.trainer.quickstart import phrases
from rmeval.trainer.quickstart.text import Draft, Draws, capital, sentences

__all__ = ["FORM"]


def _begins(source: Draws) -> Draft:
    word = capital(
        source.random.choice(
            (phrases.word(source, "animal"), phrases.word(source, "adjective"), "Although", "Perhaps", "Yesterday")
        )
    )
    rest = phrases.sentence(source)
    good, bad = f"{word}: {rest}", source.random.choice((rest, f"{rest[:-1]}, {word.lower()}.", f"Here it is: {rest}"))
    ask = source.random.choice(
        (
            "Begin your answer with the word {w}. Write one line about anything.",
            'Write a line. The first word must be "{w}".',
        )
    )
    return Draft(ask.format(w=word), good, bad)


def _ends(source: Draws) -> Draft:
    word = source.random.choice(
        (phrases.word(source, "thing"), phrases.word(source, "adjective"), "Goodbye", "Over and out", "The end")
    )
    text = sentences(phrases.story(source, source.number(1, 2)))
    bad = source.random.choice((text, f"{capital(word)}. {text}", f"{text} {capital(word)}. Anything else?"))
    ask = source.random.choice(("End your text with: {w}.", 'Finish with the words "{w}" and nothing after them.'))
    return Draft(
        f"Write something short about {phrases.about(source)}. {ask.format(w=capital(word))}",
        f"{text} {capital(word)}.",
        bad,
    )


def _case(source: Draws) -> Draft:
    change, other, name = source.random.choice(
        (
            (str.lower, str, "in lower case only"),
            (str.upper, str, "in capital letters"),
            (str.lower, str.upper, "without any capital letters"),
            (str.upper, str.lower, "all in upper case"),
        )
    )
    count = source.number(1, 2)
    good, bad = sentences(phrases.story(source, count)), sentences(phrases.story(source, source.number(1, 2)))
    return Draft(f"Tell me something about {phrases.about(source)}, {name}.", change(good), other(bad))


def _characters(source: Draws) -> Draft:
    parts = [text for text in phrases.prose(source) if "," not in text and not any(letter.isdigit() for letter in text)]
    text = sentences(parts[: source.number(1, 3)] or phrases.story(source, 1))
    longer = sentences(parts[: source.number(1, 3)] or phrases.story(source, 2))
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
        f"Give me some advice on {phrases.about(source)}. Do not use any {name}.",
        text,
        bad if bad != longer else longer + ", well.",
    )


def _json(source: Draws) -> Draft:
    facts = {
        "name": phrases.word(source, "name"),
        "job": phrases.word(source, "job"),
        "town": phrases.word(source, "town"),
    }
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


def _form(source: Draws) -> Draft:
    name, town, job = (phrases.word(source, kind) for kind in ("name", "town", "job"))
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


def _yes_no(source: Draws) -> Draft:
    kind, other = source.random.sample(phrases.KINDS, 2)
    word = phrases.word(source, kind)
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


def _question(source: Draws) -> Draft:
    subject = phrases.about(source)
    good = source.random.choice(
        (
            f"What do you find hardest about {subject}?",
            f"Have you ever thought about {subject}?",
            f"When did {subject} first matter to you?",
        )
    )
    bad = source.random.choice(
        (
            phrases.sentence(source),
            f"{capital(subject)}: that is something many people think about.",
            sentences(phrases.prose(source)[:1]),
        )
    )
    return Draft(f"Reply with a question about {subject}, nothing else.", good, bad)


FORM: tuple[Callable[[Draws], Draft], ...] = (
    _begins,
    _ends,
    _case,
    _characters,
    _json,
    _form,
    _yes_no,
    _question,
)
