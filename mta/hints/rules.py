"""Retry rules (manual chapter 32): ``parse_rule(text, where)``, ``find_rule``, ``next_try``.

Patterns and sender lists are kept as text; the caller brings the matching, since lists belong to a higher floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mta.errors import NOWHERE, ConfigError, Where
from mta.text.ascii import WHITESPACE, lower
from mta.text.units import format_time, parse_time

# Error names of a rule -> (the RetryFact.error it matches, the detail it asks for)
PLAIN_ERRORS = {
    "*": ("", ""),
    "auth_failed": ("auth_failed", ""),
    "lookup": ("lookup", ""),
    "lost_connection": ("lost_connection", ""),
    "refused": ("refused", ""),
    "refused_mx": ("refused", "MX"),
    "refused_a": ("refused", "A"),
    "timeout": ("timeout", ""),
    "timeout_mx": ("timeout", "MX"),
    "timeout_a": ("timeout", "A"),
    "timeout_dns": ("timeout", ""),  # never worked in Exim, which takes it for "timeout"
    "timeout_connect": ("timeout_connect", ""),
    "timeout_connect_mx": ("timeout_connect", "MX"),
    "timeout_connect_a": ("timeout_connect", "A"),
    "tls_required": ("tls_required", ""),
    "quota": ("quota", ""),
}
MAX_INTERVAL = 86400.0  # retry_interval_max cannot be set higher


class Algorithm(NamedTuple):
    """One parameter set: ``F``, ``G`` or ``H``; times in seconds."""

    letter: str
    cutoff: float
    interval: float
    factor: float = 0.0


@dataclass(slots=True)
class RetryRule:
    """``error`` and ``detail`` as RetryFact has them; ``quota_age`` seconds for quota_<time>, else None.

    ``compiled`` is for whoever compiles the two lists.
    """

    pattern: str
    error_name: str
    error: str
    detail: str
    algorithms: tuple[Algorithm, ...] = ()
    quota_age: float | None = None
    senders: str | None = None
    where: Where = NOWHERE
    compiled: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def cutoff(self) -> float:
        """The last algorithm's cutoff; 0 when the rule has none and so fails at once."""
        return self.algorithms[-1].cutoff if self.algorithms else 0.0


class _Cursor:
    __slots__ = ("position", "text", "where")

    def __init__(self, text: str, where: Where) -> None:
        self.text, self.where, self.position = text, where, 0

    def skip(self) -> None:
        while self.position < len(self.text) and self.text[self.position] in WHITESPACE:
            self.position += 1

    @property
    def at_end(self) -> bool:
        self.skip()
        return self.position >= len(self.text)

    def word(self) -> str:
        """The next word; in double quotes it may hold white space, and backslash escapes."""
        self.skip()
        if self.text[self.position : self.position + 1] == '"':
            return self._quoted()
        start = self.position
        while self.position < len(self.text) and self.text[self.position] not in WHITESPACE:
            self.position += 1
        return self.text[start : self.position]

    def _quoted(self) -> str:
        out = []
        self.position += 1
        while self.position < len(self.text) and self.text[self.position] != '"':
            if self.text[self.position] == "\\":
                self.position += 1
                char = self.text[self.position : self.position + 1]
                out.append({"n": "\n", "r": "\r", "t": "\t"}.get(char, char))
            else:
                out.append(self.text[self.position])
            self.position += 1
        if self.position >= len(self.text):
            raise ConfigError("missing quote at the end of a string", self.where)
        self.position += 1
        return "".join(out)


def parse_rule(text: str, where: Where = NOWHERE) -> RetryRule:
    """A line of the retry section; ConfigError in Exim's words."""
    cursor = _Cursor(text, where)
    pattern = cursor.word()
    if cursor.at_end:
        raise ConfigError("missing error type in retry rule", where)
    name = cursor.word()
    error, detail, age = parse_error(name, where)
    rule = RetryRule(pattern, name, error, detail, quota_age=age, where=where)
    cursor.skip()
    if cursor.text.startswith("senders=", cursor.position):
        cursor.position += len("senders=")
        rule.senders = cursor.word()
    rule.algorithms = _algorithms(cursor)
    return rule


