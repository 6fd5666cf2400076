"""Canonical forms of DKIM (RFC 6376 3.4): the specification that ``_speedups/canon.pyx`` follows.

Input lines end with LF; a CR directly before it belongs to the line end, any other CR is data. Output lines end with
CRLF. White space is space and tab only. Pieces may be cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_BLANKS = re.compile(rb"[ \t]+")
_BLOCK = 2048  # line ends given out at a time


class Body:
    """The canonical form of one body: ``feed`` its pieces, then ``finish``; both call ``update`` with what is known.

    Empty lines at the end are gone, a missing last line end is supplied; an empty body is CRLF (simple) or nothing
    (relaxed). With ``relaxed`` runs of white space are one space, and none at the end of a line.
    """

    __slots__ = ("_any", "_blank", "_cr", "_newlines", "_relaxed")

    def __init__(self, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._cr = False  # the last byte was a CR
        self._blank = False  # white space not given out yet (relaxed)
        self._newlines = 0  # line ends not given out yet
        self._any = False  # something was given out

    def feed(self, data: bytes, update: Callable[[bytes], object]) -> None:
        """The next piece."""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        self._lines(data.replace(b"\r\n", b"\n"), update)

    def _lines(self, data: bytes, update: Callable[[bytes], object]) -> None:
        if self._relaxed:
            if self._blank:
                data = b" " + data
            data = _BLANKS.sub(b" ", data).replace(b" \n", b"\n")
            self._blank = data.endswith(b" ")
            if self._blank:
                data = data[:-1]
        kept = data.rstrip(b"\n")
        if kept:
            while self._newlines:
                count = min(self._newlines, _BLOCK)
                update(b"\r\n" * count)
                self._newlines -= count
            update(kept.replace(b"\n", b"\r\n"))
            self._any = True
        self._newlines += len(data) - len(kept)

    def finish(self, update: Callable[[bytes], object]) -> None:
        """The end of the body."""
        if self._cr:
            self._cr = False
            self._lines(b"\r", update)
        if self._any or not self._relaxed:
            update(b"\r\n")


def relaxed_header(line: bytes) -> bytes:
    """One header line, folds and line end included or not: ``name:value`` CRLF, the name in lower case."""
    name, _, value = line.partition(b":")
    value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    name = name.replace(b"\r\n", b"").replace(b"\n", b"")
    return name.rstrip(b" \t").lower() + b":" + _BLANKS.sub(b" ", value).strip(b" ") + b"\r\n"


def simple_header(line: bytes) -> bytes:
    """One header line as it is, with CRLF at the ends of its lines; a missing last one is supplied."""
    text = line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"
