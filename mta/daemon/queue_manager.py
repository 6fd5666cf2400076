"""The queue manager: knows what waits and when it is due, and hands messages to the delivery workers.

New arrivals go first; queue runs feed what is due behind them. What it knows is an index over the
spool that any start rebuilds; a message it loses sight of is found by the next run.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mta.daemon.signals import Signals
from mta.daemon.wires import MAX_PACKET, Order, encode_order
from mta.mail.ids import is_message_id


@dataclass(slots=True)
class Worker:
    """A delivery worker as the manager sees it."""

    sock: socket.socket
    capacity: int = 0
    under_way: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.capacity - len(self.under_way)


@dataclass(slots=True)
class Queue:
    """What waits. Pure bookkeeping: no sockets, no clock, no disk."""

    fresh: deque[str] = field(default_factory=deque)
    due_now: deque[str] = field(default_factory=deque)
    due: dict[str, float] = field(default_factory=dict)  # when a message that waits may be tried again
    under_way: set[str] = field(default_factory=set)
    queued: set[str] = field(default_factory=set)  # in fresh or due_now
    again: set[str] = field(default_factory=set)  # announced while under way

    def arrive(self, message_id: str) -> None:
        """A message to deliver at once."""
        if message_id in self.under_way:
            self.again.add(message_id)
        elif message_id not in self.queued:
            self.queued.add(message_id)
            self.fresh.append(message_id)

    def run(self, ids: Iterable[str], now: float, changed: Callable[[str], bool]) -> int:
        """A queue run over all ids of the spool: those due, unknown or changed since are queued; says how many."""
        present = set()
        count = 0
        for message_id in ids:
            present.add(message_id)
            if message_id in self.under_way or message_id in self.queued:
                continue
            if self.due.get(message_id, 0.0) > now and not changed(message_id):
                continue
            self.queued.add(message_id)
            self.due_now.append(message_id)
            count += 1
        for gone in [message_id for message_id in self.due if message_id not in present]:
            del self.due[gone]
        return count

    def abandon(self) -> None:
        """Forget what the queue run has found; the next run finds it again."""
        self.queued.difference_update(self.due_now)
        self.due_now.clear()

    def take(self) -> Order | None:
        """The next message to deliver, new arrivals first."""
        for source, flags in ((self.fresh, "n"), (self.due_now, "q")):
            while source:
                message_id = source.popleft()
                self.queued.discard(message_id)
                if message_id not in self.under_way:
                    self.under_way.add(message_id)
                    return Order(message_id, flags)
        return None

    def done(self, message_id: str, *, left: bool, due: float) -> None:
        """A delivery attempt is over."""
        self.under_way.discard(message_id)
        if left:
            self.due[message_id] = due
        else:
            self.due.pop(message_id, None)
        if message_id in self.again:
            self.again.discard(message_id)
            self.arrive(message_id)

    def lost(self, message_ids: Iterable[str]) -> None:
        """The worker that had these died: a retry, never a frozen message."""
        for message_id in list(message_ids):
            self.under_way.discard(message_id)
            self.due.pop(message_id, None)
            self.arrive(message_id)


@dataclass(slots=True)
class Manager:
    """The process around ``Queue``. ``list_ids`` and ``header_time`` look at the spool."""

    arrivals: socket.socket
    workers: list[Worker]
    list_ids: Callable[[], Iterable[str]]
    header_time: Callable[[str], float]  # mtime of a message's -H, 0 when it is gone
    interval: float  # seconds between queue runs, 0: none
    in_order: bool
    log: Callable[[str], None]
    signals: Signals
    sweep: Callable[[], None] = lambda: None  # clears the spool of leftovers
    overloaded: Callable[[], str] = lambda: ""  # why queue runs are to stop, "" to go on
    recover: bool = False  # a manager died before us: look at the whole spool once
    give_back: Callable[[str], None] = lambda _id: None  # announce again, for the manager after us
    queue: Queue = field(default_factory=Queue)
    seen: dict[str, float] = field(default_factory=dict)  # header times at the last attempt

    def loop(self) -> int:
        """Until told to stop; what is under way then belongs to the workers."""
        selector = selectors.DefaultSelector()
        selector.register(self.arrivals, selectors.EVENT_READ, None)
        selector.register(self.signals.wake, selectors.EVENT_READ, "wake")
        for worker in self.workers:
            selector.register(worker.sock, selectors.EVENT_READ, worker)
        next_run = time.monotonic() if self.interval or self.recover else float("inf")
        while True:
            if self.signals.stopping:
                self._read_arrivals()
                for message_id in [*self.queue.fresh, *self.queue.again]:
                    self.give_back(message_id)
                return 0
            if time.monotonic() >= next_run:
                self.run_queue()
                next_run = time.monotonic() + (self.interval or float("inf"))
            self.dispatch()
            wait = max(0.0, min(next_run - time.monotonic(), 60.0))
            for key, _ in selector.select(wait):
                if key.data is None:
                    self._read_arrivals()
                elif key.data == "wake":
                    self.signals.drain()
                else:
                    self._read_reports(key.data)

    def run_queue(self) -> None:
        """Queue everything that is due."""
        self.log(f"Start queue run: pid={os.getpid()}")
        self.sweep()
        ids = list(self.list_ids())
        if self.in_order:
            ids.sort()
        else:
            random.shuffle(ids)
        self.queue.run(ids, time.time(), self._changed)
        self.log(f"End queue run: pid={os.getpid()}")

    def _changed(self, message_id: str) -> bool:
        return self.header_time(message_id) != self.seen.get(message_id)

    def dispatch(self) -> None:
        """Give out work while a worker has room."""
        while self.queue.fresh or self.queue.due_now:
            if not self.queue.fresh and (load := self.overloaded()):
                self.log(f"Abandon queue run: pid={os.getpid()} {load}")
                self.queue.abandon()
                return
            worker = max(self.workers, key=lambda w: w.free)
            if worker.free <= 0:
                return
            order = self.queue.take()
            if order is None:
                return
            worker.under_way.add(order.message_id)
            try:
                worker.sock.send(encode_order(order))
            except OSError:
                # The worker is being replaced; its hello will bring the message back.
                worker.capacity = 0

    def _read_arrivals(self) -> None:
        while True:
            try:
                packet = self.arrivals.recv(MAX_PACKET, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            letter, _, message_id = packet.decode("ascii", "replace").partition(" ")
            if not is_message_id(message_id):
                continue
            if letter == "N":
                self.queue.arrive(message_id)

    def _read_reports(self, worker: Worker) -> None:
        while True:
            try:
                packet = worker.sock.recv(MAX_PACKET, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            if not packet:
                return
            words = packet.decode("ascii", "replace").split(" ")
            if words[0] == "H":
                self.queue.lost(worker.under_way)
                worker.under_way.clear()
                worker.capacity = int(words[1])
            elif words[0] == "R" and len(words) == 4:
                self._report(worker, words[1], words[2] == "1", float(words[3]))

    def _report(self, worker: Worker, message_id: str, left: bool, due: float) -> None:
        worker.under_way.discard(message_id)
        self.queue.done(message_id, left=left, due=due)
        if left and self.interval:
            self.seen[message_id] = self.header_time(message_id)
        else:
            self.seen.pop(message_id, None)
