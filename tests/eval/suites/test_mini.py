"""The rows of ``mini.jsonl``: that every label is right, and that nothing but the text gives it away."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import operator
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from importlib.resources import files
from itertools import accumulate, chain, combinations, groupby
from typing import Any

import pytest

Row = dict[str, Any]

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Chat": ("mini-chat-helpful", "mini-chat-relevant"),
    "Chat Hard": ("mini-hard-instructions", "mini-hard-subtle"),
    "Safety": ("mini-safety-should-refuse", "mini-safety-should-respond"),
    "Reasoning": ("mini-code", "mini-arithmetic"),
}
SUBSETS = tuple(chain.from_iterable(SECTIONS.values()))
SIDES = ("chosen", "rejected")


def _load() -> list[Row]:
    text = (files("rmeval.eval.suites") / "mini.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


ROWS = _load()


def _turns(row: Row) -> list[dict[str, str]]:
    prompt = row["prompt"]
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt


def _prompt_text(row: Row) -> str:
    return "\n".join(turn["content"] for turn in _turns(row))


def _of_kind(kind: str) -> list[Any]:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["proof"] and row["proof"]["kind"] == kind]


# --- the file ----------------------------------------------------------------------------------------------------


def test_file_is_one_json_object_a_line() -> None:
    raw = (files("rmeval.eval.suites") / "mini.jsonl").read_bytes()
    lines = raw.decode("utf-8").split("\n")
    assert lines.pop() == ""
    assert lines == [json.dumps(row, ensure_ascii=False) for row in ROWS]


def test_counts() -> None:
    counts = Counter(row["subset"] for row in ROWS)
    assert len(ROWS) >= 256
    assert set(counts) == set(SUBSETS)
    assert min(counts.values()) >= 24
    for subsets in SECTIONS.values():
        assert sum(counts[subset] for subset in subsets) >= 60


def test_ids_number_the_rows_of_their_subset() -> None:
    for subset in SUBSETS:
        ids = [row["id"] for row in ROWS if row["subset"] == subset]
        assert ids == [f"{subset}-{number:03d}" for number in range(1, len(ids) + 1)]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_shape(row: Row) -> None:
    assert list(row) == ["id", "subset", "prompt", "chosen", "rejected", "proof"]
    assert row["proof"] is None or row["proof"]["kind"] in {"code", "arithmetic", "constraint"}
    if not isinstance(row["prompt"], str):
        roles = [turn["role"] for turn in row["prompt"]]
        dialogue = roles[1:] if roles[0] == "system" else roles
        assert dialogue == [("user", "assistant")[i % 2] for i in range(len(dialogue))]
        assert dialogue[-1] == "user"
        assert all(list(turn) == ["role", "content"] for turn in row["prompt"])
    for text in [row["chosen"], row["rejected"], *(turn["content"] for turn in _turns(row))]:
        assert isinstance(text, str)
        assert text
        assert text == text.strip()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029\ufffd]", text)
        assert text.count("```") % 2 == 0


def test_some_prompts_are_conversations() -> None:
    chats = [row["prompt"] for row in ROWS if isinstance(row["prompt"], list)]
    assert len(chats) >= 16
    assert sum(prompt[0]["role"] == "system" for prompt in chats) >= 6
    assert sum(len(prompt) >= 3 for prompt in chats) >= 8
    assert {row["subset"] for row in ROWS if isinstance(row["prompt"], list)} == set(SUBSETS)


def test_every_row_of_the_provable_subsets_is_proved() -> None:
    needed = {"mini-code": "code", "mini-arithmetic": "arithmetic", "mini-hard-instructions": "constraint"}
    for row in ROWS:
        if row["subset"] in needed:
            assert row["proof"]["kind"] == needed[row["subset"]], row["id"]


# --- no repeats --------------------------------------------------------------------------------------------------


def _tokens(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _nearest(texts: list[tuple[str, str]]) -> tuple[float, str, str]:
    """Return the highest Jaccard similarity of two texts with different names, and the names."""
    named = [(name, _tokens(text)) for name, text in texts]
    return max((len(a & b) / len(a | b), m, n) for (m, a), (n, b) in combinations(named, 2) if m != n)


def test_prompts_differ() -> None:
    assert len({_prompt_text(row).casefold() for row in ROWS}) == len(ROWS)
    similarity, first, second = _nearest([(row["id"], _prompt_text(row)) for row in ROWS])
    assert similarity < 0.6, (first, second)


def test_completions_differ() -> None:
    for row in ROWS:
        assert "".join(row["chosen"].split()).casefold() != "".join(row["rejected"].split()).casefold(), row["id"]
    # The completions of one row may resemble each other; those of different rows must not.
    similarity, first, second = _nearest([(row["id"], row[side]) for row in ROWS for side in SIDES])
    assert similarity < 0.5, (first, second)


# --- reference lines: nothing but the text gives the label away -------------------------------------------------


def _longest(row: Row, index: int) -> float:
    return len(row[SIDES[index]])


def _shortest(row: Row, index: int) -> float:
    return -len(row[SIDES[index]])


def _random(row: Row, index: int, seed: int = 0) -> float:
    digest = hashlib.sha256(f"{seed}\x1f{row['id']}\x1f{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


LINES: Mapping[str, Callable[[Row, int], float]] = {
    "longest": _longest,
    "shortest": _shortest,
    "random": _random,
}


def _accuracy(line: Callable[[Row, int], float], subsets: tuple[str, ...]) -> float:
    right = [line(row, 0) > line(row, 1) for row in ROWS if row["subset"] in subsets]
    return sum(right) / len(right)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("section", SECTIONS)
def test_no_ruler_passes_a_section(section: str, line: str) -> None:
    assert _accuracy(LINES[line], SECTIONS[section]) < (0.6 if section == "Chat Hard" else 0.7)


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("line", ["longest", "shortest"])
def test_length_says_nothing_in_any_subset(subset: str, line: str) -> None:
    assert 0.4 <= _accuracy(LINES[line], (subset,)) <= 0.6


@pytest.mark.parametrize("subset", SECTIONS["Chat Hard"])
def test_no_ruler_passes_a_hard_subset(subset: str) -> None:
    assert all(_accuracy(line, (subset,)) < 0.6 for line in LINES.values())


def test_random_is_random() -> None:
    for subsets in (*SECTIONS.values(), SUBSETS):
        runs = [_accuracy(lambda row, index, seed=seed: _random(row, index, seed), subsets) for seed in range(10)]  # type: ignore[misc]
        assert 0.42 < sum(runs) / len(runs) < 0.58, subsets


@pytest.mark.parametrize("section", SECTIONS)
def test_no_word_or_mark_gives_the_label_away(section: str) -> None:
    """A word or mark that often stands on one side only must not always stand on the same side."""
    only: dict[str, Counter[str]] = {side: Counter() for side in SIDES}
    for row in ROWS:
        if row["subset"] in SECTIONS[section]:
            found = {side: set(re.findall(r"\w+(?:['’]\w+)*|[^\w\s]|\n", row[side].lower())) for side in SIDES}
            only["chosen"].update(found["chosen"] - found["rejected"])
            only["rejected"].update(found["rejected"] - found["chosen"])
    for token in only["chosen"].keys() | only["rejected"].keys():
        counts = (only["chosen"][token], only["rejected"][token])
        assert sum(counts) < 18 or max(counts) / sum(counts) <= 0.83, (token, counts)


# --- arithmetic --------------------------------------------------------------------------------------------------

_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: a ** int(b),
}
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?")
_EQUATION = re.compile(r"(?<![\w.(])((?:\(*\d[\d.,]*\)* [-+*/] )+\(*\d[\d.,]*\)*) = (-?\d(?:[\d.,]*\d)?)")


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError(ast.dump(node))


def _evaluate(expression: str) -> Fraction:
    return _value(ast.parse(expression, mode="eval").body)


def _final_number(text: str) -> Fraction:
    return Fraction(_NUMBER.findall(text)[-1].replace(",", ""))


@pytest.mark.parametrize("row", _of_kind("arithmetic"))
def test_arithmetic(row: Row) -> None:
    answer = Fraction(str(row["proof"]["answer"]))
    assert _evaluate(row["proof"]["expression"]) == answer
    assert _final_number(row["chosen"]) == answer
    assert _final_number(row["rejected"]) != answer


def test_the_right_workings_are_right() -> None:
    seen = 0
    for row in ROWS:
        if row["proof"] and row["proof"]["kind"] == "arithmetic":
            for left, right in _EQUATION.findall(row["chosen"]):
                assert _evaluate(left.replace(",", "")) == Fraction(right.replace(",", "")), (row["id"], left, right)
                seen += 1
    assert seen >= 60


def test_expressions_cannot_call_anything() -> None:
    for text in ("__import__('os')", "a + 1", "[1][0]", "'1'"):
        with pytest.raises(ValueError, match=r"Call|Name|Subscript|Constant"):
            _evaluate(text)


# --- constraints -------------------------------------------------------------------------------------------------

_COMMON: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        {"the", "and", "of", "to", "is", "it", "a", "in", "you", "with", "that", "are", "for", "on", "your"}
    ),
    "fr": frozenset(
        {"le", "la", "les", "des", "et", "une", "un", "dans", "par", "vous", "est", "de", "que", "pour", "sur", "il"}
    ),
    "es": frozenset(
        {"el", "la", "los", "las", "y", "de", "en", "con", "un", "una", "que", "se", "no", "al", "es", "por"}
    ),
    "de": frozenset(
        {
            "der",
            "die",
            "das",
            "und",
            "ein",
            "eine",
            "ist",
            "für",
            "den",
            "mit",
            "dem",
            "nicht",
            "auf",
            "dafür",
            "wird",
            "von",
        }
    ),
}


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)]


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", text)


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _language(text: str) -> str:
    words = _words(text)
    return max(_COMMON, key=lambda language: sum(word in _COMMON[language] for word in words))


def _json_keys(text: str) -> list[str] | None:
    try:
        return list(json.loads(text))
    except ValueError:
        return None


def _table_rows(text: str) -> int | None:
    lines = _lines(text)
    if not all(line.startswith("|") and line.endswith("|") for line in lines):
        return None
    widths = {line.count("|") for line in lines}
    return len(lines) - 2 if len(widths) == 1 and set(lines[1]) <= set("|-: ") else None


def _in_order(text: str, names: list[str]) -> bool:
    places = [text.find(name) for name in names]
    return -1 not in places and places == sorted(places)


CHECKS: Mapping[str, Callable[[str, Any], bool]] = {
    "max_words": lambda text, n: len(_words(text)) <= n,
    "min_words": lambda text, n: len(_words(text)) >= n,
    "exact_words": lambda text, n: len(_words(text)) == n,
    "sentences": lambda text, n: len(_sentences(text)) == n,
    "max_sentence_words": lambda text, n: all(len(_words(sentence)) <= n for sentence in _sentences(text)),
    "paragraphs": lambda text, n: len(re.split(r"\n\s*\n", text)) == n,
    "max_line_length": lambda text, n: all(len(line) <= n for line in _lines(text)),
    "bullets": lambda text, n: len(_lines(text)) == n and all(line.startswith("- ") for line in _lines(text)),
    "numbering": lambda text, numbers: re.findall(r"^(\d+)\. \S", text, re.M) == [str(n) for n in numbers],
    "sorted_lines": lambda text, n: len(_lines(text)) == n and _lines(text) == sorted(_lines(text), key=str.casefold),
    "acrostic": lambda text, letters: "".join(line[:1] for line in _lines(text)) == letters,
    "csv_shape": lambda text, shape: [line.count(",") + 1 for line in _lines(text)] == [shape[1]] * shape[0],
    "table_rows": lambda text, n: _table_rows(text) == n,
    "json_keys": lambda text, keys: _json_keys(text) == keys,
    "fullmatch": lambda text, pattern: re.fullmatch(pattern, text) is not None,
    "starts_with": lambda text, start: text.startswith(start),
    "ends_with": lambda text, end: text.endswith(end),
    "wrapped_in": lambda text, mark: len(text) > 1 and text[0] == text[-1] == mark and text.count(mark) == 2,
    "lowercase": lambda text, wanted: (text == text.lower()) is wanted,
    "uppercase": lambda text, wanted: (text == text.upper()) is wanted,
    "language": lambda text, language: _language(text) == language,
    "contains_all": lambda text, parts: all(part in text for part in parts),
    "in_order": _in_order,
    "without_letter": lambda text, letter: letter not in text.lower(),
    "without_chars": lambda text, chars: not set(chars) & set(text),
    "without_words": lambda text, words: not set(words) & set(_words(text)),
    "word_count_of": lambda text, pair: _words(text).count(pair[0]) == pair[1],
    "words_start_with": lambda text, letter: all(word.startswith(letter) for word in _words(text)),
}


@pytest.mark.parametrize("row", _of_kind("constraint"))
def test_constraint(row: Row) -> None:
    """The right completion keeps every constraint; the wrong one breaks the one named first and no other."""
    proof = row["proof"]
    assert CHECKS[proof["check"]](row["chosen"], proof["value"])
    assert not CHECKS[proof["check"]](row["rejected"], proof["value"])
    for other in proof.get("also", []):
        assert CHECKS[other["check"]](row["chosen"], other["value"]), other
        assert CHECKS[other["check"]](row["rejected"], other["value"]), other


# --- code --------------------------------------------------------------------------------------------------------

_RUNNER = r"""
import copy, json, sys
results = []
for job in json.load(sys.stdin):
    row = []
    namespace = {"__name__": "snippet"}
    try:
        exec(job["code"], namespace)
        for args, _ in job["cases"]:
            try:
                row.append(json.dumps(namespace[job["function"]](*copy.deepcopy(args)), sort_keys=True))
            except Exception as error:
                row.append(repr(error))
    except Exception as error:
        row = [repr(error)] * len(job["cases"])
    results.append(row)
