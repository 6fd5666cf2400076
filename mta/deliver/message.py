"""One delivery attempt of one message: ``deliver_message(runtime, id, options) -> Result``.

Lock and load, frozen messages, routing, local then remote deliveries, what is left, bounces and warnings.
A crash repeats at most the delivery that was under way (settle.py, spool.locked).
"""

from __future__ import annotations

import queue
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from mta.config.runtime import Runtime
from mta.deliver import handing_in, notify, one_time, parents, routing, transporting
from mta.deliver.retry import RetryBook
from mta.deliver.settle import Settler
from mta.errors import SpoolError
from mta.log import lines
from mta.mail.message import EnvelopeRecipient
from mta.spool.locked import Locked


class State(Enum):
    """How it went."""

    COMPLETED = "completed"
    WAITING = "waiting"  # some recipients are left
    FROZEN = "frozen"
    LOCKED = "locked"  # somebody else has it
    GONE = "gone"  # no such message, or it was set aside


@dataclass(slots=True)
class Result:
    """``due``: when some recipient may be tried again, seconds since the epoch, 0 unknown. ``made``: ids of bounces."""

    state: State
    due: float = 0.0
    made: list[str] = field(default_factory=list)

    @property
    def left(self) -> bool:
        """The message is still on the queue."""
        return self.state in (State.WAITING, State.FROZEN, State.LOCKED)


@dataclass(slots=True)
class DeliverOptions:
    """``queue_run``: retry times count for routing and local deliveries too. ``forced``: they count for nothing
    (-qf, -M). ``thaw``: deliver a frozen message (-qff, -M). ``give_up``: bounce what is left, for this reason (-Mg).
    ``only``: just envelope recipients that this says yes to, ``local_only``: -ql, ``first_pass``: route only (-qq).
    """

    queue_run: bool = False
    forced: bool = False
    thaw: bool = False
    give_up: str = ""
    no_delivery: bool = False  # -N
    local_only: bool = False
    queue_smtp: bool = False  # -odqs: route remote recipients, leave them for a queue run
    first_pass: bool = False
    following: bool = False  # taken up because another message found the host there
    only: Callable[[str], bool] | None = None


def deliver_message(
    runtime: Runtime,
    message_id: str,
    options: DeliverOptions | None = None,
    on_made: Callable[[str], None] | None = None,
) -> Result:
    """Try to deliver a message. ``on_made`` is called with the id of each bounce, warning or notice once it is durable;
    without it they are delivered here, after the message. Raises nothing but bugs."""
    chosen = options or DeliverOptions()
    handing_in.prepare(runtime)
    try:
        locked = runtime.spool.lock(message_id)
    except SpoolError as error:
        runtime.log.panic(error.message if message_id in error.message else f"{message_id} {error.message}")
        return Result(State.GONE if error.damaged else State.LOCKED)
    if locked is None:
        if not runtime.spool.exists(message_id):
            return Result(State.GONE)
        if runtime.log.wants("skip_delivery"):
            runtime.log.main("Spool file is locked (another process is handling this message)", message_id)
        return Result(State.LOCKED)
    with locked:
        result = _attempt(runtime, locked, chosen)
    result.made += handing_in.take_new(runtime)
    for made in result.made:
        if on_made is not None:
            on_made(made)
        else:
            deliver_message(runtime, made, DeliverOptions())
    if not chosen.following:
        _deliver_waiting(runtime, on_made)
    return result


def _deliver_waiting(runtime: Runtime, on_made: Callable[[str], None] | None) -> None:
    """Messages whose host has just taken this one, over the same connection (manual section 49.3)."""
    line: queue.SimpleQueue[str] | None = runtime.services.state.get("transport.waiting")
    while line is not None:
        try:
            message_id = line.get_nowait()
        except queue.Empty:
            return
        deliver_message(runtime, message_id, DeliverOptions(queue_run=True, following=True), on_made)


