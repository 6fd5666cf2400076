"""lmdb: a key in an LMDB file (manual section 9.3), by py-lmdb, the extra "lmdb".

An environment is opened once a process and file, as LMDB demands, and never used by a fork's child. A commit of
another process is seen at once; a file that was replaced is opened anew.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Any

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.base import LookupType, extra_module, lookups
from mta.lookup.files import encoded
from mta.scope.scope import Scope

OPEN_MAXIMUM = 25


@dataclass(slots=True)
class Environments:
    """Open environments by path, each with the device and inode of its file; of one process."""

    process: int = field(default_factory=os.getpid)
    opened: dict[str, tuple[tuple[int, int], Any]] = field(default_factory=dict)
    retired: list[Any] = field(default_factory=list)  # perhaps still read by another thread
    lock: threading.Lock = field(default_factory=threading.Lock)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The value of a key, as its bytes are; no NUL is added."""
    library = extra_module("lmdb", "lmdb")
    if not key:
        return None
    try:
        with _reading(library, _environment(scope, library, file)) as transaction:
            value = transaction.get(key.encode("latin-1"))
    except library.BadValsizeError:
        return None  # longer than any key can be
    except library.Error as error:
        raise Deferred(f"failed to read {file} for lmdb lookup: {error}") from None
    return None if value is None else bytes(value).decode("latin-1")


def _reading(library: Any, environment: Any) -> Any:
    """A transaction; a writer may have made the map larger than ours is."""
    try:
        return environment.begin()
    except library.MapResizedError:
        environment.set_mapsize(0)
        return environment.begin()


def _environment(scope: Scope, library: Any, file: str) -> Any:
    name = f"lookup.lmdb.{os.getpid()}"
    state = scope.services.state
    kept: Environments = state.get(name) or state.setdefault(name, Environments())
    try:
        status = os.stat(encoded(file))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExpansionFailed(f"failed to open {file} for lmdb lookup: {reason}") from None
    identity = (status.st_dev, status.st_ino)
    with kept.lock:
        found = kept.opened.get(file)
        if found is not None and found[0] == identity:
            return found[1]
        if found is not None:
            kept.retired.append(kept.opened.pop(file)[1])
        while len(kept.opened) >= OPEN_MAXIMUM:
            kept.retired.append(kept.opened.pop(next(iter(kept.opened)))[1])
        environment = _open(library, file)
        kept.opened[file] = (identity, environment)
        return environment


def _open(library: Any, file: str) -> Any:
    """Read-only; without locks where the lock file cannot be written, as on a read-only file system."""
    folder = os.path.isdir(encoded(file))
    path = os.fsdecode(encoded(file))
    for lock in (True, False):
        try:
            return library.open(path, subdir=folder, readonly=True, create=False, lock=lock, max_spare_txns=8)
        except (library.ReadonlyError, library.Error, OSError) as error:
            failure = error
    raise ExpansionFailed(f"failed to open {file} for lmdb lookup: {failure}")


lookups.register("lmdb")(LookupType("lmdb", "single", find, extra="lmdb"))
