"""Signals as events: handlers only note what came and make ``wake`` readable, so that loops can select on it."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass, field


@dataclass(slots=True)
class Signals:
    """What has come since the last look. ``install`` in the main thread of the process that owns it."""

    wake: socket.socket
    _write: socket.socket
    stopping: bool = False  # TERM or INT
    came: set[int] = field(default_factory=set)

    def install(self, *also: signal.Signals) -> None:
        """Take TERM and INT as the wish to stop, and note the signals in ``also``."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for number in also:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def _stop(self, number: int, _frame: object) -> None:
        self.stopping = True
        self.came.add(number)

    def _note(self, number: int, _frame: object) -> None:
        self.came.add(number)

    def take(self, number: signal.Signals) -> bool:
        """Whether this signal came since it was last taken."""
        if number in self.came:
            self.came.discard(number)
            return True
        return False

    def drain(self) -> None:
        """Empty the wake socket."""
        try:
            while self.wake.recv(256):
                pass
        except (BlockingIOError, InterruptedError):
            return


def make_signals() -> Signals:
    """A fresh one, for a process that has just begun."""
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)
    return Signals(read, write)
