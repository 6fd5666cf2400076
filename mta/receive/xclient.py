"""XCLIENT: a proxy that we trust says whom it speaks for (hosts_xclient; Postfix's XCLIENT_README).

Permission is the connecting host's own, asked once; after it the session begins anew with the client's facts.
"""

from __future__ import annotations

from mta.mail.peer import Peer
from mta.receive.session import Session
from mta.scope.expansion import Tainted
from mta.smtp.commands import Command, helo_name, is_ip_address, xtext_decode
from mta.text.ascii import strict_int, upper

ATTRIBUTES = ("ADDR", "NAME", "PORT", "LOGIN", "DESTADDR", "DESTPORT")
_UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
_MAX_ATTRIBUTES = 16


def permitted(session: Session) -> bool:
    """Whether the host that connected may say XCLIENT."""
    if session.xclient is None:
        wanted = session.plan.lists["hosts_xclient"]
        session.xclient = wanted is not False and bool(session.peer.address) and session.host_in("hosts_xclient")
    return session.xclient


def xclient(session: Session, command: Command) -> None:
    """XCLIENT."""
    if not session.protocol.offer.xclient:
        return session.syntax_error(503, "XCLIENT command used when not advertised", command.line)
    if session.protocol.in_transaction:
        return session.syntax_error(503, "mail transaction in progress", command.line)
    found = parse(command.argument)
    if isinstance(found, str):
        return session.syntax_error(501, found, command.line)
    old = session.peer
    if not old.proxy_session and not (found.get("ADDR") and found.get("PORT")):
        return session.syntax_error(501, "ADDR and PORT are required", command.line)
    peer = _peer(old, found)
    session.peer = session.scope.peer = peer
    session.answers.clear()
    session.protocol.forget_helo()
    session.starttls = False
    session.free_helo = session.free_auth = True
    session.new_message()
    from mta.receive.greeting import welcome

    if not welcome(session, pregreet=False):
        session.done = True
    return None


def parse(argument: str) -> dict[str, str] | str:
    """The attributes, decoded, "" where the proxy does not know; a text is the error, for a 501."""
    words = argument.split(" ")
    if not argument or len(words) > _MAX_ATTRIBUTES:
        return "XCLIENT must have at least one operand"
    found: dict[str, str] = {}
    for word in words:
        name, equals, given = word.partition("=")
        name = upper(name)
        value = "" if upper(given) in _UNKNOWN else xtext_decode(given)
        if name not in ATTRIBUTES or not equals or value is None or name in found:
            return f"bad attribute: {name[:20]}"
        if name in ("ADDR", "DESTADDR"):
            value = value[5:] if upper(value[:5]) == "IPV6:" else value
        if value and not _fits(name, value):
            return f"bad {name} value"
        found[name] = value
        if name == "NAME" and upper(given) == _UNKNOWN[1]:
            found["DEFERRED"] = "yes"
    return found


def _fits(name: str, value: str) -> bool:
    if name in ("ADDR", "DESTADDR"):
        return is_ip_address(value)
    if name in ("PORT", "DESTPORT"):
        return strict_int(value, maximum=65535) is not None
    return len(value) <= 255 and (name == "LOGIN" or helo_name(value, "_") is not None)


def _peer(old: Peer, found: dict[str, str]) -> Peer:
    """The client behind the proxy: nothing is known of it but what the proxy has said now or before."""
    peer = Peer(
        address=found.get("ADDR") or old.address,
        port=int(found.get("PORT") or old.port),
        interface_address=found.get("DESTADDR") or old.interface_address,
        interface_port=int(found.get("DESTPORT") or old.interface_port),
        tls=old.tls,
        started=old.started,
        connection_id=old.connection_id,
        count_at_start=old.count_at_start,
        smtp_history=old.smtp_history,
        transactions=old.transactions,
        proxy_session=True,
        proxy_local_address=old.proxy_local_address or old.address,
        proxy_local_port=old.proxy_local_port or old.port,
        proxy_external_address=found.get("DESTADDR") or old.proxy_external_address,
        proxy_external_port=int(found.get("DESTPORT") or old.proxy_external_port),
        enforce_sync=old.enforce_sync,
    )
    if "NAME" in found:
        peer.host_name = Tainted(found["NAME"]) if found["NAME"] else ""
        peer.host_lookup_done = True
        peer.host_lookup_deferred = "DEFERRED" in found
        peer.host_lookup_failed = not found["NAME"] and not peer.host_lookup_deferred
    if found.get("LOGIN"):
        peer.authenticator = peer.authenticator_public_name = "XCLIENT"
        peer.authenticated_id = Tainted(found["LOGIN"])
    return peer
