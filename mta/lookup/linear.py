"""The text format of lsearch and its kin (manual section 9.3): keys, data, continuation lines, quoted keys.

Measured against Exim 4.96: a blank line or a comment ends the item before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mta.text.ascii import WHITESPACE

_LINE = re.compile(r"([^\s:]*)\s*:?\s*", re.ASCII)
_AFTER_QUOTED = re.compile(r"\s*:?\s*", re.ASCII)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def entries(lines: Iterable[str], full: bool = False) -> Iterator[tuple[str, str]]:
    """Key and data of each item in order. With ``full`` the data is the whole line, its key without quotes."""
    key: str | None = None
    parts: list[str] = []
    for raw in lines:
        line = raw.rstrip(WHITESPACE)
        if not line or line[0] == "#":
            if key is not None:
                yield key, "".join(parts)
            key = None
        elif line[0] in WHITESPACE:
            if key is not None:
                parts.append(" " + line.lstrip(WHITESPACE))
        else:
            if key is not None:
                yield key, "".join(parts)
            key, data, rest = split_line(line)
            parts = [key + rest if full else data]
    if key is not None:
        yield key, "".join(parts)


def split_line(line: str) -> tuple[str, str, str]:
    """The key, the data, and all that follows the key in a line that is stripped at its end."""
    if line[0] == '"':
        end = _closing_quote(line)
        key, rest = unescape(line[1:end]), line[end + 1 :]
        found = _AFTER_QUOTED.match(rest)
        return key, rest[found.end() :] if found else rest, rest
    found = _LINE.match(line)
    assert found is not None  # every part of the pattern may be empty
    return found.group(1), line[found.end() :], line[found.end(1) :]


def _closing_quote(line: str) -> int:
    position = 1
    while position < len(line):
        if line[position] == "\\":
            position += 1
        elif line[position] == '"':
            return position
        position += 1
    return len(line)


def unescape(text: str) -> str:
    """The escapes of a quoted string (manual section 6.17)."""

    def value(found: re.Match[str]) -> str:
        code: str = found.group(1)
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(value, text) if "\\" in text else text
