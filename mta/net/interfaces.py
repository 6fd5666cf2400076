"""Who we are and who calls: this machine's addresses, and the confirmed name of a peer.

``lookup_host_name`` fills a Peer (manual section 10.14 and host_lookup_order).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mta.mail.peer import Peer
from mta.net import records
from mta.net.sockets import split_port
from mta.text import ascii as ascii_text
from mta.text.lists import split_list

if TYPE_CHECKING:
    from mta.net.resolver import Resolver

MAXIMUM_NAMES = 20  # a hostile zone may hold thousands of PTR records, each costs a look-up


def interface_addresses(families: Sequence[int] = (socket.AF_INET, socket.AF_INET6)) -> list[str]:
    """All IP addresses of this machine's interfaces, without scope ids."""
    import psutil  # for the few processes that ask

    found: dict[str, None] = {}
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family in families:
                found[entry.address.partition("%")[0]] = None
    return list(found)


def local_addresses(local_interfaces: str, extra_local_interfaces: str = "") -> list[str]:
    """The addresses that count as this host when routing (manual section 13.8); ports in the options are ignored."""
    found: dict[str, None] = {}
    for item in [*split_list(local_interfaces), *split_list(extra_local_interfaces)]:
        address, _ = split_port(item)
        parsed = ipaddress.ip_address(address)
        if parsed.is_unspecified:
            family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
            found.update(dict.fromkeys(interface_addresses((family,))))
        else:
            found[str(parsed)] = None
    return list(found)


@dataclass(slots=True)
class _Names:
    names: list[str] = field(default_factory=list)
    authenticated: bool = False
    deferred: bool = False


def lookup_host_name(peer: Peer, resolver: Resolver, order: Sequence[str] = ("bydns", "byaddr")) -> None:
    """Find and confirm the names of ``peer.address``, once; sets host_name, host_aliases and the outcome flags.

    Only names with a forward address in the DNS equal to the peer's are kept. Without any, ``host_lookup_deferred``
    is set when some question had no answer now, ``host_lookup_failed`` otherwise.
    """
    if peer.host_lookup_done or not peer.address:
        return
    peer.host_lookup_done = True
    deferred = False
    for method in order:
        claimed = _from_dns(peer.address, resolver) if method == "bydns" else _from_file(peer.address, resolver)
        deferred = deferred or claimed.deferred
        if claimed.deferred:
            break
        if not claimed.names:
            continue
        confirmed, forward_deferred, authenticated = _confirm(peer.address, claimed, resolver)
        deferred = deferred or forward_deferred
        if confirmed:
            peer.host_name, *peer.host_aliases = confirmed
            peer.host_dnssec = authenticated
            peer.host_lookup_failed = peer.host_lookup_deferred = False
            return
        break  # names that do not lead back are an answer; the next method is for "no names"
    peer.host_lookup_failed = not deferred
    peer.host_lookup_deferred = deferred


def _from_dns(address: str, resolver: Resolver) -> _Names:
    found = records.ptr(resolver, address)
    names = [name for name in found.values[:MAXIMUM_NAMES] if name != "."]
    return _Names(names, found.authenticated, found.status == "again")


def _from_file(address: str, resolver: Resolver) -> _Names:
    """gethostbyaddr: /etc/hosts. The DNS behind it has been asked by "bydns", or is left out on purpose."""
    return _Names([ascii_text.lower(name) for name in resolver.hosts.names(address)])


def _confirm(address: str, claimed: _Names, resolver: Resolver) -> tuple[list[str], bool, bool]:
    """The claimed names that lead back to the address; whether one had no answer now; whether all was secure."""
    wanted = ipaddress.ip_address(address)
    good: list[str] = []
    deferred, authenticated = False, claimed.authenticated
    for name in dict.fromkeys(claimed.names):
        forward = records.addresses(resolver, name, ipv4=wanted.version == 4, ipv6=wanted.version == 6)
        if forward.status == "again":
            deferred = True
        if any(ipaddress.ip_address(value) == wanted for value in forward.values):
            good.append(name)
            authenticated = authenticated and forward.authenticated
    return good, deferred, authenticated and bool(good)
