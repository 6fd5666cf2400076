"""serialize_hosts: one connection at a time to a host, over all threads and processes that share the hints' folder.

A lock that a process holds goes with the process, so that a crash blocks nobody.
"""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass, field

from mta.scope.services import Services
from mta.text.ascii import to_bytes

STATE = "transport.serialized"


@dataclass(slots=True)
class HostLock:
    """``acquire`` waits; idle connections are given up within the pool's few seconds."""

    path: str  # "" where there is no folder to lock in: this process alone counts
    threads: threading.Lock = field(default_factory=threading.Lock)
    _fd: int = -1

    def acquire(self) -> None:
        self.threads.acquire()
        if not self.path:
            return
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(to_bytes(self.path), flags, 0o640)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError:
            # Hints are never a reason not to deliver.
            self._close()

    def release(self) -> None:
        self._close()
        self.threads.release()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open, too
            os.close(fd)


def lock_of(services: Services, address: str) -> HostLock:
    """The lock of one host address."""
    locks: dict[str, HostLock] = services.state.setdefault(STATE, {})
    found = locks.get(address)
    if found is None:
        folder = os.path.dirname(services.hints.path) if services.hints is not None else ""
        path = os.path.join(folder, f"serialize-{address}") if folder and os.path.isdir(folder) else ""
        found = locks.setdefault(address, HostLock(path))
    return found
