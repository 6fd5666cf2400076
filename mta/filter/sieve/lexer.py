"""Tokens of a Sieve script (RFC 5228 section 8.1), lines ending in LF or CRLF.

``Lexer`` takes what is asked for: each method answers None, or "", where something else stands and moves on only when
it answers. ``\\0`` in a quoted string is a NUL, as Exim has it.
"""

from __future__ import annotations

import re

from mta.filter.sieve.encoded import decode_characters
from mta.filter.sieve.tree import SieveError
from mta.text.ascii import lower

MAX_STRING = 1 << 17
_SPACE = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"([0-9]{1,18})([KkMmGg]?)")
_TEXT = re.compile(r"text:[ \t]*(?:#[^\n]*)?\r?\n", re.IGNORECASE)
_QUOTED_PART = re.compile(r'[^"\\]+')
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Lexer:
    """``encoded``: resolve ``${hex:`` and ``${unicode:`` in strings (RFC 5228 section 2.4.2.4)."""

    __slots__ = ("encoded", "line", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.encoded = False
        self.skip()

    def error(self, message: str) -> SieveError:
        return SieveError(message, self.line)

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def skip(self) -> None:
        """Past white space and comments."""
        while not self.at_end:
            space = _SPACE.match(self.text, self.position)
            if space is not None:
                self._pass(space.end())
            elif self.text.startswith("#", self.position):
                end = self.text.find("\n", self.position)
                self._pass(len(self.text) if end < 0 else end)
            elif self.text.startswith("/*", self.position):
                end = self.text.find("*/", self.position + 2)
                if end < 0:
                    raise self.error("missing end of comment")
                self._pass(end + 2)
            else:
                return

    def _pass(self, end: int) -> None:
        self.line += self.text.count("\n", self.position, end)
        self.position = end

    def take(self, mark: str) -> bool:
        """One mark: ``;``, ``{`` ..."""
        if not self.text.startswith(mark, self.position):
            return False
        self.position += len(mark)
        self.skip()
        return True

    def word(self, *wanted: str) -> str:
        """An identifier in lower case, one of ``wanted`` if any are given; "" when none stands here."""
        found = _WORD.match(self.text, self.position)
        if found is None or _TEXT.match(self.text, self.position):
            return ""
        word = lower(found.group())
        if wanted and word not in wanted:
            return ""
        self.position = found.end()
        self.skip()
        return word

    def tag(self, *wanted: str) -> str:
        """The name of a tag without its colon, one of ``wanted``; "" when none of them stands here."""
        if not self.text.startswith(":", self.position):
            return ""
        found = _WORD.match(self.text, self.position + 1)
        if found is None or lower(found.group()) not in wanted:
            return ""
        self.position = found.end()
        self.skip()
        return lower(found.group())

    def number(self) -> int | None:
        found = _NUMBER.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        self.skip()
        return int(found.group(1)) * _FACTORS[lower(found.group(2))]

    def string(self) -> str | None:
        """A quoted string or a multi-line one."""
        if self.text.startswith('"', self.position):
            value = self._quoted()
        else:
            found = _TEXT.match(self.text, self.position)
            if found is None:
                return None
            self._pass(found.end())
            value = self._lines()
        if len(value) > MAX_STRING:
            raise self.error("string is too long")
        if self.encoded and "${" in value:
            value = decode_characters(value, self.line)
        self.skip()
        return value

    def strings(self) -> tuple[str, ...] | None:
        """A list in brackets, or one string."""
        if not self.text.startswith("[", self.position):
            one = self.string()
            return None if one is None else (one,)
        self.take("[")
        out: list[str] = []
        if self.take("]"):
            return ()
        while True:
            value = self.string()
            if value is None:
                raise self.error("missing string list")
            out.append(value)
            if self.take("]"):
                return tuple(out)
            if not self.take(","):
                raise self.error("missing string list")

    def _quoted(self) -> str:
        out: list[str] = []
        position, text = self.position + 1, self.text
        while True:
            part = _QUOTED_PART.match(text, position)
            if part is not None:
                out.append(part.group())
                position = part.end()
            char = text[position : position + 1]
            if char == '"':
                self._pass(position + 1)
                return "".join(out).replace("\r\n", "\n")
            if char == "\\" and position + 1 < len(text):
                following = text[position + 1]
                out.append("\0" if following == "0" else following)
                position += 2
                continue
            raise self.error("missing end of string")

    def _lines(self) -> str:
        out: list[str] = []
        while True:
            end = self.text.find("\n", self.position)
            if end < 0:
                if self.text[self.position :].rstrip("\r") == ".":
                    self._pass(len(self.text))
                    return "".join(out)
                raise self.error("missing end of multi line string")
            line = self.text[self.position : end].removesuffix("\r")
            self._pass(end + 1)
            if line == ".":
                return "".join(out)
            out.append((line[1:] if line.startswith(".") else line) + "\n")
