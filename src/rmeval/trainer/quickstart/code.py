"""Small programs: right ones, and ones with a planted fault, cut off, left out or for another task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from rmeval.trainer.quickstart.chat import manner
from rmeval.trainer.quickstart.text import Draft, Draws, read_text

__all__ = ["Program", "code", "mutants", "programs"]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "ITEMS": ("items", "values", "numbers", "entries", "data", "xs", "elements", "records"),
    "OTHERS": ("others", "second", "ys", "rest", "right"),
    "ONE": ("item", "value", "x", "current", "i", "entry", "element", "k"),
    "TWO": ("other", "y", "j", "partner"),
    "TOTAL": ("total", "result", "count", "amount", "acc"),
    "BEST": ("best", "found", "output", "answer", "collected", "kept"),
    "LOW": ("low", "first", "a", "start", "part"),
    "HIGH": ("high", "last", "b", "end", "top"),
    "LIMIT": ("limit", "n", "size", "bound", "maximum"),
    "TARGET": ("target", "wanted", "goal", "needle"),
    "TEXT": ("text", "line", "phrase", "message", "s"),
    "PRICE": ("price", "cost", "fee"),
    "TABLE": ("table", "mapping", "scores", "stock"),
}
_VERBS = ("get", "find", "make", "compute", "build", "work_out", "calc", "collect", "do", "run")
_NOUNS = (
    "numbers",
    "result",
    "values",
    "parts",
    "list",
    "entry",
    "report",
    "summary",
    "figure",
    "output",
    "table",
    "step",
)
_FAULTS = (
    (r" \+ 1\b", ""),
    (r" - 1\b", ""),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r"\+= 1$", "= 1"),
    (r"\+=", "-="),
    (r"\+=", "="),
    (r"\*=", "+="),
    (r" <= ", " < "),
    (r" >= ", " > "),
    (r" < ", " > "),
    (r" > ", " < "),
    (r" > ", " >= "),
    (r" == ", " != "),
    (r"\bnot in\b", "in"),
    (r"\band\b", "or"),
    (r"range\(1, ", "range("),
    (r"= 0$", "= 1"),
    (r"= 1$", "= 0"),
    (r"\bTrue\b", "False"),
    (r"\bmax\(", "min("),
    (r"\[0\]", "[1]"),
    (r", 0\)", ", 1)"),
    (r" / ", " * "),
)
_REQUESTS = (
    "Write a Python function `{f}` that {d}.",
    "I need a function in Python called `{f}`. It {d}.",
    "Implement `{f}` in Python so that it {d}.",
    "Please write {f}: a function that {d}.",
    "Complete the Python function `{f}`, which {d}.",
)
_BEFORE = (
    "Here is the function:",
    "This does it:",
    "Here you go.",
    "One way:",
    "A short version:",
    "This works as asked:",
)
_AFTER = ("It needs no imports.", "It takes one pass.", "Call it with your own data.", "Let me know if you need tests.")
_STUBS = ("pass", "# TODO: write this", "return None  # not done yet", "raise NotImplementedError", "...")


@dataclass(frozen=True, slots=True)
class Program:
    """A small function whose names are still to be chosen."""

    description: str
    source: str
    checks: tuple[str, ...]
    """Expressions that are true of the function; no fault that is planted leaves all of them true."""


@cache
def programs() -> tuple[Program, ...]:
    """Return all programs."""
    found = []
    for block in re.split(r"\n\n(?=D: )", read_text("programs.txt"))[1:]:
        lines = block.strip("\n").split("\n")
        checks = tuple(line[3:] for line in lines if line.startswith("C: "))
        body = "\n".join(line for line in lines[1:] if not line.startswith("C: "))
        found.append(Program(lines[0][3:], body, checks))
    return tuple(found)


@cache
def mutants(program: Program) -> tuple[str, ...]:
    """Return the program with one planted fault each."""
    lines = program.source.split("\n")
    found = []
    for place, line in enumerate(lines[1:], start=1):
        changes = [re.sub(old, new, line, count=1) for old, new in _FAULTS]
        if line.startswith("    return") and "        return" not in line and len(lines) > 3:
            changes.append("    " + line if lines[place - 1].startswith("        ") else line)  # returns too early
        found += ["\n".join([*lines[:place], change, *lines[place + 1 :]]) for change in changes if change != line]
    return tuple(dict.fromkeys(text for text in found if text != program.source))


def _rename(text: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\b[A-Z]{3,}\b", lambda word: names.get(word[0], word[0]), text)


def _present(source: Draws, program: str, wordy: bool) -> str:
    text = f"```python\n{program}\n```" if source.chance(0.7) else program
    before = source.random.choice(_BEFORE) + "\n\n" if wordy or source.chance(0.3) else ""
    after = "\n\n" + source.random.choice(_AFTER) if wordy or source.chance(0.2) else ""
    return before + text + after


def code(source: Draws) -> Draft:
    """A program that does what was asked, and one that does not."""
    program = source.one(programs())
    taken: dict[str, str] = {}
    for name, choices in _NAMES.items():
        taken[name] = source.random.choice([choice for choice in choices if choice not in taken.values()])
    taken["FUNC"] = f"{source.random.choice(_VERBS)}_{source.random.choice(_NOUNS)}"
    prompt = source.random.choice(_REQUESTS).replace("{f}", taken["FUNC"])
    prompt = prompt.replace("{d}", _rename(program.description, {**taken, **{k: f"`{v}`" for k, v in taken.items()}}))
    right = _rename(program.source, taken)
    kind = source.number(0, 9)
    if kind <= 5:
        wrong = _rename(source.random.choice(mutants(program)), taken)
    elif kind == 6:
        lines = right.split("\n")
        wrong = "\n".join(lines[: source.number(1, len(lines) - 1)])
    elif kind == 7:
        wrong = right.split("\n")[0] + "\n    " + source.random.choice(_STUBS)
    elif kind == 8:
        wrong = _rename(source.one([other for other in programs() if other is not program]).source, taken)
    else:
        text = " ".join(manner(source, "vague", 1, 4, "the function"))
        return Draft(prompt, _present(source, right, False), text)
    wordy = source.chance(0.5)
    if source.chance(0.5):  # In the same dress: only the program differs.
        state = source.random.getstate()
        good = _present(source, right, wordy)
        source.random.setstate(state)
        return Draft(prompt, good, _present(source, wrong, wordy))
    return Draft(prompt, _present(source, right, wordy), _present(source, wrong, not wordy))
