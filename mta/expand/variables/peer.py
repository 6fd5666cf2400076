"""Variables of the connection: the sending host, our end of it, its SMTP session, who authenticated."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache

from mta.errors import ConfigError
from mta.expand.base import left, variable
from mta.mail.peer import Peer
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower


def host_name(scope: Scope) -> str:
    """The peer's confirmed name; looked up now when nobody has yet (manual 11.9, "sender_host_name")."""
    peer = scope.peer
    if not peer.host_name and peer.address and not peer.host_lookup_done:
        scope.services.lookup_host_name(scope)
    return peer.host_name


@lru_cache(maxsize=16)
def logs_ports(log_selector: str) -> bool:
    """Whether the selector holds incoming_port."""
    from mta.log.selectors import parse_selectors

    try:
        return "incoming_port" in parse_selectors(log_selector)
    except ConfigError:
        return False


def full_host(peer: Peer, *, ports: bool) -> str:
    """``name (helo) [address]:port``: name when confirmed, helo unless it is that name (``$sender_fullhost``)."""
    if not peer.address:
        return ""
    place = f"[{peer.address}]:{peer.port}" if ports and peer.port else f"[{peer.address}]"
    helo = "" if not peer.helo_name or _is_name(peer) else f"({peer.helo_name}) "
    return f"{peer.host_name} {helo}{place}" if peer.host_name else f"{helo}{place}"


def received_host(peer: Peer, *, ports: bool) -> str:
    """The same facts as Received: header lines want them (``$sender_rcvhost``)."""
    if not peer.address:
        return ""
    literal = f"[{peer.address}]"
    items = []
    if peer.host_name:
        items.append(f"{literal}:{peer.port}" if ports and peer.port else literal)
    elif ports and peer.port:
        items.append(f"port={peer.port}")
    helo = peer.helo_name if peer.helo_name not in ("", literal, peer.address) and not _is_name(peer) else ""
    if helo:
        items.append(f"helo={helo}")
    if peer.ident:
        items.append(f"ident={peer.ident}")
    if not peer.host_name:
        return f"{literal} ({' '.join(items)})" if items else literal
    # folded when all three are there, for the header's looks
    gap = "\n\t" if helo and peer.ident else " "
    return f"{peer.host_name}{gap}({' '.join(items)})"


def _is_name(peer: Peer) -> bool:
    return bool(peer.host_name) and lower(peer.helo_name) == lower(peer.host_name)


def _full_host(scope: Scope) -> str:
    return full_host(scope.peer, ports=logs_ports(scope.site.options.log_selector or ""))


def _received_host(scope: Scope) -> str:
    return received_host(scope.peer, ports=logs_ports(scope.site.options.log_selector or ""))


def _helo_name(scope: Scope) -> str:
    return scope.peer.helo_name


def _ident(scope: Scope) -> str:
    ident = scope.peer.ident
    return Tainted(ident) if scope.peer.address else ident


def _helo_verified(scope: Scope) -> str:
    return "yes" if scope.peer.helo_verified else "no"


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _port(port: int) -> str:
    return str(port) if port > 0 else "-1"


variable("sender_fullhost", _full_host, tainted=True)
variable("sender_rcvhost", _received_host, tainted=True)
variable("sender_helo_name", _helo_name, tainted=True)
variable("sender_helo_verified", _helo_verified)
variable("sender_helo_dnssec", left("sender_helo_dnssec", "no"))
variable("sender_host_address", lambda s: s.peer.address)
variable("sender_host_authenticated", lambda s: s.peer.authenticator)
variable("sender_host_dnssec", lambda s: _yes_no(s.peer.host_dnssec))
variable("sender_host_name", host_name, tainted=True)
variable("sender_host_port", lambda s: str(s.peer.port))
variable("sender_ident", _ident)
variable("host_lookup_deferred", lambda s: _flag(s.peer.host_lookup_deferred))
variable("host_lookup_failed", lambda s: _flag(s.peer.host_lookup_failed))
variable("interface_address", lambda s: s.peer.interface_address)
variable("interface_port", lambda s: _port(s.peer.interface_port))
variable("received_ip_address", lambda s: s.peer.interface_address)
variable("received_port", lambda s: _port(s.peer.interface_port))
variable("received_protocol", lambda s: s.peer.received_protocol)
variable("sending_ip_address", left("sending_ip_address"))
variable("sending_port", left("sending_port", "-1"))
variable("smtp_active_hostname", lambda s: s.peer.active_hostname or s.site.options.primary_hostname)
variable("smtp_command", lambda s: s.peer.smtp_command, tainted=True)
variable("smtp_command_argument", lambda s: s.peer.smtp_command_argument, tainted=True)
variable("smtp_command_history", lambda s: ",".join(s.peer.smtp_history))
variable("smtp_count_at_connection_start", lambda s: str(s.peer.count_at_start))
variable("smtp_notquit_reason", lambda s: s.peer.notquit_reason)
variable("connection_id", lambda s: s.peer.connection_id)
variable("atrn_host", left("atrn_host"), tainted=True)
variable("atrn_mode", left("atrn_mode"))

variable("authenticated_id", lambda s: s.peer.authenticated_id)
variable("authenticated_fail_id", lambda s: s.peer.authenticated_fail_id)
variable("authenticated_sender", lambda s: s.peer.authenticated_sender, tainted=True)
variable("authentication_failed", lambda s: _flag(s.peer.authentication_failed))

variable("proxy_session", lambda s: _yes_no(s.peer.proxy_session))
# the two pairs' names in the first versions that had PROXY
variable("proxy_host_address", lambda s: s.peer.proxy_local_address)
variable("proxy_host_port", lambda s: str(s.peer.proxy_local_port))
variable("proxy_target_address", lambda s: s.peer.proxy_external_address)
variable("proxy_target_port", lambda s: str(s.peer.proxy_external_port))
variable("proxy_local_address", lambda s: s.peer.proxy_local_address)
variable("proxy_local_port", lambda s: str(s.peer.proxy_local_port))
variable("proxy_external_address", lambda s: s.peer.proxy_external_address)
variable("proxy_external_port", lambda s: str(s.peer.proxy_external_port))

# a process that submits without our knowing its ids is ourselves
variable("caller_uid", lambda s: str(s.peer.caller_uid if s.peer.caller_uid >= 0 else os.getuid()))
variable("caller_gid", lambda s: str(s.peer.caller_gid if s.peer.caller_gid >= 0 else os.getgid()))
variable("originator_uid", lambda s: str(s.message.originator_uid if s.message.originator_uid >= 0 else os.getuid()))
variable("originator_gid", lambda s: str(s.message.originator_gid if s.message.originator_gid >= 0 else os.getgid()))


def _auth(place: int) -> Callable[[Scope], str]:
    return lambda s: s.peer.auth_vars[place] if place < len(s.peer.auth_vars) else ""


for _place in range(4):
    variable(f"auth{_place + 1}", _auth(_place), tainted=True)
