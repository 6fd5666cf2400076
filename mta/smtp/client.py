"""The client's side of SMTP without sockets: replies out of bytes, commands into bytes, the pipelining window.

``ReplyReader`` never believes more than was said: a reply whose lines differ in their codes is a temporary failure
(RELIABILITY), and what came before a command was sent can be seen by the caller (``pending``).
"""

from __future__ import annotations

from collections import deque

from mta.mail.message import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_FULL, RET_HDRS
from mta.smtp.extensions import Extensions, parse_ehlo
from mta.smtp.replies import Reply
from mta.wire import lines as wire

__all__ = ["BadReply", "Extensions", "ReplyReader", "Window", "encode_data", "mail_command", "parse_ehlo",
           "rcpt_command"]  # fmt: skip

LONGEST_LINE = 8192  # bytes; RFC 5321 asks for 512, some servers exceed it
MOST_LINES = 1000  # lines of one reply
MOST_BYTES = 65536  # bytes of one reply
encode_data = wire.stuff


class BadReply(ValueError):
    """What the server sent is no SMTP reply; ``str()`` is the line, for the log."""


class ReplyReader:
    """Replies out of bytes, whatever way they come cut."""

    __slots__ = ("_code", "_differs", "_lines", "_reader", "_size")

    def __init__(self) -> None:
        self._reader = wire.LineReader(LONGEST_LINE)
        self._lines: list[str] = []
        self._code = 0
        self._differs = False
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are whole now; ``text`` has LF between lines. Raises BadReply.

        Lines that end in a bare LF are taken: refusing a whole server for them helps nobody, and they cannot be
        mistaken for anything else here.
        """
        self._reader.feed(data)
        out: list[Reply] = []
        while (line := self._reader.next()) is not None:
            reply = self._line(line)
            if reply is not None:
                out.append(reply)
        return out

    def _line(self, line: bytes) -> Reply | None:
        if self._reader.flaw & (wire.OVERLONG | wire.NUL):
            raise BadReply("line too long or with NUL")
        text = line.decode("latin-1").replace("\r", " ")
        code, mark = text[:3], text[3:4]
        if (
            len(code) != 3
            or not (code.isascii() and code.isdigit())
            or mark not in ("", " ", "-")
            or code[0] not in "2345"
        ):
            raise BadReply(text)
        self._size += len(text)
        if len(self._lines) >= MOST_LINES or self._size > MOST_BYTES:
            raise BadReply("reply too long")
        number = int(code)
        if not self._lines:
            self._code = number
        elif number != self._code:
            self._differs = True
        self._lines.append(text[4:])
        if mark == "-":
            return None
        whole = "\n".join(self._lines)
        reply = Reply(451, f"reply with differing codes: {whole}") if self._differs else Reply(self._code, whole)
        self._lines, self._differs, self._size = [], False, 0
        return reply

    @property
    def pending(self) -> bool:
        """Whether part of a reply is held: bytes that the server sent and that no reply has used up."""
        return bool(self._lines) or self._reader.pending() > 0

    def discard(self) -> bytes:
        """Forget what is held and return it: bytes injected in clear text before TLS starts."""
        self._lines, self._differs, self._size = [], False, 0
        return self._reader.take()


def mail_command(
    sender: str,
    extensions: Extensions,
    *,
    size: int = 0,
    body: int = 0,
    auth: str | None = None,
    ret: int = 0,
    envid: str = "",
    prdr: bool = False,
    smtputf8: bool = False,
) -> bytes:
    """``MAIL FROM:`` with the parameters that the server knows. ``auth`` is xtext already, or "<>"."""
    parts = [f"MAIL FROM:<{_safe(sender)}>"]
    if size > 0 and "SIZE" in extensions:
        parts.append(f"SIZE={size}")
    if body and "8BITMIME" in extensions:
        parts.append("BODY=8BITMIME" if body == 8 else "BODY=7BIT")
    if prdr and "PRDR" in extensions:
        parts.append("PRDR")
    if smtputf8 and "SMTPUTF8" in extensions:
        parts.append("SMTPUTF8")
    if "DSN" in extensions:
        if ret in (RET_FULL, RET_HDRS):
            parts.append("RET=FULL" if ret == RET_FULL else "RET=HDRS")
        if envid:
            parts.append(f"ENVID={_safe(envid)}")
    if auth is not None and "AUTH" in extensions:
        parts.append(f"AUTH={_safe(auth)}")
    return (" ".join(parts) + "\r\n").encode("latin-1")


def rcpt_command(address: str, extensions: Extensions, *, notify: int = 0, orcpt: str = "") -> bytes:
    """``RCPT TO:`` with the DSN parameters when the server knows them."""
    parts = [f"RCPT TO:<{_safe(address)}>"]
    if "DSN" in extensions:
        if notify & NOTIFY_NEVER:
            parts.append("NOTIFY=NEVER")
        elif notify:
            bits = ((NOTIFY_SUCCESS, "SUCCESS"), (NOTIFY_FAILURE, "FAILURE"), (NOTIFY_DELAY, "DELAY"))
            parts.append("NOTIFY=" + ",".join(word for bit, word in bits if notify & bit))
        if orcpt:
            parts.append(f"ORCPT={_safe(orcpt)}")
    return (" ".join(parts) + "\r\n").encode("latin-1")


def _safe(text: str) -> str:
    """Text that cannot end the command line it stands in; ValueError is a bug of the caller."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError("line break in an SMTP argument")
    return text


class Window:
    """Commands sent whose replies have not come (RFC 2920). ``tag`` is whatever the caller wants back."""

    __slots__ = ("_bytes", "_sent", "limit")

    def __init__(self, limit: int) -> None:
        """``limit``: the most commands under way; 1 without PIPELINING."""
        self.limit = max(1, limit)
        self._sent: deque[object] = deque()
        self._bytes: list[bytes] = []

    def add(self, command: bytes, tag: object) -> None:
        """Queue a command for sending."""
        self._bytes.append(command)
        self._sent.append(tag)

    @property
    def full(self) -> bool:
        """Whether replies must be read before the next command."""
        return len(self._sent) >= self.limit

    @property
    def waiting(self) -> int:
        """How many replies are to come."""
        return len(self._sent)

    def output(self) -> bytes:
        """The bytes to send now."""
        data = b"".join(self._bytes)
        self._bytes.clear()
        return data

    def answered(self) -> object:
        """The tag of the command that the next reply belongs to; IndexError when nothing was asked."""
        return self._sent.popleft()
