"""Host lists (manual sections 10.10 to 10.19), and the address-only lists of ``match_ip``.

A host has an address and names. The names of a caller are looked up when an item first asks for them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.find import parse_type, search
from mta.lookup.index import Address, NetworkIndex, parse_address, parse_network
from mta.match.core import Hit, Items, Modes, Test, Unknown, item_text, match_named, unnegated
from mta.match.files import file_item
from mta.net import records
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.lists import split_list
from mta.text.patterns import pattern

_NET = re.compile(r"net([0-9]{0,3})-", re.ASCII)
_HIT = Hit()
_STATES = {
    "+include_unknown": ("unknown", "include"),
    "+ignore_unknown": ("unknown", "ignore"),
    "+include_defer": ("defer", "include"),
    "+ignore_defer": ("defer", "ignore"),
}


@dataclass(slots=True)
class HostSubject:
    """``name`` None: the peer's, to be looked up; ``text`` is the address as given, "" without a host."""

    text: str
    address: Address | None
    name: str | None = None

    def names(self, scope: Scope) -> list[str]:
        """All names of the host, lower case. Raises Unknown when none can be found."""
        if self.name is not None:
            if not self.name:
                raise Unknown
            return [lower(self.name)]
        peer = scope.peer
        if not peer.host_name and not peer.host_lookup_done:
            scope.services.lookup_host_name(scope)
        if not peer.host_name:
            raise Unknown
        return [lower(name) for name in (peer.host_name, *peer.host_aliases)]


def host_subject(text: str, name: str | None = None) -> HostSubject:
    return HostSubject(text, parse_address(text) if text else None, name)


@dataclass(slots=True)
class HostItems:
    """Collects the items of one list: addresses and networks go into the index."""

    whole: str
    addresses_only: bool = False
    in_file: bool = False
    modes: Modes = field(default_factory=Modes)  # at the start of the list
    index: NetworkIndex = field(default_factory=NetworkIndex)
    data: list[str] = field(default_factory=list)
    star: int = -1
    empty: int = -1

    def quick(self, subject: HostSubject) -> tuple[int, Hit | None]:
        best = self.star
        if subject.address is not None:
            place = self.index.first(subject.address)
        else:
            place = -1 if subject.text else self.empty
        if place >= 0 and (best < 0 or place < best):
            best = place
        if best < 0:
            return -1, None
        return best, Hit(self.data[best]) if self.in_file else _HIT

    def build(self, raw_items: list[str]) -> Items[HostSubject]:
        items: Items[HostSubject] = Items(self.quick)
        states = {"unknown": self.modes.unknown, "defer": self.modes.defer}
        for raw in raw_items:
            state = None if self.in_file else _STATES.get(raw)
            if state is not None:
                states[state[0]] = state[1]
                continue
            negated, item = unnegated(raw)
            place = len(items.negated)
            items.negated.append(negated)
            self.data.append(item_text(item, self.whole))
            try:
                test = self._test(items, place, item, Modes(**states))
            except ExpansionFailed as failure:
                items.fault = items.fault or failure.message
                continue
            if test is not None:
                items.slow.append((place, test, Modes(**states)))
        return items

    def _test(self, items: Items[HostSubject], place: int, item: str, modes: Modes) -> Test[HostSubject] | None:
        """The test for an item; None when the index holds it or it never matches."""
        if item == "*":
            self.star = place if self.star < 0 else self.star
            return None
        if not item:
            self.empty = place if self.empty < 0 else self.empty
            return None
        network = parse_network(item)
        if network is not None:
            self.index.add(network, place)
            return None
        line = self.data[place] if self.in_file else None
        if not self.in_file and item.startswith("+"):
            items.references.append(f"host:{item[1:]}")
            return _named(item[1:])
        if not self.in_file and item.startswith("/"):
            return self._file(item_text(item, self.whole), modes)
        if item == "@[]":
            return _interfaces(line)
        if ";" in item and item[0] not in "^*":
            return _lookup(item, line, self.whole, self.addresses_only)
        if self.addresses_only:
            return None
        if item[0] in "^*":
            return _wild_name(item, self.data[place])
        return _plain_name(None if item == "@" else item.rstrip("."), line)

    def _file(self, path: str, modes: Modes) -> Test[HostSubject]:
        only = self.addresses_only
        # The lines live under the modes of the list around them; what ends the list is for that list to do.
        inner = Modes(
            "ignore" if modes.unknown == "ignore" else "raise", "ignore" if modes.defer == "ignore" else "defer"
        )

        def build(lines: list[str]) -> Items[HostSubject]:
            return HostItems("", only, in_file=True, modes=inner).build(lines)

        kind = f"{'ip' if only else 'host'} {inner.unknown} {inner.defer}"
        return file_item(path, kind, self.whole, build, hash_anywhere=True)


