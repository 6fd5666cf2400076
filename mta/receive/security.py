"""STARTTLS and AUTH (RFC 3207, RFC 4954; manual chapters 33 and 42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import Deferred, ExpansionFailed
from mta.receive.greeting import set_protocol
from mta.receive.link import SocketLink
from mta.receive.session import Session
from mta.receive.verdicts import ask, refuse
from mta.scope.events import main_event
from mta.scope.expansion import Tainted
from mta.smtp.commands import Command
from mta.text.ascii import upper

if TYPE_CHECKING:
    from mta.sasl.base import Authenticator

MAX_RESPONSE = 16384  # bytes of one line of an exchange
OK = 0  # sasl.base.Auth.OK


def starttls(session: Session, command: Command) -> None:
    """STARTTLS. Whatever the client sent behind it in clear text is thrown away, and all it said before forgotten."""
    if not session.starttls or not isinstance(session.link, SocketLink):
        return session.syntax_error(503, "STARTTLS command used when not advertised", command.line)
    if session.protocol.in_transaction:
        return session.syntax_error(503, "STARTTLS command not permitted inside a transaction", command.line)
    if session.plan.options.acl_smtp_starttls is not None:
        verdict = ask(session, "starttls")
        if not verdict.accepted:
            return session.reply(refuse(session, "starttls", verdict, "STARTTLS"))
    session.flush()
    session.reader.take()
    session.new_message()
    session.say(220, "TLS go ahead")
    session.flush()
    return begin_tls(session)


def tls_ready(session: Session) -> bool:
    """Whether there is a certificate to start TLS with; a fault is logged, once a session."""
    from mta.tls.server import ServerTls

    why = ServerTls(session.runtime.config).check(session.scope)
    if why:
        session.log(f"TLS cannot be offered to {session.who()}: {why}")
    return not why


def begin_tls(session: Session) -> None:
    """The handshake, after STARTTLS or on a port of tls_on_connect_ports; the session ends when it fails."""
    from mta.tls.errors import TlsFailed
    from mta.tls.server import ServerTls

    link, peer = session.link, session.peer
    assert isinstance(link, SocketLink)
    on_connect = peer.tls.on_connect
    try:
        secure = ServerTls(session.runtime.config).start(link.sock, session.scope, session.timeout)
    except (TlsFailed, Deferred, ExpansionFailed) as error:
        session.log(f"TLS error on connection from {session.who()} {error.message}")
        main_event(session.scope, "tls:fail:connect", error.message)
        return session.end("tls-failed")
    link.started_tls(secure)
    if peer.tls.peer_certificate and _refuses_certificate(session, secure.chain()):
        return session.end("tls-failed")
    peer.tls.on_connect = on_connect
    peer.helo_name = ""
    remembered = session.plan.options.tls_remember_esmtp and peer.esmtp
    peer.esmtp = remembered
    _forget_authentication(session)
    offer = session.protocol.offer
    session.protocol.forget_helo()
    if remembered:
        session.protocol.esmtp, session.protocol.offer = True, offer
    session.starttls = False
    session.free_helo = session.free_auth = True
    set_protocol(session)
    return None


def _refuses_certificate(session: Session, chain: list[bytes]) -> bool:
    """The event tls:cert for each certificate, the leaf (depth 0) last; whether the session cannot go on."""
    tls = session.peer.tls
    leaf, verified = tls.peer_certificate, tls.certificate_verified
    for depth in range(len(chain) - 1, -1, -1):
        tls.peer_certificate = chain[depth]
        refused = main_event(session.scope, "tls:cert", str(depth))
        tls.peer_certificate = leaf
        if refused:
            session.log(f"[{session.peer.address}] SSL verify denied by event-action: depth={depth}: {refused}")
            tls.certificate_verified = False
    required = session.plan.options.tls_verify_hosts
    if required is None or tls.certificate_verified == verified:
        return False
    try:
        return required.match(session.scope, session.peer.address) is not None
    except Deferred:
        return True


def _forget_authentication(session: Session) -> None:
    peer = session.peer
    peer.authenticator = peer.authenticator_public_name = ""
    peer.authenticated_id = peer.authenticated_sender = peer.authenticated_fail_id = ""
    peer.authentication_failed = False


def auth(session: Session, command: Command) -> None:
    """AUTH."""
    from mta.sasl.server import find

    peer = session.peer
    if not session.protocol.offer.auth and "allow_auth_unadvertised" not in peer.controls:
        return session.syntax_error(503, "AUTH command used when not advertised", command.line)
    if peer.authenticator:
        return session.syntax_error(503, "already authenticated", command.line)
    if session.protocol.in_transaction:
        return session.syntax_error(503, "not permitted in mail transaction", command.line)
    name, _, rest = command.argument.partition(" ")
    initial = rest.strip(" \t")
    if not name:
        return session.syntax_error(501, "AUTH must have an argument", command.line)
    if session.plan.options.acl_smtp_auth is not None:
        verdict = ask(session, "auth")
        if not verdict.accepted:
            # without what follows the mechanism: it may be a password
            return session.reply(refuse(session, "auth", verdict, f"AUTH {name}"))
    chosen = find(session.runtime.config.authenticators, name)
    offered = upper(name) in session.protocol.offer.auth or "allow_auth_unadvertised" in peer.controls
    if chosen is None or not offered:
        return session.syntax_error(504, f"{name} authentication mechanism not supported", command.line)
    return _exchange(session, chosen, initial or None)


def _exchange(session: Session, authenticator: Authenticator, initial: str | None) -> None:
    from mta.sasl.server import server_exchange

    def challenge(text: str) -> str:
        session.say(334, text)
        session.flush()
        return _read_line(session)

    result = server_exchange(authenticator, initial, challenge, session.scope)
    peer = session.peer
    if result.status == OK:
        peer.authenticator = authenticator.name
        peer.authenticator_public_name = authenticator.public_name
        peer.authenticated_id = Tainted(result.id)
        peer.authenticated_fail_id = ""
        peer.authentication_failed = False
        set_protocol(session)
    else:
        peer.authentication_failed = True
        peer.authenticated_fail_id = Tainted(result.id)
        shown = f" (set_id={result.id})" if result.id else ""
        why = f": {result.log}" if result.log and not result.text.endswith(f": {result.log}") else ""
        line = f"{authenticator.name} authenticator failed for {session.who()}: {result.code} {result.text}{shown}{why}"
        session.log_refusal(main_event(session.scope, "auth:fail", f"{result.code} {result.text}") or line)
    session.say(result.code, result.text)


def _read_line(session: Session) -> str:
    """A line of the client's inside an exchange; one with a flaw is given as what is no base64."""
    while (line := session.reader.next()) is None:
        session.reader.feed(session.link.recv())
    if session.reader.flaw or len(line) > MAX_RESPONSE:
        return "!"
    return line.decode("latin-1").strip(" \t")
