"""``isip``, ``isip4``, ``isip6``: the form of an IP address (manual 11.7)."""

from __future__ import annotations

import socket

from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser


def ip_version(text: str) -> int:
    """4 or 6 for an address as inet_pton reads it (6 with a %zone too), 0 for anything else."""
    try:
        if ":" not in text:
            socket.inet_pton(socket.AF_INET, text)
            return 4
        bare, percent, zone = text.partition("%")
        if percent and not zone:
            return 0
        socket.inet_pton(socket.AF_INET6, bare)
        return 6
    except (OSError, ValueError):
        return 0


_WANTED = {"isip": (4, 6), "isip4": (4,), "isip6": (6,)}


@conditions.register(*_WANTED)
def parse(parser: Parser, name: str) -> Condition:
    read = parser.condition_argument(name, 0).run
    wanted = _WANTED[name]
    return Condition(lambda scope: ip_version(read(scope)) in wanted)
