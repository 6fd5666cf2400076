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

    opened: dict[str, tuple[tuple[int, int], Any]] = field(default_factory=dict)
    # held while reading too, which takes microseconds: a replaced file's environment must be closed first
    lock: threading.Lock = field(default_factory=threading.Lock)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The value of a key, as its bytes are; no NUL is added."""
    library = extra_module("lmdb", "lmdb")
    if not key:
        return None
    kept = _environments(scope)
    try:
        with kept.lock, _reading(library, _environment(kept, library, file)) as transaction:
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


def _environments(scope: Scope) -> Environments:
    """This process's; what was open before a fork is closed, as the library would take ours for a second opening."""
    state, name = scope.services.state, f"lookup.lmdb.{os.getpid()}"
    kept: Environments = state.get(name) or state.setdefault(name, Environments())
    with kept.lock:
        for other in [key for key in list(state) if key.startswith("lookup.lmdb.") and key != name]:
            for _, environment in state.pop(other).opened.values():
                environment.close()
    return kept


def _environment(kept: Environments, library: Any, file: str) -> Any:
    """The file's environment, opened when it is not or when the file is another one by now."""
    try:
        status = os.stat(encoded(file))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExpansionFailed(f"failed to open {file} for lmdb lookup: {reason}") from None
    identity = (status.st_dev, status.st_ino)
    found = kept.opened.get(file)
    if found is not None and found[0] == identity:
        return found[1]
    if found is None and len(kept.opened) >= OPEN_MAXIMUM:
        file_of_oldest = next(iter(kept.opened))
        found = kept.opened.pop(file_of_oldest)
    if found is not None:
        found[1].close()
        kept.opened.pop(file, None)
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
