"""A delivery worker: takes orders from the queue manager and runs each in a thread of its own.

Connections to other hosts stay with the process for the next message to the same place.
"""

from __future__ import annotations

import queue
import selectors
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from mta.daemon.signals import Signals
from mta.daemon.wires import MAX_PACKET, Order, Report, decode_order, encode_hello, encode_report

Deliver = Callable[[Order], Report]


@dataclass(slots=True)
class DeliveryWorker:
    """``deliver`` does one message; what it raises is a bug: logged, and the message waits for the next run."""

    sock: socket.socket
    threads: int
    deliver: Deliver
    on_crash: Callable[[str], None]
    signals: Signals

    def loop(self) -> int:
        """Until the manager's end closes or ``stopping`` is set; orders under way are finished first."""
        orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        crew = [threading.Thread(target=self._work, args=(orders,), daemon=True) for _ in range(self.threads)]
        for thread in crew:
            thread.start()
        self.sock.send(encode_hello(self.threads))
        self._read_orders(orders)
        for _ in crew:
            orders.put(None)
        for thread in crew:
            thread.join()
        return 0

    def _read_orders(self, orders: queue.SimpleQueue[Order | None]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            selector.register(self.signals.wake, selectors.EVENT_READ)
            while not self.signals.stopping:
                for key, _ in selector.select():
                    if key.fileobj is not self.sock:
                        self.signals.drain()
                        continue
                    try:
                        packet = self.sock.recv(MAX_PACKET, socket.MSG_DONTWAIT)
                    except (BlockingIOError, InterruptedError):
                        continue
                    except OSError:
                        return
                    if not packet:
                        return
                    order = decode_order(packet)
                    if order is not None:
                        orders.put(order)

    def _work(self, orders: queue.SimpleQueue[Order | None]) -> None:
        while True:
            order = orders.get()
            if order is None:
                return
            report = Report(order.message_id, True, 0.0)
            try:
                report = self.deliver(order)
            except Exception:
                self.on_crash(f"delivery of {order.message_id}: {traceback.format_exc()}")
            try:
                self.sock.send(encode_report(report))
            except OSError:
                # The manager is being replaced; its first run looks at the whole spool.
                continue
