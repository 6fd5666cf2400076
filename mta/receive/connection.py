"""One connection from accept to close: ``serve`` for a TCP socket, ``converse`` for any link.

The one place where PeerGone ends a session and where an exception that nobody expected becomes a 421 for the peer
and a traceback in the panic log.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable

from mta.errors import PeerGone
from mta.log import lines as log_lines
from mta.mail.endings import end
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.receive import greeting, limits, proxy, reception, transaction
from mta.receive.link import Link, SocketLink
from mta.receive.plan import Runtime, expand, plan_of
from mta.receive.session import Session
from mta.receive.verdicts import ask
from mta.smtp.server import ServerSession
from mta.text.units import parse_time
from mta.wire import lines as wire

LINGER = 1.0  # seconds to let a peer read our last words


def nothing(_value: str) -> None:
    """The default of hooks."""


def serve(
    runtime: Runtime,
    sock: socket.socket,
    peer_address: tuple[str, int],
    local_address: tuple[str, int],
    *,
    on_accepted: Callable[[str], None] = nothing,
    counts: limits.Counts | None = None,
    doing: Callable[[str], None] = nothing,
    count_received: Callable[[], None] = lambda: None,
    tls_on_connect: bool = False,
) -> None:
    """Serve one accepted TCP connection to its end, and close the socket. Never raises but for bugs of the caller.

    ``on_accepted`` is called with the id of each message after its 250 was sent; ``doing`` with a few words for
    the scoreboard; ``count_received`` once a message.
    """
    if runtime.config.main.smtp_accept_keepalive and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link = SocketLink(sock)
    peer = Peer(
        address=peer_address[0].partition("%")[0],
        port=peer_address[1],
        interface_address=local_address[0].partition("%")[0],
        interface_port=local_address[1],
        started=time.time(),
    )
    if peer.address.startswith("::ffff:") and "." in peer.address:
        peer.address = peer.address[7:]
        peer.interface_address = peer.interface_address.removeprefix("::ffff:")
    try:
        session = open_session(runtime, link, peer, on_accepted)
        session.doing = doing
        session.count_received = count_received
        converse(session, counts=counts, tls_on_connect=tls_on_connect)
    except Exception:
        runtime.log.panic(f"session from [{peer.address}] failed:\n{traceback.format_exc()}")
    finally:
        link.close()


def open_session(runtime: Runtime, link: Link, peer: Peer, on_accepted: Callable[[str], None]) -> Session:
    """The objects of a session around a link; nothing is read or written."""
    plan = plan_of(runtime)
    scope = runtime.scope(peer=peer, message=Message())
    session = Session(runtime, plan, link, scope, peer, ServerSession(), wire.LineReader(), on_accepted)
    scope.flush = session.flush
    return session


def converse(session: Session, *, counts: limits.Counts | None = None, tls_on_connect: bool = False) -> None:
    """The whole conversation. Does not close the link."""
    try:
        session.timeout = _timeout(session)
        session.link.set_timeout(session.timeout)
        if _admitted(session, counts):
            known = proxy.negotiate(session)
            if tls_on_connect and known:
                session.peer.tls.on_connect = True
                from mta.receive.security import begin_tls

                begin_tls(session)
            if not session.done and greeting.welcome(session):
                if known:
                    reception.run(session)
                else:
                    proxy.refuse_all(session)
        session.flush()
        _ended(session)
    except PeerGone as gone:
        _gone(session, gone)
    except Exception:
        session.runtime.log.panic(
            f'session from {session.who()} failed in "{session.peer.smtp_command[:80]}":\n{traceback.format_exc()}'
        )
        _last_words(session, f"{session.hostname} internal error - closing connection")
    finally:
        transaction.abandon(session)
        end(session.scope.message)


def _timeout(session: Session) -> float:
    if session.plan.timeout is not None:
        return session.plan.timeout
    return parse_time(expand(session.scope, session.plan.options.smtp_receive_timeout, "5m").strip()) or 0.0


def _admitted(session: Session, counts: limits.Counts | None) -> bool:
    if counts is None:
        return True
    refusal = limits.check(session, counts)
    if refusal is not None:
        session.log_refusal(f"Connection from {session.who()} refused: {refusal.reason}")
        session.say(421, refusal.text)
        return False
    if "smtp_connection" in session.plan.selectors and not session.host_in("hosts_connection_nolog"):
        session.log(log_lines.connection(session.peer, session.plan.selectors, counts.total()))
    return True


def _ended(session: Session) -> None:
    """The session came to an end of its own: QUIT, or a reply that closes."""
    reason = session.peer.notquit_reason
    if reason and isinstance(session.link, SocketLink):
        session.link.abrupt = True
    if reason:
        _notquit(session, reason)
    dropped = session.done and session.peer.smtp_command[:4].upper() != "QUIT" and not reason
    if dropped:
        _notquit(session, "acl-drop")
    selectors = session.plan.selectors
    if "smtp_connection" in selectors and session.commands_seen and not reason:
        how = "closed by DROP in ACL" if dropped else "closed by QUIT"
        session.log(log_lines.connection_closed(session.peer, selectors, how))
    _no_mail(session)


def _no_mail(session: Session) -> None:
    selectors = session.plan.selectors
    if "smtp_no_mail" in selectors and not session.mail_commands:
        seconds = time.time() - session.peer.started
        session.log(log_lines.no_mail(session.peer, selectors, seconds, session.peer.smtp_history))


def _gone(session: Session, gone: PeerGone) -> None:
    """The peer hung up or fell silent."""
    selectors, message = session.plan.selectors, session.scope.message
    reason = gone.reason
    host = session.hostname
    in_data = str(gone).startswith("while reading message data")
    _notquit(session, reason)
    if reason == "command-timeout":
        session.log(f"SMTP command timeout on{_tls(session)} connection from {session.who()}")
        _last_words(session, f"{host}: SMTP command timeout - closing connection")
        return
    if reason == "data-timeout":
        session.log(f"SMTP data timeout (message abandoned) on connection from {session.who()} F=<{message.sender}>")
        _last_words(session, f"{host} SMTP incoming data timeout - closing connection.")
        return
    if in_data:
        session.log(f"SMTP connection from {session.who()} lost {gone}")
    elif message.sender_set:
        if "lost_incoming_connection" in selectors:
            seconds = log_lines.elapsed(time.time() - session.peer.started, selectors) or "0s"
            session.log(
                f"unexpected disconnection while reading SMTP command from{_tls(session)} {session.who()} D={seconds}"
            )
    elif "smtp_connection" in selectors:
        seconds_taken = time.time() - session.peer.started
        session.log(log_lines.connection_closed(session.peer, selectors, f"{_tls(session)[1:]}lost", seconds_taken))
    _no_mail(session)
    # half closed connections and pipes can still read
    _last_words(session, "Lost incoming connection" if in_data else f"{host} lost input connection")


def _tls(session: Session) -> str:
    return " TLS" if session.peer.tls.cipher else ""


def _notquit(session: Session, reason: str) -> None:
    """acl_smtp_notquit: what it says changes nothing."""
    session.peer.notquit_reason = reason
    if session.plan.options.acl_smtp_notquit is None or not session.peer.address:
        return
    try:
        ask(session, "notquit")
    except Exception:
        session.runtime.log.panic(f"acl_smtp_notquit failed:\n{traceback.format_exc()}")


def _last_words(session: Session, text: str) -> None:
    """A 421, when it can be said without waiting."""
    session.say(421, text)
    try:
        session.link.set_timeout(LINGER)
        session.flush()
    except PeerGone:
        session.out.clear()
