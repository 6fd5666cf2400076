"""Host lists of routers: addresses looked up, ignored ones dropped, ourselves recognised (manual 13.8, 20.5)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from mta.errors import Deferred
from mta.mail.host import Host
from mta.mail.recipient import Recipient
from mta.net import records
from mta.route.base import Answer, Failed, Passed, Rerouted, RouteDeferred, Router
from mta.scope.events import main_event
from mta.scope.expansion import DomainList
from mta.scope.scope import Scope
from mta.text.ascii import lower, strict_int, strip
from mta.text.lists import split_list


@dataclass(frozen=True, slots=True)
class Wanted:
    """How addresses are to be found."""

    by_name: bool = False  # /etc/hosts and what the system has, before or instead of DNS
    by_dns: bool = False
    ipv4_only: bool = False
    ipv4_prefer: bool = False


@dataclass(slots=True)
class HostItem:
    """One item of a manualroute host list. ``name`` "+" divides groups for hosts_randomize."""

    name: str
    port: int = 0
    mx: bool = False


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_host_item(item: str) -> HostItem:
    """``name``, ``name:port``, ``name/mx:port``, ``[ip]:port``, ``ip`` (manual chapter 20.5)."""
    item = strip(item)
    if item == "+" or is_ip(item):
        return HostItem(item)
    port = 0
    if item.startswith("["):
        inside, _, rest = item[1:].partition("]")
        return HostItem(inside, strict_int(rest[1:], maximum=65535) or 0 if rest.startswith(":") else 0)
    name, colon, number = item.rpartition(":")
    if colon:
        value = strict_int(strip(number), maximum=65535)
        if value is not None:
            item, port = strip(name), value
    if lower(item).endswith("/mx"):
        return HostItem(strip(item[:-3]), port, True)
    return HostItem(item, port)


def parse_host_list(text: str, *, randomize: bool) -> list[HostItem]:
    """The items of a host list, in the order to be tried; ``+`` items separate groups that are shuffled apart."""
    groups: list[list[HostItem]] = [[]]
    for item in split_list(text):
        if item == "+":
            groups.append([])
        elif item:
            groups[-1].append(parse_host_item(item))
    if randomize:
        from random import shuffle

        for group in groups:
            shuffle(group)
    return [item for group in groups for item in group]


def ignored(router: Router, scope: Scope, host: Host, address: str) -> bool:
    """Whether ``ignore_target_hosts`` rules the address out; ``$host`` and ``$host_address`` are set for it."""
    wanted = router.options.ignore_target_hosts
    if wanted is None:
        return False
    before, scope.host = scope.host, Host(host.name, address)
    try:
        return wanted.match(scope, address, host.name) is not None
    finally:
        scope.host = before


def find_addresses(name: str, scope: Scope, wanted: Wanted) -> list[str]:
    """The addresses of a host name, best first; empty when there is no such host. Deferred on doubt."""
    return find_secure(name, scope, wanted)[0]


def find_secure(name: str, scope: Scope, wanted: Wanted) -> tuple[list[str], str]:
    """The same, and Host.dnssec's word for them: "yes" when DNSSEC vouches for them all."""
    if is_ip(name):
        return [name], ""
    options = scope.site.options
    resolver = scope.services.resolver
    assert resolver is not None
    ipv6 = not (getattr(options, "disable_ipv6", False) or wanted.ipv4_only)
    found = records.addresses(resolver, name, ipv6=ipv6, hosts_file=not wanted.by_dns)
    _decide(found.status, found.error, name, "A", scope)
    secure = "yes" if found.authenticated else "no"
    if wanted.ipv4_prefer:
        return sorted(found.values, key=lambda address: ":" in address), secure
    return list(found.values), secure


def heed_dnssec(router: Router, scope: Scope, domain: str, hosts: list[Host]) -> list[Host]:
    """dnssec_request_domains and dnssec_require_domains for hosts found for a domain. Raises Deferred.

    Without a request nothing is known of security; where it is required, hosts that are not secure are left out.
    """
    options = router.options
    required = _has(options.dnssec_require_domains, scope, domain)
    requested = _has(options.dnssec_request_domains, scope, domain)
    if not required and not requested:
        for host in hosts:
            host.dnssec = ""
    if not required:
        return hosts
    kept = [host for host in hosts if host.dnssec == "yes" or is_ip(host.name)]
    if hosts and not kept:
        raise Deferred(f"host lookup for {domain} done insecurely")
    return kept


def _has(domains: DomainList | None, scope: Scope, domain: str) -> bool:
    return domains is not None and domains.match(scope, domain) is not None


