"""/etc/hosts: names to addresses and back, read again when the file changes.

What Exim gets from gethostbyname() and gethostbyaddr() beside the DNS. Thread-safe.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from mta.text import ascii as ascii_text


@dataclass(slots=True)
class _Parsed:
    stamp: tuple[int, int, int] | None = None
    addresses: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)


class HostsFile:
    """Answers in the order of the file; names are caseless, addresses in canonical text."""

    def __init__(self, path: str = "/etc/hosts") -> None:
        self._path = path
        self._lock = threading.Lock()
        self._parsed = _Parsed()

    def addresses(self, name: str) -> list[str]:
        """The addresses of a name, [] when the file does not have it."""
        return list(self._current().addresses.get(ascii_text.lower(name.rstrip(".")), ()))

    def names(self, address: str) -> list[str]:
        """The canonical name and the aliases of an address, [] when the file does not have it."""
        return list(self._current().names.get(_canonical(address) or "", ()))

    def _current(self) -> _Parsed:
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            return _Parsed()
        with self._lock:
            if self._parsed.stamp != stamp:
                self._parsed = _parse(self._path, stamp)
            return self._parsed


def _canonical(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _parse(path: str, stamp: tuple[int, int, int]) -> _Parsed:
    parsed = _Parsed(stamp)
    try:
        text = Path(path).read_text("latin-1")
    except OSError:
        return parsed
    for line in text.split("\n"):
        words = line.split("#", 1)[0].split()
        address = _canonical(words[0]) if words else None
        if address is None:
            continue
        parsed.names.setdefault(address, words[1:])
        for name in words[1:]:
            known = parsed.addresses.setdefault(ascii_text.lower(name), [])
            if address not in known:
                known.append(address)
    return parsed
