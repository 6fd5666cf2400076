"""Idle connections of this process, kept for the next message to the same host.

The key holds all that makes two connections alike: transport, host, address, port, and what TLS and AUTH were
asked for. A thread closes what nobody wants within ``idle_seconds``; it ends when nothing is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Any

from mta.scope.services import Services
from mta.transport.remote.connection import Connection

STATE_KEY = "transport.connections"
IDLE_SECONDS = 5.0
MOST_IDLE = 500


class Pool:
    """Thread-safe; newest connections are given out first, so that spare ones can grow old."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self.idle_seconds = idle_seconds
        self._idle: dict[Hashable, list[Connection]] = {}
        self._count = 0
        self._condition = threading.Condition()
        self._reaper: threading.Thread | None = None

    def take(self, key: Hashable) -> Connection | None:
        """An idle connection that is still open, or None."""
        while True:
            with self._condition:
                kept = self._idle.get(key)
                if not kept:
                    return None
                connection = kept.pop()
                self._count -= 1
                if not kept:
                    del self._idle[key]
            if connection.alive():
                connection.reused = True
                return connection
            connection.close()

    def put(self, key: Hashable, connection: Connection) -> None:
        """Keep a connection whose transaction is over; it is closed with QUIT when there is no room."""
        if self.idle_seconds <= 0:
            connection.quit()
            return
        connection.idle_since = time.monotonic()
        with self._condition:
            if self._count < MOST_IDLE:
                self._idle.setdefault(key, []).append(connection)
                self._count += 1
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, name="smtp-idle", daemon=True)
                    self._reaper.start()
                return
        connection.quit()

    def close_all(self) -> None:
        """QUIT everything; at the end of a process or of a configuration."""
        with self._condition:
            connections = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
            self._count = 0
            self._condition.notify_all()
        for connection in connections:
            connection.quit()

    def __len__(self) -> int:
        return self._count

    def _reap(self) -> None:
        while True:
            with self._condition:
                if not self._count:
                    self._reaper = None
                    return
                old = self._expired(time.monotonic() - self.idle_seconds)
                if not old:
                    oldest = min(kept[0].idle_since for kept in self._idle.values())
                    self._condition.wait(max(0.05, oldest + self.idle_seconds - time.monotonic()))
                    continue
            for connection in old:
                connection.quit()

    def _expired(self, before: float) -> list[Connection]:
        old = []
        for key in list(self._idle):
            kept = self._idle[key]
            while kept and kept[0].idle_since <= before:
                old.append(kept.pop(0))
                self._count -= 1
            if not kept:
                del self._idle[key]
        return old


def pool_of(services: Services) -> Pool:
    """This process's pool. A caller that ends soon sets ``state["transport.idle_seconds"] = 0``."""
    pool: Any = services.state.get(STATE_KEY)
    if pool is None:
        pool = services.state.setdefault(STATE_KEY, Pool(services.state.get("transport.idle_seconds", IDLE_SECONDS)))
    return pool  # type: ignore[no-any-return]


def close_idle(services: Services) -> None:
    """Close this process's idle connections, as before it ends."""
    pool: Any = services.state.get(STATE_KEY)
    if pool is not None:
        pool.close_all()
