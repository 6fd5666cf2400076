"""The PROXY protocol in front of a session (hosts_proxy; manual chapter 59): the client's address from the proxy.

Hosts that are to send a header must send a right one in time; otherwise everything but QUIT is refused. No byte behind
the header is read: a TLS handshake may follow.
"""

from __future__ import annotations

import socket
import time

from mta.errors import PeerGone
from mta.receive.link import SocketLink
from mta.receive.session import Session
from mta.smtp.commands import parse_command
from mta.wire import proxy as wire

REFUSAL = "Command refused, required Proxy negotiation failed"
_LONGEST = wire.V2_LONGEST + 16


def negotiate(session: Session) -> bool:
    """Read the header when this peer must send one; its addresses take the place of the connection's.

    False when it did not come, or was none: ``refuse_all`` is to follow the greeting.
    """
    peer, link = session.peer, session.link
    if not peer.address or not isinstance(link, SocketLink):
        return True
    if not session.plan.lists["hosts_proxy"] or not session.host_in("hosts_proxy"):
        return True
    peer.proxy_session = True
    try:
        header = _read(link, session.plan.options.proxy_protocol_timeout)
    except (PeerGone, wire.ProxyFault):
        return False
    finally:
        session.link.set_timeout(session.timeout)
    if not header.local:
        peer.proxy_local_address, peer.proxy_local_port = peer.address, peer.port
        peer.proxy_external_address, peer.proxy_external_port = header.destination, header.destination_port
        peer.address, peer.port = header.source, header.source_port
    return True


def _read(link: SocketLink, seconds: float) -> wire.ProxyHeader:
    """Bytes are looked at first and taken when they are the header's; all of what is no header is taken."""
    deadline = time.monotonic() + seconds
    held = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise PeerGone("command-timeout", "no PROXY header in time")
        link.set_timeout(left)
        try:
            seen = link.sock.recv(_LONGEST, socket.MSG_PEEK)
        except OSError:
            raise PeerGone("connection-lost", "no PROXY header in time") from None
        if not seen:
            raise PeerGone("connection-lost", "no PROXY header")
        size = len(seen)
        try:
            header = wire.parse(held + seen)
            if header is not None:
                size = header.size - len(held)
        finally:
            link.sock.recv(size)
        if header is not None:
            return header
        held += seen


def refuse_all(session: Session) -> None:
    """What a client hears whose proxy has not told who it is."""
    for _ in range(session.plan.options.smtp_accept_max_nonmail + 1):
        session.flush()
        line = session.reader.next()
        while line is None:
            session.reader.feed(session.link.recv())
            line = session.reader.next()
        command = parse_command(line.decode("latin-1"))
        if command.verb == "QUIT":
            session.say(221, f"{session.hostname} closing connection")
            break
        session.say(503, REFUSAL)
    session.end("proxy-failed")
