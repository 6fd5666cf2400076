"""The PROXY protocol in front of a session (hosts_proxy; manual chapter 59): the client's address from the proxy.

Hosts that are to send a header must send a right one in time; otherwise everything but QUIT is refused.
"""

from __future__ import annotations

import time

from mta.errors import PeerGone
from mta.receive.session import Session
from mta.smtp.commands import parse_command
from mta.wire import proxy as wire

TIMEOUT = 3.0  # seconds, for the whole header
REFUSAL = "Command refused, required Proxy negotiation failed"


def negotiate(session: Session) -> None:
    """Read the header when this peer must send one; its addresses take the place of the connection's."""
    peer = session.peer
    if not peer.address or not session.plan.lists["hosts_proxy"] or not session.host_in("hosts_proxy"):
        return
    peer.proxy_session = True
    try:
        header = _read(session)
    except (PeerGone, wire.ProxyFault) as error:
        session.log(f"proxy session for [{peer.address}] failed: {error}")
        session.reader.take()
        _refuse_all(session)
        return
    finally:
        session.link.set_timeout(session.timeout)
    if header.local:
        return
    peer.proxy_local_address, peer.proxy_local_port = peer.address, peer.port
    peer.proxy_external_address, peer.proxy_external_port = header.destination, header.destination_port
    peer.address, peer.port = header.source, header.source_port


def _read(session: Session) -> wire.ProxyHeader:
    deadline = time.monotonic() + TIMEOUT
    held = b""
    while True:
        if held:
            header = wire.parse(held)
            if header is not None:
                session.reader.feed(held[header.size :])
                return header
        left = deadline - time.monotonic()
        if left <= 0:
            raise PeerGone("command-timeout", "no PROXY header in time")
        session.link.set_timeout(left)
        held += session.link.recv()


def _refuse_all(session: Session) -> None:
    session.say(220, f"{session.hostname} ESMTP")
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
