"""First match wins, without walking the list: names, name ends and networks by hash, each with its place.

``first`` gives the smallest place among the items that match, or -1; its cost does not grow with their number.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class NameIndex:
    """Exact texts and text ends (``*.example`` is the end ".example"). Case is the caller's business."""

    exact: dict[str, int] = field(default_factory=dict)
    ends: dict[int, dict[str, int]] = field(default_factory=dict)

    def add(self, text: str, place: int) -> None:
        self.exact.setdefault(text, place)

    def add_end(self, end: str, place: int) -> None:
        self.ends.setdefault(len(end), {}).setdefault(end, place)

    def first(self, subject: str) -> int:
        """The place of the first item that matches, or -1."""
        best = self.exact.get(subject, -1)
        size = len(subject)
        for length, ends in self.ends.items():
            if length <= size:
                place = ends.get(subject[size - length :], -1)
                if place >= 0 and (best < 0 or place < best):
                    best = place
        return best

    def __bool__(self) -> bool:
        return bool(self.exact or self.ends)


@dataclass(slots=True)
class NetworkIndex:
    """Addresses and networks, by IP version and prefix length."""

    nets: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)

    def add(self, network: Network, place: int) -> None:
        key = (network.version, network.max_prefixlen - network.prefixlen)
        self.nets.setdefault(key, {}).setdefault(int(network.network_address) >> key[1], place)

    def first(self, address: Address) -> int:
        """The place of the first network that holds the address, or -1."""
        best, number, version = -1, int(address), address.version
        for (of_version, shift), places in self.nets.items():
            if of_version == version:
                place = places.get(number >> shift, -1)
                if place >= 0 and (best < 0 or place < best):
                    best = place
        return best

    def __bool__(self) -> bool:
        return bool(self.nets)


def parse_address(text: str) -> Address | None:
    """An IP address, its scope id dropped, an IPv4-mapped one as IPv4 (manual section 10.12); None for other text."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def parse_network(text: str) -> Network | None:
    """An address with an optional mask length; one that is too long counts as the longest. None for other text.

    Not mapped: Exim never takes ``::ffff:10.1.2.3`` in a list for 10.1.2.3.
    """
    base, slash, mask = text.partition("/")
    try:
        address = ipaddress.ip_address(base.partition("%")[0])
    except ValueError:
        return None
    length: int = address.max_prefixlen
    if slash:
        if not (mask.isascii() and mask.isdigit() and len(mask) < 5):
            return None
        length = min(int(mask), length)
    if isinstance(address, ipaddress.IPv4Address):
        return ipaddress.IPv4Network((address, length), strict=False)
    return ipaddress.IPv6Network((address, length), strict=False)
