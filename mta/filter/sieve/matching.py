"""Comparators and match types (RFC 5228 section 2.7; i;ascii-numeric: RFC 4790 section 9.1).

``matches(match, value, key) -> captures or None``; only :matches gives captures, [whole, first wildcard ...].
"""

from __future__ import annotations

from mta.filter.sieve.tree import Match
from mta.text.ascii import upper

_ANY, _ONE = "*", "?"
_DIGITS = "0123456789"


def matches(match: Match, value: str, key: str) -> list[str] | None:
    """None when they do not match. Linear in value times key at worst."""
    if match.comparator == "i;ascii-numeric":
        return [] if _number(value) == _number(key) else None
    fold = match.comparator == "i;ascii-casemap"
    if match.type == "matches":
        return _glob(value, key, fold)
    if fold:
        value, key = upper(value), upper(key)
    found = key in value if match.type == "contains" else key == value
    return [] if found else None


def _number(text: str) -> str | None:
    """Leading digits without zeros in front; None is the infinity that all else counts as."""
    digits = text[: len(text) - len(text.lstrip(_DIGITS))]
    return digits.lstrip("0") if digits else None


def _characters(text: str) -> str:
    """Byte text as characters; bytes that are no UTF-8 stand for themselves."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _bytes(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _parts(key: str) -> list[list[str]]:
    """The pattern between its stars: characters, with None-like "" for a question mark."""
    parts: list[list[str]] = [[]]
    position = 0
    while position < len(key):
        char = key[position]
        if char == "\\" and position + 1 < len(key):
            position += 1
            parts[-1].append(key[position])
        elif char == _ANY:
            parts.append([])
        else:
            parts[-1].append("" if char == _ONE else char)
        position += 1
    return parts


def _glob(value: str, key: str, fold: bool) -> list[str] | None:
    """Stars take as little as they can, from the left (RFC 5229 section 3.2)."""
    text = _characters(value)
    parts = _parts(_characters(key))
    compared = upper(text) if fold else text
    if fold:
        parts = [[upper(char) for char in part] for part in parts]
    captures = [text]
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        if len(compared) != len(first) or not _fits(compared, 0, first):
            return None
        _question_marks(text, 0, first, captures)
        return [_bytes(one) for one in captures]
    if len(compared) < len(first) + len(last) or not _fits(compared, 0, first):
        return None
    _question_marks(text, 0, first, captures)
    at, end = len(first), len(compared) - len(last)
    for part in parts[1:-1]:
        found = _find(compared, at, end, part)
        if found < 0:
            return None
        captures.append(text[at:found])
        _question_marks(text, found, part, captures)
        at = found + len(part)
    if at > end or not _fits(compared, end, last):
        return None
    captures.append(text[at:end])
    _question_marks(text, end, last, captures)
    return [_bytes(one) for one in captures]


def _fits(text: str, at: int, part: list[str]) -> bool:
    return len(text) - at >= len(part) and all(
        not char or text[at + offset] == char for offset, char in enumerate(part)
    )


def _find(text: str, at: int, end: int, part: list[str]) -> int:
    """The first place where a part fits whole before ``end``."""
    if all(part):
        return text.find("".join(part), at, end)
    for place in range(at, end - len(part) + 1):
        if _fits(text, place, part):
            return place
    return -1


def _question_marks(text: str, at: int, part: list[str], captures: list[str]) -> None:
    captures.extend(text[at + offset] for offset, char in enumerate(part) if not char)
