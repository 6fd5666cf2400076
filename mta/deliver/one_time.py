"""one_time of redirect routers: what an address turned into takes its place in the envelope for later attempts."""

from __future__ import annotations

from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.outcome import Outcome
from mta.mail.recipient import Recipient


def replace_parents(message: Message, deferred: list[Outcome]) -> None:
    """Add the one_time children that still wait as recipients of their own; their parents are done with then.

    An envelope address some of whose descendants wait without such a child stays as it is.
    """
    waiting: dict[str, list[Recipient]] = {}
    for outcome in deferred:
        waiting.setdefault(outcome.recipient.top.address, []).append(outcome.recipient)
    for address, recipients in waiting.items():
        children = [_child(recipient) for recipient in recipients]
        if None in children:
            continue
        number = next((at for at, one in enumerate(message.recipients) if one.address == address), -1)
        known = {one.address for one in message.recipients}
        for child in children:
            if child is not None and child.address not in known:
                message.recipients.append(EnvelopeRecipient(child.address, errors_to=child.errors_to, parent=number))
                known.add(child.address)
        message.delivered.add(address)


def _child(recipient: Recipient) -> Recipient | None:
    """The recipient or the ancestor that a one_time router made."""
    one: Recipient | None = recipient
    while one is not None:
        if one.one_time and one.parent is not None and one.kind == "address":
            return one
        one = one.parent
    return None
