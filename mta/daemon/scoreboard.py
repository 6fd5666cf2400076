"""What every session of every worker is doing, in shared memory made before the fork.

A worker writes only its own slots, so nothing is locked between processes; readers may see a
slot one moment old. The limits and ``mtactl status`` read it.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from dataclasses import dataclass

# pid, sessions under way, sessions accepted, messages accepted, deliveries made, deliveries deferred or failed
_WORKER = struct.Struct("<IIQQQQ")
_SLOT = struct.Struct("<B16sd39s")  # busy, packed peer address, since (epoch seconds), what it does
WORKER_SIZE = 64
SLOT_SIZE = 64
FREE, BUSY = 0, 1


@dataclass(frozen=True, slots=True)
class SlotView:
    """One busy slot as read."""

    pid: int
    address: str
    since: float
    doing: str


class Scoreboard:
    """``workers`` rows of ``slots`` slots; mapped shared and anonymous, inherited over the fork."""

    def __init__(self, workers: int, slots: int) -> None:
        self.workers, self.slots = workers, slots
        self._row = WORKER_SIZE + slots * SLOT_SIZE
        self._map = mmap.mmap(-1, max(1, workers * self._row))

    def row(self, worker: int) -> Row:
        """The row of one worker, for that worker alone to write."""
        return Row(self, worker)

    def clear(self, worker: int) -> None:
        """Forget a dead worker's sessions; its counters stay."""
        start = worker * self._row
        _pid, _, *counts = _WORKER.unpack_from(self._map, start)
        _WORKER.pack_into(self._map, start, 0, 0, *counts)
        self._map[start + WORKER_SIZE : start + self._row] = bytes(self._row - WORKER_SIZE)

    def total(self) -> int:
        """Sessions under way over all workers."""
        return sum(struct.unpack_from("<I", self._map, w * self._row + 4)[0] for w in range(self.workers))

    def same_host(self, address: str) -> int:
        """Sessions under way from one address."""
        packed = pack_address(address)
        wanted = bytes([BUSY]) + packed
        count = 0
        for worker in range(self.workers):
            start = worker * self._row + WORKER_SIZE
            if not struct.unpack_from("<I", self._map, start - WORKER_SIZE + 4)[0]:
                continue
            for slot in range(self.slots):
                at = start + slot * SLOT_SIZE
                if self._map[at : at + 17] == wanted:
                    count += 1
        return count

    def busy(self) -> list[SlotView]:
        """Every busy slot."""
        found = []
        for worker in range(self.workers):
            start = worker * self._row
            pid = _WORKER.unpack_from(self._map, start)[0]
            for slot in range(self.slots):
                state, packed, since, doing = _SLOT.unpack_from(self._map, start + WORKER_SIZE + slot * SLOT_SIZE)
                if state == BUSY:
                    text = doing.rstrip(b"\0").decode("latin-1")
                    found.append(SlotView(pid, unpack_address(packed), since, text))
        return found

    def counts(self) -> dict[str, int]:
        """Totals since the daemon started."""
        sums = [0, 0, 0, 0]
        for worker in range(self.workers):
            values = _WORKER.unpack_from(self._map, worker * self._row)[2:]
            sums = [a + b for a, b in zip(sums, values, strict=True)]
        return dict(zip(("connections", "received", "delivered", "not_delivered"), sums, strict=True))


class Row:
    """The part of the scoreboard that belongs to one worker; safe for its threads."""

    def __init__(self, board: Scoreboard, worker: int) -> None:
        self.board = board
        self._start = worker * board._row
        self._map = board._map
        self._lock = threading.Lock()
        self._free: list[int] = list(range(board.slots - 1, -1, -1))
        _WORKER.pack_into(self._map, self._start, os.getpid(), 0, *_WORKER.unpack_from(self._map, self._start)[2:])

    def enter(self, address: str, doing: str = "") -> int:
        """Take a slot for a new session; -1 when the worker has none left."""
        with self._lock:
            if not self._free:
                return -1
            slot = self._free.pop()
            self._bump(4, "<I", 1)
            self._bump(8, "<Q", 1)
        self._write(slot, BUSY, pack_address(address), time.time(), doing)
        return slot

    def doing(self, slot: int, text: str) -> None:
        """Say what the session of a slot does now."""
        at = self._start + WORKER_SIZE + slot * SLOT_SIZE + 25
        self._map[at : at + 39] = text.encode("latin-1", "replace")[:39].ljust(39, b"\0")

    def leave(self, slot: int) -> None:
        """The session of a slot has ended."""
        self._map[self._start + WORKER_SIZE + slot * SLOT_SIZE] = FREE
        with self._lock:
            self._free.append(slot)
            self._bump(4, "<I", -1)

    def count(self, *, received: int = 0, delivered: int = 0, not_delivered: int = 0) -> None:
        """Add to the counters."""
        with self._lock:
            for offset, amount in ((16, received), (24, delivered), (32, not_delivered)):
                if amount:
                    self._bump(offset, "<Q", amount)

    def _bump(self, offset: int, form: str, amount: int) -> None:
        at = self._start + offset
        (value,) = struct.unpack_from(form, self._map, at)
        struct.pack_into(form, self._map, at, max(0, value + amount))

    def _write(self, slot: int, state: int, packed: bytes, since: float, doing: str) -> None:
        at = self._start + WORKER_SIZE + slot * SLOT_SIZE
        _SLOT.pack_into(self._map, at, state, packed, since, doing.encode("latin-1", "replace")[:39])


def pack_address(address: str) -> bytes:
    """16 bytes for an IP address, zeros for none."""
    import socket

    try:
        if ":" in address:
            return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        if address:
            return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, address)
    except OSError:
        pass
    return bytes(16)


def unpack_address(packed: bytes) -> str:
    """The reverse of ``pack_address``."""
    import socket

    if packed == bytes(16):
        return ""
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)