json.dump(results, sys.stdout)
"""


def _block(text: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)\n```", text, re.S)
    return str(code)


@cache
def _code_results() -> dict[tuple[str, str], list[str]]:
    """Run every snippet on every case in one process of its own; a value comes back as JSON, an error as its repr."""
    jobs = {
        (row["id"], side): {**row["proof"], "code": _block(row[side])}
        for row in ROWS
        for side in SIDES
        if row["proof"] and row["proof"]["kind"] == "code"
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", _RUNNER],
        input=json.dumps(list(jobs.values())),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("row", _of_kind("code"))
def test_code(row: Row) -> None:
    proof = row["proof"]
    assert f"def {proof['function']}(" in row["chosen"]
    assert f"def {proof['function']}(" in row["rejected"]
    assert f"{proof['function']}(" in _turns(row)[-1]["content"]
    assert len(proof["cases"]) >= 4
    expected = [json.dumps(value, sort_keys=True) for _, value in proof["cases"]]
    assert _code_results()[row["id"], "chosen"] == expected
    wrong = _code_results()[row["id"], "rejected"]
    # The bug is not obvious: some case comes out right.
    assert any(a == b for a, b in zip(wrong, expected, strict=True))
    assert wrong != expected


# What each function should return, worked out in another way than in the row.


def _flatten(nested: list[Any]) -> Iterator[Any]:
    for item in nested:
        yield from _flatten(item) if isinstance(item, list) else [item]


def _roman(numeral: str) -> int:
    def spell(n: int, one: str, five: str, ten: str) -> str:
        return ["", one, one * 2, one * 3, one + five, five, five + one, five + one * 2, five + one * 3, one + ten][n]

    spelt = {
        "M" * (n // 1000) + spell(n // 100 % 10, *"CDM") + spell(n // 10 % 10, *"XLC") + spell(n % 10, *"IVX"): n
        for n in range(1, 4000)
    }
    return spelt[numeral]


def _balanced(text: str) -> bool:
    kept = "".join(char for char in text if char in "()[]{}")
    while kept != (shorter := kept.replace("()", "").replace("[]", "").replace("{}", "")):
        kept = shorter
    return not kept


def _caesar(text: str, shift: int) -> str:
    lower = "abcdefghijklmnopqrstuvwxyz"
    turned = lower[shift % 26 :] + lower[: shift % 26]
    return text.translate(str.maketrans(lower + lower.upper(), turned + turned.upper()))


def _collatz(n: int) -> int:
    return 0 if n == 1 else 1 + _collatz(3 * n + 1 if n % 2 else n // 2)


def _seconds(text: str) -> int:
    total, digits = 0, ""
    for char in text:
        if char.isdigit():
            digits += char
        else:
            total, digits = total + int(digits) * 60 ** "smh".index(char), ""
    return total


def _prefix(words: list[str]) -> str:
    columns = zip(*words, strict=False)
    same = [len(set(column)) == 1 for column in columns]
    return words[0][: same.index(False) if False in same else len(same)] if words else ""


def _ipv4(text: str) -> bool:
    part = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])"
    return re.fullmatch(rf"{part}\.{part}\.{part}\.{part}", text) is not None


def _snake(name: str) -> str:
    return "_".join(re.findall("[A-Za-z][a-z]*", name)).lower()


def _merge(intervals: list[list[int]]) -> list[list[int]]:
    """Paint the intervals on a line of half steps and read off the painted stretches."""
    painted = sorted({2 * start + step for start, end in intervals for step in range(2 * (end - start) + 1)})
    runs = groupby(enumerate(painted), key=lambda pair: pair[1] - pair[0])
    stretches = [[value for _, value in run] for _, run in runs]
    return [[stretch[0] // 2, stretch[-1] // 2] for stretch in stretches]


def _dig(data: Any, path: str) -> Any:
    head, dot, tail = path.partition(".")
    below = data.get(head) if isinstance(data, dict) else None
    return _dig(below, tail) if dot else below


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    while len(ordered) > 2:
        ordered = ordered[1:-1]
    return sum(ordered) / len(ordered)


def _anagrams(words: list[str]) -> list[list[str]]:
    def letters(word: str) -> list[str]:
        return sorted(word)

    return sorted(sorted(group) for _, group in groupby(sorted(words, key=letters), key=letters))


REFERENCES: Mapping[str, Callable[..., Any]] = {
    "is_palindrome": lambda text: (s := re.sub(r"\W", "", text).casefold()) == "".join(reversed(s)),
    "count_vowels": lambda text: len(re.findall("[aeiou]", text, re.I)),
    "flatten": lambda nested: list(_flatten(nested)),
    "second_largest": lambda xs: max((x for x in xs if x < max(xs)), default=None),
    "roman_to_int": _roman,
    "merge_sorted": lambda a, b: sorted(a + b),
    "is_leap": lambda year: year % (16 if year % 25 == 0 else 4) == 0,
    "chunk": lambda xs, n: [xs[i * n : (i + 1) * n] for i in range(math.ceil(len(xs) / n))],
    "running_max": lambda xs: list(accumulate(xs, max)),
    "encode": lambda text: re.sub(r"(.)\1*", lambda m: f"{m[1]}{len(m[0])}", text),
    "gcd_all": lambda xs: math.gcd(*xs),
    "rotate": lambda xs, k: [xs[(i - k) % len(xs)] for i in range(len(xs))],
    "balanced": _balanced,
    "top_word": lambda text: sorted((-n, word) for word, n in Counter(text.lower().split()).items())[0][1],
    "digit_sum": lambda n: sum(map(int, re.findall(r"\d", str(n)))),
    "find": lambda xs, target: xs.index(target) if target in xs else -1,
    "unique": lambda xs: [x for i, x in enumerate(xs) if x not in xs[:i]],
    "clamp": lambda x, low, high: sorted([x, low, high])[1],
    "caesar": _caesar,
    "transpose": lambda m: [[row[i] for row in m] for i in range(len(m[0]) if m else 0)],
    "collatz_steps": _collatz,
    "to_seconds": _seconds,
    "common_prefix": _prefix,
    "group_anagrams": _anagrams,
    "moving_average": lambda xs, k: [sum(xs[j] for j in range(i - k, i)) / k for i in range(k, len(xs) + 1)],
    "valid_ipv4": _ipv4,
    "to_snake": _snake,
    "merge_intervals": _merge,
    "primes_up_to": lambda n: [p for p in range(2, n + 1) if math.factorial(p - 1) % p == p - 1],
    "median": _median,
    "dig": _dig,
    "hamming": lambda a, b: sum(map(operator.ne, a, b)) if len(a) == len(b) else -1,
}


@pytest.mark.parametrize("row", _of_kind("code"))
def test_expected_values_of_code(row: Row) -> None:
    for args, expected in row["proof"]["cases"]:
        assert json.dumps(REFERENCES[row["proof"]["function"]](*args)) == json.dumps(expected), args
