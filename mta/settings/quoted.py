"""Double-quoted values (manual chapter 6, "String values")."""

from __future__ import annotations

import re

from mta.errors import ConfigError, Where
from mta.text.ascii import WHITESPACE

_SIMPLE = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.ASCII | re.DOTALL)


def unquote(text: str, name: str, where: Where) -> str:
    """The value of an option as written: as it is, or between double quotes with its escapes resolved."""
    if not text.startswith('"'):
        return text
    end = 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise ConfigError(f"missing quote at end of string value for {name}", where)
    if text[end + 1 :].strip(WHITESPACE):
        raise ConfigError(f"extra characters follow string value for {name}", where)
    return _ESCAPE.sub(_resolve, text[1:end])


def _resolve(found: re.Match[str]) -> str:
    digits, octal, other = found.groups()
    if digits:
        return chr(int(digits, 16))
    if octal:
        return chr(int(octal, 8) & 0xFF)
    return _SIMPLE.get(other, other)
