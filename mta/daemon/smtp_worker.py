"""One smtp worker: threads that accept connections for themselves and serve a session each.

Also serves the Unix socket through which other users of the machine submit (SO_PEERCRED).
"""

from __future__ import annotations

import os
import signal
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mta.config.runtime import Runtime
from mta.daemon.immediate import Arrivals
from mta.daemon.pool import Listener, Pool
from mta.daemon.scoreboard import Row
from mta.daemon.signals import make_signals
from mta.deliver.handing_in import SUBMIT, prepare, submit, take_new
from mta.receive.connection import serve

if TYPE_CHECKING:
    from mta.daemon.generation import Generation
    from mta.daemon.listeners import Bound

GRACE = 70.0  # seconds that sessions may go on after the wish to stop


@dataclass(slots=True)
class SmtpWorker:
    runtime: Runtime
    row: Row
    arrivals: Arrivals

    def tcp(self, tls_on_connect: bool, connection: socket.socket) -> None:
        """A session from the network, in a slot of the scoreboard."""
        try:
            peer, local = connection.getpeername(), connection.getsockname()
        except OSError:
            return  # gone before we looked
        slot = self.row.enter(peer[0])
        try:
            serve(
                self.runtime,
                connection,
                (peer[0], peer[1]),
                (local[0], local[1]),
                on_accepted=self.arrivals.session(),
                counts=self.row.board,
                doing=partial(self.row.doing, slot) if slot >= 0 else _nothing,
                count_received=partial(self.row.count, received=1),
                tls_on_connect=tls_on_connect,
            )
        finally:
            if slot >= 0:
                self.row.leave(slot)

    def unix(self, connection: socket.socket) -> None:
        """A submission by a user of this machine."""
        from mta.receive.submission import serve_submission

        serve_submission(self.runtime, connection, on_accepted=self.arrivals.session())

    def crashed(self, error: BaseException) -> None:
        """Whatever a session let through: the panic log has the traceback, the worker goes on."""
        text = "".join(traceback.format_exception(error))
        self.runtime.log.panic(f"smtp worker {os.getpid()}: {text}")


def _nothing(_text: str) -> None:
    return


def run_smtp_worker(generation: Generation, index: int, bound: list[Bound]) -> int:
    """The life of the process: until TERM, then until its sessions have ended."""
    signals = make_signals()
    signals.install()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    runtime = Runtime.start(generation.config)
    if generation.contexts is not None:
        runtime.services.state["tls.contexts"] = generation.contexts
    main = generation.config.main
    arrivals = Arrivals(runtime, generation.arrivals_socket(), generation.scoreboard.total)
    _take_reports(runtime, arrivals)
    worker = SmtpWorker(runtime, generation.scoreboard.row(index), arrivals)
    listeners = [Listener(entry.sock, _server(worker, entry)) for entry in bound]
    spare = max(1, main.smtp_threads_min_spare)
    pool = Pool(listeners, spare, max(spare, generation.scoreboard.slots), worker.crashed)
    pool.start()
    _wait(signals.wake, lambda: signals.stopping)
    pool.stop()
    for entry in bound:
        entry.sock.close()
    return 0 if pool.wait(GRACE) else 1


def _take_reports(runtime: Runtime, arrivals: Arrivals) -> None:
    """Messages that a session itself makes (DMARC's failure reports) go into the spool and to the queue manager."""
    prepare(runtime)

    def hand_in(sender: str, recipients: list[str], head: str, body: str) -> str:
        made = submit(runtime, sender, recipients, head, body)
        for message_id in take_new(runtime):
            arrivals.session()(message_id)
        return made

    runtime.services.state[SUBMIT] = hand_in


def _server(worker: SmtpWorker, entry: Bound) -> Callable[[socket.socket], None]:
    return worker.unix if entry.endpoint is None else partial(worker.tcp, entry.tls_on_connect)


def _wait(wake: socket.socket, stopping: Callable[[], bool]) -> None:
    """Sleep until a signal has asked to stop."""
    wake.setblocking(True)
    while not stopping():
        wake.recv(64)
