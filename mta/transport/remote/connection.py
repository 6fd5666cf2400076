"""One SMTP connection as a client: bytes out, replies in, each wait with a deadline.

The socket stays blocking and the kernel keeps the time (SO_RCVTIMEO), so that a wait is one system call.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mta.errors import MtaError
from mta.mail.host import Host
from mta.mail.peer import TlsInfo
from mta.smtp.client import BadReply, ReplyReader
from mta.smtp.extensions import Extensions
from mta.smtp.replies import Reply
from mta.transport.outcomes import SMTP_CLOSED, SMTP_FORMAT

_FAREWELL = 0.2  # seconds for the answer to QUIT
_TIMEVAL = struct.Struct("ll")


class Lost(MtaError):
    """The conversation cannot go on. ``errno`` is ETIMEDOUT or one of outcomes' numbers; ``what`` was asked last."""

    def __init__(self, message: str, number: int, what: str) -> None:
        super().__init__(message)
        self.message = message
        self.errno = number
        self.what = what

    @property
    def timed_out(self) -> bool:
        return self.errno == errno.ETIMEDOUT


def reply_text(reply: Reply) -> str:
    """A reply as it came, with its code on each line and LF between lines."""
    lines = reply.text.split("\n")
    head = "".join(f"{reply.code}-{line}\n" for line in lines[:-1])
    return f"{head}{reply.code} {lines[-1]}"


@dataclass(slots=True)
class Connection:
    """A connection that may carry several messages. ``dirty``: a transaction was left open, RSET comes first."""

    host: Host
    port: int
    stream: Any  # a socket, or a TLS connection with settimeout, recv, send and close
    transport: str = ""  # the instance that opened it
    local_address: str = ""
    local_port: int = 0
    extensions: Extensions = field(default_factory=Extensions)
    esmtp: bool = False
    pipelining: bool = False
    chunking: bool = False
    tls: TlsInfo | None = None
    authenticator: str = ""
    authenticated_id: str = ""
    messages: int = 0  # transactions that ended in an answer to the data
    reused: bool = False
    dirty: bool = False
    closed: bool = False
    idle_since: float = 0.0
    reader: ReplyReader = field(default_factory=ReplyReader)
    replies: deque[Reply] = field(default_factory=deque)
    on_close: Any = None  # called once when the connection is closed: the event tcp:close
    release: Any = None  # called once when the connection is closed (serialize_hosts)
    _receive_timeout: float = -1.0
    _send_timeout: float = -1.0

    def send(self, data: bytes, timeout: float, what: str) -> None:
        """Write all of it. Raises Lost."""
        stream = self.stream
        try:
            if isinstance(stream, socket.socket):
                if timeout != self._send_timeout:
                    self._kernel_timeout(socket.SO_SNDTIMEO, timeout)
                    self._send_timeout = timeout
                stream.sendall(data)
            else:
                self._send_through(stream, data, timeout)
        except (TimeoutError, BlockingIOError):
            raise Lost(f"SMTP timeout after {what}", errno.ETIMEDOUT, what) from None
        except OSError as error:
            raise Lost(f"Remote host closed connection in response to {what}", SMTP_CLOSED, what) from error

    def _send_through(self, stream: Any, data: bytes, timeout: float) -> None:
        stream.settimeout(timeout or None)
        view = data
        while view:
            sent = stream.send(view[: 1 << 18])
            view = view[sent:]

    def _kernel_timeout(self, which: int, timeout: float) -> None:
        seconds = int(timeout)
        self.stream.setsockopt(socket.SOL_SOCKET, which, _TIMEVAL.pack(seconds, int((timeout - seconds) * 1_000_000)))

    def reply(self, timeout: float, what: str) -> Reply:
        """The next reply, all of it within ``timeout`` seconds. Raises Lost."""
        if self.replies:
            return self.replies.popleft()
        started = time.monotonic()
        while not self.replies:
            data = self._receive(timeout, what)
            if not data:
                raise Lost(f"Remote host closed connection in response to {what}", SMTP_CLOSED, what)
            try:
                self.replies.extend(self.reader.feed(data))
            except BadReply as bad:
                shown = str(bad)[:1000]
                raise Lost(f"Malformed SMTP reply in response to {what}: {shown}", SMTP_FORMAT, what) from None
            if not self.replies and timeout and time.monotonic() - started > timeout:
                raise Lost(f"SMTP timeout after {what}", errno.ETIMEDOUT, what)
        return self.replies.popleft()

    def _receive(self, timeout: float, what: str) -> bytes:
        stream = self.stream
        try:
            if not isinstance(stream, socket.socket):
                stream.settimeout(timeout or None)
                return bytes(stream.recv(16384))
            if timeout != self._receive_timeout:
                self._kernel_timeout(socket.SO_RCVTIMEO, timeout)
                self._receive_timeout = timeout
            return stream.recv(16384)
        except (TimeoutError, BlockingIOError):
            raise Lost(f"SMTP timeout after {what}", errno.ETIMEDOUT, what) from None
        except ConnectionError:
            return b""
        except OSError as error:
            raise Lost(f"Remote host closed connection in response to {what}", SMTP_CLOSED, what) from error

    def command(self, line: str, timeout: float, what: str = "") -> Reply:
        """Send one command, without its CRLF, and wait for the answer."""
        what = what or line
        self.send((line + "\r\n").encode("latin-1"), timeout, what)
        return self.reply(timeout, what)

    def alive(self) -> bool:
        """Whether an idle connection may be used: nothing said since, and not closed by the other end."""
        if self.replies or self.reader.pending:
            return False
        stream = self.stream
        if not isinstance(stream, socket.socket):
            # Tickets have been read with the first answers: what comes now is an end of some kind.
            poll = select.poll()
            poll.register(stream.fileno(), select.POLLIN)
            return not poll.poll(0)
        try:
            stream.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # the end of the stream, or a farewell: 421

    def switched_to(self, stream: Any) -> None:
        """Go on over TLS: nothing that came in clear text counts any more."""
        self.stream = stream
        self.reader = ReplyReader()
        self.replies.clear()
        self.extensions = Extensions()

    def quit(self) -> None:
        """Say QUIT, wait a moment for the answer, and close."""
        try:
            if isinstance(self.stream, socket.socket):
                self.stream.send(b"QUIT\r\n", socket.MSG_DONTWAIT)
                self._kernel_timeout(socket.SO_RCVTIMEO, _FAREWELL)
            else:
                self.stream.settimeout(_FAREWELL)
                self.stream.send(b"QUIT\r\n")
            # An answer that met a closed socket would be reset, which some servers log.
            self.stream.recv(512)
        except (OSError, MtaError):
            self.close()
            return
        self.close()

    def close(self) -> None:
        """Close without a word."""
        if self.closed:
            return
        self.closed = True
        try:
            self.stream.close()
        except OSError:
            return
        finally:
            told, self.on_close = self.on_close, None
            if told is not None:
                told()
            release, self.release = self.release, None
            if release is not None:
                release()
