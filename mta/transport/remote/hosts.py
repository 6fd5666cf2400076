"""The host list of one delivery: from the router or the hosts option, names looked up, one entry an address.

Manual chapter 30 (hosts, fallback_hosts, hosts_override, hosts_randomize, port) and section 20.5 for the items.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from mta.errors import MtaError
from mta.mail.host import Host
from mta.net import records
from mta.scope.events import transport_event
from mta.scope.expansion import DomainList
from mta.scope.scope import Scope
from mta.text.ascii import is_digits, strict_int, strip
from mta.text.lists import split_list
from mta.transport.outcomes import HOST_LOCAL, HOST_LOOKUP


class HostsFailed(MtaError):
    """No host list can be had now; ``key`` is the retry key, "" for none."""

    def __init__(self, message: str, errno: int, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.key = key


@dataclass(frozen=True, slots=True)
class Lookup:
    """How names of the hosts and fallback_hosts options are looked up."""

    by_name: bool = False
    qualify_single: bool = True
    search_parents: bool = False
    allow_localhost: bool = False
    dnssec_request: DomainList | None = None  # None: asked for always
    dnssec_require: DomainList | None = None


def is_ip(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_hosts(items: list[str] | tuple[str, ...]) -> list[Host]:
    """Hosts of a list option in order; ``+`` begins a new group, told apart by ``sort_key``."""
    out: list[Host] = []
    group = 0
    for item in items:
        item = strip(item)
        if item == "+":
            group += 1
        elif item:
            name, port = _name_and_port(item)
            out.append(Host(name, name if is_ip(name) else "", port, sort_key=group))
    return out


def _name_and_port(item: str) -> tuple[str, int]:
    if is_ip(item):
        return item, 0
    if item.startswith("["):
        inside, _, rest = item[1:].partition("]")
        return inside, strict_int(rest[1:], maximum=65535) or 0 if rest.startswith(":") else 0
    name, colon, port = item.rpartition(":")
    number = strict_int(strip(port), maximum=65535) if colon else None
    return (strip(name), number) if number is not None else (item, 0)


def parse_host_text(text: str) -> list[Host]:
    """The hosts of an expanded list."""
    return parse_hosts(split_list(text))


def ordered(hosts: list[Host], *, randomize: bool) -> list[Host]:
    """MX hosts by preference, equal ones shuffled; others as given, or shuffled within their groups."""
    if len(hosts) < 2:
        return hosts
    from_mx = any(host.from_mx for host in hosts)
    if not from_mx and not randomize:
        return hosts
    out: list[Host] = []
    for _, group in groupby(sorted(hosts, key=lambda host: (host.mx, host.sort_key)), _order):
        members = list(group)
        random.shuffle(members)
        out.extend(members)
    return out


def _order(host: Host) -> tuple[int, int]:
    return (host.mx, host.sort_key)


def with_addresses(hosts: list[Host], lookup: Lookup, scope: Scope) -> list[Host]:
    """One Host an address, in order. Raises HostsFailed when no host has one."""
    out: list[Host] = []
    failure: HostsFailed | None = None
    for host in hosts:
        try:
            out.extend(_addresses_of(host, lookup, scope))
        except HostsFailed as error:
            failure = failure or error
    if not out and failure is not None:
        raise failure
    return out


def _addresses_of(host: Host, lookup: Lookup, scope: Scope) -> Iterator[Host]:
    if host.address:
        yield host
        return
    resolver = scope.services.resolver
    if resolver is None:
        raise HostsFailed(f"failed to lookup IP address for {host.name}", HOST_LOOKUP, f"R:{host.name}")
    found = records.addresses(
        resolver,
        host.name,
        hosts_file=lookup.by_name,
        qualify_single=lookup.qualify_single,
        search_parents=lookup.search_parents,
    )
    if not found.ok:
        transport_event(scope, scope.transport, "dns:fail", f"{found.error or found.status}:{host.name}:A")
        raise HostsFailed(f"failed to lookup IP address for {host.name}", HOST_LOOKUP, f"R:{host.name}")
    required = lookup.dnssec_require is not None and lookup.dnssec_require.match(scope, host.name) is not None
    asked = required or lookup.dnssec_request is None or lookup.dnssec_request.match(scope, host.name) is not None
    if required and not found.authenticated:
        raise HostsFailed(f"host lookup for {host.name} done insecurely", HOST_LOOKUP, f"R:{host.name}")
    for address in found.values:
        # Secure addresses do not make a host secure whose MX record was not.
        secure = found.authenticated and host.dnssec != "no"
        yield replace(host, address=address, dnssec=("yes" if secure else "no") if asked else "")


def refuse_local(hosts: list[Host], transport: str, scope: Scope) -> None:
    """A host of the hosts option that is this machine would send the message round and round."""
    ours = set(scope.site.interface_addresses())
    for host in hosts:
        if host.address in ours or (is_ip(host.address) and ipaddress.ip_address(host.address).is_loopback):
            raise HostsFailed(f"{transport} transport found host {host.name} to be local", HOST_LOCAL)


def port_number(text: str, transport: str) -> int:
    """A port option: a number, or a service name."""
    text = strip(text)
    if is_digits(text):
        number = strict_int(text, maximum=65535)
        if number is not None:
            return number
    elif text in ("smtp", "lmtp", "smtps"):
        return {"smtp": 25, "lmtp": 24, "smtps": 465}[text]
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, UnicodeError):
        raise HostsFailed(f'TCP port "{text}" is not defined for {transport} transport', -1) from None
