"""Asking a client's host who is calling (RFC 1413; rfc1413_hosts and rfc1413_query_timeout, manual chapter 14).

``ask(peer, timeout)`` gives the user's name or "" and never raises; the whole exchange has one deadline.
"""

from __future__ import annotations

import re
import socket
import time

from mta.mail.peer import Peer

PORT = 113
LONGEST = 1024  # bytes of a reply that are looked at (RFC 1413 section 6: at most 1000)
_REPLY = re.compile(rb"[ \t]*(\d{1,5})[ \t]*,[ \t]*(\d{1,5})[ \t]*:[ \t]*USERID[ \t]*:([^:]*):[ \t]*(.*)", re.DOTALL)


def ask(peer: Peer, timeout: float, port: int = PORT) -> str:
    """The name that the peer's own machine has for who opened this connection; printable, 127 characters at most."""
    deadline = time.monotonic() + timeout
    family = socket.AF_INET6 if ":" in peer.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.bind((peer.interface_address, 0))
            sock.settimeout(timeout)
            sock.connect((peer.address, port))
            sock.sendall(f"{peer.port} , {peer.interface_port}\r\n".encode("ascii"))
            return name_in(_line(sock, deadline), peer.port, peer.interface_port)
    except OSError:
        return ""


def _line(sock: socket.socket, deadline: float) -> bytes:
    held = b""
    while b"\n" not in held and len(held) < LONGEST:
        left = deadline - time.monotonic()
        if left <= 0:
            return b""
        sock.settimeout(left)
        data = sock.recv(LONGEST)
        if not data:
            break
        held += data
    return held.partition(b"\n")[0][:LONGEST].rstrip(b"\r")


def name_in(line: bytes, their_port: int, our_port: int) -> str:
    """The name in a reply for this pair of ports; "" for errors, for other pairs and for what is no reply."""
    found = _REPLY.fullmatch(line)
    if found is None or (int(found[1]), int(found[2])) != (their_port, our_port):
        return ""
    name = found[4].decode("latin-1").strip(" \t")[:127]
    return "".join(char if " " <= char <= "~" else "?" for char in name)
