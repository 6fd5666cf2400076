"""Lists of domains, local parts, addresses, hosts: ``domain_list(text)`` and kin give the protocols of scope.expansion.

Making a list never raises: what is wrong with it is said by ``check_names`` at load, and by Deferred at a match.
"""

from __future__ import annotations

from mta.errors import NOWHERE, ConfigError, Where
from mta.match.addresses import AddressSubject, address_subject, build_addresses
from mta.match.core import CompiledList, Hit, as_matched, named_list
from mta.match.hosts import HostSubject, build_hosts, host_subject
from mta.match.strings import Kind, Subject, build_strings, subject_of
from mta.net.interfaces import lookup_host_name as fill_peer
from mta.scope.expansion import Expansion, Matched
from mta.scope.scope import Scope
from mta.scope.site import Site

Text = Expansion | str


class StringList(CompiledList[Subject]):
    """A domain, local part or plain list; a match sets ``scope.captures`` to ``$0``, ``$1`` ..."""

    __slots__ = ()

    def match(self, scope: Scope, subject: str, caseful: bool = False) -> Matched | None:
        """``caseful``: start with case, for local parts under caseful_local_part. Raises Deferred."""
        hit = self.found(scope, subject_of(subject, caseful))
        if hit is not None and hit.captures is not None:
            scope.captures = list(hit.captures)
        return as_matched(hit)


class AddressListOf(CompiledList[AddressSubject]):
    """An address list; the subject keeps the case of its local part, for ``+caseful``."""

    __slots__ = ()

    def match(self, scope: Scope, subject: str, caseful: bool = False) -> Matched | None:
        """Whether an address ("" the null sender) is in the list. Raises Deferred."""
        return as_matched(self.found(scope, address_subject(subject, caseful)))


class HostListOf(CompiledList[HostSubject]):
    """A host list."""

    __slots__ = ()

    def match(self, scope: Scope, address: str, name: str | None = None) -> Matched | None:
        """Whether a host is in the list; see scope.expansion.HostList. Raises Deferred."""
        return as_matched(self.found(scope, host_subject(address, name)))


def _strings(kind: Kind, text: Text, cache: bool) -> StringList:
    return StringList(kind, text, lambda value: build_strings(kind, value), cache)


def domain_list(text: Text, site: Site | None = None, *, cache: bool = False) -> StringList:
    """A domain list (manual section 10.9). A ``str`` is taken as it stands, an Expansion expanded at each match.

    ``cache``: results may be kept for a message though the text expands (``domainlist_cache``, section 10.8).
    """
    return _strings("domain", text, cache)


def local_part_list(text: Text, site: Site | None = None, *, cache: bool = False) -> StringList:
    """A local part list (section 10.22)."""
    return _strings("local_part", text, cache)


def string_list(text: Text, site: Site | None = None, *, cache: bool = False) -> StringList:
    """A list of plain strings, caseless: negation, ``^`` patterns, ``*`` ends and files, nothing else."""
    return _strings("string", text, cache)


def address_list(text: Text, site: Site | None = None, *, cache: bool = False) -> AddressListOf:
    """An address list (section 10.20)."""
    return AddressListOf("address", text, build_addresses, cache)


def host_list(text: Text, site: Site | None = None, *, cache: bool = False) -> HostListOf:
    """A host list (section 10.10)."""
    return HostListOf("host", text, build_hosts, cache)


def host_list_ip(text: Text, site: Site | None = None, *, cache: bool = False) -> HostListOf:
    """The list of ``match_ip``: addresses only, no name is ever looked up, lookups are by address."""
    return HostListOf("host", text, lambda value: build_hosts(value, addresses_only=True), cache)


def check_names(checked: object, site: Site, where: Where = NOWHERE) -> None:
    """ConfigError for what can be seen at load: unknown lookup types, bad patterns, names of lists that are not there.

    Call it once all named lists are in ``site.lists``; a list whose text expands is checked when it is used.
    """
    items = checked.constant() if isinstance(checked, CompiledList) else None
    if items is None:
        return
    if items.fault:
        raise ConfigError(items.fault, where)
    for reference in items.references:
        kind, _, name = reference.partition(":")
        if named_list(site.lists, kind, name) is None:
            raise ConfigError(f'unknown named {kind.replace("_", " ")} list "+{name}"', where)


def lookup_host_name(scope: Scope) -> None:
    """``services.lookup_host_name``: find and confirm the peer's names in the order of host_lookup_order."""
    resolver = scope.services.resolver
    if resolver is None:
        scope.peer.host_lookup_done = scope.peer.host_lookup_deferred = True
        return
    order = getattr(scope.site.options, "host_lookup_order", None) or ("bydns", "byaddr")
    fill_peer(scope.peer, resolver, tuple(order))


__all__ = [
    "AddressListOf",
    "Hit",
    "HostListOf",
    "StringList",
    "address_list",
    "check_names",
    "domain_list",
    "host_list",
    "host_list_ip",
    "local_part_list",
    "lookup_host_name",
    "string_list",
]