def _named(name: str) -> Test[HostSubject]:
    def test(scope: Scope, subject: HostSubject, depth: int) -> Hit | None:
        return match_named("host", name, scope, subject, f"{subject.text} {subject.name}", depth)

    return test


def _interfaces(line: str | None) -> Test[HostSubject]:
    def test(scope: Scope, subject: HostSubject, _depth: int) -> Hit | None:
        if subject.address is None or str(subject.address) not in scope.site.interface_addresses():
            return None
        return Hit(line)

    return test


def _wild_name(item: str, data: str) -> Test[HostSubject]:
    """``*`` ends and regular expressions, against each of the host's names."""
    regex = pattern(item, True) if item.startswith("^") else None
    end = lower(item[1:])

    def test(scope: Scope, subject: HostSubject, _depth: int) -> Hit | None:
        if not subject.text and subject.name is None:
            return None
        for name in subject.names(scope):
            if regex.matches(name) if regex is not None else name.endswith(end):
                return Hit(data)
        return None

    return test


def _plain_name(name: str | None, line: str | None) -> Test[HostSubject]:
    """A whole name (None: our own) is looked up, and its addresses compared. Raises Unknown, Deferred."""

    def test(scope: Scope, subject: HostSubject, _depth: int) -> Hit | None:
        if subject.address is None:
            return None
        wanted = scope.site.options.primary_hostname if name is None else name
        resolver = scope.services.resolver
        if resolver is None:
            raise Deferred(f'DNS lookup of "{wanted}" deferred')
        found = records.addresses(resolver, wanted, hosts_file=True)
        if found.status == "again":
            raise Deferred(f'DNS lookup of "{wanted}" deferred')
        if not found.values:
            raise Unknown
        return Hit(line) if any(parse_address(value) == subject.address for value in found.values) else None

    return test


def _lookup(item: str, line: str | None, whole: str, addresses_only: bool) -> Test[HostSubject]:
    """``net24-TYPE;file`` by address, ``TYPE;file`` by name, ``TYPE;query`` as it stands."""
    type_text, _, rest = item.partition(";")
    rest = item_text(rest.lstrip(), whole)
    net = _NET.match(type_text)
    wanted = parse_type(type_text[net.end() :].rstrip() if net else type_text.rstrip())
    mask = int(net.group(1)) if net and net.group(1) else None
    by_address = net is not None or addresses_only
    colons = wanted.type.name == "iplsearch"

    def test(scope: Scope, subject: HostSubject, _depth: int) -> Hit | None:
        if not wanted.single:
            found = search(scope, wanted, "", rest)
            return None if found is None else Hit(found.value if line is None else line)
        if not by_address:
            if not subject.text and subject.name is None:
                return None
            keys = subject.names(scope)
        elif subject.address is None:
            return None
        else:
            keys = [address_key(subject.address, mask, colons)]
        for key in keys:
            found = search(scope, wanted, rest, key)
            if found is not None:
                return Hit(found.value if line is None else line)
        return None

    return test


def address_key(address: Address, mask: int | None, colons: bool) -> str:
    """The key for a lookup by address: masked with its length added, IPv6 unabbreviated with dots (section 10.13)."""
    if mask is not None:
        length = min(mask, address.max_prefixlen)
        network = ipaddress.ip_network(f"{address}/{length}", strict=False)
        address = network.network_address
    text = str(address) if address.version == 4 else address.exploded.replace(":", ":" if colons else ".")
    return text if mask is None else f"{text}/{length}"


def build_hosts(text: str, addresses_only: bool = False) -> Items[HostSubject]:
    """Compile a list's text."""
    return HostItems(text, addresses_only).build(split_list(text))
