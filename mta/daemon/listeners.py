"""Listening sockets: bound by the master as root, or taken over from systemd, kept over a reload."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.net import sockets
from mta.net.sockets import Endpoint
from mta.text.lists import join_list

if TYPE_CHECKING:
    from mta.daemon.generation import Generation
    from mta.daemon.master import DaemonOptions


@dataclass(slots=True)
class Bound:
    """``endpoint`` None: the Unix socket for submissions by local users, at ``path``."""

    sock: socket.socket
    endpoint: Endpoint | None
    tls_on_connect: bool = False
    path: str = ""


def bind(
    generation: Generation,
    options: DaemonOptions,
    *,
    inherited: list[socket.socket] | None = None,
    keep: list[Bound] | None = None,
) -> list[Bound]:
    """The listeners that a configuration asks for; those of ``keep`` that it still wants are not bound anew."""
    main = generation.config.main
    if inherited:
        return [Bound(sock, Endpoint(*sock.getsockname()[:2]), False) for sock in inherited]
    kept = {entry.endpoint: entry for entry in keep or [] if entry.endpoint is not None}
    out: list[Bound] = []
    if options.listen:
        wanted = sockets.endpoints(
            join_list(list(main.local_interfaces)),
            join_list(list(main.daemon_smtp_ports)),
            options.override_interfaces,
            disable_ipv6=main.disable_ipv6,
        )
        tls_ports = {sockets.port_number(item) for item in main.tls_on_connect_ports if item}
        for endpoint in wanted:
            found = kept.get(endpoint) or Bound(_listen(generation, endpoint, wanted), endpoint)
            found.tls_on_connect = options.tls_on_connect or endpoint.port in tls_ports
            if found.sock not in [entry.sock for entry in out] and found.sock.fileno() >= 0:
                out.append(found)
    path = "" if options.no_socket else generation.submission_path()
    if path:
        old = next((entry for entry in keep or [] if entry.path == path), None)
        out.append(old or Bound(_listen_unix(path), None, path=path))
    return out


def _listen(generation: Generation, endpoint: Endpoint, wanted: list[Endpoint]) -> socket.socket:
    """Bind, trying again as daemon_startup_retries and daemon_startup_sleep say while the port is taken."""
    main = generation.config.main
    tries = max(1, main.daemon_startup_retries)
    for left in range(tries, -1, -1):
        try:
            sock = sockets.listen(endpoint, main.smtp_connect_backlog, no_delay=main.tcp_nodelay)
            sock.setblocking(False)
            return sock
        except OSError as error:
            busy = error.errno == 98
            if not busy or not left:
                raise OSError(
                    error.errno,
                    f"socket bind() to port {endpoint.port} for address {endpoint.address} failed: "
                    f"{os.strerror(error.errno or 0)}",
                ) from None
            generation.log(
                f"socket bind() to port {endpoint.port} for address {endpoint.address} failed: "
                f"{error.strerror}: waiting {main.daemon_startup_sleep:.0f}s before trying again ({left} more tries)"
            )
            time.sleep(main.daemon_startup_sleep)
    raise AssertionError("not reached")


def _listen_unix(path: str) -> socket.socket:
    """The submission socket: anybody on the machine may connect, the kernel says who it is (SO_PEERCRED)."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.bind(path)
    os.chmod(path, 0o666)
    sock.listen(64)
    sock.setblocking(False)
    return sock


def described(bound: list[Bound]) -> str:
    """``SMTP on port 25 (IPv4)``, ``SMTP on [127.0.0.1]:{2525,2526}``: the daemon's first log line has it."""
    out = []
    for kind, tls in (("SMTP", False), ("SMTPS", True)):
        ports: dict[str, list[int]] = {}
        for entry in bound:
            if entry.endpoint is not None and entry.tls_on_connect == tls:
                ports.setdefault(entry.endpoint.address, []).append(entry.endpoint.port)
        names = [_address_name(address, found) for address, found in ports.items()]
        if names:
            out.append(f"{kind} on {' '.join(names)}")
    return " and for ".join(out) or "nothing"


def _address_name(address: str, ports: list[int]) -> str:
    numbers = str(ports[0]) if len(ports) == 1 else "{" + ",".join(map(str, ports)) + "}"
    if sockets.is_wildcard(address):
        return f"port {numbers} ({'IPv6' if ':' in address else 'IPv4'})"
    return f"[{address}]:{numbers}"
