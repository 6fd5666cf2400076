"""Talking to a scanner: one connection with one deadline over all of it, answers of bounded size.

``Dialogue`` raises OSError (TimeoutError with ETIMEDOUT's text) and nothing else.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable
from types import TracebackType

from mta.errors import MtaError
from mta.text.ascii import is_digits, strict_int

MAX_ANSWER = 1 << 20
MAX_PORTS = 1000


class NoConnection(MtaError):
    """``message`` in Exim's words."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_ports(text: str) -> range | None:
    """``783`` or ``783-790`` as a range; None for anything else."""
    first, dash, last = text.partition("-")
    if not is_digits(first) or (dash and not is_digits(last)):
        return None
    low = strict_int(first, maximum=65535)
    high = strict_int(last, maximum=65535) if dash else low
    if low is None or high is None or not 0 < low <= high < low + MAX_PORTS:
        return None
    return range(low, high + 1)


class Dialogue:
    """One connection. ``name`` is where it leads, as ``$callout_address`` has it."""

    def __init__(self, sock: socket.socket, name: str, deadline: float) -> None:
        self.name = name
        self._sock = sock
        self._deadline = deadline

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def send(self, blocks: Iterable[bytes]) -> None:
        """Write all of it."""
        for block in blocks:
            self._wait()
            try:
                self._sock.sendall(block)
            except TimeoutError:
                raise _timeout() from None

    def done_sending(self) -> None:
        """Close our half."""
        self._sock.shutdown(socket.SHUT_WR)

    def read_all(self, ends: bytes = b"") -> bytes:
        """Everything up to the end of the stream, or up to the first of the bytes of ``ends``."""
        out = bytearray()
        while len(out) < MAX_ANSWER:
            self._wait()
            try:
                data = self._sock.recv(65536)
            except TimeoutError:
                raise _timeout() from None
            except ConnectionResetError:
                break
            out += data
            if not data or any(end in data for end in ends):
                break
        return bytes(out)

    def _wait(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _timeout()
        self._sock.settimeout(left)


def _timeout() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def connect_unix(path: str, timeout: float) -> Dialogue:
    """A Unix socket. Raises NoConnection."""
    deadline = time.monotonic() + timeout
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except (OSError, ValueError) as error:
        sock.close()
        why = getattr(error, "strerror", None) or str(error)
        raise NoConnection(f"unable to connect to UNIX socket ({path}): {why}") from None
    return Dialogue(sock, path, deadline)


def connect_tcp(host: str, ports: range, timeout: float) -> Dialogue:
    """The first port that answers, in order. ``host``: a name or address. Raises NoConnection."""
    deadline = time.monotonic() + timeout
    why = "no port"
    for port in ports:
        try:
            sock = socket.create_connection((host, port), timeout=max(deadline - time.monotonic(), 0.001))
        except TimeoutError:
            why = os.strerror(errno.ETIMEDOUT)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
        else:
            return Dialogue(sock, address_text(host, port), deadline)
    raise NoConnection(f"failed to connect to any address for {host}: {why}")


def address_text(host: str, port: int) -> str:
    """As ``$callout_address`` shows it."""
    return f"[{host}]:{port}"


__all__ = ["Dialogue", "NoConnection", "address_text", "connect_tcp", "connect_unix", "parse_ports"]
