"""The encoded-character extension (RFC 5228 section 2.4.2.4): ``${hex:40}`` and ``${unicode:40}`` in strings."""

from __future__ import annotations

import re

from mta.filter.sieve.tree import SieveError

_ENCODED = re.compile(r"\$\{(hex|unicode):([0-9A-Fa-f \t\r\n]+)\}", re.IGNORECASE | re.ASCII)
_LONGEST = {"hex": 2, "unicode": 40}


def decode_characters(text: str, line: int) -> str:
    """Byte text with the characters in place; what has not the right form stays; SieveError for no code point."""

    def replace(found: re.Match[str]) -> str:
        kind, numbers = found.group(1).lower(), found.group(2).split()
        if not numbers or any(len(digits) > _LONGEST[kind] for digits in numbers):
            return found.group()
        if kind == "hex":
            return "".join(chr(int(digits, 16)) for digits in numbers)
        return "".join(_character(int(digits, 16), line) for digits in numbers)

    return _ENCODED.sub(replace, text)


def _character(code: int, line: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise SieveError("unicode character out of range", line)
    return chr(code).encode("utf-8").decode("latin-1")
