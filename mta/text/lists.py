"""Exim's lists in strings (manual chapter 6, "List construction").

Items are separated by colons or by the character that ``<c`` at the start names; a doubled
separator stands for itself; white space around an item goes; a control-character separator
(``<\\n``) cannot be doubled.
"""

from __future__ import annotations

from mta.text.ascii import WHITESPACE


def split_list(text: str, separator: str = ":") -> list[str]:
    """The items of a list, in order. An empty or blank list has none; ``a:`` has one; ``:`` has one, empty."""
    text = text.lstrip(WHITESPACE)
    if len(text) >= 2 and text[0] == "<" and not text[1].isalnum() and (text[1] in _CONTROL or _is_punct(text[1])):
        separator = text[1]
        text = text[2:].lstrip(WHITESPACE if separator not in WHITESPACE else _without(separator))
    if not text:
        return []
    if separator in _CONTROL:
        parts = text.split(separator)
        if parts and not parts[-1]:
            parts.pop()
        return [part.strip(WHITESPACE) for part in parts]
    if separator not in text:
        item = text.rstrip(WHITESPACE)
        return [item]
    return _split_doubling(text, separator)


def _split_doubling(text: str, separator: str) -> list[str]:
    items: list[str] = []
    position, size = 0, len(text)
    while position < size:
        while position < size and text[position] in WHITESPACE:
            position += 1
        if position >= size:
            break
        piece: list[str] = []
        while True:
            end = text.find(separator, position)
            if end < 0:
                piece.append(text[position:])
                position = size
                break
            piece.append(text[position:end])
            position = end + 1
            if position < size and text[position] == separator:
                piece.append(separator)
                position += 1
                continue
            break
        items.append("".join(piece).rstrip(WHITESPACE))
    return items


def list_separator(text: str) -> str:
    """The separator that a list declares, or a colon."""
    text = text.lstrip(WHITESPACE)
    if len(text) >= 2 and text[0] == "<" and (text[1] in _CONTROL or _is_punct(text[1])):
        return text[1]
    return ":"


def join_list(items: list[str], separator: str = ":") -> str:
    """A list that splits into ``items`` again: separators inside them doubled, empty items kept by a space."""
    out = []
    for number, item in enumerate(items):
        quoted = item if separator in _CONTROL else item.replace(separator, separator * 2)
        if quoted.startswith(separator) and number:
            quoted = " " + quoted
        out.append(quoted if quoted else " ")
    return separator.join(out)


_CONTROL = frozenset(chr(code) for code in [*range(32), 127])


def _is_punct(char: str) -> bool:
    return char.isascii() and char.isprintable() and not char.isalnum() and char != " "


def _without(separator: str) -> str:
    return WHITESPACE.replace(separator, "")
