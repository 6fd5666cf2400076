"""A TLS connection as a stream: settimeout, recv, send, close, as a socket has them.

Silence raises TimeoutError, everything else that ends a connection OSError; the other side's proper end is b"".
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from mta.tls.errors import reason

T = TypeVar("T")
MAX_CHUNK = 1 << 17


class TlsSocket:
    """The socket underneath is not blocking; each call waits up to the time-out (None: for ever)."""

    __slots__ = ("_connection", "_dead", "_socket", "_timeout")

    def __init__(self, sock: socket.socket, connection: SSL.Connection) -> None:
        self._socket = sock
        self._connection = connection
        self._timeout: float | None = None
        self._dead = False

    def settimeout(self, value: float | None) -> None:
        """Seconds for each call from now on; None and 0 wait for ever."""
        self._timeout = value or None

    def gettimeout(self) -> float | None:
        return self._timeout

    def fileno(self) -> int:
        return self._socket.fileno()

    def pending(self) -> int:
        """Bytes that are decrypted and not yet received: a poll of the socket does not see them."""
        return self._connection.pending()

    def chain(self) -> list[bytes]:
        """The other side's certificates in DER, its own first; with what was found locally where they hold."""
        found = self._connection.get_verified_chain() or self._connection.get_peer_cert_chain() or []
        return [one.to_cryptography().public_bytes(Encoding.DER) for one in found]

    def recv(self, size: int) -> bytes:
        """Some bytes; b"" when the other side has ended its stream."""
        try:
            return bytes(self._run(lambda: self._connection.recv(size)))
        except SSL.ZeroReturnError:
            return b""

    def send(self, data: bytes) -> int:
        """Write some of it; says how many bytes."""
        try:
            return int(self._run(lambda: self._connection.send(data[:MAX_CHUNK])))
        except SSL.ZeroReturnError:
            raise ConnectionResetError("TLS session is closed") from None

    def sendall(self, data: bytes) -> None:
        """Write all of it; the time-out is for each piece."""
        view = memoryview(data)
        while view:
            view = view[self.send(bytes(view[:MAX_CHUNK])) :]

    def shutdown(self, _how: int = socket.SHUT_RDWR) -> None:
        """Say that no more will come (close_notify); does not wait for the other side."""
        if self._dead:
            return
        self._dead = True
        try:
            self._connection.shutdown()
        except (SSL.Error, OSError):
            return

    def close(self) -> None:
        """End the session and the connection."""
        self.shutdown()
        self._socket.close()

    def handshake(self, timeout: float) -> None:
        """All of the handshake within ``timeout`` seconds (0: no limit); raises SSL.Error, TimeoutError, OSError."""
        self._timeout = timeout or None
        self._wait_for(self._connection.do_handshake)

    def _run(self, call: Callable[[], T]) -> T:
        if self._dead:
            raise ConnectionResetError("TLS session is closed")
        try:
            return self._wait_for(call)
        except SSL.ZeroReturnError:
            raise
        except SSL.SysCallError as error:
            self._dead = True
            raise ConnectionResetError(reason(error)) from None
        except SSL.Error as error:
            self._dead = True
            raise ConnectionAbortedError(reason(error)) from None

    def _wait_for(self, call: Callable[[], T]) -> T:
        """Call again until it neither wants to read nor to write."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            try:
                return call()
            except SSL.WantReadError:
                wanted = select.POLLIN
            except SSL.WantWriteError:
                wanted = select.POLLOUT
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            poll = select.poll()
            poll.register(self._socket.fileno(), wanted)
            if not poll.poll(None if left is None else left * 1000):
                raise TimeoutError("timed out")
