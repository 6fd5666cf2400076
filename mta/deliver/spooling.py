"""Messages that mta itself makes: bounces, warnings, notes to the postmaster, put into the spool (``put``)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.errors import MtaError
from mta.log import lines
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.incoming import Incoming
from mta.system.users import find_user
from mta.text.dates import rfc5322_date

PARENT = "-mta_parent"  # -H line: the message that a bounce is about


@dataclass(slots=True)
class Generated:
    """What to send. ``headers``: whole lines with folds, without Received, Message-Id and Date."""

    recipients: list[str]
    headers: list[str]
    body: Iterable[bytes] = ()
    parent: str = ""
    sender: str = ""
    hidden: list[str] = field(default_factory=list)  # recipients that no header shows


def reserve(runtime: Runtime) -> Incoming:
    """A place in the spool, so that the new message's id is known before it is promised."""
    return runtime.spool.begin()


def put(runtime: Runtime, incoming: Incoming, what: Generated, *, keep_lock: bool = False) -> str:
    """Commit a generated message under a place from ``reserve``; its id. SpoolError when the disk refuses."""
    now = time.time()
    user = find_user(str(os.geteuid()))
    login = user.name if user is not None else str(os.geteuid())
    message = Message(id=incoming.id, sender=what.sender, received_time=now, received_complete=now)
    message.recipients = [EnvelopeRecipient(address) for address in (*what.recipients, *what.hidden)]
    message.originator_login, message.originator_uid, message.originator_gid = login, os.geteuid(), os.getegid()
    message.local_error = not what.sender
    message.allow_unqualified_sender = message.allow_unqualified_recipient = True
    message.deliver_first_time = True
    peer = Peer(ident=login, received_protocol="local", is_local=True)
    if not what.sender and runtime.config.main.bounce_sender_authentication:
        peer.authenticated_sender = runtime.config.main.bounce_sender_authentication
    for piece in what.body:
        incoming.write(piece)
        message.body_linecount += piece.count(b"\n")
        message.body_zerocount += piece.count(b"\0")
    message.body_size = incoming.size
    for text in what.headers:
        message.headers.add(text)
    host = runtime.config.main.primary_hostname
    message.headers.add(f"Message-Id: <E{incoming.id}@{host}>")
    message.headers.add(f"Date: {rfc5322_date(now)}")
    message.headers.add(_received(runtime, message, peer, now), top=True)
    message.message_size = message.body_size + len(message.headers.text()) + 1
    if what.parent:
        message.extra[PARENT] = what.parent
    incoming.commit(message, peer, keep_lock=keep_lock)
    line = lines.received(
        message,
        peer,
        runtime.log.selectors,
        bounce_of=what.parent,
        message_id=f"E{incoming.id}@{host}",
        message_id_created=True,
        subject=next((h.value.strip() for h in message.headers.named("Subject")), ""),
    )
    runtime.log.main(line, incoming.id)
    runtime.log.msglog(incoming.id, lines.received_msglog(line))
    return incoming.id


def _received(runtime: Runtime, message: Message, peer: Peer, now: float) -> str:
    """The Received field by received_header_text, or a plain one when that does not expand."""
    scope = runtime.scope(peer=peer, message=message)
    if len(message.recipients) == 1:
        scope.vars["received_for"] = message.recipients[0].address
    try:
        text = runtime.config.main.received_header_text(scope)
    except MtaError:
        text = (
            f"Received: from {peer.ident} by {runtime.config.main.primary_hostname or socket.gethostname()} with local"
        )
    return f"{text};\n\t{rfc5322_date(now)}\n"
