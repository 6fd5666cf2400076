"""Byte text: every ``str`` inside mta holds one byte a character (latin-1 decoded).

``str`` methods know more of Unicode than mail does (NEL is white space, ``'\\xff'.upper()``
is outside latin-1); these know ASCII only, as Exim's C does.
"""

from __future__ import annotations

WHITESPACE = " \t\n\v\f\r"

_LOWER = {code: code + 32 for code in range(65, 91)}
_UPPER = {code: code - 32 for code in range(97, 123)}


def lower(text: str) -> str:
    """ASCII lower case; other bytes untouched."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper(text: str) -> str:
    """ASCII upper case; other bytes untouched."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def strip(text: str) -> str:
    """Without leading and trailing white space as C's isspace() has it."""
    return text.strip(WHITESPACE)


def is_digits(text: str) -> bool:
    """One or more ASCII digits and nothing else."""
    return text.isascii() and text.isdigit()


def strict_int(text: str, *, maximum: int = 2**63 - 1) -> int | None:
    """A number from the wire: ASCII digits only, no sign, at most ``maximum``; None for anything else."""
    if not is_digits(text) or len(text) > 19:
        return None
    value = int(text)
    return value if value <= maximum else None


def to_bytes(text: str) -> bytes:
    """Byte text as the bytes that it stands for."""
    return text.encode("latin-1")


def from_bytes(data: bytes) -> str:
    """Bytes as byte text."""
    return data.decode("latin-1")
