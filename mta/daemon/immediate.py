"""What happens to a message right after its 250: delivered at once, or left for a queue run.

Options queue_only, queue_only_file, queue_only_load, smtp_accept_queue and
smtp_accept_queue_per_connection decide (manual chapters 14 and 49).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from mta.config.runtime import Runtime
from mta.daemon.wires import announce


@dataclass(slots=True)
class Arrivals:
    """Announces messages to the queue manager. ``total`` counts the SMTP connections under way."""

    runtime: Runtime
    sock: socket.socket
    total: Callable[[], int] = lambda: 0

    def session(self) -> Callable[[str], None]:
        """The ``on_accepted`` of one session; it counts the session's messages."""
        count = 0
        latched = False

        def accepted(message_id: str) -> None:
            nonlocal count, latched
            count += 1
            limit = self.runtime.config.main.smtp_accept_queue_per_connection
            loaded = latched or self._loaded()
            latched = loaded and self.runtime.config.main.queue_only_load_latch
            why = ""
            if 0 < limit < count:
                why = f"more than {limit} messages received in one connection"
            elif loaded:
                why = f"load average {os.getloadavg()[0]:.2f}"
            elif 0 < self.runtime.config.main.smtp_accept_queue < (total := self.total()):
                why = f"too many connections ({total}, max {self.runtime.config.main.smtp_accept_queue})"
            deliver = not (why or self._queue_only())
            if why and "delay_delivery" in self.runtime.log.selectors:
                self.runtime.log.main(f"no immediate delivery: {why}", message_id)
            if not announce(self.sock, message_id, deliver=deliver) and deliver:
                self.runtime.log.main("queue manager is busy: left for the next queue run", message_id)

        return accepted

    def _queue_only(self) -> bool:
        main = self.runtime.config.main
        if main.queue_only:
            return True
        return main.queue_only_file is not None and queue_only_file_is_there(main.queue_only_file)

    def _loaded(self) -> bool:
        limit = self.runtime.config.main.queue_only_load
        return limit is not None and os.getloadavg()[0] > limit


def queue_only_file_is_there(text: str) -> bool:
    """Whether one of the files of queue_only_file exists; an item may say ``smtp`` before its path."""
    for item in text.split(":"):
        path = item.strip(" \t").removeprefix("smtp")
        if path.startswith("/") and os.path.exists(path.encode("latin-1")):
            return True
    return False
