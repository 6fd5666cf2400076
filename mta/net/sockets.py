"""TCP sockets with a deadline on every wait: connecting out, listening, reading and writing.

Connecting and listening raise OSError, whose errno the retry rules want; talking raises PeerGone.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mta.errors import ConfigError, PeerGone
from mta.text.ascii import is_digits, strict_int
from mta.text.lists import split_list

CONNECTION_LOST = "connection-lost"


class Endpoint(NamedTuple):
    """Where to listen: an IP address (``::0`` and ``0.0.0.0`` are all interfaces) and a port."""

    address: str
    port: int


class Stream(Protocol):
    """What talking needs of a socket, plain or TLS. ``recv`` gives b"" at the end; TimeoutError after settimeout."""

    def settimeout(self, value: float | None, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET6 for an address with a colon, AF_INET otherwise."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(
    address: str,
    port: int,
    timeout: float,
    *,
    interface: str = "",
    keepalive: bool = True,
    fast_open: bytes = b"",
) -> socket.socket:
    """A connection to an IP address within ``timeout`` seconds (0: the system's own), from ``interface`` when given.

    Raises OSError; TimeoutError carries ETIMEDOUT. ``fast_open`` is first data for TCP Fast Open, for protocols
    where the client speaks first.
    """
    sock = socket.socket(family_of(address), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if keepalive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if interface:
            sock.bind((interface, 0))
        sock.settimeout(timeout or None)
        if fast_open:
            sock.sendto(fast_open, socket.MSG_FASTOPEN, (address, port))
        else:
            sock.connect((address, port))
    except TimeoutError:
        sock.close()
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
    except BaseException:
        sock.close()
        raise
    return sock


def listen(endpoint: Endpoint, backlog: int = 20, *, no_delay: bool = True) -> socket.socket:
    """A listening socket. IPv6 ones take IPv6 only, so that ``::0`` and ``0.0.0.0`` stand side by side.

    ``no_delay`` (TCP_NODELAY) goes over to the connections.
    """
    family = family_of(endpoint.address)
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if no_delay:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((endpoint.address, endpoint.port))
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def listen_all(endpoints: Sequence[Endpoint], backlog: int = 20) -> list[socket.socket]:
    """Listeners for every endpoint. ``::0`` is passed over where the kernel has no IPv6; other faults are raised."""
    made: list[socket.socket] = []
    try:
        for endpoint in endpoints:
            try:
                made.append(listen(endpoint, backlog))
            except OSError as error:
                no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
                if is_wildcard(endpoint.address) and ":" in endpoint.address and no_ipv6:
                    continue
                raise
    except BaseException:
        for sock in made:
            sock.close()
        raise
    return made


def is_wildcard(address: str) -> bool:
    """Whether an address stands for all interfaces of its family."""
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def endpoints(
    local_interfaces: str, daemon_smtp_ports: str, override: str = "", *, disable_ipv6: bool = False
) -> list[Endpoint]:
    """Where a daemon listens, from the two options and ``-oX`` (manual sections 13.1 to 13.3).

    Raises ConfigError for an item that is neither address nor port. No address is listed twice.
    """
    interfaces, source = split_list(local_interfaces), "local_interfaces"
    ports = split_list(daemon_smtp_ports)
    if override:
        items = split_list(override)
        named = [item for item in items if "." in item or ":" in item]
        numbers = [item for item in items if item not in named]
        if named:
            interfaces, source = named, "-oX data"
        ports = numbers or ports
    numbers_of_ports = [port_number(port) for port in ports]
    found: dict[Endpoint, None] = {}
    for item in interfaces:
        address, port = split_port(item, source)
        if disable_ipv6 and ":" in address:
            continue
        for number in [port] if port else numbers_of_ports:
            found[Endpoint(address, number)] = None
    return list(found)


def port_number(text: str) -> int:
    """A port from a number or a service name of /etc/services; ConfigError for anything else."""
    if is_digits(text):
        number = strict_int(text, maximum=65535)
        if number is None:
            raise ConfigError(f'"{text}" is not a valid port number')
        return number
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError):
        raise ConfigError(f'TCP port "{text}" not found') from None


def split_port(item: str, source: str = "local_interfaces") -> tuple[str, int]:
    """An address with an optional port, ``192.0.2.1.25`` or ``[::1]:25``; port 0 when there is none."""
    address, port = item, ""
    if item.startswith("["):
        address, bracket, rest = item[1:].partition("]")
        if not bracket or (rest and rest[0] != ":"):
            raise ConfigError(f'Malformed IP address "{item}" in {source}')
        port = rest[1:]
    elif not _is_address(item):
        address, _, port = item.rpartition(".")
    number = strict_int(port, maximum=65535) if port else 0
    if number is None or not _is_address(address):
        raise ConfigError(f'Malformed IP address "{item}" in {source}')
    return address, number


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def receive(stream: Stream, timeout: float, *, timed_out: str = "command-timeout", size: int = 16_384) -> bytes:
    """Some bytes, at least one, within ``timeout`` seconds (0: no limit); PeerGone for end, reset and silence."""
    try:
        stream.settimeout(timeout or None)
        data = stream.recv(size)
    except TimeoutError:
        raise PeerGone(timed_out, "timed out") from None
    except OSError as error:
        raise PeerGone(CONNECTION_LOST, str(error)) from error
    if not data:
        raise PeerGone(CONNECTION_LOST, "connection closed")
    return data


def send(stream: Stream, data: bytes, timeout: float, *, timed_out: str = "command-timeout") -> None:
    """Write all of ``data``; the whole must leave within ``timeout`` seconds (0: no limit). Raises PeerGone."""
    deadline = time.monotonic() + timeout if timeout else None
    view = data
    try:
        while view:
            if deadline is None:
                stream.settimeout(None)
            else:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                stream.settimeout(left)
            sent = stream.send(view)
            view = view[sent:] if sent < len(view) else b""
    except TimeoutError:
        raise PeerGone(timed_out, "timed out while sending") from None
    except OSError as error:
        raise PeerGone(CONNECTION_LOST, str(error)) from error
