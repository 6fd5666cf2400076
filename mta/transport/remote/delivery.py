"""One delivery by the smtp transport: transactions, host lists, fall-back hosts (manual chapter 30)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.host import Host
from mta.mail.outcome import Outcome, RetryFact
from mta.mail.recipient import Recipient
from mta.scope.scope import Scope
from mta.transport import outcomes
from mta.transport.base import Batch, Transport
from mta.transport.generic import enter
from mta.transport.remote import hosts as host_lists
from mta.transport.remote import telling, waiting
from mta.transport.remote.policy import Run

if TYPE_CHECKING:
    from mta.transport.drivers.smtp import Smtp

PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465}


def deliver(options: Smtp, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
    """All recipients of a batch, in as many transactions as it takes."""
    enter(batch, scope)
    if batch.message.max_received_linelength > options.message_linelength_limit:
        return outcomes.failed(batch, "message has lines too long for transport")
    out: dict[int, Outcome] = {}
    order = {id(recipient): index for index, recipient in enumerate(batch.recipients)}
    for group in _groups(options, batch.recipients, batch.hosts, scope):
        for outcome in _deliver_group(options, transport, batch, scope, group):
            out[order[id(outcome.recipient)]] = outcome
    return [out[index] for index in range(len(batch.recipients))]


def _groups(options: Smtp, recipients: list[Recipient], hosts: list[Host], scope: Scope) -> list[list[Recipient]]:
    """What one transaction may carry: at most max_rcpt, one domain without multi_domain."""
    by_domain: dict[str, list[Recipient]] = {}
    multi = options.multi_domain
    one_domain = multi is not None and multi.constant in ("false", "no", "0")
    if multi is not None and multi.constant is None:
        one_domain = multi(scope) not in ("true", "yes", "1")
    # Under DANE a session is for the domain whose records it was held to (manual chapter 30, multi_domain).
    dane = options.hosts_try_dane is not None or options.hosts_require_dane is not None
    one_domain = one_domain or (dane and any(host.dnssec == "yes" for r in recipients for host in r.hosts or hosts))
    for recipient in recipients:
        by_domain.setdefault(recipient.domain if one_domain else "", []).append(recipient)
    size = options.max_rcpt or len(recipients)
    return [group[at : at + size] for group in by_domain.values() for at in range(0, len(group), size)]


def _deliver_group(
    options: Smtp, transport: Transport, batch: Batch, scope: Scope, recipients: list[Recipient]
) -> list[Outcome]:
    run = Run(options, transport, batch, scope, recipients)
    try:
        run.port = _port(options, transport, scope)
        run.deliver(_host_list(options, transport, batch, scope))
        fallback = _fallback_list(options, recipients[0], scope) if run.pending and not run.failed_for_good else []
        if fallback:
            run.tried = run.attempts = run.skipped = run.expired = 0
            run.deliver(fallback)
    except host_lists.HostsFailed as error:
        run.give_up(error.message, error.errno, error.key)
    except (Deferred, ExpansionFailed) as error:
        run.give_up(error.message, outcomes.UNKNOWN, "")
    telling.deferred(run)
    run.finish()
    waiting.note(run)
    found = [run.outcomes[index] for index in range(len(recipients))]
    found[0].retry[:0] = _last_words(run.facts)
    return found


def targets(options: Smtp, transport: Transport, batch: Batch, scope: Scope) -> tuple[list[Host], int]:
    """Where a delivery would go first, and the transport's port; for callouts. Raises HostsFailed."""
    port = _port(options, transport, scope)
    return _host_list(options, transport, batch, scope), port


def _port(options: Smtp, transport: Transport, scope: Scope) -> int:
    if options.port is None:
        return PORTS.get(options.protocol, 25)
    try:
        text = options.port(scope)
    except ExpansionFailed as error:
        raise host_lists.HostsFailed(
            f'failed to expand "port" option for {transport.name} transport: {error.message}', outcomes.UNKNOWN
        ) from None
    return host_lists.port_number(text, transport.name)


def _lookup(options: Smtp) -> host_lists.Lookup:
    return host_lists.Lookup(
        options.gethostbyname,
        options.dns_qualify_single,
        options.dns_search_parents,
        options.allow_localhost,
        options.dnssec_request_domains,
        options.dnssec_require_domains,
    )


def _host_list(options: Smtp, transport: Transport, batch: Batch, scope: Scope) -> list[Host]:
    given = batch.hosts or batch.recipients[0].hosts
    if given and not (options.hosts_override and options.hosts is not None):
        ordered = host_lists.ordered(given, randomize=options.hosts_randomize)
        return host_lists.with_addresses(ordered, _lookup(options), scope)
    if options.hosts is None:
        raise host_lists.HostsFailed(f"{transport.name} transport called with no hosts set", outcomes.UNKNOWN)
    try:
        text = options.hosts(scope)
    except (ForcedFail, ExpansionFailed) as error:
        raise host_lists.HostsFailed(
            f'failed to expand list of hosts "{options.hosts.source}" in {transport.name} transport: {error.message}',
            outcomes.UNKNOWN,
        ) from None
    hosts = host_lists.parse_host_text(text)
    if not hosts:
        raise host_lists.HostsFailed(f'{transport.name} transport has empty hosts setting "{text}"', outcomes.UNKNOWN)
    hosts = host_lists.with_addresses(
        host_lists.ordered(hosts, randomize=options.hosts_randomize), _lookup(options), scope
    )
    if not options.allow_localhost:
        host_lists.refuse_local(hosts, transport.name, scope)
    return hosts


def _fallback_list(options: Smtp, recipient: Recipient, scope: Scope) -> list[Host]:
    hosts = recipient.fallback_hosts or host_lists.parse_hosts(options.fallback_hosts)
    if not hosts:
        return []
    return host_lists.with_addresses(
        host_lists.ordered(hosts, randomize=options.hosts_randomize), _lookup(options), scope
    )


def _last_words(facts: list[RetryFact]) -> list[RetryFact]:
    """The last fact for each key: a host that failed at first and worked then has worked."""
    return list({fact.key: fact for fact in facts}.values())
