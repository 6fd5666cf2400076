"""Waiting for descriptors, by poll(2): select(2) fails for numbers above 1,023, which a busy worker has."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Protocol


class HasFileno(Protocol):
    def fileno(self) -> int: ...


def readable(fd: int | HasFileno, seconds: float | None) -> bool:
    """Whether there is something to read (or the end) within ``seconds``; None waits for ever."""
    return bool(any_readable([fd], seconds))


def any_readable(fds: Iterable[int | HasFileno], seconds: float | None) -> list[int]:
    """Those of the descriptors that can be read, by number, after at most ``seconds``."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd if isinstance(fd, int) else fd.fileno(), select.POLLIN)
    wait = None if seconds is None else max(0.0, seconds) * 1000
    return [number for number, _ in poll.poll(wait)]
