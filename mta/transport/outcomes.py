"""Making Outcomes: one for each recipient of a batch, with the retry facts that Exim would keep.

A message never repeats the text of its ``errno``: the log puts ``strerror(errno)`` in front of it.
"""

from __future__ import annotations

import os

from mta.mail.host import Host
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.mail.recipient import Recipient
from mta.transport.base import Batch, Transport

# Exim's numbers for errors that are not the system's; they show in "defer (-22)" and in the retry hints.
UNKNOWN = -1
NOT_REGULAR_LINKS = -4
NOT_DIRECTORY = -5
BAD_OWNER = -6
BAD_MODE = -7
INODE_CHANGED = -8
LOCK_FAILED = -9
SMTP_CLOSED = -18
SMTP_FORMAT = -19
BAD_NAME = -21
QUOTA = -22
FILTER_FAILED = -24
EXPANSION_FAILED = -25
FILE_FORMAT = -33
BAD_CREATE = -34
DNS_DEFER = -36
TLS_REQUIRED = -38
AUTH_FAILED = -42
RCPT_4XX = -44
MAIL_4XX = -45
DATA_4XX = -46
RETRY_NOT_DUE = -54
HOST_LOCAL = -50
HELO_FAILED = -27
HOST_LOOKUP = -32
EVENT_REFUSED = -58
_OWN_WORDS = {EVENT_REFUSED: "Event requests alternate response"}


def local_retry_key(transport: Transport, recipient: Recipient) -> str:
    """``T:local@domain``, or ``T:domain`` when retry_use_local_part is off (manual chapter 32)."""
    if recipient.kind == "address" and transport.options.retry_use_local_part is False:
        return f"T:{recipient.domain}"
    return f"T:{recipient.unique or recipient.address}"


def delivered(batch: Batch, transport: Transport, **facts: object) -> list[Outcome]:
    """All of a local batch went in; its retry records may be forgotten."""
    return [
        _outcome(recipient, Status.DELIVERED, "", [RetryFact(local_retry_key(transport, recipient), False)], facts)
        for recipient in batch.recipients
    ]


def failed(batch: Batch, message: str, **facts: object) -> list[Outcome]:
    """All recipients get a permanent error."""
    return [_outcome(recipient, Status.FAILED, message, [], facts) for recipient in batch.recipients]


def deferred(
    batch: Batch,
    transport: Transport,
    message: str,
    errno: int = 0,
    *,
    error: str = "",
    detail: str = "",
    **facts: object,
) -> list[Outcome]:
    """All recipients of a local batch wait, with a retry record for each."""
    out = []
    for recipient in batch.recipients:
        key = local_retry_key(transport, recipient)
        # Where the system has words for the error, Exim keeps those alone.
        text = "" if errno > 0 else message
        fact = RetryFact(key, True, error, detail, text, errno)
        out.append(_outcome(recipient, Status.DEFERRED, message, [fact], {"errno": errno, "error": error, **facts}))
    return out


def misconfigured(batch: Batch, message: str, errno: int = 0) -> list[Outcome]:
    """A fault of the configuration: deferred, to the panic log as well, and no retry record to delay the next try."""
    return [
        _outcome(recipient, Status.DEFERRED, message, [], {"errno": errno, "log_extra": {"panic": "1"}})
        for recipient in batch.recipients
    ]


def host_error_text(host: Host, port: int, message: str, errno: int, *, show_port: bool) -> str:
    """``H=name [address]: what went wrong``, the log line of one host's failure (and of hints, without the port)."""
    place = f"H={host.name} [{host.address}]" + (f":{port}" if show_port else "")
    if not message:
        words = os.strerror(errno) if errno > 0 else _OWN_WORDS.get(errno, "")
        return f"{place} {words}" if words else place
    return f"{place}: {message}" + (f": {os.strerror(errno)}" if errno > 0 else "")


def _outcome(
    recipient: Recipient, status: Status, message: str, retry: list[RetryFact], facts: dict[str, object]
) -> Outcome:
    outcome = Outcome(recipient, status, message, retry=retry)
    for name, value in facts.items():
        setattr(outcome, name, value)
    return outcome
