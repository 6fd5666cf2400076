"""What is owed to a host before mail is sent to it: DANE (RFC 7672, manual section 43.18) or an MTA-STS policy.

``assurance_for`` is asked before a connection is opened or taken from the pool; it raises HostTrouble where the host
may not be used at all. Doubt (SERVFAIL, time-outs) defers: an attacker can cause it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import Deferred, ExpansionFailed
from mta.mail.host import Host
from mta.net import records
from mta.net.records import Found, Tlsa
from mta.scope.expansion import HostList
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.tls.assurance import Assurance
from mta.transport.outcomes import DNS_DEFER
from mta.transport.remote.failures import HostTrouble, Trouble
from mta.transport.remote.hosts import is_ip

if TYPE_CHECKING:
    from mta.net.resolver import Resolver
    from mta.transport.drivers.smtp import Smtp


def assurance_for(driver: Smtp, host: Host, port: int, scope: Scope, domain: str) -> Assurance | None:
    """The host's DANE records or the recipients' domain's policy; None where the options alone say what is wanted."""
    required = _matches(driver.hosts_require_dane, scope, host)
    if required or (host.dnssec == "yes" and _matches(driver.hosts_try_dane, scope, host)):
        found = _dane(host, port, scope, domain, required=required)
        if found is not None:
            return found
    if driver.hosts_try_mta_sts is not None and _matches(driver.hosts_try_mta_sts, scope, host):
        from mta.transport.remote.sts import sts_for

        return sts_for(driver, host, scope, domain)
    return None


def _matches(hosts: HostList | None, scope: Scope, host: Host) -> bool:
    if hosts is None or hosts.source == "":
        return False
    try:
        return hosts.match(scope, host.address, host.name) is not None
    except (Deferred, ExpansionFailed) as error:
        raise HostTrouble(Trouble(f"TLS host lists: {error}", DNS_DEFER)) from None


def _dane(host: Host, port: int, scope: Scope, domain: str, *, required: bool) -> Assurance | None:
    resolver = scope.services.resolver
    names = _secure_names(host, resolver) if resolver is not None and host.dnssec == "yes" else []
    if not names or resolver is None:
        if required:
            raise _refusal(f"{host.name} lookup not DNSSEC", "dnssec-invalid", permanent=True)
        return None
    for base in names:
        found = _tlsa(resolver, base, port, required=required)
        if found is not None:
            return _in_force(found, [base, *names], host, domain, required=required)
    if required:
        raise _refusal("TLSA lookup failed", "dane-required", permanent=True)
    return None


def _secure_names(host: Host, resolver: Resolver) -> list[str]:
    """The names that may have TLSA records, best first (RFC 7672 2.2.2): where CNAMEs lead, then the name itself.

    Empty when any step is not secure. The addresses were looked up just now: the answers are in the cache.
    """
    if is_ip(host.name) or not host.name:
        return []
    found = records.addresses(resolver, host.name, ipv4=":" not in host.address, ipv6=":" in host.address)
    if found.status == "again":
        raise _refusal(f"{host.name} lookup: {found.error}", "dnssec-invalid")
    if not found.ok or not found.authenticated:
        return []
    return list(dict.fromkeys([lower(found.name) or lower(host.name), lower(host.name)]))


def _tlsa(resolver: Resolver, base: str, port: int, *, required: bool) -> Found[Tlsa] | None:
    found = records.tlsa(resolver, f"_{port}._tcp.{base}")
    if found.status == "again":
        raise _refusal(f"TLSA lookup of _{port}._tcp.{base}: {found.error or 'no answer'}", "dnssec-invalid")
    if not found.ok:
        return None
    if not found.authenticated:
        if required:
            raise _refusal("TLSA lookup not DNSSEC", "dnssec-invalid")
        return None
    return found


def _in_force(found: Found[Tlsa], names: list[str], host: Host, domain: str, *, required: bool) -> Assurance:
    from mta.tls.dane import usable

    good = tuple(usable(found.values))
    if not good:
        raise _refusal("No usable TLSA records", "tlsa-invalid", permanent=required)
    # The MX records are secure, so that a certificate for the domain does as well (RFC 7672 3.2.2).
    also = [lower(domain)] if host.from_mx and domain else []
    return Assurance("dane", tuple(dict.fromkeys([*names, *also])), good)


def _refusal(message: str, result: str, *, permanent: bool = False) -> HostTrouble:
    trouble = Trouble(f"DANE error: {message}", DNS_DEFER, permanent=permanent)
    trouble.tls_result = result
    return HostTrouble(trouble)
