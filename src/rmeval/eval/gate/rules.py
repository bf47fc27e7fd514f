"""What the gate is asked: rules for a drop, floors without a baseline, and the files that hold them.

A rule is ``KIND:LIMIT`` or ``KIND:NAME:LIMIT``, as in pytest-benchmark's ``mean:5%``::

    overall:1%  section:Safety:0.02  subset:*:5%     accuracy: 1% and 0.01 are the same, one point of a hundred
    throughput:10%                                   speed: a share of the baseline's
    invalid:0  truncated:0                           counts: this many more than the baseline has

``*`` in a name stands for anything.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, cast, get_args

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.suites.patterns import named

__all__ = [
    "COUNTS",
    "DEFAULT_RULES",
    "GateRule",
    "Kind",
    "Mode",
    "Settings",
    "find_settings",
    "matching",
    "parse_limit",
    "parse_rule",
    "parse_share",
    "read_floors",
    "split_rule",
]

Kind: TypeAlias = Literal["overall", "section", "subset", "throughput", "invalid", "truncated"]
Mode: TypeAlias = Literal["regression", "noninferiority"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MODES: tuple[Mode, ...] = get_args(Mode)
COUNTS = ("invalid", "truncated")
DEFAULT_RULES = ("overall:0", "section:*:0")
_NAMED = ("section", "subset")
_Kind = TypeVar("_Kind", bound=str)
_KEYS = ("alpha", "baseline", "fail-on", "margin", "mode", "thresholds")


@dataclass(frozen=True, slots=True)
class GateRule:
    """One thing the gate looks at, and how much it tolerates."""

    text: str
    """As the user wrote it."""
    kind: Kind
    name: str | None
    """Of a section or subset, ``*`` in it stands for anything; None for the other kinds."""
    limit: float
    """The largest drop allowed (accuracy: a share; throughput: a share of the baseline's), or the largest rise of a
    count. As a floor: the lowest value allowed, of a count the highest."""

    @property
    def of_accuracy(self) -> bool:
        """True where an accuracy is looked at."""
        return self.kind in ("overall", "section", "subset")


def parse_rule(text: str, place: str = "") -> GateRule:
    """Parse a rule.

    Args:
        text: The rule.
        place: Where it stands, for the message, such as ``rmeval.toml: ``.

    Raises:
        UsageError: if it is none.
    """
    where = f"{place}rule {text!r}"
    kind, rest = split_rule(text, KINDS, where)
    name: str | None = None
    if kind in _NAMED:
        # A subset's name may hold a colon, a limit cannot.
        name, _, rest = (rest or "").rpartition(":")
        if not name:
            raise UsageError(f"{where}: write {kind}:NAME:LIMIT, such as {kind}:*:2%")
    limit = parse_limit(kind, rest, where, counts=COUNTS, example="1%")
    if kind not in COUNTS and limit == 1:
        raise UsageError(f"{where} could never fail: {rest} is 100%; 1% is 0.01")
    return GateRule(text.strip(), kind, name, limit)


def split_rule(text: str, kinds: Sequence[_Kind], where: str) -> tuple[_Kind, str | None]:
    """Return the kind of a rule and what stands behind its colon, None where there is none; of the bench's rules, too.

    Raises:
        UsageError: if there is no such kind.
    """
    name, colon, rest = text.strip().partition(":")
    kind = next((each for each in kinds if each == name), None)
    if kind is None:
        raise UsageError(f"{where}: no kind {name!r}{did_you_mean(name, kinds)} (known: {', '.join(kinds)})")
    return kind, rest if colon else None


def parse_limit(kind: str, limit: str | None, where: str, *, counts: Collection[str], example: str) -> float:
    """Parse the limit of a rule: a whole number where the kind is one of ``counts``, else a share.

    Args:
        kind: The rule's.
        limit: What stands behind its last colon; None where there is none.
        where: What it belongs to, for the message.
        counts: The kinds that count something.
        example: A share, for the message.

    Raises:
        UsageError: if it is neither.
    """
    if limit is None:
        raise UsageError(f"{where}: write {kind}:LIMIT, such as {kind}:{'0' if kind in counts else example}")
    return _parse_count(limit, where) if kind in counts else parse_share(limit, where)


def parse_share(value: object, where: str) -> float:
    """Parse ``1%`` or ``0.01``.

    Args:
        value: Text or a number.
        where: What it belongs to, for the message.

    Raises:
        UsageError: if it is neither, or not between 0 and 1.
    """
    text = str(value).strip()
    try:
        # In decimals, so that 0.7% is 0.007 and not the float beside it.
        share = float(Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text))
    except (InvalidOperation, ValueError, OverflowError):
        raise UsageError(f"{where}: {text!r} is not a number; write 1% or 0.01") from None
    if not 0 <= share <= 1:
        hint = f"; {text}% is written {text}% or {share / 100:g}" if 1 < share <= 100 and not text.endswith("%") else ""
        raise UsageError(f"{where}: {text} is not between 0 and 1 (or 0% and 100%){hint}")
    return share


def _parse_count(value: object, where: str) -> float:
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UsageError(f"{where}: {text!r} is no count; write a whole number such as 0")
    return float(text)


def matching(rule: GateRule, known: Sequence[str]) -> list[str]:
    """Return the names that a rule for sections or subsets means.

    Raises:
        UsageError: if there is none, unless it asks for all there are.
    """
    pattern = str(rule.name)
    found = named(pattern, known)
    if not found and pattern != "*":
        names = ", ".join(known) or "none"
        raise UsageError(
            f"rule {rule.text!r}: no {rule.kind} {pattern!r}{did_you_mean(pattern, known)} (known: {names})"
        )
    return found


# --- files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``rmeval.toml`` or ``pyproject.toml`` say; None for what they do not."""

    rules: tuple[GateRule, ...] | None = None
    alpha: float | None = None
    mode: Mode | None = None
    margin: float | None = None
    baseline: Path | None = None
    thresholds: Path | None = None


def find_settings(folder: Path) -> Settings:
    """Read ``[check]`` of ``rmeval.toml``, else ``[tool.rmeval.check]`` of ``pyproject.toml``; both may be absent.

    Paths in them are relative to the folder.

    Raises:
        UsageError: if a file cannot be read or holds what is no setting: a table or key that is not known is an error,
            for a gate whose rules were passed over would pass.
    """
    own = _read_toml(folder / "rmeval.toml")
    if "tool" in own:
        raise UsageError("rmeval.toml: no table [tool]; write [check] there, [tool.rmeval.check] is for pyproject.toml")
    _known(own, ("check",), "rmeval.toml")
    if "check" in own:
        return _settings(own["check"], "rmeval.toml: [check]", folder)
    tools = _read_toml(folder / "pyproject.toml").get("tool", {})
    table = tools.get("rmeval", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError("pyproject.toml: [tool.rmeval] is no table")
    _known(table, ("check",), "pyproject.toml: [tool.rmeval]")
    return _settings(table["check"], "pyproject.toml: [tool.rmeval.check]", folder) if "check" in table else Settings()


def _read_toml(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path.name}: {error}") from None


def _settings(table: object, where: str, folder: Path) -> Settings:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is no table")
    _known(table, _KEYS, where)
    rules = table.get("fail-on")
    if rules is not None and not (isinstance(rules, list) and all(isinstance(rule, str) for rule in rules)):
        raise UsageError(f'{where} fail-on: write a list of rules, such as ["overall:1%"]')
    mode = table.get("mode")
    return Settings(
        rules=None if rules is None else tuple(parse_rule(rule, f"{where}: ") for rule in rules),
        alpha=None if "alpha" not in table else parse_share(table["alpha"], f"{where} alpha"),
        mode=None if mode is None else parse_mode(mode, f"{where} mode"),
        margin=None if "margin" not in table else parse_share(table["margin"], f"{where} margin"),
        baseline=_path(table.get("baseline"), f"{where} baseline", folder),
        thresholds=_path(table.get("thresholds"), f"{where} thresholds", folder),
    )


def _path(value: object, where: str, folder: Path) -> Path | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return None if value is None else folder / value
    raise UsageError(f'{where}: write a path, such as "runs/baseline"')


def parse_mode(value: object, where: str) -> Mode:
    """Parse a mode's name.

    Raises:
        UsageError: if there is none of that name.
    """
    if value not in MODES:
        raise UsageError(f"{where}: no mode {value!r}{did_you_mean(str(value), MODES)} (known: {', '.join(MODES)})")
    return value


def read_floors(path: Path) -> list[GateRule]:
    """Read floors: YAML with ``overall``, ``sections``, ``subsets``, ``throughput``, ``invalid``, ``truncated``.

    Raises:
        UsageError: if the file cannot be read or holds anything else.
    """
    from rmeval.yaml_files import parse_yaml  # Here: most checks read none.

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the thresholds in {path}: {getattr(error, 'strerror', None) or error}") from None
    table = parse_yaml(text, str(path))
    if not isinstance(table, dict) or not table:
        raise UsageError(f"{path} holds no thresholds; write, for example, overall: 75%")
    _known(table, ("overall", "sections", "subsets", "throughput", "invalid", "truncated"), str(path))
    return [rule for key, value in table.items() for rule in _floors(str(key), value, path)]


def _floors(key: str, value: object, path: Path) -> list[GateRule]:
    where = f"{path} {key}"
    if key in ("sections", "subsets"):
        if not isinstance(value, dict):
            raise UsageError(f"{where}: write a floor for each name, such as {{Safety: 80%}}")
        kind: Kind = "section" if key == "sections" else "subset"
        return [
            GateRule(f"{key} {name} ≥ {floor}", kind, str(name), parse_share(floor, f"{where} {name}"))
            for name, floor in value.items()
        ]
    if key in COUNTS:
        return [GateRule(f"{key} ≤ {value}", cast("Kind", key), None, _parse_count(value, where))]
    if key == "throughput":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise UsageError(f"{where}: {value!r} is no speed; write completions a second, such as 25")
        return [GateRule(f"{key} ≥ {value}", "throughput", None, float(value))]
    return [GateRule(f"{key} ≥ {value}", "overall", None, parse_share(value, where))]


def _known(table: Iterable[object], keys: Iterable[str], where: str) -> None:
    keys = list(keys)
    for key in table:
        if key not in keys:
            raise UsageError(f"{where}: no key {key!r}{did_you_mean(str(key), keys)} (known: {', '.join(keys)})")
