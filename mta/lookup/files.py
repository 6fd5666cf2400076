"""Parsed lookup files, kept per process and parsed again when the file on disk is another one.

``cached_file(scope, path, kind, parse)``: what ``parse`` made of the file, shared by all threads.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from mta.errors import ExpansionFailed
from mta.scope.scope import Scope

T = TypeVar("T")
OPEN_MAXIMUM = 25  # lookup_open_max's default
SCAN_LIMIT = 256 << 20  # bytes; a larger text file is read for each key instead of being held in memory

Stamp = tuple[int, int, int, int]


class FileCache:
    """At most ``size`` parsed files, the least recently used thrown out."""

    def __init__(self, size: int = OPEN_MAXIMUM) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, str], tuple[Stamp, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, kind: str, stamp: Stamp) -> Any:
        """What was kept for this very state of the file, or None."""
        with self._lock:
            kept = self._kept.get((path, kind))
            if kept is None or kept[0] != stamp:
                return None
            self._kept.move_to_end((path, kind))
            return kept[1]

    def put(self, path: str, kind: str, stamp: Stamp, value: Any) -> None:
        with self._lock:
            self._kept[(path, kind)] = (stamp, value)
            self._kept.move_to_end((path, kind))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def cached_file(scope: Scope, path: str, kind: str, parse: Callable[[str], T], purpose: str) -> T:
    """``parse(path)``'s value for the file as it is now. ``purpose`` ends the error, "for linear search".

    Raises ExpansionFailed for a file that is not there, not readable or not regular.
    """
    try:
        status = os.stat(encoded(path))
    except (OSError, ValueError) as error:
        raise ExpansionFailed(f"failed to open {path} {purpose}: {reason(error)}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ExpansionFailed(f"{path} is not a regular file ({kind} lookup)")
    stamp = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
    cache: FileCache = scope.services.state.setdefault("lookup.files", FileCache())
    kept = cache.get(path, kind, stamp)
    if kept is None:
        try:
            kept = parse(path)
        except (OSError, ValueError) as error:
            raise ExpansionFailed(f"failed to open {path} {purpose}: {reason(error)}") from None
        cache.put(path, kind, stamp, kept)
    found: T = kept
    return found


def reason(error: Exception) -> str:
    """The system's words for an error."""
    return str(getattr(error, "strerror", None) or error)


def encoded(path: str) -> bytes:
    """A path of byte text as the system wants it; ValueError for one that holds a NUL."""
    if "\0" in path:
        raise ValueError("NUL in a file name")
    return path.encode("latin-1")


def lines_of(path: str) -> Iterator[str]:
    """The lines of a file as byte text, with their line ends."""
    with open(encoded(path), encoding="latin-1", newline="\n") as file:
        yield from file
