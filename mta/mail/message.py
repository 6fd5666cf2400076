"""A message: envelope, headers and the facts of its reception. Its body stays on disk.

``Message`` is what the ``-H`` file holds (manual chapter 53); the connection's facts are in Peer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mta.mail.authentication import DkimResult
from mta.mail.headers import Headers

# DSN NOTIFY flags (RFC 3461 4.1), with the values that Exim writes into -H.
NOTIFY_NEVER, NOTIFY_SUCCESS, NOTIFY_FAILURE, NOTIFY_DELAY = 0x02, 0x04, 0x08, 0x10
RET_FULL, RET_HDRS = 1, 2


@dataclass(slots=True)
class EnvelopeRecipient:
    """One RCPT TO, or one address of the command line."""

    address: str
    errors_to: str | None = None  # None: the message's sender
    parent: int = -1  # index of the one_time parent, or -1
    notify: int = 0  # NOTIFY_* bits, 0 when the sender did not say
    orcpt: str = ""
    rcpt_acl_data: str = ""


@dataclass(slots=True)
class Message:
    """One message, at reception and from the spool. An empty one stands where none is under way."""

    id: str = ""
    sender: str = ""  # "" is the null reverse-path
    sender_set: bool = False  # MAIL has been accepted in this transaction
    recipients: list[EnvelopeRecipient] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)  # addresses done with (-H's tree and -J)
    headers: Headers = field(default_factory=Headers)
    received_time: float = 0.0  # start of reception
    received_complete: float = 0.0
    body_linecount: int = 0
    body_zerocount: int = 0
    body_size: int = 0  # bytes with LF line ends, without headers
    message_size: int = 0  # whole message; while MAIL runs, the SIZE= value
    message_linecount: int = 0
    max_received_linelength: int = 0
    body_8bit: int = 0  # 8BITMIME: 0 unknown, 7, 8
    smtputf8: bool = False
    originator_login: str = ""
    originator_uid: int = -1
    originator_gid: int = -1
    sender_local: bool = False  # -H -sender_set_untrusted and kin follow from these
    sender_set_untrusted: bool = False
    local_scan_data: str = ""
    interface_used: str = ""
    raw_recipients_count: int = 0
    rcpt_count: int = 0
    rcpt_fail_count: int = 0
    rcpt_defer_count: int = 0
    frozen: bool = False
    frozen_at: float = 0.0
    manual_thaw: bool = False
    deliver_first_time: bool = True
    queue_name: str = ""
    warning_count: int = 0
    dsn_ret: int = 0  # RET_FULL, RET_HDRS or 0
    dsn_envid: str = ""
    prdr_requested: bool = False
    no_deliver: bool = False  # control = queue / queue_only: accept, do not deliver at once
    no_local_fixups: bool = False  # control = suppress_local_fixups
    submission: bool = False  # control = submission
    submission_options: dict[str, str] = field(default_factory=dict)
    host_lookup_failed: bool = False
    acl_m: dict[str, str] = field(default_factory=dict)
    added_headers: list[tuple[str, str]] = field(default_factory=list)  # by ACLs, not yet in: (position, text)
    removed_headers: list[str] = field(default_factory=list)
    spam: dict[str, str] = field(default_factory=dict)  # spam_score, spam_bar ... as in -H
    dkim_disable_verify: bool = False
    dkim: list[DkimResult] = field(default_factory=list)  # one a signature, once they have been verified
    authentication: dict[str, str] = field(default_factory=dict)  # $spf_... and $dmarc_... of this message, by name
    allow_unqualified_sender: bool = False
    allow_unqualified_recipient: bool = False
    local_error: bool = False  # a bounce or warning made here
    dont_deliver: bool = False  # -N: log as if delivered
    queued_by_acl: bool = False  # control = queue
    freeze_tell: bool = True  # False: control = freeze/no_tell
    queue_first_pass: bool = False  # control = queue/first_pass_route
    fake_response: str = ""  # "reject" or "defer": answer 550 or 450 to an accepted message, with fake_response_text
    fake_response_text: str = ""
    acl_memory: dict[str, Any] = field(default_factory=dict)  # what ACL conditions remember of this message, by owner
    extra: dict[str, str] = field(default_factory=dict)  # -H lines that we carry and do not read
