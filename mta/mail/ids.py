"""Message ids of the 6-6-2 form, ``1VdNti-0001OY-1V`` (manual chapter 3, "Message identification").

Seconds, process and a fraction of a second in base 62; unique for a process while ``MessageIds`` hands them out.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 16
_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}\Z")


def base62(value: int, width: int) -> str:
    """``value`` in base 62, padded with zeros to ``width`` digits, the highest digits cut."""
    out = []
    for _ in range(width):
        value, digit = divmod(value, 62)
        out.append(DIGITS[digit])
    return "".join(reversed(out))


def is_message_id(text: str) -> bool:
    """Whether the text has the form of an id; nothing else may become part of a spool path."""
    return _ID.match(text) is not None


def id_time(message_id: str) -> int:
    """Seconds since the epoch that an id carries."""
    value = 0
    for char in message_id[:6]:
        value = value * 62 + DIGITS.index(char)
    return value


_PID_SPAN = 1 << 22  # Linux's largest pid; the middle field has room for 13,540 of them
_SUBS = 62**6 // _PID_SPAN


class MessageIds:
    """Hands out ids for one process, from any thread, without waiting for the clock.

    Exim waits for a new tick for each id; here the middle field carries a counter above the
    process id, so that a tick has room for 13,000 ids.
    """

    def __init__(self, clock: Callable[[], float] = time.time, localhost_number: int | None = None) -> None:
        self._clock = clock
        self._number = localhost_number
        self._lock = threading.Lock()
        self._sub = int.from_bytes(os.urandom(2), "big") % _SUBS

    def __call__(self) -> str:
        now = self._clock()
        with self._lock:
            self._sub = (self._sub + 1) % _SUBS
            sub = self._sub
        seconds = int(now)
        if self._number is None:
            tick = int((now - seconds) * 2000)
        else:
            tick = self._number * 200 + int((now - seconds) * 200)
        return f"{base62(seconds, 6)}-{base62(sub * _PID_SPAN + os.getpid(), 6)}-{base62(tick, 2)}"
