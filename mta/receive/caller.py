"""Who hands a message in on this machine, and what the command line asked for (manual sections 5.2 and 5.4).

``Order`` is the command line's wish, ``Caller`` the kernel's word; only a trusted caller's wishes about where a
message comes from are granted.
"""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, field
from typing import Any

from mta.errors import Deferred, ExpansionFailed
from mta.mail.address import AddressError, parse_address, qualify, split_header_addresses
from mta.mail.peer import Peer
from mta.receive.plan import Runtime, expand
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.text.patterns import pattern


@dataclass(slots=True)
class Order:
    """What one call of the command asked for. ``mode``: "bm", "bs" or "bS". Values None were not given."""

    mode: str = "bm"
    recipients: list[str] = field(default_factory=list)
    extract: bool = False  # -t
    dot_ends: bool = True  # no -i
    sender: str | None = None  # -f, "" is <>
    full_name: str | None = None  # -F
    errors: str = "m"  # -oe: e m p q w
    host_address: str | None = None  # -oMa
    authenticator: str | None = None  # -oMaa
    authenticated_id: str | None = None  # -oMai
    authenticated_sender: str | None = None  # -oMas
    interface_address: str | None = None  # -oMi
    protocol: str | None = None  # -oMr
    host_name: str | None = None  # -oMs
    ident: str | None = None  # -oMt
    message_reference: str | None = None  # -oMm: the message that this one is about, for the log
    local_error: str | None = None  # -E: the message that this one is a bounce of
    suppress_fixups: bool = False  # -G
    unqualified: bool = True  # no -bnq
    no_delivery: bool = False  # -N
    queue_only: bool = False  # -odq
    receive_timeout: float | None = None  # -or, seconds


@dataclass(slots=True)
class Caller:
    """A local user as the kernel and the user database have it."""

    uid: int
    gid: int
    login: str
    name: str  # full name, from the gecos field
    trusted: bool


def caller_of(runtime: Runtime, uid: int, gid: int, groups: set[int], override_name: str | None = None) -> Caller:
    """The caller with these ids; ``override_name`` is -F's."""
    options, site = runtime.config.main, runtime.config.site
    try:
        entry: Any = pwd.getpwuid(uid)
        login, gecos = entry.pw_name, entry.pw_gecos
    except KeyError:
        scope = Scope(site, runtime.services)
        login = expand(scope, options.unknown_login) or str(uid)
        gecos = options.unknown_username or ""
    trusted = uid in (0, os.geteuid(), site.uid, *options.trusted_users) or bool(groups & set(options.trusted_groups))
    name = override_name if override_name is not None else _full_name(runtime, gecos, login)
    return Caller(uid, gid, login, _phrase(name), trusted)


def _full_name(runtime: Runtime, gecos: str, login: str) -> str:
    """gecos_pattern and gecos_name, else the field up to its first comma with & as the login (manual chapter 14)."""
    options = runtime.config.main
    gecos = gecos.encode("utf-8", "surrogateescape").decode("latin-1")
    if options.gecos_pattern and options.gecos_name is not None:
        scope = Scope(runtime.config.site, runtime.services)
        found = pattern(options.gecos_pattern).search(gecos)
        if found is not None:
            scope.captures = list(found)
            return expand(scope, options.gecos_name)
        return ""
    return gecos.partition(",")[0].replace("&", login[:1].upper() + login[1:])


_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ \x80-\xff]*\Z")


def _phrase(name: str) -> str:
    """A display name fit for a header (RFC 5322 phrase): quoted where it must be, without line breaks."""
    name = re.sub(r"[\x00-\x1f\x7f]+", " ", name).strip(" ")
    if _PLAIN_PHRASE.match(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def own_address(options: MainOptions, login: str) -> str:
    """The address of a local user."""
    return f"{login}@{options.qualify_domain or options.primary_hostname}"


def make_peer(runtime: Runtime, caller: Caller, order: Order, now: float) -> Peer:
    """The peer of a local submission; the -oM options of a trusted caller count."""
    options = runtime.config.main
    peer = Peer(
        ident=caller.login,
        caller_uid=caller.uid,
        caller_gid=caller.gid,
        caller_login=caller.login,
        caller_trusted=caller.trusted,
        is_smtp=order.mode == "bs",
        is_batch=order.mode == "bS",
        authenticated_id=caller.login,
        authenticated_sender=own_address(options, caller.login),
        started=now,
    )
    if caller.trusted:
        _claim(peer, order)
    peer.is_local = not peer.address
    if not peer.received_protocol:
        peer.received_protocol = {"bm": "local", "bS": "local-bsmtp"}.get(order.mode, "local-smtp")
    return peer


def _claim(peer: Peer, order: Order) -> None:
    if order.host_address:
        peer.address, peer.port = split_address(order.host_address)
        peer.authenticated_id = peer.authenticated_sender = ""
    if order.interface_address:
        peer.interface_address, peer.interface_port = split_address(order.interface_address)
    if order.host_name:
        peer.host_name = order.host_name
        peer.host_lookup_done = True
    if order.ident is not None:
        peer.ident = order.ident
    if order.authenticator:
        peer.authenticator = order.authenticator
    if order.authenticated_id is not None:
        peer.authenticated_id = order.authenticated_id
    if order.authenticated_sender is not None:
        peer.authenticated_sender = order.authenticated_sender
    if order.protocol:
        peer.received_protocol = order.protocol


def split_address(text: str) -> tuple[str, int]:
    """Address and port (0 when there is none) of ``[address]:port``, ``address.port`` or an address alone."""
    found = re.match(r"\[([^\]]*)\](?::(\d{1,5}))?\Z", text)
    if found is None:
        found = re.match(r"(\d+\.\d+\.\d+\.\d+)(?:\.(\d{1,5}))?\Z", text) or re.match(
            r"([0-9A-Fa-f:]+(?:\.\d+\.\d+\.\d+)?)(?:\.(\d{1,5}))?\Z", text
        )
    if found is None:
        return text, 0
    return found[1], int(found[2] or 0)


class BadSender(Exception):
    """-f was given what is no address; ``str()`` is for standard error."""


def sender_of(scope: Scope, caller: Caller, given: str | None) -> tuple[str, bool]:
    """(envelope sender, whether the caller chose it) for ``-f``; the caller's own address where it may not choose."""
    options = scope.site.options
    own = own_address(options, caller.login)
    if given is None:
        return own, False
    if given in ("", "<>"):
        return "", True
    parsed = parse_address(given, allow_domain_literals=options.allow_domain_literals, allow_utf8=True)
    if isinstance(parsed, AddressError):
        raise BadSender(f'bad -f address "{given}": {parsed.message}')
    address = qualify(parsed.text, options.qualify_domain or options.primary_hostname)
    if may_claim(scope, caller.trusted, address):
        return address, True
    return own, False


def may_claim(scope: Scope, trusted: bool, address: str) -> bool:
    """Whether the caller may use this envelope sender (untrusted_set_sender)."""
    if trusted or not address:
        return True
    allowed = scope.site.options.untrusted_set_sender
    if allowed is None:
        return False
    try:
        return allowed.match(scope, address) is not None
    except (Deferred, ExpansionFailed):
        return False


def split_words(words: list[str]) -> list[str]:
    """The recipients of a command line: each word may hold several addresses between commas."""
    found = []
    for word in words:
        found += [word[start:end] for start, end in split_header_addresses(word)] or [""]
    return found
