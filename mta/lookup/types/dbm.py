"""dbm, dbmnz, dbmjz: keyed files; dbm's keys end with a NUL, dbmnz's do not.

Hash files of Berkeley DB, which exim_dbmbuild writes on Debian, are read here; others by the dbm modules that this
Python was built with.
"""

from __future__ import annotations

import dbm
import errno
import importlib
import os
import stat

from mta.errors import Deferred, ExpansionFailed
from mta.lookup import berkeley
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import encoded
from mta.scope.scope import Scope
from mta.text.lists import split_list


def _fetch(file: str, key: bytes) -> str | None:
    """The value of a key, without the NUL at its end."""
    try:
        fd = os.open(encoded(file), os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return _fetch_by_module(file, key)  # whose files have other names
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise _not_opened(file, os.strerror(errno.EISDIR))
        if not berkeley.byte_order(os.pread(fd, 512, 0)):
            return _fetch_by_module(file, key)
        value = berkeley.fetch(fd, key)
    except (OSError, berkeley.Damaged) as error:
        raise Deferred(f"failed to read {file}: {error}") from None
    finally:
        os.close(fd)
    return None if value is None else value.rstrip(b"\0").decode("latin-1")


def _fetch_by_module(file: str, key: bytes) -> str | None:
    """The value of a key. The file is opened each time: dbm modules are not safe to share between threads."""
    base = file.removesuffix(".db") if not os.path.exists(encoded(file)) else file
    try:
        path = base.encode("latin-1").decode("utf-8", "surrogateescape")
        kind = dbm.whichdb(path)
        if not kind and path.endswith(".db"):
            kind = dbm.whichdb(path.removesuffix(".db")) or kind
        if kind is None:
            raise _not_opened(file, os.strerror(errno.ENOENT))
        if not kind:
            raise _not_opened(file, "the kind of the file is not known")
        module = importlib.import_module(kind)
        with module.open(path.removesuffix(".db") if kind == "dbm.ndbm" else path, "r") as database:
            value: bytes | None = database.get(key)
    except ImportError:
        raise ExpansionFailed(f"{file} needs Python's {kind} module, which this Python lacks") from None
    except (OSError, ValueError, *dbm.error) as error:
        raise Deferred(f"failed to read {file}: {error}") from None
    return None if value is None else value.rstrip(b"\0").decode("latin-1")


def _not_opened(file: str, reason: str) -> ExpansionFailed:
    return ExpansionFailed(f"failed to open {file} as a db (v4.1+) file: {reason}")


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """dbm: the key with a binary zero at its end."""
    return _fetch(file, key.encode("latin-1") + b"\0")


def find_without_zero(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """dbmnz: the key as it is."""
    return _fetch(file, key.encode("latin-1"))


def find_joined(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """dbmjz: the items of the key, a list, joined by NULs."""
    return _fetch(file, "\0".join(split_list(key)).encode("latin-1"))


lookups.register("dbm")(LookupType("dbm", "single", find, absolute_file=False))
lookups.register("dbmnz")(LookupType("dbmnz", "single", find_without_zero, absolute_file=False))
lookups.register("dbmjz")(LookupType("dbmjz", "single", find_joined, absolute_file=False))
