"""A message's bytes on their way in: header held in memory, body into the spool, limits watched.

``add`` takes decoded text (LF line ends) of any size; after ``finish`` the header lines are in ``headers``. A limit
that is passed leaves its Fault in ``fault``; what comes after that is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mta.mail.headers import Header
from mta.receive.header_lines import split_header
from mta.receive.plan import Incoming
from mta.text.ascii import from_bytes


class Fault(NamedTuple):
    """Why a message cannot be taken: for the peer, for the log (before and after the peer's name)."""

    code: int
    text: str
    kind: str  # "size", "header", "line"


TOO_BIG = Fault(552, "Message size exceeds maximum permitted", "size")
HEADER_TOO_LONG = Fault(552, "Message header is ridiculously long", "header")
NOT_CRLF = Fault(552, "Message header not CRLF terminated", "crlf")
LINE_TOO_LONG = Fault(552, "A message header line is too long", "line")


class Intake:
    """One message. Limits are in bytes; 0 is none."""

    __slots__ = (
        "_head", "_header_limit", "_incoming", "_limit", "_line_limit", "_searched", "_strip", "_whole_line",
        "body_lines", "body_size", "body_zeros", "fault", "header_size", "headers", "size",
    )  # fmt: skip

    def __init__(
        self,
        incoming: Incoming,
        limit: int,
        header_limit: int,
        line_limit: int,
        strip: Callable[[str], str] | None = None,
    ) -> None:
        self._incoming = incoming
        self._strip = strip  # takes lines off the front of the header
        self._limit = limit
        self._header_limit = header_limit
        self._line_limit = line_limit
        self._head: bytearray | None = bytearray()
        self._searched = 0
        self._whole_line = True
        self.headers: list[Header] = []
        self.header_size = 0
        self.size = 0  # bytes so far, header included
        self.body_size = 0
        self.body_lines = 0
        self.body_zeros = 0
        self.fault: Fault | None = None

    @property
    def headers_done(self) -> bool:
        """Whether the header's end was seen."""
        return self._head is None

    @property
    def whole_line(self) -> bool:
        """Whether the last byte so far ends a line."""
        return self._whole_line if self._head is None else self._head.endswith(b"\n")

    def add(self, data: bytes) -> None:
        """More of the message."""
        self.size += len(data)
        if self.fault is not None:
            return None
        if 0 < self._limit < self.size:
            return self._fail(TOO_BIG)
        if self._head is None:
            return self._body(data)
        self._head += data
        head = self._head
        if head[0] == 10:
            return self._split()
        # the end of the header may lie across two pieces
        if head.find(b"\n\n", max(self._searched - 1, 0)) >= 0:
            return self._split()
        self._searched = len(head)
        if 0 < self._header_limit < len(head):
            return self._split()
        return None

    def _split(self) -> None:
        assert self._head is not None
        text = from_bytes(bytes(self._head))
        if self._strip is not None:
            text = self._strip(text)
        self._head = None
        self.headers, end, body = split_header(text)
        self.header_size = end
        if 0 < self._header_limit < end:
            return self._fail(HEADER_TOO_LONG)
        if self._line_limit > 0 and any(len(line.text) > self._line_limit for line in self.headers):
            return self._fail(LINE_TOO_LONG)
        return self._body(text[body:].encode("latin-1"))

    def _body(self, data: bytes) -> None:
        if data:
            self.body_size += len(data)
            self.body_lines += data.count(b"\n")
            if 0 in data:
                self.body_zeros += data.count(b"\0")
            self._whole_line = data.endswith(b"\n")
            self._incoming.write(data)

    def _fail(self, fault: Fault) -> None:
        self.fault = fault
        self._head = None
        self._incoming.abandon()

    def finish(self) -> None:
        """The end of the message; a last line without its end gets one, as Exim does."""
        if self._head is not None:
            self._split()
        if self.fault is None and self.body_size and not self._whole_line:
            self._body(b"\n")
