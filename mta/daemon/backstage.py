"""The children that no peer talks to: queue manager, delivery workers, local delivery agent."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from mta.config.runtime import Runtime
from mta.daemon.delivery_worker import DeliveryWorker
from mta.daemon.queue_manager import Manager, Worker
from mta.daemon.signals import Signals, make_signals
from mta.daemon.wires import Order, Report
from mta.daemon.wires import announce as tell_manager
from mta.deliver.agent import LocalAgent, use_agent
from mta.deliver.message import DeliverOptions, deliver_message
from mta.deliver.runner import overloaded, sweep
from mta.spool.layout import HEADER

if TYPE_CHECKING:
    from mta.daemon.generation import Generation


def _begin() -> Signals:
    signals = make_signals()
    signals.install()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return signals


def run_queue_manager(generation: Generation, interval: float) -> int:
    """The queue manager's process."""
    signals = _begin()
    runtime = Runtime.start(generation.config)

    def header_time(message_id: str) -> float:
        folder = runtime.spool.find(message_id)
        try:
            return os.stat(os.path.join(folder, message_id + HEADER)).st_mtime if folder else 0.0
        except OSError:
            return 0.0

    wires = generation.wires
    manager = Manager(
        arrivals=wires.arrivals[0],
        workers=[Worker(pair[0]) for pair in wires.orders],
        list_ids=runtime.spool.ids,
        header_time=header_time,
        interval=interval,
        in_order=generation.config.main.queue_run_in_order,
        log=runtime.log.main if "queue_run" in runtime.log.selectors else _quiet,
        signals=signals,
        sweep=partial(sweep, runtime),
        overloaded=partial(overloaded, generation.config.main.deliver_queue_load_max),
    )
    return manager.loop()


def _announce(generation: Generation, message_id: str) -> None:
    tell_manager(generation.arrivals_socket(), message_id, deliver=True)


def _quiet(_line: str) -> None:
    return


def run_delivery_worker(generation: Generation, index: int) -> int:
    """A delivery worker's process."""
    signals = _begin()
    runtime = Runtime.start(generation.config)
    if generation.agent is not None:
        use_agent(runtime, generation.agent)

    announce = partial(_announce, generation)

    def deliver(order: Order) -> Report:
        options = DeliverOptions(queue_run=order.flags == "q")
        result = deliver_message(runtime, order.message_id, options, on_made=announce)
        return Report(order.message_id, result.left, result.due)

    worker = DeliveryWorker(
        sock=generation.wires.orders[index][1],
        threads=max(1, generation.config.main.delivery_threads),
        deliver=deliver,
        on_crash=runtime.log.panic,
        signals=signals,
    )
    return worker.loop()


def run_local_agent(generation: Generation) -> int:
    """The local delivery agent's process, the only one with root's rights beside the master."""
    signals = _begin()
    assert generation.agent is not None
    runtime = Runtime.start(generation.config)
    return LocalAgent(runtime, generation.agent.server, lambda: signals.stopping).loop()
