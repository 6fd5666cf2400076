"""Regular expressions over byte text, by PCRE2 with its match limit.

``Pattern.search`` gives the captures or None; a pattern that runs away is a failure to match
that raises Deferred, never a hang.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pcre2

from mta.errors import Deferred, ExpansionFailed

MAX_SUBJECT = 1 << 26


# letters, digits and characters that mean nothing in a pattern
_LITERAL = re.compile(r"[A-Za-z0-9 _@%&=;:,<>~'\"/!-]+\Z")

# Patterns on which Python's re and PCRE2 agree and that cannot run away: atoms with quantifiers one after the other,
# in groups or not, no alternatives, nothing nested. re needs a fifth of the time of a call into the library.
_SHORT = 1024  # with two unbounded quantifiers at most, a million steps
_ATOM = (
    r"""(?:[A-Za-z0-9 _@%&=;:,<>~'"/!-]|\\[-.\\/@+*?^$()\[\]{}|dDwWsS]|\.|"""
    r"""\[\^?(?:[A-Za-z0-9 _@%&=;:,<>~'"/!.+*|-]|\\[-\\\].dws])+\])"""
)
_QUANTIFIED = _ATOM + r"(?:[*+?]|\{[0-9]{1,3}(?:,(?:[0-9]{1,3})?)?\})?"
_SIMPLE = re.compile(rf"\^?(?:{_QUANTIFIED}|\((?:{_QUANTIFIED})+\))+\$?\Z")
_UNBOUNDED = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|([*+]|\{[0-9]+,\})")


def _simple(source: str, caseless: bool) -> re.Pattern[str] | None:
    """The pattern for re when it is one of those."""
    if not _SIMPLE.match(source) or any(pair in source for pair in ("||", "--", "&&", "~~")):
        return None
    unbounded = sum(1 for found in _UNBOUNDED.finditer(source) if found.group(1))
    if unbounded + (not source.startswith("^")) > 2:
        return None
    try:
        return re.compile(source, re.ASCII | (re.IGNORECASE if caseless else 0))
    except (re.error, OverflowError):
        return None


class Pattern:
    """A compiled pattern; text in and out is byte text."""

    __slots__ = ("_compiled", "_groups", "_simple", "literal", "source")

    def __init__(self, source: str, caseless: bool = False) -> None:
        self.source = source
        # Plain text needs no library: a third of the patterns in public configurations are that.
        self.literal = source if _LITERAL.match(source) and not caseless else None
        try:
            self._compiled = pcre2.compile(source.encode("latin-1"), pcre2.IGNORECASE if caseless else 0)
        except pcre2.LibraryError as error:
            raise ExpansionFailed(f'regular expression error in "{source}": {_words(error)}') from None
        self._groups = self._compiled.groups
        self._simple = _simple(source, caseless)

    def _find(self, subject: str, start: int = 0) -> Any:
        try:
            return self._compiled.search(subject.encode("latin-1"), start)
        except pcre2.LibraryError as error:
            raise Deferred(f'regular expression "{self.source}" gave up: {error}') from None

    def _texts(self, found: Any) -> list[str]:
        if not self._groups:
            return [found.group(0).decode("latin-1")]
        return [found.group(0).decode("latin-1"), *(group.decode("latin-1") for group in found.groups(b""))]

    def search(self, subject: str) -> list[str] | None:
        """``[whole, group 1, ...]`` (unset groups are empty, trailing unset ones kept) or None."""
        if self.literal is not None:
            return [self.literal] if self.literal in subject else None
        if self._simple is not None and len(subject) <= _SHORT:
            simple = self._simple.search(subject)
            return None if simple is None else [simple.group(), *simple.groups()]
        found = self._find(subject)
        return None if found is None else self._texts(found)

    def search_span(self, subject: str, start: int = 0) -> tuple[int, int, list[str]] | None:
        """Start, end and groups of the first match at or after ``start``."""
        if self.literal is not None:
            at = subject.find(self.literal, start)
            return None if at < 0 else (at, at + len(self.literal), [self.literal])
        if self._simple is not None and len(subject) <= _SHORT:
            simple = self._simple.search(subject, start)
            return None if simple is None else (simple.start(), simple.end(), [simple.group(), *simple.groups()])
        found = self._find(subject, start)
        if found is None:
            return None
        begin, end = found.span()
        return begin, end, self._texts(found)

    def matches(self, subject: str) -> bool:
        """Whether the pattern is found anywhere in the subject."""
        if self.literal is not None:
            return self.literal in subject
        if self._simple is not None and len(subject) <= _SHORT:
            return self._simple.search(subject) is not None
        return self._find(subject) is not None

    def spans(self, subject: str) -> Iterator[tuple[int, int, list[str]]]:
        """Every match from left to right, as Exim's ``${sg`` finds them."""
        position = 0
        while position <= len(subject):
            found = self.search_span(subject, position)
            if found is None:
                return
            yield found
            position = found[1] if found[1] > found[0] else found[1] + 1


_AT = re.compile(r"compilation failed at position (\d+); (.*)", re.DOTALL)


def _words(error: Exception) -> str:
    """The library's complaint the way Exim words it: ``missing closing parenthesis at offset 1``."""
    found = _AT.match(str(error).strip(". "))
    return f"{found.group(2)} at offset {found.group(1)}" if found else str(error)


@lru_cache(maxsize=2048)
def pattern(source: str, caseless: bool = False) -> Pattern:
    """A compiled pattern from the process's cache; ExpansionFailed when it does not compile."""
    return Pattern(source, caseless)
