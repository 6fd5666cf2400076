"""What a DNS question came to, and the bounded cache of such answers that all threads of a process share.

An Answer is never changed once made; ``status`` tells "there is none" from "nobody could say".
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dns.rdata import Rdata

Status = Literal["ok", "nodata", "nxdomain", "again"]

POSITIVE_MAXIMUM = 86_400.0
NEGATIVE_MAXIMUM = 3_600.0
NEGATIVE_DEFAULT = 60.0
AGAIN_SECONDS = 3.0  # spares a dead server the same question from every recipient of a message


@dataclass(frozen=True, slots=True)
class Answer:
    """``name`` is the name asked in its final (widened) form, ``canonical`` where its CNAMEs led.

    ``ttl`` in seconds; ``authenticated`` is the AD bit, or AA where the options trust it; ``error`` says why
    a status "again" came about.
    """

    status: Status
    name: str
    rdtype: str
    records: tuple[Rdata, ...] = ()
    canonical: str = ""
    authenticated: bool = False
    ttl: float = 0.0
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    def texts(self) -> list[str]:
        """The records in zone file form."""
        return [record.to_text() for record in self.records]


class AnswerCache:
    """Answers by question, thrown out by age and, when full, the least recently used first."""

    def __init__(self, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, rdtype: str) -> Answer | None:
        """A fresh answer or None."""
        key = (name, rdtype)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if kept[0] <= self._clock():
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return kept[1]

    def put(self, name: str, rdtype: str, answer: Answer) -> None:
        """Keep an answer for its time to live, within the bounds above."""
        if answer.status == "again":
            seconds = AGAIN_SECONDS
        elif answer.status == "ok":
            seconds = min(answer.ttl, POSITIVE_MAXIMUM)
        else:
            seconds = min(answer.ttl, NEGATIVE_MAXIMUM)
        if self._size <= 0 or seconds <= 0:
            return
        with self._lock:
            self._kept[(name, rdtype)] = (self._clock() + seconds, answer)
            self._kept.move_to_end((name, rdtype))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
