"""A place in a text that is being compiled, with the small reads of Exim's string language (manual 11.1, 11.2).

Every refusal is ExpansionFailed with Exim's wording.
"""

from __future__ import annotations

import re
from typing import NoReturn

from mta.errors import ExpansionFailed
from mta.text.ascii import WHITESPACE

_LETTER_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"[0-9A-Fa-f]{0,2}")
_WORD = re.compile(r"[A-Za-z0-9_]*")
_ITEM_NAME = re.compile(r"[A-Za-z0-9_-]*")
_LETTERS = re.compile(r"[A-Za-z]*")
_DIGITS = re.compile(r"[0-9]*")
_HEADER_NAME = re.compile(r"[^\x00-\x20:\x7f]*")
_SPACE = re.compile(f"[{re.escape(WHITESPACE)}]*")


class Cursor:
    """``text`` is byte text, ``pos`` the offset of the next character; reading past the end gives ""."""

    __slots__ = ("header_unclosed", "pos", "started", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.started = 0  # where the innermost item, variable or condition that is being read starts
        # a header name swallowed a bracket or the end: what goes wrong next is likely for want of its colon
        self.header_unclosed = False

    @property
    def next(self) -> str:
        """The next character, not consumed; "" at the end."""
        return self.text[self.pos : self.pos + 1]

    @property
    def rest(self) -> str:
        return self.text[self.pos :]

    def fail(self, message: str) -> NoReturn:
        """Refuse the text; the place that is told is where the construct at hand starts."""
        raise ExpansionFailed(message, self.text, min(self.started, len(self.text) - 1) + 1)

    def take(self, char: str) -> bool:
        """Consume ``char`` if it is next."""
        if self.next == char:
            self.pos += 1
            return True
        return False

    def skip_space(self) -> str:
        """Consume white space; the next character."""
        self._read(_SPACE)
        return self.next

    def word(self) -> str:
        """A name of letters, digits and underscores, maybe empty."""
        return self._read(_WORD)

    def item_name(self) -> str:
        """What may stand right after ``${``: a word, with the signs that operators' numbers have."""
        return self._read(_ITEM_NAME)

    def letters(self) -> str:
        return self._read(_LETTERS)

    def digits(self) -> str:
        return self._read(_DIGITS)

    def header_name(self) -> str:
        """A header name with its closing colon consumed; white space or the end may stand for the colon."""
        name = self._read(_HEADER_NAME)
        if "{" in name or "}" in name:
            self.header_unclosed = True
        self.take(":")
        return name

    def escape(self) -> str:
        """The value of an escape; the cursor is behind the backslash."""
        char = self.next
        if not char:
            self.fail("\\ at end of string")
        if char == "N":
            return self._protected()
        octal = _OCTAL.match(self.text, self.pos)
        if octal:
            self.pos = octal.end()
            return chr(int(octal.group(), 8) & 0xFF)
        self.pos += 1
        if char == "x":
            return chr(int(self._read(_HEX) or "0", 16))
        return _LETTER_ESCAPES.get(char, char)

    def _protected(self) -> str:
        start = self.pos + 1
        end = self.text.find("\\N", start)
        if end < 0:
            end = self.pos = len(self.text)
        else:
            self.pos = end + 2
        return self.text[start:end]

    def _read(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.pos)
        assert found is not None  # every pattern matches the empty string
        self.pos = found.end()
        return found.group()
