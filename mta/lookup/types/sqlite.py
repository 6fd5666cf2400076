"""sqlite: SQL in a file (manual section 9.26). Connections are kept per process and lent to one thread at a time."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import encoded
from mta.lookup.sql import quoted
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

POOL = 8  # idle connections kept for a file
FILES = 25
ROWS = 10_000


@dataclass(slots=True)
class Pool:
    """Idle connections by file and inode, so that a replaced file gets new ones."""

    idle: dict[tuple[str, int, int], list[sqlite3.Connection]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: tuple[str, int, int]) -> sqlite3.Connection | None:
        with self.lock:
            kept = self.idle.get(key)
            return kept.pop() if kept else None

    def give(self, key: tuple[str, int, int], connection: sqlite3.Connection) -> None:
        surplus: list[sqlite3.Connection] = []
        with self.lock:
            if key not in self.idle and len(self.idle) >= FILES:
                surplus = self.idle.pop(next(iter(self.idle)))
            kept = self.idle.setdefault(key, [])
            if len(kept) < POOL:
                kept.append(connection)
            else:
                surplus.append(connection)
        for old in surplus:
            old.close()


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The rows' fields as text; None for no rows, for a statement that yields none and for one that is wrong."""
    file, query = _file_of(scope, file, key, options)
    if not file.startswith("/"):
        raise ExpansionFailed('absolute file name expected for "sqlite" lookup')
    if isinstance(file, Tainted):
        raise ExpansionFailed(f"Tainted filename for search: '{file}'")
    pool: Pool = scope.services.state.setdefault("lookup.sqlite", Pool())
    timeout = float(getattr(scope.site.options, "sqlite_lock_timeout", 5.0))
    place, connection = _connection(pool, file, timeout)
    try:
        rows = [row for statement in _statements(query) for row in _rows(connection, statement)]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Deferred(f"sqlite: {error}") from None
        if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            raise ExpansionFailed(str(error)) from None
        return None
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError):
        return None
    finally:
        if connection.in_transaction:
            connection.rollback()
        pool.give(place, connection)
    return "\n".join(rows) if rows else None


def _file_of(scope: Scope, file: str, key: str, options: list[str]) -> tuple[str, str]:
    """The database and the query: an option, the old prefix of the query, or sqlite_dbfile."""
    for option in options:
        if option.startswith("file="):
            return option.removeprefix("file="), key
    if file:
        return file, key
    if key.startswith("/"):
        name = key.split(None, 1)[0]
        query = key[len(name) :].lstrip(WHITESPACE)
        return (Tainted(name) if isinstance(key, Tainted) else name), query
    return str(getattr(scope.site.options, "sqlite_dbfile", None) or ""), key


def _connection(pool: Pool, file: str, timeout: float) -> tuple[tuple[str, int, int], sqlite3.Connection]:
    try:
        status = os.stat(encoded(file))
        place = (file, status.st_dev, status.st_ino)
    except (OSError, ValueError):
        place = (file, 0, 0)
    kept = pool.take(place)
    if kept is not None:
        return place, kept
    try:
        connection = sqlite3.connect(
            encoded(file), timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=32
        )
    except (sqlite3.Error, ValueError) as error:
        raise ExpansionFailed(str(error)) from None
    connection.text_factory = bytes
    return place, connection


def _statements(query: str) -> list[str]:
    """The statements of a query, each whole."""
    found, start, position = [], 0, query.find(";")
    while position >= 0:
        piece = query[start : position + 1]
        if sqlite3.complete_statement(piece):
            found.append(piece)
            start = position + 1
        position = query.find(";", position + 1)
    rest = query[start:]
    if rest.strip(WHITESPACE):
        found.append(rest)
    return found


def _rows(connection: sqlite3.Connection, statement: str) -> list[str]:
    cursor = connection.execute(statement.encode("latin-1").decode("utf-8"))
    if cursor.description is None:
        return []
    names = [column[0].encode("utf-8", "replace").decode("latin-1") for column in cursor.description]
    rows = []
    for row in cursor.fetchmany(ROWS):
        values = [_text(value) for value in row]
        if len(values) == 1:
            rows.append(values[0])
        else:
            rows.append("".join(f"{name}={quoted(value)} " for name, value in zip(names, values, strict=True)))
    return rows


def _text(value: object) -> str:
    """A value as SQLite itself would print it."""
    if value is None:
        return "<NULL>"
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float):
        text = f"{value:.15g}"
        mantissa, e, exponent = text.partition("e")
        if "." not in mantissa and mantissa.lstrip("-").isdigit():
            mantissa += ".0"
        return f"{mantissa}{e}{exponent}"
    return str(value)


def quote(text: str, option: str | None) -> str | None:
    """``${quote_sqlite:...}``: single quotes doubled."""
    return None if option is not None else text.replace("'", "''")


lookups.register("sqlite")(LookupType("sqlite", "query", find, quote=quote, needs_file=True))
