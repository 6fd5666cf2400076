"""``-bh``: a session with a pretended host on standard input and output (manual section 5.4, -bh).

What each ACL statement and host list did is told on standard error behind ``>>> ``, log lines behind ``LOG: ``;
nothing is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mta.mail.ids import MessageIds
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.receive.caller import split_address
from mta.receive.connection import converse, open_session
from mta.receive.link import PipeLink
from mta.receive.plan import Runtime
from mta.scope.scope import Scope
from mta.scope.services import Services

BANNER = (
    "\n**** SMTP testing session as if from host {}\n"
    "**** but without any ident (RFC 1413) callback.\n**** This is not for real!\n\n"
)

SHOWN = frozenset({"acl", "host", "lists", "verify", "auth"})  # what a tester of a host sees without asking


@dataclass(slots=True)
class _Unstored:
    """An incoming message that goes nowhere; its body is kept for $message_body."""

    id: str
    body: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.body += data

    def read_body(self, start: int, size: int) -> bytes:
        begin = max(len(self.body) + start, 0) if start < 0 else start
        return bytes(self.body[begin : begin + size])

    def commit(self, _message: Message, _peer: Peer) -> None:
        """Not for real."""

    def abandon(self) -> None:
        self.body.clear()


@dataclass(slots=True)
class _NoSpool:
    new_id: MessageIds = field(default_factory=MessageIds)

    def begin(self) -> _Unstored:
        return _Unstored(self.new_id())


@dataclass(slots=True)
class _TestLog:
    """Log lines for the tester's eyes."""

    selectors: frozenset[str]
    tell: Callable[[str], None]
    last: str = ""

    def main(self, line: str, message_id: str = "") -> None:
        self.last = line
        self.tell(f"LOG: {message_id + ' ' if message_id else ''}{line}")

    def reject(self, line: str, message_id: str = "", headers: str = "") -> None:
        """Shown when it is not what the main log was given a moment ago."""
        if line != self.last:
            self.main(line, message_id)

    def panic(self, line: str, message_id: str = "") -> None:
        self.main(line, message_id)


@dataclass(slots=True)
class _Pretence:
    """A runtime that stores nothing."""

    real: Any
    spool: _NoSpool
    log: _TestLog
    services: Services

    @property
    def config(self) -> Any:
        return self.real.config

    @property
    def spool_directory(self) -> str:
        return str(self.real.spool_directory)

    def scope(self, *, peer: Peer | None = None, message: Message | None = None) -> Scope:
        found: Scope = self.real.scope(peer=peer, message=message)
        found.services = self.services
        return found


def run(runtime: Runtime, address: str, input_fd: int, output_fd: int, tell: Callable[[str], None]) -> int:
    """Hold the session; ``tell`` gets the lines for standard error. ``address`` may carry a port (``1.2.3.4.25``)."""
    host, port = split_address(address)
    link = PipeLink(input_fd, output_fd)
    link.send(BANNER.format(host).encode("latin-1"))
    log = _TestLog(runtime.log.selectors, tell)
    services = _quiet(runtime.services, log)
    pretence = _Pretence(runtime, _NoSpool(), log, services)
    peer = Peer(address=host, port=port, enforce_sync=False, started=time.time())
    session = open_session(pretence, link, peer, lambda _id: None)
    session.pretend = True
    session.scope.host_checking = True
    debug = session.scope.trace

    def trace(selector: str, line: str) -> None:
        if selector in SHOWN:
            for one in line.split("\n"):
                tell(f">>> {one}")
        elif debug is not None:
            debug(selector, line)

    session.scope.trace = trace
    converse(session)
    return 0


def _quiet(services: Services, log: _TestLog) -> Services:
    """The runtime's services with their log lines turned to the tester."""
    copy = replace(services)
    copy.log_main = log.main
    copy.log_reject = log.reject
    copy.log_panic = log.panic
    return copy
