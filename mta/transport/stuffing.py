"""How the bytes of a message change on their way out: line ends, check strings, dot stuffing.

``Shaper`` is fed chunks of LF text and gives chunks back; what it gives does not depend on how the input was cut.
With ``smtp`` no bare CR, bare LF or NUL leaves it (RFC 5321 2.3.8), and the text ends with a line end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Shape:
    """``check`` at the start of a line is replaced by ``escape``; ``final_newline`` supplies a missing one."""

    crlf: bool = False
    check: bytes = b""
    escape: bytes = b""
    smtp: bool = False
    final_newline: bool = False


PLAIN = Shape()
SMTP_DATA = Shape(crlf=True, check=b".", escape=b"..", smtp=True, final_newline=True)
SMTP_BDAT = Shape(crlf=True, smtp=True, final_newline=True)


class Shaper:
    """One message's way through a Shape."""

    __slots__ = ("_at_start", "_held", "_shape", "_tail_cr", "size")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._held = b""  # the beginning of a line that may turn out to be the check string
        self._at_start = True  # what comes next begins a line
        self._tail_cr = False
        self.size = 0  # bytes given out

    def feed(self, data: bytes) -> bytes:
        """The next piece of the message."""
        if self._shape.smtp:
            data = self._clean(data)
        if self._shape.check:
            data = self._escape(self._held + data, last=False)
        elif data:
            self._at_start = data[-1:] == b"\n"
        return self._out(data)

    def finish(self) -> bytes:
        """What was held back, and the missing line end."""
        data = self._held
        self._held = b""
        if self._tail_cr:
            data, self._tail_cr = data + b"\n", False
        if data and self._shape.check:
            data = self._escape(data, last=True)
        elif data:
            self._at_start = data[-1:] == b"\n"
        if self._shape.final_newline and not self._at_start:
            data += b"\n"
            self._at_start = True
        return self._out(data)

    def _out(self, data: bytes) -> bytes:
        if self._shape.crlf and data:
            data = data.replace(b"\n", b"\r\n")
        self.size += len(data)
        return data

    def _clean(self, data: bytes) -> bytes:
        if self._tail_cr:
            data, self._tail_cr = b"\r" + data, False
        if b"\r" in data:
            if data[-1:] == b"\r":  # the LF that may belong to it is in the next piece
                data, self._tail_cr = data[:-1], True
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\0" in data:
            data = data.replace(b"\0", b"")
        return data

    def _escape(self, data: bytes, *, last: bool) -> bytes:
        check, escape = self._shape.check, self._shape.escape
        if not data:
            return b""
        start = data.rfind(b"\n") + 1
        tail = data[start:]
        whole_line_start = start > 0 or self._at_start
        if not last and whole_line_start and len(tail) < len(check) and check.startswith(tail):
            self._held, data = tail, data[:start]
            if not data:
                return b""
        else:
            self._held = b""
        starts_line = self._at_start
        self._at_start = data[-1:] == b"\n"
        if b"\n" in check:
            return self._escape_lines(data, starts_line)
        if starts_line and data.startswith(check):
            return escape + data[len(check) :].replace(b"\n" + check, b"\n" + escape)
        return data.replace(b"\n" + check, b"\n" + escape)

    def _escape_lines(self, data: bytes, starts_line: bool) -> bytes:
        # A check string that holds its own line end (MMDF) overlaps with the one before it.
        check, escape = self._shape.check, self._shape.escape
        out = []
        for number, line in enumerate(data.split(b"\n")):
            text = line + b"\n"
            if (number or starts_line) and text.startswith(check):
                text = escape + text[len(check) :]
            out.append(text)
        return b"".join(out)[:-1]


def shaped(pieces: Iterable[bytes], shape: Shape) -> Iterator[bytes]:
    """``pieces`` through a Shaper, empty results left out."""
    shaper = Shaper(shape)
    for piece in pieces:
        out = shaper.feed(piece)
        if out:
            yield out
    out = shaper.finish()
    if out:
        yield out
