"""Small shared databases that may be lost: ``HintsStore(path)`` with get, put, delete, scan over (db, key).

SQLite, opened at first use in each process. A failure is an answer of "nothing known": it is told to ``complain``
and never raised, waits are short, and a broken file is thrown away.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

BUSY_SECONDS = 0.25
_SCHEMA = """CREATE TABLE IF NOT EXISTS hint (
  db TEXT NOT NULL, key TEXT NOT NULL, time REAL NOT NULL, value TEXT NOT NULL, PRIMARY KEY (db, key)) WITHOUT ROWID"""


class Hint(NamedTuple):
    """A value and when it was written, seconds since the epoch."""

    value: str
    time: float


class HintsStore:
    """Threads may share it. Text is byte text."""

    def __init__(
        self,
        path: str,
        *,
        owner: tuple[int, int] | None = None,
        complain: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._owner = owner
        self._complain = complain
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._broken_until = 0.0

    def get(self, db: str, key: str) -> Hint | None:
        """The record, or None."""
        rows = self._run("SELECT value, time FROM hint WHERE db = ? AND key = ?", (db, key))
        return Hint(rows[0][0], rows[0][1]) if rows else None

    def put(self, db: str, key: str, value: str) -> None:
        """Write a record, with the time of now."""
        self._run("INSERT OR REPLACE INTO hint VALUES (?, ?, ?, ?)", (db, key, self._clock(), value))

    def delete(self, db: str, key: str) -> None:
        self._run("DELETE FROM hint WHERE db = ? AND key = ?", (db, key))

    def scan(self, db: str, prefix: str = "", limit: int = 1_000_000) -> list[tuple[str, Hint]]:
        """Records of a database whose key starts with ``prefix``, by key."""
        rows = self._run(
            "SELECT key, value, time FROM hint WHERE db = ? AND key >= ? AND substr(key, 1, ?) = ?"
            " ORDER BY key LIMIT ?",
            (db, prefix, len(prefix), prefix, limit),
        )
        return [(key, Hint(value, when)) for key, value, when in rows]

    def expire(self, db: str, before: float) -> None:
        """Forget a database's records that were written before a time."""
        self._run("DELETE FROM hint WHERE db = ? AND time < ?", (db, before))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Reads and writes inside are one transaction: what is read does not change before it is written."""
        with self._lock:
            started = self._begin()
            try:
                yield
            finally:
                if started and self._connection is not None:
                    try:
                        self._connection.execute("COMMIT")
                    except sqlite3.Error as error:
                        self._failed(error)

    def _begin(self) -> bool:
        try:
            self._open().execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return False
        return True

    def _run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        with self._lock:
            for _ in range(2):
                if self._broken_until > self._clock():
                    return []
                try:
                    return self._open().execute(statement, values).fetchall()
                except (sqlite3.Error, OSError) as error:
                    if not self._failed(error):
                        return []
        return []

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._pid == os.getpid():
            return self._connection
        self._connection = None  # a parent's handle: not ours to close
        folder = os.path.dirname(self.path) or "."
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o750, exist_ok=True)
            self._give_away(folder, os.path.dirname(folder) or ".")
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))
            self._give_away(self.path, folder)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            # A rollback journal, not WAL: its side files would belong to whichever user came first.
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection, self._pid = connection, os.getpid()
        return connection

    def _give_away(self, path: str, like: str) -> None:
        """Root makes the files of others: the owner given, or whoever owns the folder above."""
        if os.geteuid() == 0:
            above = os.stat(like)
            os.chown(path, *(self._owner or (above.st_uid, above.st_gid)))

    def _failed(self, error: Exception) -> bool:
        """What to do about an error; whether to try again."""
        self._complain(f"hints database {self.path}: {error}")
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return False
        if self._connection is not None and self._pid == os.getpid():
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            for name in (self.path, self.path + "-journal"):
                with suppress(OSError):
                    os.unlink(name)
            return True
        self._broken_until = self._clock() + 1.0
        return False

    def after_fork(self) -> None:
        """To be called in a new process: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None