def _decide(status: str, error: str, name: str, kind: str, scope: Scope) -> None:
    if status == "again":
        main_event(scope, "dns:fail", f"{error or 'SERVFAIL'}:{name}:{kind}")
        raise Deferred(f"{name}: {error}" if error else f"DNS lookup of {name} gave no answer")


def expand_hosts(router: Router, scope: Scope, host: Host, addresses: list[str]) -> tuple[list[Host], bool]:
    """One Host an address that is not ignored, and whether any was ignored."""
    kept = [address for address in addresses if not ignored(router, scope, host, address)]
    return [replace(host, address=address) for address in kept], len(kept) < len(addresses)


def is_local(scope: Scope, host: Host) -> bool:
    """Whether a host is this one: an address and a port of ours, or hosts_treat_as_local (manual 13.8)."""
    treat = getattr(scope.site.options, "hosts_treat_as_local", None)
    if treat is not None and treat.match(scope, lower(host.name)) is not None:
        return True
    if not host.address:
        return False
    if host.port and host.port != 25:
        return False
    try:
        address = ipaddress.ip_address(host.address.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    return host.address in scope.site.interface_addresses()


def cut_at_local(scope: Scope, hosts: list[Host]) -> tuple[list[Host], Host | None]:
    """Drop the local host and all of equal or lower priority; the local host when it stands first."""
    for position, host in enumerate(hosts):
        if is_local(scope, host):
            kept = [h for h in hosts[:position] if h.mx < 0 or h.mx < host.mx]
            return kept, (None if kept else host)
    return hosts, None


def self_action(router: Router, recipient: Recipient, scope: Scope, local: Host) -> Answer | None:
    """Option ``self``: what to do when the first host is ourselves; None means send."""
    setting = strip(router.options.self)
    word = lower(setting)
    if word == "send":
        return None
    if word == "pass":
        recipient.self_hostname = local.name
        return Passed()
    if word == "fail":
        return Failed("remote host address is the local host")
    if word == "defer":
        return RouteDeferred("remote host address is the local host")
    if word.startswith("reroute:"):
        rest = strip(setting[8:])
        if lower(rest).startswith("rewrite:"):
            return Rerouted(strip(rest[8:]), rewrite_headers=True)
        return Rerouted(rest)
    return RouteDeferred("remote host address is the local host", freeze=not scope.message.frozen)


@dataclass(slots=True)
class MxHosts:
    """The hosts of a domain's MX records. ``exists`` False: none; ``null``: the domain takes no mail (RFC 7505)."""

    hosts: list[Host]
    exists: bool
    null: bool = False
    dnssec: bool = False
    to_ip: bool = False
    any_ignored: bool = False
    unresolved: Deferred | None = None
    asked: str = ""  # the domain as the resolver completed it


def mx_hosts(domain: str, router: Router, scope: Scope, wanted: Wanted, *, port: int = 0, **widening: bool) -> MxHosts:
    """MX records turned into hosts with addresses, in order of preference, equal ones shuffled.

    A host whose address cannot be found now does not hold up the others; when no host is left it decides.
    """
    from random import random

    resolver = scope.services.resolver
    assert resolver is not None
    found = records.mx(resolver, domain, **widening)
    _decide(found.status, found.error, domain, "MX", scope)
    if not found.values:
        return MxHosts([], exists=False, dnssec=found.authenticated, asked=found.asked)
    if all(name in ("", ".") for _, name in found.values):
        return MxHosts([], exists=True, null=True)
    result = MxHosts([], exists=True, dnssec=found.authenticated, asked=found.asked)
    shuffled = sorted(found.values, key=lambda pair: (pair[0], random()))
    for key, (preference, name) in enumerate(shuffled):
        if is_ip(name.rstrip(".")) and not getattr(scope.site.options, "allow_mx_to_ip", False):
            result.to_ip = True
            continue
        host = Host(name.rstrip("."), mx=preference, sort_key=preference * 1000 + key, port=port)
        host.dnssec = "" if found.authenticated else "no"  # an address still to be found does not mend it
        treat = getattr(scope.site.options, "hosts_treat_as_local", None)
        if treat is not None and treat.match(scope, lower(host.name)) is not None:
            result.hosts.append(host)
            continue
        try:
            addresses, secure = find_secure(host.name, scope, replace(wanted, by_dns=True))
        except Deferred as error:
            result.unresolved = error
            continue
        host.dnssec = secure if found.authenticated else "no"
        hosts, some = expand_hosts(router, scope, host, addresses)
        result.any_ignored = result.any_ignored or some
        result.hosts.extend(hosts)
    return result