def _attempt(runtime: Runtime, locked: Locked, options: DeliverOptions) -> Result:
    try:
        parents.resolve(runtime, locked)
    except SpoolError as error:
        runtime.log.main(f"delivery put off: {error.message}", locked.id)
        return Result(State.WAITING)
    if options.give_up:
        if locked.message.frozen:
            _thaw(runtime, locked, "Unfrozen by forced delivery")
        return _Attempt(runtime, locked, options).run(cancel=options.give_up)
    verdict = _frozen(runtime, locked, options)
    if verdict is _STAY:
        return Result(State.FROZEN)
    try:
        return _Attempt(runtime, locked, options).run(cancel=verdict)
    except SpoolError as error:
        # The disk refuses: nothing more is delivered, since nothing more could be recorded.
        runtime.log.panic(f"delivery stopped: {error.message}", locked.id)
        return Result(State.WAITING)
    except Exception:
        runtime.log.panic(f"bug in a delivery: {traceback.format_exc()}", locked.id)
        return Result(State.WAITING)


_STAY = "stay frozen"


def _frozen(runtime: Runtime, locked: Locked, options: DeliverOptions) -> str:
    """What becomes of a frozen message: _STAY, "" to go on (thawed), or the reason to give it up."""
    message, main = locked.message, runtime.config.main
    if not message.frozen:
        return ""
    now = time.time()
    if options.thaw:
        message.manual_thaw = True
        return _thaw(runtime, locked, "Unfrozen by forced delivery")
    if 0 < main.timeout_frozen_after < now - message.frozen_at:
        _thaw(runtime, locked, "")
        return "cancelled by timeout_frozen_after"
    if not message.sender and now - message.received_time >= main.ignore_bounce_errors_after:
        return _thaw(runtime, locked, "Unfrozen by errmsg timer")
    if 0 < main.auto_thaw < now - message.frozen_at:
        return _thaw(runtime, locked, "Unfrozen by auto-thaw")
    if runtime.log.wants("skip_delivery"):
        runtime.log.main("Message is frozen", locked.id)
    return _STAY


def _thaw(runtime: Runtime, locked: Locked, why: str) -> str:
    locked.message.frozen = False
    if why:
        runtime.log.main(why, locked.id)
        runtime.log.msglog(locked.id, f"*** {why}")
    return ""


class _Attempt:
    """The steps after the message is ours."""

    def __init__(self, runtime: Runtime, locked: Locked, options: DeliverOptions) -> None:
        self.runtime = runtime
        self.locked = locked
        self.options = options
        self.scope = runtime.scope(peer=locked.peer, message=locked.message)
        self.scope.body = locked.body
        retry = RetryBook(runtime, locked.message, self.scope, forced=options.forced)
        self.books = Settler(runtime, locked, retry)

    def run(self, cancel: str = "") -> Result:
        books, options = self.books, self.options
        if self.scope.trace is not None:
            left = ", ".join(one.address for one in self._left_recipients())
            self.scope.trace(
                "deliver", f"delivering message {self.locked.id} from <{self.locked.message.sender}>: {left}"
            )
        ignore_originals = False
        if cancel:
            routing.cancel_all(self.runtime, self.locked, books, cancel)
        elif not routing.too_many_hops(self.runtime, self.locked, books):
            plan = routing.route_message(self.runtime, self.locked, self.scope, books, options)
            if not options.first_pass:
                transporting.deliver_all(self.runtime, self.locked, self.scope, books, plan, options)
            ignore_originals = plan.ignore_originals and not options.first_pass
        made = notify.report(self.runtime, self.locked, books)
        if ignore_originals:
            books.ignore_originals()
        return self._finish(made)

    def _finish(self, made: list[str]) -> Result:
        runtime, locked, books = self.runtime, self.locked, self.books
        message = locked.message
        if not self._left() and not books.deferred:
            line = lines.completed(runtime.log.selectors, time.time() - message.received_time)
            keep = runtime.config.main.preserve_message_logs
            locked.remove(keep_msglog=keep)
            runtime.log.main(line, message.id)
            books.teller.completed()
            return Result(State.COMPLETED, made=made)
        message.deliver_first_time = False
        one_time.replace_parents(message, books.deferred)
        if books.freeze:
            made += notify.freeze(runtime, locked, books.freeze)
        locked.save()
        if message.frozen:
            return Result(State.FROZEN, made=made)
        return Result(State.WAITING, books.retry.earliest, made)

    def _left_recipients(self) -> list[EnvelopeRecipient]:
        message = self.locked.message
        return [one for one in message.recipients if one.address not in message.delivered]

    def _left(self) -> Iterable[str]:
        done = self.locked.message.delivered
        return [one.address for one in self.locked.message.recipients if one.address not in done]
