"""Words and quoted strings of an Exim filter file (filter manual 3.1 and 3.2).

``Lexer`` keeps the place and the line; white space, newlines and comments behind an item are passed with it.
"""

from __future__ import annotations

from mta.filter.actions import FilterError
from mta.text.ascii import WHITESPACE, is_digits

MAX_ITEM = 1024  # characters of a word or string, before expansion
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OCTAL, _HEX = "01234567", "0123456789abcdefABCDEF"


class Lexer:
    """Text is byte text; a NUL ends it, as it ends a string in quotes."""

    __slots__ = ("_text", "line", "position")

    def __init__(self, text: str) -> None:
        self._text = text.partition("\0")[0]
        self.position = 0
        self.line = 1
        self.skip()

    def near(self, message: str) -> FilterError:
        """An error that ends with where we are."""
        return FilterError(f"{message} near line {self.line} of filter file")

    @property
    def char(self) -> str:
        """The next character, "" at the end."""
        return self._text[self.position : self.position + 1]

    def skip(self) -> None:
        """Past white space and comments."""
        text, size = self._text, len(self._text)
        while self.position < size:
            char = text[self.position]
            if char == "#":
                end = text.find("\n", self.position)
                self.position = size if end < 0 else end
                continue
            if char not in WHITESPACE:
                return
            if char == "\n":
                self.line += 1
            self.position += 1

    def peek(self, *, brackets: bool = False) -> str:
        """The next word, not taken."""
        kept = self.position, self.line
        word = self.word(brackets=brackets)
        self.position, self.line = kept
        return word

    def word(self, *, brackets: bool = False) -> str:
        """The next word as it stands, quotes and all; with ``brackets`` it ends at one, too. "" when there is none."""
        start = self.position
        text, size = self._text, len(self._text)
        position = start
        while position < size and text[position] not in WHITESPACE and not (brackets and text[position] in "()"):
            position += 1
        if position - start >= MAX_ITEM:
            raise FilterError(f"word is too long in line {self.line} of filter file (max = {MAX_ITEM} chars)")
        self.position = position
        self.skip()
        return text[start:position]

    def item(self, *, brackets: bool = False) -> str:
        """A word, or a string in double quotes with its escapes resolved."""
        if self.char != '"':
            return self.word(brackets=brackets)
        return self._quoted()

    def _quoted(self) -> str:
        text, size = self._text, len(self._text)
        line = self.line
        out: list[str] = []
        position = self.position + 1
        while position < size and text[position] not in '"\n':
            if len(out) >= MAX_ITEM - 1:
                raise FilterError(f"string is too long in line {line} of filter file (max = {MAX_ITEM} chars)")
            if text[position] != "\\" or position + 1 >= size:
                out.append(text[position])
                position += 1
            else:
                position = self._escape(position + 1, out)
        if position >= size or text[position] != '"':
            raise FilterError(f"quote missing at end of string in line {line}")
        self.position = position + 1
        self.skip()
        return "".join(out).partition("\0")[0]

    def _escape(self, position: int, out: list[str]) -> int:
        """What stands for the characters behind a backslash; the place behind them."""
        text = self._text
        char = text[position]
        if char == "\n":
            self.line += 1
            position += 1
            while text[position : position + 1] in (" ", "\t"):
                position += 1
            return position
        if char in _OCTAL:
            end = position
            while end < position + 3 and text[end : end + 1] and text[end] in _OCTAL:
                end += 1
            out.append(chr(int(text[position:end], 8) & 0xFF))
            return end
        if char == "x":
            end = position + 1
            while end < position + 3 and text[end : end + 1] and text[end] in _HEX:
                end += 1
            out.append(chr(int(text[position + 1 : end] or "0", 16)))
            return end
        out.append(_ESCAPES.get(char, char))
        return position + 1

    def mode(self) -> int:
        """Octal digits, when a word that begins with a digit follows: a file's mode; else 0."""
        if not is_digits(self.char):
            return 0
        digits = ""
        for char in self.word():
            if char not in _OCTAL:
                break
            digits += char
        return int(digits or "0", 8) & 0o7777
