"""A next hop that takes everything and remembers each message's Subject once it has said 250."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller

from tests.peers.nsd import free_port


class CountingSink:
    """``with CountingSink() as sink:`` ``sink.port``, ``sink.subjects`` in order of arrival."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """aiosmtpd's hook."""
        for line in envelope.content.decode("latin-1").split("\r\n"):
            if line.startswith("Subject: "):
                self.subjects.append(line[9:])
                break
        return "250 OK"

    def __enter__(self) -> CountingSink:
        self._controller.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._controller.stop()
