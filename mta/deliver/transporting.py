"""The plan carried out: local deliveries one after the other, then remote ones in parallel; each settled at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mta.config.runtime import Runtime
from mta.deliver import batches
from mta.deliver.batches import Group
from mta.deliver.child import run_local
from mta.deliver.identity import Refused, identity
from mta.deliver.remote import Job, run_remote
from mta.deliver.routing import LOCAL_ONLY, RETRY_TIME, Plan
from mta.deliver.settle import SUPPRESSED, Settler
from mta.deliver.slots import FULL, slot
from mta.deliver.wire import LocalRequest
from mta.errors import Deferred, ExpansionFailed, MtaError
from mta.mail.host import Host
from mta.mail.outcome import Outcome, Status
from mta.mail.recipient import Recipient
from mta.scope.scope import Scope
from mta.spool.locked import Locked
from mta.transport import generic
from mta.transport.base import Batch
from mta.transport.outcomes import host_error_text, local_retry_key

if TYPE_CHECKING:
    from mta.deliver.message import DeliverOptions

FIRST_PASS = "first-pass only routing due to -odqs, queue_smtp_domains or control=queue"
FAR = 1 << 20  # position of domains that remote_sort_domains does not name


def deliver_all(
    runtime: Runtime, locked: Locked, scope: Scope, books: Settler, plan: Plan, options: DeliverOptions
) -> None:
    """Call the transports. SpoolError when the journal cannot be written: nothing more is delivered then."""
    if options.no_delivery or locked.message.dont_deliver:
        _suppress(runtime, locked, books, plan)
        return
    message = locked.message
    if (plan.local or plan.remote) and sum(one.address not in message.delivered for one in message.recipients) > 1:
        locked.reserve()  # the last recipient needs no journal: the message's removal is the record
    _deliver_local(runtime, locked, scope, books, plan.local, options)
    if options.local_only:
        for recipient in plan.remote:
            text = "remote delivery not attempted: only local deliveries were asked for"
            books.defer(Outcome(recipient, Status.DEFERRED, text, errno=LOCAL_ONLY), log=False)
        return
    _deliver_remote(runtime, locked, scope, books, _not_queued(runtime, scope, books, plan.remote, options))


def _not_queued(
    runtime: Runtime, scope: Scope, books: Settler, recipients: list[Recipient], options: DeliverOptions
) -> list[Recipient]:
    """The remote recipients to deliver to now: -odqs and queue_smtp_domains leave others for the next queue run."""
    domains = runtime.config.main.queue_smtp_domains
    if options.queue_run or options.forced or (domains is None and not options.queue_smtp):
        return recipients
    now = []
    for recipient in recipients:
        try:
            with scope.saved("recipient"):
                scope.recipient = recipient
                matched = domains is not None and domains.match(scope, recipient.domain) is not None
                wait = options.queue_smtp or matched
        except MtaError:
            wait = True
        if wait:
            books.defer(Outcome(recipient, Status.DEFERRED, FIRST_PASS, errno=-1))
        else:
            now.append(recipient)
    return now


def _suppress(runtime: Runtime, locked: Locked, books: Settler, plan: Plan) -> None:
    """-N: everything is logged as delivered and nothing is."""
    for recipients, local in ((plan.local, True), (plan.remote, False)):
        for recipient in recipients:
            outcome = Outcome(recipient, Status.DELIVERED, SUPPRESSED)
            books.settle([outcome], return_path=_sender(locked, recipient), local=local)


def _sender(locked: Locked, recipient: Recipient) -> str:
    return locked.message.sender if recipient.errors_to is None else recipient.errors_to


def _deliver_local(
    runtime: Runtime,
    locked: Locked,
    scope: Scope,
    books: Settler,
    recipients: list[Recipient],
    options: DeliverOptions,
) -> None:
    due: list[Recipient] = []
    for recipient in recipients:
        transport = runtime.config.transports[recipient.transport]
        if options.queue_run and not books.retry.due(local_retry_key(transport, recipient)):
            wants = runtime.log.wants("retry_defer")
            books.defer(Outcome(recipient, Status.DEFERRED, "retry time not reached", errno=RETRY_TIME), log=wants)
            continue
        due.append(recipient)
    groups, refused = batches.group(runtime, scope, due)
    _refuse(books, refused)
    if not groups:
        return
    with locked.open_body() as body:
        for group in groups:
            _local_group(runtime, locked, scope, books, group, body.fileno())


def _local_group(runtime: Runtime, locked: Locked, scope: Scope, books: Settler, group: Group, body_fd: int) -> None:
    recipient = group.recipients[0]
    with scope.saved("recipient", "transport", "vars"):
        scope.recipient, scope.transport = recipient, group.transport.name
        scope.vars = dict(scope.vars)
        try:
            return_path = generic.return_path(group.transport, scope, _sender(locked, recipient))
            scope.vars["return_path"] = return_path
            who = identity(runtime, group.transport, recipient, scope)
        except (Refused, ExpansionFailed, Deferred) as error:
            for one in group.recipients:
                extra = {"panic": "main"} if isinstance(error, Refused) else {}
                books.defer(Outcome(one, Status.DEFERRED, str(error), errno=-29, log_extra=extra))
            return
    request = LocalRequest(
        transport=group.transport.name,
        message=locked.message,
        peer=locked.peer,
        recipients=group.recipients,
        return_path=return_path,
        uid=who.uid,
        gid=who.gid,
        groups=who.groups,
        home=who.home,
        current_directory=who.current_directory,
        intents=tuple(locked.intents),
        variables=dict(scope.vars),
    )
    try:
        with slot(runtime, group.transport, scope) as free:
            if free:
                outcomes = run_local(runtime, request, body_fd, locked.intend)
            else:
                outcomes = [Outcome(one, Status.DEFERRED, FULL, errno=-1) for one in group.recipients]
    except (ExpansionFailed, Deferred) as error:
        outcomes = [Outcome(one, Status.DEFERRED, str(error), errno=-1) for one in group.recipients]
    books.settle(outcomes, return_path=return_path, local=True)


def _refuse(books: Settler, refused: list[tuple[Recipient, str]]) -> None:
    for recipient, why in refused:
        books.defer(Outcome(recipient, Status.DEFERRED, why, errno=-1, log_extra={"panic": "1"}))


def _deliver_remote(
    runtime: Runtime, locked: Locked, scope: Scope, books: Settler, recipients: list[Recipient]
) -> None:
    main = runtime.config.main
    if main.remote_sort_domains is not None:
        recipients = batches.sort_domains(recipients, lambda domain: _position(runtime, scope, domain))
    groups, refused = batches.group(runtime, scope, recipients)
    _refuse(books, refused)
    jobs: list[Job] = []
    for group in groups:
        job = _remote_job(runtime, locked, books, group)
        if job is not None:
            jobs.append(job)
    if jobs:
        for outcomes in run_remote(runtime, jobs, main.remote_max_parallel):
            return_path = _sender(locked, outcomes[0].recipient) if outcomes else ""
            books.settle(outcomes, return_path=return_path, local=False)


def _position(runtime: Runtime, scope: Scope, domain: str) -> int:
    domains = runtime.config.main.remote_sort_domains
    try:
        return 0 if domains is not None and domains.match(scope, domain) is not None else FAR
    except MtaError:
        return FAR


def _remote_job(runtime: Runtime, locked: Locked, books: Settler, group: Group) -> Job | None:
    """A batch with a scope of its own, since batches run in threads."""
    recipient = group.recipients[0]
    scope = runtime.scope(peer=locked.peer, message=locked.message)
    scope.recipient, scope.transport, scope.body = recipient, group.transport.name, locked.body
    try:
        return_path = generic.return_path(group.transport, scope, _sender(locked, recipient))
    except (ExpansionFailed, Deferred) as error:
        _refuse(books, [(one, f"return_path: {error}") for one in group.recipients])
        return None
    scope.vars["return_path"] = return_path
    show_port = "outgoing_port" in runtime.log.selectors

    def host_error(host: Host, port: int, message: str, errno: int) -> None:
        line = host_error_text(host, port, message, errno, show_port=show_port)
        runtime.log.main(line, locked.id)
        runtime.log.msglog(locked.id, line)

    batch = Batch(
        message=locked.message,
        recipients=group.recipients,
        return_path=return_path,
        open_body=locked.open_body,
        hosts=list(recipient.hosts),
        uid=os.geteuid(),
        gid=os.getegid(),
        before_effect=locked.intend,
        retry_due=books.retry.due,
        past_cutoff=books.retry.expired,
        intents=tuple(locked.intents),
        log_host_error=host_error,
    )
    return group.transport, batch, scope
