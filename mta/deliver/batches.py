"""Which recipients go together: ``group(...)`` makes the batches of a delivery (manual chapter 25).

Together means the same transport, hosts, return path, header changes and user, within the transport's limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.errors import Deferred, ExpansionFailed
from mta.mail.recipient import Recipient
from mta.scope.scope import Scope
from mta.transport import generic
from mta.transport.base import Transport


@dataclass(slots=True)
class Group:
    """Recipients for one call of a transport."""

    transport: Transport
    recipients: list[Recipient] = field(default_factory=list)


def group(
    runtime: Runtime, scope: Scope, recipients: list[Recipient]
) -> tuple[list[Group], list[tuple[Recipient, str]]]:
    """The batches, in the order of their first recipients; and the recipients that have none, with the reason."""
    groups: list[Group] = []
    refused: list[tuple[Recipient, str]] = []
    open_groups: dict[tuple[object, ...], Group] = {}
    for recipient in recipients:
        transport = runtime.config.transports.get(recipient.transport)
        if transport is None:
            refused.append((recipient, f'the "{recipient.transport}" transport is not defined'))
            continue
        rules = generic.batching(transport)
        try:
            key = _key(transport, recipient, rules, scope)
        except (ExpansionFailed, Deferred) as error:
            refused.append((recipient, f"failed to expand batch_id in {transport.name} transport: {error}"))
            continue
        found = open_groups.get(key)
        if found is None or len(found.recipients) >= rules.maximum:
            found = open_groups[key] = Group(transport)
            groups.append(found)
        found.recipients.append(recipient)
    return groups, refused


def _key(transport: Transport, recipient: Recipient, rules: generic.Batching, scope: Scope) -> tuple[object, ...]:
    batch_id = ""
    if rules.batch_id is not None:
        with scope.saved("recipient"):
            scope.recipient = recipient
            batch_id = rules.batch_id(scope)
    hosts = tuple((host.name, host.address, host.port, host.mx, host.dnssec) for host in recipient.hosts)
    return (
        transport.name,
        hosts,
        tuple((host.name, host.address, host.port) for host in recipient.fallback_hosts),
        recipient.errors_to,
        tuple(recipient.headers_add),
        tuple(recipient.headers_remove),
        recipient.uid,
        recipient.gid,
        recipient.home,
        recipient.current_directory,
        recipient.host_data if rules.batch_id is None else "",
        recipient.domain if rules.one_domain else "",
        batch_id,
    )


def sort_domains(recipients: list[Recipient], position: Callable[[str], int]) -> list[Recipient]:
    """Remote recipients in the order of remote_sort_domains."""
    return sorted(recipients, key=lambda recipient: position(recipient.domain))
