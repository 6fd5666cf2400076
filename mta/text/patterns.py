"""Regular expressions over byte text, by PCRE2 with its match limit.

``Pattern.search`` gives the captures or None; a pattern that runs away is a failure to match
that raises Deferred, never a hang.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import pcre2

from mta.errors import Deferred, ExpansionFailed

MAX_SUBJECT = 1 << 26


class Pattern:
    """A compiled pattern; text in and out is byte text."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str, caseless: bool = False) -> None:
        self.source = source
        try:
            self._compiled = pcre2.compile(source.encode("latin-1"), pcre2.IGNORECASE if caseless else 0)
        except pcre2.LibraryError as error:
            raise ExpansionFailed(f'regular expression error in "{source}": {_words(error)}') from None

    def search(self, subject: str) -> list[str] | None:
        """``[whole, group 1, ...]`` (unset groups are empty, trailing unset ones kept) or None."""
        span = self.search_span(subject)
        return None if span is None else span[2]

    def search_span(self, subject: str, start: int = 0) -> tuple[int, int, list[str]] | None:
        """Start, end and groups of the first match at or after ``start``."""
        try:
            found = self._compiled.search(subject.encode("latin-1"), start)
        except pcre2.LibraryError as error:
            raise Deferred(f'regular expression "{self.source}" gave up: {error}') from None
        if found is None:
            return None
        groups = [found.group(0), *found.groups(b"")]
        begin, end = found.span()
        return begin, end, [group.decode("latin-1") for group in groups]

    def matches(self, subject: str) -> bool:
        """Whether the pattern is found anywhere in the subject."""
        return self.search_span(subject) is not None

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
