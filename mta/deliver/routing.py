"""From envelope recipients to a plan: routing, duplicates, retry times, what is held (manual chapter 3.10).

``route_message`` settles what ends here (failures, deferrals, discards) and gives what transports are to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mta.config.runtime import Runtime
from mta.deliver import system_filter
from mta.deliver.settle import Settler, unique_of
from mta.errors import MtaError
from mta.mail.message import EnvelopeRecipient
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.mail.recipient import Recipient
from mta.route import chain
from mta.route.base import Accepted, Answer, Asking, Failed, Redirected, RouteDeferred
from mta.scope.expansion import DomainList
from mta.scope.scope import Scope
from mta.spool.locked import Locked
from mta.text.ascii import lower

if TYPE_CHECKING:
    from mta.deliver.message import DeliverOptions

# Exim's numbers as they show in "defer (-23)"
LOOP = 'Too many "Received" headers - suspected mail loop'
HELD, RETRY_TIME, LOCAL_ONLY, QUEUED_DOMAIN = -23, -51, -54, -53


@dataclass(slots=True)
class Plan:
    """What is to be delivered, in the order of the envelope."""

    local: list[Recipient] = field(default_factory=list)
    remote: list[Recipient] = field(default_factory=list)
    ignore_originals: bool = False  # the system filter has dealt with the message


@dataclass(slots=True)
class _Held(RouteDeferred):
    """A deferral that is no fault: its number, and whether it is logged."""

    errno: int = -1
    log: bool = True


def envelope(locked: Locked, only: object = None) -> list[Recipient]:
    """The recipients not done with, ``one_time`` children hanging under their parents."""
    message = locked.message
    made: list[Recipient] = []
    wanted: list[Recipient] = []
    for entry in message.recipients:
        recipient = _from_envelope(entry, made)
        made.append(recipient)
        if entry.address in message.delivered or unique_of(recipient) in message.delivered:
            continue
        if callable(only) and not only(entry.address):
            continue
        wanted.append(recipient)
    return wanted


def _from_envelope(entry: EnvelopeRecipient, before: list[Recipient]) -> Recipient:
    recipient = chain.make_recipient(entry.address)
    recipient.errors_to = entry.errors_to
    recipient.notify, recipient.orcpt = entry.notify, entry.orcpt
    if 0 <= entry.parent < len(before):
        recipient.data["one_time_parent"] = before[entry.parent].address
    return recipient


def cancel_all(runtime: Runtime, locked: Locked, books: Settler, why: str) -> None:
    """Every recipient that is left fails, for a reason that is logged once (-Mg, timeout_frozen_after)."""
    books.log_line(why, f"*** {why}")
    for recipient in envelope(locked):
        books.expect(recipient)
        books.fail(Outcome(recipient, Status.FAILED), log=False)


def too_many_hops(runtime: Runtime, locked: Locked, books: Settler) -> bool:
    """Whether the header has more Received: lines than received_headers_max; every recipient has failed then."""
    count = sum(1 for line in locked.message.headers if lower(line.name) == "received")
    if count <= runtime.config.main.received_headers_max:
        return False
    for recipient in envelope(locked):
        books.expect(recipient)
        books.fail(Outcome(recipient, Status.FAILED, LOOP))
    return True


def route_message(runtime: Runtime, locked: Locked, scope: Scope, books: Settler, options: DeliverOptions) -> Plan:
    """Route all that is left of the envelope, and what the system filter adds."""
    config = runtime.config
    filtered = system_filter.run(runtime, locked, scope, books)
    if filtered.stopped:
        return Plan()
    recipients = [*filtered.recipients, *(envelope(locked, options.only) if filtered.originals else ())]
    admit = _Admission(runtime, scope, books, options)
    results = chain.route_all(config.routers, recipients, scope, Asking(), admit)
    for result in results:
        books.expect(result.recipient)
        if result.disable_logging:
            books.quiet.add(id(result.recipient))
    plan = Plan(ignore_originals=filtered.settled)
    seen: dict[str, Recipient] = {}
    # Exim routes in rounds, children after all of their parents' generation; within one, it tells of what ends here
    # last address first, and what it delivers comes out youngest generation first.
    backwards = results[::-1]
    backwards.sort(key=lambda result: _generation(result.recipient))
    for result in backwards:
        if not isinstance(result.answer, Accepted):
            _settle_answer(books, result.recipient, result.answer)
            _routed(books, result.recipient, result.answer)
    for result in sorted(results, key=lambda result: -_generation(result.recipient)):
        if isinstance(result.answer, Accepted):
            recipient = result.recipient
            recipient.transport = recipient.transport or result.answer.transport
            _accept(runtime, locked, books, plan, seen, recipient)
            _routed(books, recipient, result.answer)
    return plan


def _generation(recipient: Recipient) -> int:
    count, parent = 0, recipient.parent
    while parent is not None:
        count, parent = count + 1, parent.parent
    return count


def _accept(
    runtime: Runtime, locked: Locked, books: Settler, plan: Plan, seen: dict[str, Recipient], recipient: Recipient
) -> None:
    """Into the plan, unless it was delivered before or another address leads to the same place."""
    key = unique_of(recipient)
    if key in locked.message.delivered:
        if recipient.redirected:
            books.told.add(unique_of(recipient.top))
        books.bounced([Outcome(recipient, Status.DELIVERED)])
        return
    if key in seen:
        books.duplicates.setdefault(key, []).append(recipient)
        return
    seen[key] = recipient
    transport = runtime.config.transports.get(recipient.transport)
    if transport is None:
        text = f'"{recipient.transport}" transport not found'
        books.defer(Outcome(recipient, Status.DEFERRED, text, errno=-1, log_extra={"panic": "1"}))
    elif transport.local:
        plan.local.append(recipient)
    else:
        plan.remote.append(recipient)


def _settle_answer(books: Settler, recipient: Recipient, answer: Answer) -> None:
    if isinstance(answer, Redirected):
        books.discard(recipient, answer.what)
    elif isinstance(answer, Failed):
        books.fail(Outcome(recipient, Status.FAILED, answer.message))
    elif isinstance(answer, _Held):
        books.defer(Outcome(recipient, Status.DEFERRED, answer.message, errno=answer.errno), log=answer.log)
    elif isinstance(answer, RouteDeferred) and recipient.kind != "address":
        # no transport for a pipe, file or reply: for the operator to mend
        books.defer(Outcome(recipient, Status.DEFERRED, answer.message, errno=-1, log_extra={"panic": "1"}))
    elif isinstance(answer, RouteDeferred):
        # Temporary errors of routing have retry records too; the router says whether by address or by domain.
        fact = RetryFact(routing_key(recipient, books), True, "lookup" if "lookup" in answer.message else "")
        outcome = Outcome(recipient, Status.DEFERRED, answer.message, errno=-1, freeze=answer.freeze, retry=[fact])
        if answer.freeze:
            outcome.retry = []
        books.defer_or_time_out(outcome)


def _routed(books: Settler, recipient: Recipient, answer: Answer) -> None:
    """Routing worked: what the hints knew against it is forgotten."""
    if isinstance(answer, RouteDeferred):
        return
    for key in routing_keys(recipient):
        if books.retry.record(key) is not None:
            books.retry.learn(recipient, [RetryFact(key, False)], failed=False)


def routing_keys(recipient: Recipient) -> tuple[str, str]:
    """The two keys that a routing delay may be kept under."""
    return f"R:{recipient.domain}", f"R:{recipient.cc_local_part or recipient.local_part}@{recipient.domain}"


def routing_key(recipient: Recipient, books: Settler) -> str:
    """By domain, or by address where the router that deferred looks at local parts."""
    for router in books.runtime.config.routers:
        if router.name == recipient.router:
            options = router.options
            by_address = options.retry_use_local_part
            if by_address is None:
                by_address = options.check_local_user
            return routing_keys(recipient)[1 if by_address else 0]
    return routing_keys(recipient)[0]


@dataclass(slots=True)
class _Admission:
    """Asked before each address is routed: held domains, queued domains, retry times."""

    runtime: Runtime
    scope: Scope
    books: Settler
    options: DeliverOptions

    def __call__(self, recipient: Recipient) -> Answer | None:
        main, options = self.runtime.config.main, self.options
        if unique_of(recipient) in self.books.locked.message.delivered:
            # Its children all arrived before; only the mark on its parent was missing.
            return Redirected([], discarded=True) if recipient.parent is None else None
        if not options.forced and self._in(main.hold_domains, recipient):
            return _Held("domain is held", errno=HELD)
        if not options.queue_run and not options.forced and self._in(main.queue_domains, recipient):
            return _Held("domain is in queue_domains", errno=QUEUED_DOMAIN)
        if options.queue_run:
            for key in routing_keys(recipient):
                if not self.books.retry.due(key):
                    wants = self.runtime.log.wants("retry_defer")
                    return _Held("retry time not reached", errno=RETRY_TIME, log=wants)
        return None

    def _in(self, domains: DomainList | None, recipient: Recipient) -> bool:
        if domains is None:
            return False
        try:
            with self.scope.saved("recipient"):
                self.scope.recipient = recipient
                return domains.match(self.scope, recipient.domain) is not None
        except MtaError:
            return False
