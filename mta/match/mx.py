"""``@mx_any``, ``@mx_primary`` and ``@mx_secondary`` in domain lists (manual section 10.9)."""

from __future__ import annotations

from typing import NamedTuple

from mta.errors import Deferred
from mta.match.core import CompiledList
from mta.match.hosts import HostSubject, build_hosts, host_subject
from mta.net import records
from mta.scope.scope import Scope

MX_ITEMS = ("@mx_any", "@mx_primary", "@mx_secondary")
HOSTS_MAXIMUM = 30  # a hostile domain may list any number


class MxItem(NamedTuple):
    which: str
    ignore: CompiledList[HostSubject] | None


def parse_mx_item(item: str) -> MxItem:
    """``@mx_any/ignore=<;127.0.0.1``."""
    which, _, option = item.partition("/")
    if option.startswith("ignore="):
        return MxItem(
            which,
            CompiledList("host", option.removeprefix("ignore="), lambda text: build_hosts(text, addresses_only=True)),
        )
    return MxItem(which, None)


def mx_matches(scope: Scope, item: MxItem, domain: str) -> bool:
    """Whether the domain's MX records point here. Raises Deferred when the DNS has no answer now."""
    resolver = scope.services.resolver
    if resolver is None or not domain:
        return False
    found = records.mx(resolver, domain)
    if found.status == "again":
        raise Deferred(f'MX lookup of "{domain}" deferred: {found.error}')
    if not found.values:
        return False
    here = [mx.preference for mx in found.values[:HOSTS_MAXIMUM] if _is_here(scope, mx.name, item)]
    if not here:
        return False
    if item.which == "@mx_any":
        return True
    lowest = found.values[0].preference
    return (min(here) == lowest) == (item.which == "@mx_primary")


def _is_here(scope: Scope, name: str, item: MxItem) -> bool:
    resolver = scope.services.resolver
    assert resolver is not None
    if name == ".":
        return False
    found = records.addresses(resolver, name)
    if found.status == "again":
        raise Deferred(f'address lookup of "{name}" deferred: {found.error}')
    addresses = [address for address in found.values if not _ignored(scope, item, address)]
    if not addresses:
        return False
    treat = getattr(scope.site.options, "hosts_treat_as_local", None)
    if treat is not None and treat.match(scope, name) is not None:
        return True
    local = set(scope.site.interface_addresses())
    return any(address in local for address in addresses)


def _ignored(scope: Scope, item: MxItem, address: str) -> bool:
    if item.ignore is None:
        return False
    return item.ignore.found(scope, host_subject(address, address)) is not None
