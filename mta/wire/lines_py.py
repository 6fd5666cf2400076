"""SMTP lines and message data from bytes: the specification that ``_speedups/lines.pyx`` follows.

A command line ends with CRLF (RFC 5321 2.3.8); message data ends with CRLF . CRLF and nothing else.
Both take bytes in pieces of any size and give the same answer for every way of cutting them.
"""

from __future__ import annotations

# What LineReader.flaw says of the line that next() returned.
BARE_LF = 1  # ended by LF alone where CRLF is asked for
BARE_CR = 2  # a CR within the line
NUL = 4  # a NUL within the line
OVERLONG = 8  # longer than the limit; the line itself is given as b""

_LINE_START, _AFTER_DOT, _AFTER_DOT_CR, _IN_LINE, _AFTER_CR = range(5)


class LineReader:
    """Command lines out of bytes.

    ``limit`` is the longest line in bytes without its end. A line ended by a bare LF is given with the flaw
    BARE_LF, so that it can be refused at once instead of being waited on.
    """

    __slots__ = ("_buffer", "_limit", "_position", "_skipping", "flaw")

    def __init__(self, limit: int = 16384) -> None:
        self._buffer = b""
        self._position = 0
        self._limit = limit
        self._skipping = False
        self.flaw = 0

    def feed(self, data: bytes) -> None:
        """Add what has been read."""
        self._buffer = self._buffer[self._position :] + data
        self._position = 0

    def next(self) -> bytes | None:
        """The next line without its end, its flaws in ``flaw``; None when no whole line is there."""
        end = self._buffer.find(b"\n", self._position)
        if end < 0:
            held = len(self._buffer) - self._position
            if self._skipping or held > self._limit + 1:
                # a CR at the end may yet be the first half of the line end
                self._position = len(self._buffer) - (1 if self._buffer.endswith(b"\r") else 0)
                self._skipping = True
            return None
        flaw = 0
        stop = end
        if end > self._position and self._buffer[end - 1] == 13:
            stop -= 1
        else:
            flaw = BARE_LF
        if self._skipping or stop - self._position > self._limit:
            self._skipping = False
            line = b""
            flaw |= OVERLONG
        else:
            line = self._buffer[self._position : stop]
            if b"\r" in line:
                flaw |= BARE_CR
            if b"\0" in line:
                flaw |= NUL
        self._position = end + 1
        self.flaw = flaw
        return line

    def pending(self) -> int:
        """How many bytes are held that no line has been made of."""
        return len(self._buffer) - self._position

    def take(self) -> bytes:
        """All held bytes, which are forgotten here: message data behind DATA, or plain text before TLS."""
        rest = self._buffer[self._position :]
        self._buffer = b""
        self._position = 0
        self._skipping = False
        return rest


class DataScanner:
    """Message data: dots unstuffed, CRLF made LF, the end found.

    A bare CR or LF never counts as a line end of the protocol: no dot after or before it has a meaning. In the
    header it becomes a space; in the body a bare LF becomes a space and a bare CR a line end (manual section 48.2).
    With ``dots`` false (BDAT) nothing ends the data and no dot is special. ``done`` once the end was seen, with
    what followed in ``rest``.
    ``lines`` counts LFs given out, ``max_line`` is the longest line in bytes without its end.
    """

    __slots__ = (
        "_column", "_dots", "_in_header", "_state",
        "bare_cr", "bare_lf", "done", "eight_bit", "lines", "max_line", "nuls", "rest", "size",
    )  # fmt: skip

    def __init__(self, dots: bool = True) -> None:
        self._dots = dots
        self._state = _LINE_START
        self._in_header = True
        self._column = 0
        self.done = False
        self.rest = b""
        self.size = 0  # bytes given out
        self.lines = 0
        self.max_line = 0
        self.nuls = 0
        self.bare_cr = 0
        self.bare_lf = 0
        self.eight_bit = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes from the wire; returns those of the message. Not to be called once ``done``."""
        out = bytearray()
        position = 0
        size = len(data)
        while position < size:
            byte = data[position]
            position += 1
            state = self._state
            if state == _AFTER_CR:
                if byte == 10:
                    self._newline(out)
                    continue
                self._lone(out, True)
                state = self._state = _IN_LINE
            elif state == _AFTER_DOT:
                if byte == 13:
                    self._state = _AFTER_DOT_CR
                    continue
                state = self._state = _IN_LINE  # the dot was stuffing
            elif state == _AFTER_DOT_CR:
                if byte == 10:
                    self.done = True
                    self.rest = data[position:]
                    break
                self._lone(out, True)
                state = self._state = _IN_LINE
            elif state == _LINE_START and byte == 46 and self._dots:
                self._state = _AFTER_DOT
                continue
            if byte == 13:
                self._state = _AFTER_CR
            elif byte == 10:
                self._lone(out, False)
                self._state = _IN_LINE
            else:
                self._state = _IN_LINE
                self._column += 1
                if byte == 0:
                    self.nuls += 1
                elif byte >= 128:
                    self.eight_bit = True
                out.append(byte)
        self.size += len(out)
        return bytes(out)

    def finish(self) -> bytes:
        """The end of data that has no dot (BDAT): a CR at the very end is a bare one."""
        out = bytearray()
        if self._state == _AFTER_CR:
            self._lone(out, True)
            self._state = _IN_LINE
        self.size += len(out)
        self.done = True
        return bytes(out)

    def _newline(self, out: bytearray) -> None:
        if self._in_header and self._column == 0:
            self._in_header = False
        self._line_end(out)
        self._state = _LINE_START

    def _line_end(self, out: bytearray) -> None:
        if self._column > self.max_line:
            self.max_line = self._column
        self._column = 0
        self.lines += 1
        out.append(10)

    def _lone(self, out: bytearray, is_cr: bool) -> None:
        if is_cr:
            self.bare_cr += 1
        else:
            self.bare_lf += 1
        if self._in_header or not is_cr:
            self._column += 1
            out.append(32)
        else:
            self._line_end(out)


def stuff(body: bytes, at_line_start: bool) -> bytes:
    """Text with LF line ends as it goes out: CRLF, lines that begin with a dot get another, bare CR becomes a line
    end and NUL a space, so that neither ever leaves.

    ``at_line_start`` says whether the piece begins a line. The caller keeps pieces from ending in CR.
    """
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in body:
        body = body.replace(b"\0", b" ")
    body = body.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
    if at_line_start and body.startswith(b"."):
        body = b"." + body
    return body
