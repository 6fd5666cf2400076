"""Physical lines to logical ones: macros, conditions, inclusions, comments, continuations (manual chapter 6).

``logical_lines`` yields ``Line`` with the place of its first physical line. Faults are appended to
``errors`` and reading goes on, so that one run finds them all.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mta.errors import ConfigError, Where
from mta.settings.macros import MAX_LINE, Macros
from mta.text.ascii import WHITESPACE

MAX_DEPTH = 50
MAX_LINES = 1_000_000
MAX_FILE = 1 << 26
MAX_ERRORS = 200

_DIRECTIVE = re.compile(
    r"\.(include_if_exists|include|ifdef|ifndef|elifdef|elifndef|else|endif)(?=[ \t\v\f\r]|\Z)", re.ASCII
)


@dataclass(slots=True)
class Line:
    """One logical line without white space at its ends, and where it starts."""

    text: str
    where: Where


@dataclass(slots=True)
class _Condition:
    """One open ``.ifdef``: does the present branch count, has any branch counted, does the outside count."""

    where: Where
    live: bool
    done: bool
    outer: bool


@dataclass(slots=True)
class LineReader:
    """The state of one reading of a file and all that it includes."""

    macros: Macros
    errors: list[ConfigError] = field(default_factory=list)
    _conditions: list[_Condition] = field(default_factory=list)
    _stack: list[str] = field(default_factory=list)
    _count: int = 0

    def fault(self, message: str, where: Where) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(ConfigError(message, where))

    def logical_lines(self, path: str) -> Iterator[Line]:
        """The logical lines of a file, blank ones left out."""
        pieces: list[str] = []
        start, size, last = Where(path, 0), 0, Where(path, 0)
        for text, where in self._file(path, None):
            last = where
            if not pieces:
                if not text:
                    continue
                start, size = where, 0
            more = text.endswith("\\")
            pieces.append(text[:-1] if more else text)
            size += len(text)
            if size > MAX_LINE:
                self.fault(f"line is longer than {MAX_LINE} bytes with its continuations", start)
                pieces, more = [], False
            if not more and pieces:
                yield Line("".join(pieces), start)
                pieces = []
        if pieces:
            yield Line("".join(pieces), start)
        for condition in self._conditions:
            self.fault("Unexpected end of configuration file: .endif missing", condition.where or last)
        self._conditions.clear()

    def _file(self, path: str, included_from: Where | None) -> Iterator[tuple[str, Where]]:
        for text, where in self._physical(path, included_from):
            try:
                line, count = self.macros.substitute(text, where)
            except ConfigError as error:
                self.fault(error.message, where)
                continue
            # a macro may bring white space of its own in
            line = line.strip(WHITESPACE)
            if line.startswith("#"):
                continue
            found = _DIRECTIVE.match(line)
            if found is None:
                if self._live:
                    yield line, where
                continue
            word, rest = found.group(1), line[found.end() :].strip(WHITESPACE)
            if word.startswith("include"):
                if self._live:
                    yield from self._include(word, rest, path, where)
            else:
                self._condition(word, count > 0, where)

    @property
    def _live(self) -> bool:
        return not self._conditions or self._conditions[-1].live

    def _physical(self, path: str, included_from: Where | None) -> Iterator[tuple[str, Where]]:
        try:
            data = _content(path)
        except OSError as error:
            what = "included configuration" if included_from else "configuration"
            why = error.strerror or str(error)
            self.fault(f"failed to open {what} file {path}: {why}", included_from or Where(path, 0))
            return
        self._stack.append(os.path.realpath(path))
        for number, raw in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
            self._count += 1
            if self._count > MAX_LINES:
                if self._count == MAX_LINES + 1:
                    self.fault(f"the configuration has more than {MAX_LINES} lines", Where(path, number))
                break
            where = Where(path, number)
            if len(raw) > MAX_LINE:
                self.fault(f"line is longer than {MAX_LINE} bytes", where)
            elif b"\0" in raw:
                self.fault("line contains a NUL character", where)
            else:
                yield raw.decode("latin-1").strip(WHITESPACE), where
        self._stack.pop()

    def _include(self, word: str, name: str, path: str, where: Where) -> Iterator[tuple[str, Where]]:
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1]
        if not name:
            self.fault(f'a file name is missing after ".{word}"', where)
            return
        if not name.startswith("/"):
            if word == "include_if_exists":
                self.fault(f'.include specifies a non-absolute path "{name}"', where)
                return
            name = os.path.join(os.path.dirname(path), name)
        if word == "include_if_exists" and not _exists(name):
            return
        if os.path.realpath(name) in self._stack:
            self.fault(f'file "{name}" includes itself', where)
        elif len(self._stack) >= MAX_DEPTH:
            self.fault(f"files are included more than {MAX_DEPTH} deep", where)
        else:
            yield from self._file(name, where)

    def _condition(self, word: str, found: bool, where: Where) -> None:
        truth = found if word in ("ifdef", "elifdef") else not found
        if word in ("ifdef", "ifndef"):
            outer = self._live
            self._conditions.append(_Condition(where, outer and truth, truth, outer))
            return
        if not self._conditions:
            self.fault(f".{word} without matching .ifdef", where)
            return
        if word == "endif":
            self._conditions.pop()
            return
        here = self._conditions[-1]
        if word == "else":
            truth = True
        here.live = here.outer and truth and not here.done
        here.done = here.done or truth


def _content(path: str) -> bytes:
    with open(os.fsencode(path) if path.isascii() else path.encode("latin-1"), "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def _exists(path: str) -> bool:
    try:
        os.stat(path if path.isascii() else path.encode("latin-1"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True  # the attempt to read it says why it cannot be
    return True
