"""Queue runs: ``run_queue(runtime, options)`` for -q and its letters, -R and -S (manual chapter 5).

One run at a time in this process, messages one after the other; the daemon's queue manager has its own ways.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.deliver.message import DeliverOptions, Result, State, deliver_message
from mta.errors import ExpansionFailed, SpoolError
from mta.log import lines
from mta.mail.message import Message
from mta.text.ascii import lower
from mta.text.patterns import pattern


@dataclass(slots=True)
class Pick:
    """-R or -S: a part of an address, or a pattern; case is ignored."""

    text: str
    regex: bool = False

    def matches(self, address: str) -> bool:
        if self.regex:
            return pattern(self.text, caseless=True).matches(address)
        return lower(self.text) in lower(address)


@dataclass(slots=True)
class QueueOptions:
    """The letters of -q, and what -R and -S select."""

    two_pass: bool = False  # qq
    first_only: bool = False  # i: only messages never tried
    forced: bool = False  # f: retry times count for nothing
    frozen: bool = False  # ff: frozen messages too
    local_only: bool = False  # l
    start: str = ""
    stop: str = ""
    recipients: Pick | None = None
    senders: Pick | None = None
    on_message: Callable[[str], None] = field(default=lambda _id: None)  # progress
    stopping: Callable[[], bool] = field(default=lambda: False)

    def text(self) -> str:
        """As the log shows a run: ``-qqff`` or the like, "" for a plain one."""
        letters = ("q" if self.two_pass else "") + ("i" if self.first_only else "")
        letters += ("ff" if self.frozen else "f" if self.forced else "") + ("l" if self.local_only else "")
        out = [f"-q{letters}"] if letters else []
        for flag, pick in (("-R", self.recipients), ("-S", self.senders)):
            if pick is not None:
                out.append(f"{flag}{'r' if pick.regex else ''} {pick.text}")
        return " ".join(out)


@dataclass(slots=True)
class RunResult:
    """What a run did."""

    seen: int = 0
    tried: int = 0
    completed: int = 0


def run_queue(runtime: Runtime, options: QueueOptions | None = None) -> RunResult:
    """One run over the queue as each folder is when its turn comes. ExpansionFailed for a bad -R or -S pattern."""
    chosen = options or QueueOptions()
    for pick in (chosen.recipients, chosen.senders):
        if pick is not None and pick.regex:
            pattern(pick.text, caseless=True)
    if runtime.log.wants("queue_run"):
        runtime.log.main(lines.queue_run(True, os.getpid(), chosen.text()))
    sweep(runtime)
    total = RunResult()
    if chosen.two_pass:
        _pass(runtime, chosen, total, first_pass=True)
        total = RunResult()
    _pass(runtime, chosen, total, first_pass=False)
    if runtime.log.wants("queue_run"):
        runtime.log.main(lines.queue_run(False, os.getpid(), chosen.text()))
    return total


def sweep(runtime: Runtime) -> None:
    """Clear the spool of leftovers of crashes, and of damaged messages that have been kept long enough."""
    runtime.spool.sweep()
    for path in runtime.spool.sweep_damaged(runtime.config.main.keep_malformed):
        runtime.log.main(f"removed damaged message file {path} (keep_malformed)")


def overloaded(limit: float | None) -> str:
    """``(load 3.78, max 2.00)`` while the machine's load average is over a limit (deliver_queue_load_max), or ""."""
    if limit is None:
        return ""
    load = os.getloadavg()[0]
    return f"(load {load:.2f}, max {limit:.2f})" if load > limit else ""


def _pass(runtime: Runtime, options: QueueOptions, total: RunResult, *, first_pass: bool) -> None:
    in_order = runtime.config.main.queue_run_in_order
    for message_id in _order(runtime, options, in_order):
        if options.stopping():
            return
        load = overloaded(runtime.config.main.deliver_queue_load_max)
        if load:
            runtime.log.main(f"Abandon queue run: pid={os.getpid()} {load}")
            return
        total.seen += 1
        deliver = _chosen(runtime, options, message_id)
        if deliver is None:
            continue
        deliver.first_pass = first_pass
        options.on_message(message_id)
        total.tried += 1
        result = deliver_message(runtime, message_id, deliver)
        total.completed += result.state == State.COMPLETED


def _order(runtime: Runtime, options: QueueOptions, in_order: bool) -> Iterable[str]:
    """Ids by age with queue_run_in_order, else mixed, folder by folder."""
    spool = runtime.spool
    if in_order:
        yield from sorted(spool.ids(start=options.start, stop=options.stop))
        return
    folders = spool.layout.input_folders()
    random.shuffle(folders)
    for folder in folders:
        found = list(spool.ids_in(folder, start=options.start, stop=options.stop))
        random.shuffle(found)
        yield from found


def _chosen(runtime: Runtime, options: QueueOptions, message_id: str) -> DeliverOptions | None:
    """How to deliver this message in the run; None to leave it alone."""
    deliver = DeliverOptions(
        queue_run=True, forced=options.forced or options.frozen, thaw=options.frozen, local_only=options.local_only
    )
    if not (options.first_only or options.recipients or options.senders):
        return deliver
    try:
        message, _ = runtime.spool.read(message_id)
    except (SpoolError, OSError):
        return deliver  # the delivery sees to damage
    if options.first_only and not message.deliver_first_time:
        return None
    return deliver if _selected(options, message) else None


def _selected(options: QueueOptions, message: Message) -> bool:
    if options.senders is not None and not options.senders.matches(message.sender):
        return False
    if options.recipients is None:
        return True
    left = [one.address for one in message.recipients if one.address not in message.delivered]
    return any(options.recipients.matches(address) for address in left)


__all__ = ["ExpansionFailed", "Pick", "QueueOptions", "Result", "RunResult", "run_queue"]
