"""What came of delivering to one recipient."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from mta.mail.host import Host
from mta.mail.peer import TlsInfo
from mta.mail.recipient import Recipient


class Status(IntEnum):
    DELIVERED = 0
    DEFERRED = 1
    FAILED = 2


@dataclass(slots=True)
class RetryFact:
    """One thing that the retry hints should learn.

    ``key`` as Exim keys it (manual chapter 32): ``T:host:address[:port]``, ``R:domain``,
    ``T:address:host...``; ``error`` a name of RETRY_ERRORS or "".
    """

    key: str
    failed: bool  # False: it works, forget the record
    error: str = ""
    detail: str = ""  # what error names refine: rcpt_45x's code, quota's age in seconds, "MX" or "A"
    text: str = ""
    errno: int = 0
    more_errno: int = 0


@dataclass(slots=True)
class Outcome:
    """The answer for one recipient. ``message`` is for the log and the bounce, without the address."""

    recipient: Recipient
    status: Status
    message: str = ""
    host: Host | None = None  # the host that took it, or the last one tried
    host_port: int = 0
    local_address: str = ""  # our end of the connection
    local_port: int = 0
    response: str = ""  # the last reply of the remote (for C= and the DSN's Diagnostic-Code)
    errno: int = 0
    more_errno: int = 0
    error: str = ""  # retry error name
    tls: TlsInfo | None = None
    authenticator: str = ""
    authenticated_id: str = ""
    chunking: bool = False  # "K" on the log line
    pipelining: bool = False  # "L"
    prdr: bool = False
    dsn_aware: bool = False  # the remote took NOTIFY over from us
    shadow: str = ""  # ST= field
    transport_file: str = ""  # file or folder it went into, for the log when address is a file
    freeze: bool = False
    special: str = ""  # "pipe output" text to return to the sender
    delay_used: bool = False
    bytes_sent: int = 0
    transport_time: float = 0.0
    retry: list[RetryFact] = field(default_factory=list)
    continued: bool = False  # "*" after H=: the connection had been used before
    return_file: str = ""
    basic_local: bool = False
    log_extra: dict[str, str] = field(default_factory=dict)
