"""iplsearch: a text file whose keys are IP addresses and networks; the first that holds the address counts."""

from __future__ import annotations

from mta.errors import Deferred
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import cached_file, lines_of
from mta.lookup.index import NetworkIndex, parse_address, parse_network
from mta.lookup.linear import entries
from mta.lookup.types.lsearch import PURPOSE
from mta.scope.scope import Scope


def _compile(path: str, full: bool) -> tuple[NetworkIndex, list[str], int]:
    index, values, star = NetworkIndex(), list[str](), -1
    for place, (key, data) in enumerate(entries(lines_of(path), full)):
        values.append(data)
        network = parse_network(key)
        if network is not None:
            index.add(network, place)
        elif key == "*" and star < 0:
            star = place
    return index, values, star


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The data of the first network that holds the address ``key``; "*" is a key for defaults only."""
    full = "ret=full" in options
    kind = "iplsearch,full" if full else "iplsearch"
    index, values, star = cached_file(scope, file, kind, lambda path: _compile(path, full), PURPOSE)
    if key == "*":
        return values[star] if star >= 0 else None
    address = parse_address(key)
    if address is None:
        raise Deferred(
            f'"{key}" is not a valid iplsearch key (an IP address, with optional CIDR mask, is wanted): '
            "in a host list, use net-iplsearch as the search type"
        )
    place = index.first(address)
    return values[place] if place >= 0 else None


lookups.register("iplsearch")(LookupType("iplsearch", "single", find, absolute_file=False))