def parse_error(name: str, where: Where = NOWHERE) -> tuple[str, str, float | None]:
    """``(error, detail, quota age)`` of an error name."""
    key = lower(name)
    if key in PLAIN_ERRORS:
        return (*PLAIN_ERRORS[key], None)
    for kind in ("mail_4", "rcpt_4", "data_4"):
        if key.startswith(kind):
            digits = key[len(kind) :]
            if len(digits) == 2 and (digits == "xx" or (_digit(digits[0]) and (digits[1] == "x" or _digit(digits[1])))):
                return kind + "xx", "4" + digits, None
            raise ConfigError(f"{kind} must be followed by xx, dx, or dd, where x is literal and d is any digit", where)
    if key.startswith("quota_"):
        age = parse_time(key[len("quota_") :])
        if age is None:
            raise ConfigError("bad time value", where)
        return "quota", "", age
    raise ConfigError(f'unknown or malformed retry error "{name}"', where)


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _algorithms(cursor: _Cursor) -> tuple[Algorithm, ...]:
    found: list[Algorithm] = []
    while not cursor.at_end:
        letter = cursor.text[cursor.position].upper()
        if letter not in "FGH":
            raise ConfigError("unknown retry rule letter", cursor.where)
        cursor.position += 1
        cutoff = _argument(cursor, parse_time)
        interval = _argument(cursor, parse_time)
        factor = 0.0
        if letter != "F":
            factor = _argument(cursor, _fixed)
        if interval <= 0 or (letter != "F" and factor < 1.0):
            raise ConfigError("bad parameters for retry rule", cursor.where)
        found.append(Algorithm(letter, cutoff, interval, factor))
        if not cursor.at_end:
            if cursor.text[cursor.position] != ";":
                raise ConfigError("semicolon expected", cursor.where)
            cursor.position += 1
    return tuple(found)


def _argument(cursor: _Cursor, convert: Callable[[str], float | None]) -> float:
    cursor.skip()
    if cursor.text[cursor.position : cursor.position + 1] != ",":
        raise ConfigError("comma expected", cursor.where)
    cursor.position += 1
    cursor.skip()
    start = cursor.position
    while cursor.position < len(cursor.text) and cursor.text[cursor.position] not in ",;" + WHITESPACE:
        cursor.position += 1
    value = convert(cursor.text[start : cursor.position])
    if value is None:
        raise ConfigError("bad parameters for retry rule", cursor.where)
    return value


def _fixed(text: str) -> float | None:
    """A number with at most three decimals that count."""
    whole, _, decimals = text.partition(".")
    if not (whole + decimals).isascii() or not (whole + decimals).isdigit() or len(text) > 20:
        return None
    return int(int(whole or "0") * 1000 + int((decimals + "000")[:3])) / 1000


def rule_text(rule: RetryRule) -> str:
    """The rule as -brt prints it after ``Retry rule: ``."""
    out = f"{rule.pattern}  {rule.error_name}  "
    if rule.senders is not None:
        out += f'senders="{rule.senders}"  '
    for algorithm in rule.algorithms:
        out += f"{algorithm.letter},{format_time(algorithm.cutoff)},{format_time(algorithm.interval)}"
        if algorithm.letter == "G":
            out += "," + f"{algorithm.factor:.3f}".rstrip("0").rstrip(".")
        out += "; "
    return out


def error_matches(rule: RetryRule, error: str, detail: str = "") -> bool:
    """Whether an error (RetryFact's two fields) is the one that a rule is for.

    ``timeout`` takes in connection time-outs. ``detail`` is the code of a 4xx error, "MX" or "A", or the seconds since
    the mailbox was read; for -brt an ``error`` "" matches only ``*``.
    """
    if rule.error == "":
        return True
    if rule.error != error and not (rule.error == "timeout" and error == "timeout_connect"):
        return False
    if rule.quota_age is not None:
        return detail.isascii() and detail.isdigit() and len(detail) < 12 and int(detail) >= rule.quota_age
    if rule.error.endswith("_4xx"):
        return all(want in ("x", got) for want, got in zip(rule.detail, detail.ljust(3), strict=False))
    return not rule.detail or rule.detail == detail


def find_rule(
    rules: Iterable[RetryRule],
    keys: Iterable[str],
    error: str,
    detail: str,
    matches_pattern: Callable[[RetryRule, str], bool],
    matches_sender: Callable[[RetryRule], bool],
) -> RetryRule | None:
    """The first rule for an error.

    ``keys``: addresses or domains, each tried on each line in order (for a host error: host, then the domain).
    """
    wanted = [key for key in keys if key]
    for rule in rules:
        if rule.senders is not None and not matches_sender(rule):
            continue
        if error_matches(rule, error, detail) and any(matches_pattern(rule, key) for key in wanted):
            return rule
    return None


def _uniform(low: float, high: float) -> float:
    from random import uniform

    return uniform(low, high)


def next_try(
    rule: RetryRule,
    *,
    now: float,
    first_failed: float,
    last_gap: float,
    interval_max: float = MAX_INTERVAL,
    uniform: Callable[[float, float], float] | None = None,
) -> tuple[float, bool]:
    """When to try next, and whether the last cutoff is past. ``last_gap``: the interval before, 0 for none."""
    failing = now - first_failed
    chosen = next((one for one in rule.algorithms if failing < one.cutoff), None)
    expired = chosen is None
    if chosen is None:
        if not rule.algorithms:
            return now, True
        chosen = rule.algorithms[-1]
    if chosen.letter == "F" or last_gap < chosen.interval:
        gap = chosen.interval
    elif chosen.letter == "G":
        gap = last_gap * chosen.factor
    else:
        gap = (uniform or _uniform)(chosen.interval, last_gap * chosen.factor)
    return now + min(gap, interval_max, MAX_INTERVAL), expired
