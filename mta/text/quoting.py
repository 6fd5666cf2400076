"""Escaping and quoting of byte text: Exim's printable form, ``${quote:``, ``${rxquote:``, xtext.

Whole strings in, whole strings out; a decoder answers None for text that its encoder cannot have made.
"""

from __future__ import annotations

import re

_NAMED = {7: "\\007", 8: "\\b", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
_ESCAPES = {code: _NAMED.get(code, f"\\{code:03o}") for code in [*range(9), *range(10, 32), *range(127, 256)]}
_ESCAPES_KEEPING_TOP = {code: text for code, text in _ESCAPES.items() if code < 128}
_ESCAPES_TAB = {**_ESCAPES, 9: "\\t"}
_ESCAPES_TAB_KEEPING_TOP = {**_ESCAPES_KEEPING_TOP, 9: "\\t"}
_ESCAPE_8BIT = {code: f"\\{code:03o}" for code in [92, *range(127, 256)]}
_HEXQUOTE = {code: f"\\x{code:02x}" for code in [*range(33), *range(127, 256)]}
_QUOTE = {ord('"'): '\\"', ord("\\"): "\\\\", 10: "\\n", 13: "\\r"}
_WORD = re.compile(r"[A-Za-z0-9_.\-]+\Z")
_LOCAL_PART = re.compile(
    r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~](?:[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]*[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~])?\Z"
)
_NOT_ALNUM = re.compile(r"([^A-Za-z0-9])")
_XTEXT_UNSAFE = re.compile(r"[^!-*,-<>-~]")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_XTEXT_HEX = re.compile(r"\+([0-9A-Fa-f]{2})")


def printing(text: str, *, top_bit_prints: bool = False, tabs_too: bool = False) -> str:
    """Control characters and bytes over 126 as ``\\n`` or ``\\ooo``; for logs, errors and ``${escape:``.

    ``top_bit_prints`` is the main option print_topbitchars. Backslashes stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    if tabs_too:
        return text.translate(_ESCAPES_TAB_KEEPING_TOP if top_bit_prints else _ESCAPES_TAB)
    return text.translate(_ESCAPES_KEEPING_TOP if top_bit_prints else _ESCAPES)


def escape_8bit(text: str) -> str:
    """Bytes over 126 and backslashes in octal; control characters stay (``${escape8bit:``)."""
    return text.translate(_ESCAPE_8BIT)


def hexquote(text: str) -> str:
    """Everything outside 33-126 as ``\\xhh``."""
    return text.translate(_HEXQUOTE)


def quote_word(text: str) -> str:
    """In double quotes unless only letters, digits, ``_``, ``.`` and ``-`` are in it (``${quote:``)."""
    return text if _WORD.match(text) else f'"{text.translate(_QUOTE)}"'


def quote_local_part(text: str) -> str:
    """In double quotes where a local part needs them (``${quote_local_part:``)."""
    return text if _LOCAL_PART.match(text) else f'"{text.translate(_QUOTE)}"'


def quote_regex(text: str) -> str:
    """A backslash before every byte that is no ASCII letter or digit (``${rxquote:``)."""
    return _NOT_ALNUM.sub(r"\\\1", text)


def encode_xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return _XTEXT_UNSAFE.sub(lambda found: f"+{ord(found.group()):02X}", text)


def decode_xtext(text: str) -> str | None:
    """RFC 3461 section 4, strictly: upper case hex digits, no bytes outside xchar; None otherwise."""
    return decode_plus_hex(text) if _XTEXT.match(text) else None


def decode_plus_hex(text: str) -> str:
    """Each ``+HH`` as its byte, everything else as it is."""
    return _XTEXT_HEX.sub(lambda found: chr(int(found.group(1), 16)), text) if "+" in text else text
