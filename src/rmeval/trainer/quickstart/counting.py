"""Tasks whose rule counts words, sentences or items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rmeval.trainer.quickstart import phrases
from rmeval.trainer.quickstart.chat import topics
from rmeval.trainer.quickstart.text import Draft, Draws, capital, sentences

__all__ = ["COUNTING"]


def _at_most(source: Draws) -> Draft:
    topic = source.one(topics())
    short = source.random.choice(topic.steps[:2])
    limit = len(short.split()) + source.number(0, 3)
    rest = [step for step in topic.steps if step != short]
    ask = source.random.choice(
        ("In at most {n} words: {q}", "{q} Use no more than {n} words.", "{q} Keep it under {m} words.")
    )
    prompt = ask.format(n=limit, m=limit + 1, q=source.choose(topic.question))
    return Draft(prompt, short, sentences([short, *rest[: source.number(1, 3)]]))


def _at_least(source: Draws) -> Draft:
    topic = source.one(topics())
    whole = sentences(topic.steps)
    least = len(whole.split()) - source.number(0, 5)
    ask = source.random.choice(
        ("{q} Write at least {n} words.", "In {n} words or more: {q}", "{q} I need a text of {n} words at least.")
    )
    return Draft(ask.format(n=least, q=source.choose(topic.question)), whole, source.random.choice(topic.steps))


def _exact_words(source: Draws) -> Draft:
    good = phrases.sentence(source)
    words = good.split(" ")
    extra = source.random.choice(
        ([phrases.word(source, "adjective")], [phrases.word(source, "adjective"), "and"], ["very"])
    )
    bad = " ".join(words[:1] + words[2:]) if source.chance(0.5) else " ".join([*words[:2], *extra, *words[2:]])
    ask = source.random.choice(
        ("Write a sentence of exactly {n} words.", "Give me one sentence with {n} words, no more, no less.")
    )
    count = len(words)
    return Draft(
        ask.format(n=phrases.NUMBERS[count] if count < 13 and source.chance(0.5) else count), good, capital(bad)
    )


def _exact_sentences(source: Draws) -> Draft:
    count, off = source.number(1, 5), source.random.choice((-2, -1, 1, 2))
    other = count + off if count + off > 0 else count + 2
    ask = source.random.choice(("Write exactly {n} about {t}.", "Tell me about {t} in {n}.", "{n} about {t}, please."))
    prompt = ask.format(n=f"{phrases.NUMBERS[count]} sentence{'s' * (count > 1)}", t=phrases.about(source))
    return Draft(capital(prompt), *(sentences(phrases.story(source, number)) for number in (count, other)))


def _exact_items(source: Draws) -> Draft:
    count, off = source.number(2, 7), source.random.choice((-2, -1, 1, 2, 3))
    other = max(1, count + off)
    kind = source.random.choice(phrases.KINDS)
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
    number = source.random.choice((str(count), phrases.NUMBERS[count]))
    return Draft(
        ask.format(n=number, k=kind, f=form),
        lay(phrases.words(source, kind, count)),
        lay(phrases.words(source, kind, other)),
    )


def _one_word(source: Draws) -> Draft:
    kind = source.random.choice(phrases.KINDS)
    word = phrases.word(source, kind)
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


def _full_sentence(source: Draws) -> Draft:
    kind = source.random.choice(phrases.KINDS)
    word = phrases.word(source, kind)
    end = source.random.choice((".", ", please.", " of at least five words."))
    return Draft(
        f"Name one {kind}. Answer in a full sentence{end}", f"One {kind} that I can name is {word}.", capital(word)
    )


COUNTING: tuple[Callable[[Draws], Draft], ...] = (
    _at_most,
    _at_least,
    _exact_words,
    _exact_sentences,
    _exact_items,
    _one_word,
    _full_sentence,
)
