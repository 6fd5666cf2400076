"""Messages that wait for a host, and what is done about them when the host takes something (manual section 49.3).

Who could not deliver is noted in the hints; who has opened a connection and delivered takes as many of those as the
connection may still carry, and hands them to whoever drives deliveries through ``services.state[FOUND]``.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from mta.hints import waits
from mta.mail.outcome import Status
from mta.scope.services import Services
from mta.transport.remote.connection import Connection

if TYPE_CHECKING:
    from mta.transport.remote.policy import Run

FOUND = "transport.waiting"
MOST = 1000


def found(services: Services) -> queue.SimpleQueue[str]:
    """Ids to deliver next, since their host is there."""
    made: queue.SimpleQueue[str] = services.state.setdefault(FOUND, queue.SimpleQueue())
    return made


def note(run: Run) -> None:
    """The message waits for each of the hosts that were considered."""
    store = run.scope.services.hints
    if store is None or run.driver.connection_max_messages == 1 or not run.met:
        return
    if any(run.outcomes[index].status == Status.DEFERRED for index in run.pending):
        waits.add(store, run.transport.name, run.met, run.batch.message.id)


def take(run: Run, connection: Connection, *, fresh: bool) -> None:
    """A delivery worked: forget that this message waited, and look for others when the connection is new."""
    store = run.scope.services.hints
    if store is None:
        return
    name, host, message = run.transport.name, connection.host.name, run.batch.message
    if not message.deliver_first_time:
        waits.forget(store, name, [host], message.id)
    limit = run.driver.connection_max_messages
    room = min(limit - connection.messages, MOST) if limit else MOST
    if not fresh or connection.closed or room <= 0:
        return
    line = found(run.scope.services)
    for message_id in waits.waiting(store, name, host, room + 1):
        if message_id == message.id or room <= 0:
            continue
        room -= 1
        waits.forget(store, name, [host], message_id)  # if it has to wait again it will say so again
        line.put(message_id)
