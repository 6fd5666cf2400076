"""DNS records as values: addresses, MX, PTR, TXT, SRV, TLSA. Names come back in lower case without a final dot.

Each function returns a Found: "ok" with values, "nodata", "nxdomain", or "again" with the reason.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from mta.net.answer import Answer, Status
from mta.text.ascii import lower

if TYPE_CHECKING:
    # dnspython costs a tenth of a second, which a command that asks no question must not pay
    import dns.name

    from mta.net.resolver import Resolver

T = TypeVar("T")


@dataclass(slots=True)
class Found(Generic[T]):
    """``name`` is the final name (widened, CNAMEs followed); ``asked`` the widened name before CNAMEs."""

    status: Status
    values: list[T] = field(default_factory=list)
    authenticated: bool = False
    ttl: float = 0.0
    name: str = ""
    asked: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class Mx(NamedTuple):
    preference: int
    name: str  # "." is the null MX (RFC 7505)


class Srv(NamedTuple):
    priority: int
    weight: int
    port: int
    name: str  # "." is "no such service" (RFC 2782)


class Tlsa(NamedTuple):
    usage: int
    selector: int
    matching: int
    data: bytes


def domain_text(name: dns.name.Name) -> str:
    """A name of a record as byte text: lower case, no final dot; the root is "."."""
    return lower(b".".join(name.labels).decode("latin-1").rstrip(".")) if len(name.labels) > 1 else "."


def _found(answer: Answer, value: Callable[[Any], T]) -> Found[T]:
    return Found(
        answer.status,
        [value(record) for record in answer.records],
        answer.authenticated,
        answer.ttl,
        answer.canonical,
        answer.name,
        answer.error,
    )


def mx(resolver: Resolver, domain: str, **widening: bool) -> Found[Mx]:
    """MX records, lowest preference first; ``widening`` is query's qualify_single and search_parents."""
    found = _found(resolver.query(domain, "MX", **widening), lambda r: Mx(r.preference, domain_text(r.exchange)))
    found.values.sort(key=lambda record: record.preference)
    return found


def srv(resolver: Resolver, name: str, **widening: bool) -> Found[Srv]:
    """SRV records, lowest priority first."""
    found = _found(
        resolver.query(name, "SRV", **widening), lambda r: Srv(r.priority, r.weight, r.port, domain_text(r.target))
    )
    found.values.sort(key=lambda record: record.priority)
    return found


def txt(resolver: Resolver, name: str) -> Found[list[str]]:
    """TXT records, each a list of its character strings (RFC 1035 3.3.14)."""
    return _found(resolver.query(name, "TXT"), lambda r: [piece.decode("latin-1") for piece in r.strings])


def tlsa(resolver: Resolver, name: str) -> Found[Tlsa]:
    """TLSA records of ``_25._tcp.host``. The caller asks ``authenticated`` before it believes them."""
    return _found(resolver.query(name, "TLSA"), lambda r: Tlsa(r.usage, r.selector, r.mtype, r.cert))


def reverse_name(address: str) -> str | None:
    """``4.3.2.1.in-addr.arpa`` for an IP address, None for other text."""
    try:
        return ipaddress.ip_address(address).reverse_pointer
    except ValueError:
        return None


def ptr(resolver: Resolver, address: str) -> Found[str]:
    """The names of an address from the DNS, not confirmed."""
    name = reverse_name(address)
    if name is None:
        return Found("nxdomain", error=f"{address} is not an IP address")
    return _found(resolver.query(name, "PTR"), lambda r: domain_text(r.target))


def addresses(
    resolver: Resolver,
    name: str,
    *,
    ipv4: bool = True,
    ipv6: bool = True,
    hosts_file: bool = False,
    **widening: bool,
) -> Found[str]:
    """The IP addresses of a host, IPv6 first, as Exim has them.

    ``hosts_file`` asks /etc/hosts before the DNS, as gethostbyname does. A family without an answer counts only
    when the other has no addresses either.
    """
    if resolver.disable_ipv6 or (ipv6 and resolver.ipv4_lookup(name)):
        ipv6 = False
    if hosts_file:
        local = [a for a in resolver.hosts.addresses(name) if (ipv6 if ":" in a else ipv4)]
        if local:
            return Found("ok", local, name=name, asked=name, ttl=0.0)
    kinds = [kind for kind, wanted in (("AAAA", ipv6), ("A", ipv4)) if wanted]
    parts = [_found(resolver.query(name, kind, **widening), lambda r: str(r.address)) for kind in kinds]
    if not parts:
        return Found("nodata", name=name, asked=name)
    good = [part for part in parts if part.ok]
    if not good:
        order = {"again": 0, "nodata": 1, "nxdomain": 2, "ok": 3}
        return min(parts, key=lambda part: order[part.status])
    return Found(
        "ok",
        [value for part in good for value in part.values],
        all(part.authenticated for part in good),
        min(part.ttl for part in good),
        good[-1].name,
        good[-1].asked,
        next((part.error for part in parts if part.status == "again"), ""),
    )
