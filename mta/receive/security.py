"""STARTTLS and AUTH (RFC 3207, RFC 4954; manual chapters 33 and 42)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from mta.errors import Deferred, ExpansionFailed, PeerGone
from mta.mail.peer import TlsInfo
from mta.receive.greeting import set_protocol
from mta.receive.link import SocketLink
from mta.receive.plan import expand
from mta.receive.session import Session
from mta.receive.verdicts import ask, refuse
from mta.scope.expansion import Tainted
from mta.smtp.commands import Command
from mta.text.ascii import lower
from mta.text.ascii import upper as upper_case
from mta.wire import lines as wire

MAX_RESPONSE = 16384  # bytes of one line of an exchange


def starttls(session: Session, command: Command) -> None:
    """STARTTLS. Whatever the client sent behind it in clear text is thrown away, and all it said before forgotten."""
    if not session.starttls or not isinstance(session.link, SocketLink):
        return session.syntax_error(503, "STARTTLS command used when not advertised", command.line)
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


def begin_tls(session: Session) -> None:
    """The handshake, after STARTTLS or on a port of tls_on_connect_ports; the session ends when it fails."""
    from mta.tls.server import ServerTls

    assert isinstance(session.link, SocketLink)
    try:
        secure, info = ServerTls(session.runtime.config).start(session.link.sock, session.scope)
    except (OSError, Deferred, ExpansionFailed, PeerGone, ValueError) as error:
        session.log(f"TLS error on connection from {session.who()}: {error}")
        return session.end("tls-failed")
    session.link.started_tls(secure)
    session.peer.tls = info if isinstance(info, TlsInfo) else TlsInfo()
    session.peer.helo_name = ""
    session.peer.esmtp = False
    _forget_authentication(session)
    session.protocol.forget_helo()
    session.starttls = False
    session.free_helo = session.free_auth = True
    set_protocol(session)
    return None


def _forget_authentication(session: Session) -> None:
    peer = session.peer
    peer.authenticator = peer.authenticator_public_name = ""
    peer.authenticated_id = peer.authenticated_sender = peer.authenticated_fail_id = ""
    peer.authentication_failed = False


def offered_authenticators(session: Session) -> list[Any]:
    """The server authenticators whose server_advertise_condition holds now, in the order of the file."""
    found = []
    for authenticator in session.runtime.config.authenticators:
        if not getattr(authenticator, "is_server", True):
            continue
        options = getattr(authenticator, "options", authenticator)
        condition = getattr(options, "server_advertise_condition", None)
        if condition is None or lower(expand(session.scope, condition, "no").strip()) not in ("", "0", "no", "false"):
            found.append(authenticator)
    return found


def auth(session: Session, command: Command) -> None:
    """AUTH."""
    peer = session.peer
    mechanisms = session.protocol.offer.auth
    if not mechanisms and "allow_auth_unadvertised" not in peer.controls:
        return session.syntax_error(503, "AUTH command used when not advertised", command.line)
    if peer.authenticator:
        return session.syntax_error(503, "already authenticated", command.line)
    name, _, rest = command.argument.partition(" ")
    name, initial = upper_case(name), rest.strip(" \t")
    if not name:
        return session.syntax_error(501, "AUTH command must have an argument", command.line)
    if session.plan.options.acl_smtp_auth is not None:
        verdict = ask(session, "auth")
        if not verdict.accepted:
            return session.reply(refuse(session, "auth", verdict, f"AUTH {command.argument}"))
    chosen = next((a for a in offered_authenticators(session) if upper_case(a.public_name) == name), None)
    if chosen is None:
        session.say(504, f"{name} authentication mechanism not supported")
        session.log_refusal(f"{session.id_fields()} unrecognized authentication mechanism: {name}")
        return None
    try:
        first = decode(initial)
    except BadResponse:
        return session.say(501, "Invalid base64 data")
    return _exchange(session, chosen, first)


class BadResponse(Exception):
    """The client's line ended the exchange: its text is the reply's."""


def decode(text: str) -> bytes | None:
    """An initial response: None when there is none, b"" for ``=`` (RFC 4954 section 4)."""
    if not text:
        return None
    if text == "=":
        return b""
    try:
        return base64.b64decode(text.encode("latin-1"), validate=True)
    except (binascii.Error, ValueError):
        raise BadResponse("Invalid base64 data") from None


def _exchange(session: Session, authenticator: Any, first: bytes | None) -> None:
    from mta.sasl.base import server_exchange

    peer = session.peer

    def challenge(data: bytes) -> bytes:
        session.out.append(b"334 " + base64.b64encode(data) + b"\r\n")
        session.flush()
        answer = read_line(session)
        if answer == b"*":
            raise BadResponse("Authentication cancelled")
        if answer == b"":
            return b""
        try:
            return base64.b64decode(answer, validate=True)
        except (binascii.Error, ValueError):
            raise BadResponse("Invalid base64 data") from None

    try:
        result = server_exchange(authenticator, first, challenge, session.scope)
    except BadResponse as bad:
        return session.say(501, str(bad))
    except (Deferred, ExpansionFailed) as error:
        session.log_refusal(f"{authenticator.name} authenticator failed for {session.id_fields()}: {error.message}")
        return session.say(435, "Unable to authenticate at this time")
    finally:
        peer.auth_vars = []
    return _conclude(session, authenticator, result)


def _conclude(session: Session, authenticator: Any, result: Any) -> None:
    peer = session.peer
    log_id = getattr(result, "authenticated_id", "") or ""
    if result.ok:
        peer.authenticator = authenticator.name
        peer.authenticator_public_name = authenticator.public_name
        peer.authenticated_id = Tainted(log_id)
        peer.authentication_failed = False
        set_protocol(session)
        return session.say(235, "Authentication succeeded")
    peer.authentication_failed = True
    peer.authenticated_fail_id = Tainted(log_id)
    shown = f" (set_id={log_id})" if log_id else ""
    temporary = result.ok is None
    text = "Temporary authentication failure" if temporary else "Incorrect authentication data"
    detail = getattr(result, "log_message", "") or ""
    code = 435 if temporary else 535
    reply = f"{code} {'Unable to authenticate at present' if temporary else text}"
    session.log_refusal(
        f"{authenticator.name} authenticator failed for {session.who()}: {reply}{shown}"
        f"{': ' + detail if detail else ''}"
    )
    return session.say(code, reply[4:])


def read_line(session: Session) -> bytes:
    """A line of the client's inside an exchange. One with a flaw ends it."""
    while True:
        line = session.reader.next()
        if line is not None:
            break
        session.reader.feed(session.link.recv())
    if session.reader.flaw & (wire.NUL | wire.OVERLONG) or len(line) > MAX_RESPONSE:
        raise BadResponse("Invalid base64 data")
    return line.strip(b" \t")
