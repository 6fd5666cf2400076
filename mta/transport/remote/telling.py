"""Events of one delivery by SMTP (manual chapter 61): what a host or a recipient's refusal is told as."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mta.mail.recipient import Recipient
from mta.scope.events import transport_event
from mta.transport.remote.failures import Reach, Trouble

if TYPE_CHECKING:
    from mta.transport.remote.policy import Run


def tell(run: Run, recipient: Recipient, event: str, data: str, errno: int) -> None:
    """One event about one recipient."""
    with run.scope.saved("recipient"):
        run.scope.recipient = recipient
        transport_event(run.scope, run.transport.name, event, data, errno)


def host_deferred(run: Run, trouble: Trouble) -> None:
    """A host that cannot take anything now."""
    tell(run, run.recipients[run.pending[0]], "msg:host:defer", _words(trouble), trouble.errno)


def deferred(run: Run) -> None:
    """What waits in the end: one event for the message, one for each recipient that was refused for itself."""
    whole = False
    for index in run.pending:
        trouble, recipient = run.blamed.get(index), run.recipients[index]
        if trouble is None or trouble.permanent:
            continue
        if trouble.reach == Reach.RECIPIENT:
            tell(run, recipient, "msg:rcpt:defer", _words(trouble), run.outcomes[index].more_errno)
        elif not whole:
            whole = True
            tell(run, recipient, "msg:defer", _words(trouble), trouble.errno)


def _words(trouble: Trouble) -> str:
    return trouble.message or (os.strerror(trouble.errno) if trouble.errno > 0 else "")
