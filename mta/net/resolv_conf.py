"""Where name servers are written: /etc/resolv.conf, and mta's own option ``dns_nameservers``.

Faults in resolv.conf are skipped, as the C library skips them; faults in the option are ConfigError.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mta.errors import ConfigError
from mta.text.ascii import strict_int

NameServer = tuple[str, int]


@dataclass(slots=True)
class SystemResolver:
    """resolv.conf(5): servers in order, the search list, and the options that matter to a client."""

    nameservers: list[NameServer] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    timeout: float = 5.0
    attempts: int = 2
    trust_ad: bool = False


def read_resolv_conf(path: str = "/etc/resolv.conf") -> SystemResolver:
    """The file's settings; the C library's defaults (127.0.0.1) when it is missing."""
    found = SystemResolver()
    try:
        text = Path(path).read_text("latin-1")
    except OSError:
        text = ""
    for line in text.split("\n"):
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver" and _is_address(words[1]):
            found.nameservers.append((words[1], 53))
        elif words[0] in ("search", "domain"):
            found.search = [word.rstrip(".") for word in words[1:]]
        elif words[0] == "options":
            _options(found, words[1:])
    if not found.nameservers:
        found.nameservers.append(("127.0.0.1", 53))
    return found


def _options(found: SystemResolver, words: list[str]) -> None:
    for word in words:
        name, _, value = word.partition(":")
        number = strict_int(value, maximum=30)
        if name == "timeout" and number:
            found.timeout = float(number)
        elif name == "attempts" and number:
            found.attempts = min(number, 5)
        elif name == "trust-ad":
            found.trust_ad = True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_nameservers(items: Iterable[str]) -> list[NameServer]:
    """``dns_nameservers``, split: ``127.0.0.1``, ``127.0.0.1:5353``, ``127.0.0.1.5353``, ``[::1]:53``, ``::1``."""
    return [_nameserver(item.strip()) for item in items if item.strip()]


def _nameserver(item: str) -> NameServer:
    if item.startswith("["):
        address, bracket, rest = item[1:].partition("]")
        port = rest[1:] if rest.startswith((":", ".")) else ("53" if bracket and not rest else "")
    elif _is_address(item):
        return item, 53
    elif item.count(":") == 1:
        address, _, port = item.partition(":")
    else:
        address, _, port = item.rpartition(".")
    number = strict_int(port, maximum=65535)
    if not number or not _is_address(address):
        raise ConfigError(f'"{item}" in dns_nameservers is not an IP address with an optional port')
    return address, number
