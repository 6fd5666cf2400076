"""The bytes of a session, in and out: a TCP socket, plain or under TLS, or standard input and output.

``recv`` raises PeerGone at the end, on errors and when nothing came in time; writes likewise. Deadlines are the
kernel's (SO_RCVTIMEO), so that a wait costs one system call.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Any, Protocol

from mta.errors import PeerGone
from mta.system.readiness import readable

BLOCK = 1 << 16  # bytes asked for at a time
_DRAINED = 16  # blocks read and forgotten at most before closing


class Link(Protocol):
    """``timeout`` seconds hold for each read and write from then on."""

    def recv(self, size: int = BLOCK) -> bytes: ...
    def send(self, data: bytes) -> None: ...
    def readable(self) -> bool: ...
    def set_timeout(self, seconds: float) -> None: ...
    def close(self) -> None: ...


class SocketLink:
    """A connected socket in blocking mode; ``secure`` stands in for it once TLS runs."""

    __slots__ = ("_poll", "_timeout", "abrupt", "secure", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.secure: Any = None
        self.abrupt = False  # we end it while the peer may still be talking
        self._poll: select.poll | None = None
        self._timeout = 0.0
        if sock.gettimeout() is not None:
            sock.settimeout(None)

    def recv(self, size: int = BLOCK) -> bytes:
        try:
            data: bytes = (self.secure or self.sock).recv(size)
        except (BlockingIOError, TimeoutError):
            raise PeerGone("command-timeout") from None
        except OSError as error:
            raise PeerGone("connection-lost", error.strerror or "") from None
        if not data:
            raise PeerGone("connection-lost")
        return data

    def send(self, data: bytes) -> None:
        try:
            (self.secure or self.sock).sendall(data)
        except (BlockingIOError, TimeoutError):
            raise PeerGone("command-timeout", "writing") from None
        except OSError as error:
            raise PeerGone("connection-lost", error.strerror or "") from None

    def readable(self) -> bool:
        """Whether something, the end included, is there to be read now."""
        pending = getattr(self.secure, "pending", None)
        if pending is not None and pending():
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.sock, select.POLLIN)
        return bool(self._poll.poll(0))

    def set_timeout(self, seconds: float) -> None:
        if seconds == self._timeout:
            return
        self._timeout = seconds
        packed = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, packed)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, packed)
        except OSError as error:
            raise PeerGone("connection-lost", error.strerror or "") from None
        settimeout = getattr(self.secure, "settimeout", None)
        if settimeout is not None:
            settimeout(seconds)

    def started_tls(self, secure: Any) -> None:
        """All further bytes go through ``secure``."""
        self.secure = secure
        timeout, self._timeout = self._timeout, -1.0
        if timeout > 0:
            self.set_timeout(timeout)

    def close(self) -> None:
        """Say good-bye and close."""
        try:
            if self.secure is not None:
                self.secure.close()
            else:
                self.sock.shutdown(socket.SHUT_WR)
                if self.abrupt:
                    self._drain()
        except OSError:
            pass
        self.sock.close()

    def _drain(self) -> None:
        """Closing with unread bytes would reset the connection, and the peer might never read our last reply."""
        for _ in range(_DRAINED):
            if not self.sock.recv(BLOCK, socket.MSG_DONTWAIT):
                return


class PipeLink:
    """Standard input and output: LF alone is a line end there, given on as CRLF."""

    __slots__ = ("_after_cr", "_input", "_output", "_timeout")

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self._input = input_fd
        self._output = output_fd
        self._after_cr = False
        self._timeout = 0.0

    def recv(self, size: int = BLOCK) -> bytes:
        if self._timeout > 0 and not readable(self._input, self._timeout):
            raise PeerGone("command-timeout")
        data = os.read(self._input, size)
        if not data:
            raise PeerGone("connection-lost")
        after_cr, self._after_cr = self._after_cr, data.endswith(b"\r")
        if after_cr and data.startswith(b"\n"):
            return b"\n" + _with_crlf(data[1:])
        return _with_crlf(data)

    def send(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._output, data) :]
        except OSError as error:
            raise PeerGone("connection-lost", error.strerror or "") from None

    def readable(self) -> bool:
        return False  # no synchronization check on a pipe

    def set_timeout(self, seconds: float) -> None:
        self._timeout = seconds

    def close(self) -> None:
        """Standard input and output are not ours to close."""


def _with_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
