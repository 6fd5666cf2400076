"""What comes of an outcome: journal first and synced, then log lines, retry hints, message log (``Settler``).

It also keeps the tally: which envelope recipients are done, what failed and is to bounce, what waits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.deliver.retry import RetryBook
from mta.deliver.telling import Teller
from mta.log import lines
from mta.mail.message import NOTIFY_SUCCESS
from mta.mail.outcome import Outcome, Status
from mta.mail.recipient import Recipient
from mta.spool.locked import Locked

TIMED_OUT = "retry timeout exceeded"
SYSTEM_FILTER = "system-filter"  # what stands for the original recipient of the system filter's deliveries
SUPPRESSED = "no delivery: -N"


def unique_of(recipient: Recipient) -> str:
    """What duplicates and the journal know an address by."""
    return recipient.unique or recipient.address


@dataclass(slots=True)
class Settler:
    """One delivery attempt's books. ``open`` counts the unfinished descendants of each envelope recipient."""

    runtime: Runtime
    locked: Locked
    retry: RetryBook
    open: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, list[Recipient]] = field(default_factory=dict)
    delivered: list[Outcome] = field(default_factory=list)  # for success DSNs
    failed: list[Outcome] = field(default_factory=list)  # to bounce, then to journal
    timed_out: list[Outcome] = field(default_factory=list)  # to fail at the end
    deferred: list[Outcome] = field(default_factory=list)
    freeze: str = ""  # why the message is to be frozen
    told: set[str] = field(default_factory=set)  # redirected addresses whose sender has had the success notice
    teller: Teller = field(init=False)
    quiet: set[int] = field(default_factory=set)  # id() of recipients with disable_logging

    def __post_init__(self) -> None:
        self.teller = Teller(self.runtime, self.locked)

    def _as_local(self, recipient: Recipient) -> bool:
        """log_as_local of the router that accepted: unset, it is on for accept and off for others."""
        for router in self.runtime.config.routers:
            if router.name == recipient.router:
                chosen = router.options.log_as_local
                return router.driver_name == "accept" if chosen is None else chosen
        return False

    def expect(self, recipient: Recipient) -> None:
        """This recipient's fate will be told."""
        top = unique_of(recipient.top)
        self.open[top] = self.open.get(top, 0) + 1

    def settle(self, outcomes: list[Outcome], *, return_path: str, local: bool) -> None:
        """Everything that one call of a transport brought."""
        done = [outcome for outcome in outcomes if outcome.status == Status.DELIVERED]
        if done:
            self._journal([outcome.recipient for outcome in done])
        sender, selectors = self.locked.message.sender, self.runtime.log.selectors
        first = True
        for outcome in outcomes:
            if outcome.status == Status.DELIVERED:
                now = time.time()
                line = lines.delivered(
                    outcome,
                    selectors,
                    sender=sender,
                    return_path=return_path,
                    local=local,
                    as_local=self._as_local(outcome.recipient),
                    first=first,
                    suppressed=outcome.message == SUPPRESSED,
                    queued_for=self.queued_for(now),
                )
                first = False
                self._log(
                    outcome,
                    line,
                    msglog=f"{outcome.recipient.address}: {outcome.recipient.transport} transport succeeded",
                )
                self.teller.delivered(outcome, return_path)
                self.retry.learn(outcome.recipient, outcome.retry, failed=False)
                self._note_success(outcome)
            else:
                self._unsuccessful(outcome, return_path)

    def queued_for(self, now: float) -> float:
        """Seconds since the message came, for QT=."""
        message = self.locked.message
        if "queue_time_exclusive" in self.runtime.log.selectors:
            return now - (message.received_complete or message.received_time)
        return now - message.received_time

    def _note_success(self, outcome: Outcome) -> None:
        recipient, top = outcome.recipient, outcome.recipient.top
        if not top.notify & NOTIFY_SUCCESS:
            return
        if not recipient.redirected:
            if not outcome.dsn_aware:
                self.delivered.append(outcome)
        elif unique_of(top) not in self.told:
            # Redirection ends what the sender asked for (manual chapter 22): one notice, for the address as it came.
            self.told.add(unique_of(top))
            self.delivered.append(Outcome(top, Status.DELIVERED))

    def _unsuccessful(self, outcome: Outcome, return_path: str) -> None:
        if outcome.status == Status.DEFERRED:
            self.defer_or_time_out(outcome)
        else:
            self.retry.learn(outcome.recipient, outcome.retry, failed=False)
            self.fail(outcome, return_path)

    def defer_or_time_out(self, outcome: Outcome) -> None:
        """A deferral whose retry facts are still to be learnt; it may be the last that the retry rules allow."""
        out_of_time = self.retry.learn(outcome.recipient, outcome.retry, failed=True)
        if out_of_time and not outcome.freeze:
            self._log(outcome, self._deferred_line(outcome))
            self.timed_out.append(outcome)
        else:
            self.defer(outcome)

    def fail_timed_out(self) -> None:
        """What ran out of time fails once all has been tried."""
        late, self.timed_out = self.timed_out, []
        for outcome in reversed(late):
            address = lines.address_text(outcome.recipient, self.runtime.log.selectors)
            outcome.status, outcome.errno = Status.FAILED, 0
            outcome.message = f"{outcome.message}: {TIMED_OUT}" if outcome.message else TIMED_OUT
            self.teller.failed(outcome, self.locked.message.sender)
            self._log(outcome, f"** {address}: {TIMED_OUT}")
            outcome.response = f"{outcome.response}: {TIMED_OUT}" if outcome.response else ""
            self.failed.append(outcome)

    def _deferred_line(self, outcome: Outcome) -> str:
        return lines.deferred(outcome, self.runtime.log.selectors)

    def defer(self, outcome: Outcome, *, log: bool = True) -> None:
        """The recipient waits."""
        self.deferred.append(outcome)
        if outcome.freeze:
            self.freeze = self.freeze or outcome.message
        panic = outcome.log_extra.get("panic")
        if panic:  # "main": the reason has a line of its own in the main log too, as Exim has it for users refused
            self.runtime.log.panic(outcome.message, self.locked.id, main=panic == "main")
        if log:
            self._log(outcome, self._deferred_line(outcome))

    def fail(self, outcome: Outcome, return_path: str = "", *, log: bool = True) -> None:
        """The recipient is given up; journalled only when its bounce is safe."""
        self.failed.append(outcome)
        self.teller.failed(outcome, return_path or self.locked.message.sender)
        if not log:
            return
        self._log(
            outcome,
            lines.failed(
                outcome,
                self.runtime.log.selectors,
                sender=self.locked.message.sender,
                return_path=return_path or self.locked.message.sender,
            ),
        )

    def discard(self, recipient: Recipient, what: str = ":blackhole:") -> None:
        """Nothing is to be delivered for it (manual section 53.8)."""
        self.log_line(lines.discarded(recipient, what))
        self._note_success(Outcome(recipient, Status.DELIVERED))
        self._journal([recipient])

    def bounced(self, outcomes: list[Outcome]) -> None:
        """Their bounce is in the spool, or none is owed: they are done with."""
        self._journal([outcome.recipient for outcome in outcomes])

    def ignore_originals(self) -> None:
        """The system filter has dealt with the message: its recipients are done with."""
        message = self.locked.message
        left = [one.address for one in message.recipients if one.address not in message.delivered]
        if not left:
            return
        if self.all_done(left):
            message.delivered.update(left)
        else:
            self.locked.journal(left)

    def _journal(self, recipients: list[Recipient]) -> None:
        """Recipients, their duplicates, and envelope addresses whose last descendant this was.

        The journal is skipped for the last of a message: its removal is synced, and is the better record.
        """
        finished: list[str] = []
        for recipient in recipients:
            for one in (recipient, *self.duplicates.pop(unique_of(recipient), ())):
                finished.append(unique_of(one))
                finished += self._closed(one)
        addresses = [one for one in dict.fromkeys(finished) if one not in self.locked.message.delivered]
        if self.all_done(addresses):
            self.locked.message.delivered.update(addresses)
            return
        self.locked.journal(addresses)

    def _closed(self, recipient: Recipient) -> list[str]:
        """The envelope address when this was its last descendant."""
        top = recipient.top
        key = unique_of(top)
        self.open[key] = self.open.get(key, 1) - 1
        return [unique_of(top), top.address] if self.open[key] <= 0 else []

    def all_done(self, addresses: list[str]) -> bool:
        """Whether the message ends with these, and nothing else is owed for it."""
        done = self.locked.message.delivered.union(addresses)
        owed = self.deferred or self.failed or self.delivered or self.timed_out
        if owed or self.open.get(SYSTEM_FILTER, 0) > 0:  # its deliveries belong to no recipient of the envelope
            return False
        return all(r.address in done for r in self.locked.message.recipients)

    def _log(self, outcome: Outcome, line: str, msglog: str = "") -> None:
        if id(outcome.recipient) not in self.quiet:
            self.log_line(line, msglog)

    def log_line(self, line: str, msglog: str = "") -> None:
        """A line in the main log and the message's own."""
        self.runtime.log.main(line, self.locked.id)
        self.runtime.log.msglog(self.locked.id, msglog or lines.msglog_form(line))
