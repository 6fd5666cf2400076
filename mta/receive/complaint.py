"""The mail that tells a local sender why its message was not accepted (``-oem``, manual section 5.4).

Composed here and put into the spool with the null sender; text and subject are Exim's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.errors import SpoolError
from mta.mail.address import AddressError
from mta.mail.headers import Header
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.receive.accept import count_size, log_received, received_header
from mta.receive.plan import Incoming, Runtime, expand, login_of, plan_of
from mta.text.dates import rfc5322_date

COPIED = 1 << 16  # bytes of the message's body that go back


@dataclass(slots=True)
class Complaint:
    """``kind``: "addresses" (in the header), "argument" (on the command line), "none", "size", "acl"."""

    kind: str
    bad: list[AddressError] = field(default_factory=list)
    others: bool = False  # there are recipients that are in order
    limit: int = 0
    text: str = ""
    header: str = ""
    body: Callable[[int, int], bytes] | None = None


SUBJECTS = {
    "addresses": "malformed recipient address",
    "argument": "malformed recipient address",
    "none": "no recipient addresses",
    "size": "message too big",
    "acl": "rejected by local scanning code",
}
COPY = "------ This is a copy of your message, including all the headers. ------\n\n"


def mail_complaint(runtime: Runtime, to: str, complaint: Complaint, about: Message) -> str:
    """Queue the complaint; its id, or "" when it could not be written."""
    options = runtime.config.main
    now = time.time()
    message = Message(received_time=now, received_complete=now, local_error=True, sender_set=True)
    plan = plan_of(runtime)
    peer = Peer(ident=login_of(plan.uid), received_protocol="local", is_local=True, is_smtp=False)
    message.originator_login, message.originator_uid, message.originator_gid = plan.login, plan.uid, plan.gid
    message.recipients = [EnvelopeRecipient(to)]
    scope = runtime.scope(peer=peer, message=message)
    try:
        incoming: Incoming = runtime.spool.begin()
        message.id = incoming.id
        text = _text(complaint).encode("latin-1", "replace")
        incoming.write(text)
        sender = expand(scope, options.dsn_from)
        fields = [
            (" ", "Auto-Submitted: auto-replied\n"),
            ("F", f"From: {sender}\n"),
            ("T", f"To: {to}\n"),
            (" ", f"Subject: Mail failure - {SUBJECTS[complaint.kind]}\n"),
            ("I", f"Message-Id: <E{message.id}@{options.primary_hostname}>\n"),
            (" ", f"Date: {rfc5322_date(now)}\n"),
        ]
        if complaint.kind != "argument":
            fields.insert(3, (" ", f"References: <E{about.id}@{options.primary_hostname}>\n"))
        message.body_size, message.body_linecount = len(text), text.count(b"\n")
        message.headers.lines = [Header(line, letter) for letter, line in fields]
        received = received_header(scope)
        if received:
            message.headers.lines.insert(0, Header(received, "P"))
        count_size(message)
        incoming.commit(message, peer)
    except (SpoolError, OSError) as error:
        runtime.log.panic(f"cannot tell {to} of a message that was not accepted: {error}")
        return ""
    log_received(runtime, scope, bounce_of=about.id)
    return message.id


def _text(complaint: Complaint) -> str:
    out = [_reason(complaint)]
    if complaint.kind == "size" or complaint.body is None:
        out.append("\n------ This is a copy of your message's headers. ------\n\n" + complaint.header)
    else:
        out.append("\n" + COPY + complaint.header + "\n" + complaint.body(0, COPIED).decode("latin-1"))
    text = "".join(out)
    return text if text.endswith("\n") else text + "\n"


def _reason(complaint: Complaint) -> str:
    if complaint.kind == "addresses":
        shown = "".join(f"  {fault.text}: {fault.message}\n" for fault in complaint.bad)
        several = len(complaint.bad) > 1
        ignored = "These addresses have" if several else "This address has"
        end = (
            f"{ignored} been ignored. The other addresses in the message were\nprocessed normally.\n"
            if complaint.others
            else f"{ignored} been ignored. There were no other addresses in your\n"
            "message, and so no attempt at delivery was possible.\n"
        )
        return (
            "A message that you sent contained one or more recipient addresses that were\nincorrectly constructed:\n\n"
            f"{shown}\n{end}"
        )
    if complaint.kind == "argument":
        fault = complaint.bad[0]
        return (
            "A message that you sent contained a recipient address that was incorrectly\nconstructed:\n\n"
            f"  {fault.text}  {fault.message}\n\nThe message has not been delivered to any recipients.\n"
        )
    if complaint.kind == "none":
        return (
            "A message that you sent contained no recipient addresses, and therefore no\ndelivery could be attempted.\n"
        )
    if complaint.kind == "size":
        return (
            "A message that you sent was longer than the maximum size allowed on this\n"
            f"system. It was not delivered to any recipients. The limit is {complaint.limit} bytes.\n"
        )
    return (
        "A message that you sent was rejected by the local scanning code that\n"
        f"checks incoming messages on this system, and was not accepted. The following\nerror was given:\n\n"
        f"  {complaint.text}\n"
    )
