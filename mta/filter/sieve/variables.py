"""The variables extension (RFC 5229): references in strings, modifiers of ``set``, the match variables.

Values are byte text in UTF-8; lengths and case count characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

MAX_VARIABLES = 128
MAX_VALUE = 4096  # bytes; longer values are cut between characters
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,9})\}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
# precedence by tag: greater is applied first
MODIFIERS = {
    "lower": 40,
    "upper": 40,
    "lowerfirst": 30,
    "upperfirst": 30,
    "quotewildcard": 20,
    "encodeurl": 15,
    "length": 10,
}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def has_references(text: str) -> bool:
    return _REFERENCE.search(text) is not None


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None


def substitute(text: str, values: Mapping[str, str], matched: Sequence[str]) -> str:
    """Each reference's value; "" for what is not set (section 3). Values are not looked at again."""
    if "${" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name.isdigit():
            place = int(name)
            return matched[place] if place < len(matched) else ""
        return values.get(name.lower(), "")

    return _REFERENCE.sub(value, text)


def cut(value: str) -> str:
    """At most MAX_VALUE bytes, no character torn."""
    if len(value) <= MAX_VALUE:
        return value
    return value.encode("latin-1")[:MAX_VALUE].decode("utf-8", "ignore").encode("utf-8").decode("latin-1")


def _ascii(change: Callable[[str], str]) -> Callable[[str], str]:
    """Section 4.1.1 asks for ASCII letters only."""

    def apply(value: str) -> str:
        return "".join(change(char) if char.isascii() else char for char in value)

    return apply


def _length(value: str) -> str:
    return str(len(value.encode("latin-1").decode("utf-8", "replace")))


def _encode_url(value: str) -> str:
    return "".join(char if char in _UNRESERVED else f"%{ord(char):02X}" for char in value)


_APPLY: dict[str, Callable[[str], str]] = {
    "lower": _ascii(str.lower),
    "upper": _ascii(str.upper),
    "lowerfirst": lambda value: value[:1].lower() + value[1:] if value[:1].isascii() else value,
    "upperfirst": lambda value: value[:1].upper() + value[1:] if value[:1].isascii() else value,
    "quotewildcard": lambda value: re.sub(r"([*?\\])", r"\\\1", value),
    "encodeurl": _encode_url,
    "length": _length,
}


def modify(value: str, modifiers: Sequence[str]) -> str:
    """The modifiers, in the order given."""
    for name in modifiers:
        value = _APPLY[name](value)
    return cut(value)
