"""Variables of the message: its envelope, headers, body and sizes (manual section 11.9).

What a peer wrote is registered as tainted; counts, ids and times are ours.
"""

from __future__ import annotations

import time

from mta.expand.base import left, variable
from mta.mail.address import domain_of, local_part_of
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE
from mta.text.encodings import decode_rfc2047
from mta.text.lists import join_list

# $recipients would show Bcc recipients to users' filters; it exists at these points and in system filters
_RECIPIENT_POINTS = frozenset(
    ("predata", "data", "data_prdr", "prdr", "mime", "dkim", "not_smtp", "not_smtp_start", "not_smtp_mime")
)
_BODY_TO_SPACES = {0: " ", 10: " "}
_BODY_ZEROS = {0: " "}
_MAX_BODY = 1 << 20


def body_text(scope: Scope, *, end: bool) -> str:
    """The first or the last message_body_visible bytes of the body; line ends as message_body_newlines says."""
    if scope.body is None:
        return ""
    options = scope.site.options
    size = min(options.message_body_visible, _MAX_BODY)
    if size <= 0:
        return ""
    data = scope.body(-size, size) if end else scope.body(0, size)
    return data.decode("latin-1").translate(_BODY_ZEROS if options.message_body_newlines else _BODY_TO_SPACES)


def _headers(scope: Scope) -> str:
    return decode_rfc2047(_raw_headers(scope), "").text.rstrip(WHITESPACE)


def _raw_headers(scope: Scope) -> str:
    return scope.message.headers.text()


def _headers_added(scope: Scope) -> str:
    return "\n".join([text.removesuffix("\n") for _position, text in scope.message.added_headers])


def _reply_address(scope: Scope) -> str:
    for name in ("reply-to", "from"):
        for header in scope.message.headers.named(name):
            value = header.value.strip(WHITESPACE)
            if value:
                return value
    return ""


def _recipients(scope: Scope) -> list[str]:
    if scope.acl_point in _RECIPIENT_POINTS or scope.vars.get("system_filter"):
        return [recipient.address for recipient in scope.message.recipients]
    return []


def _received_for(scope: Scope) -> str:
    known = scope.vars.get("received_for")
    if known is not None:
        return known
    recipients = scope.message.recipients
    return recipients[0].address if len(recipients) == 1 else ""


def _return_path(scope: Scope) -> str:
    known = scope.vars.get("return_path")
    if known is not None:
        return known
    if scope.recipient is None or scope.acl_point:
        return ""
    errors_to = scope.recipient.errors_to
    return scope.message.sender if errors_to is None else errors_to


def _age(scope: Scope) -> str:
    received = scope.message.received_time
    return str(max(int(time.time() - received), 0)) if received else "0"


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _sender_domain(scope: Scope) -> str:
    return domain_of(scope.message.sender)


def _sender_local_part(scope: Scope) -> str:
    sender = scope.message.sender
    return local_part_of(sender) if "@" in sender else ""


variable("message_exim_id", lambda s: s.message.id)
variable("message_id", lambda s: s.message.id)
variable("message_age", _age)
variable("message_body", lambda s: body_text(s, end=False), tainted=True)
variable("message_body_end", lambda s: body_text(s, end=True), tainted=True)
variable("message_body_size", lambda s: str(s.message.body_size))
variable("message_headers", _headers, tainted=True)
variable("message_headers_raw", _raw_headers, tainted=True)
variable("message_linecount", lambda s: str(s.message.message_linecount))
variable("message_size", lambda s: str(s.message.message_size))
variable("message_smtputf8", lambda s: _yes_no(s.message.smtputf8))
variable("body_linecount", lambda s: str(s.message.body_linecount))
variable("body_zerocount", lambda s: str(s.message.body_zerocount))
variable("max_received_linelength", lambda s: str(s.message.max_received_linelength))
variable("headers_added", _headers_added)
variable("local_scan_data", lambda s: s.message.local_scan_data)
variable("queue_name", lambda s: s.message.queue_name)
variable("prdr_requested", lambda s: _yes_no(s.message.prdr_requested))
variable("rcpt_count", lambda s: str(s.message.rcpt_count))
variable("rcpt_defer_count", lambda s: str(s.message.rcpt_defer_count))
variable("rcpt_fail_count", lambda s: str(s.message.rcpt_fail_count))
variable("received_count", lambda s: str(len(s.message.headers.named("received"))))
variable("received_for", _received_for, tainted=True)
variable("received_time", lambda s: str(int(s.message.received_time)))
variable("recipients", lambda s: ", ".join(_recipients(s)), tainted=True)
variable("recipients_list", lambda s: join_list(_recipients(s)), tainted=True)
variable("recipients_count", lambda s: str(len(s.message.recipients)))
variable("reply_address", _reply_address, tainted=True)
variable("return_path", _return_path)
variable("sender_address", lambda s: s.message.sender, tainted=True)
variable("sender_address_domain", _sender_domain, tainted=True)
variable("sender_address_local_part", _sender_local_part, tainted=True)
variable("mailstore_basename", left("mailstore_basename"))

for _name in ("warn_message_delay", "warn_message_recipient", "warn_message_recipients"):
    variable(_name, left(_name))  # set while a warning is composed
variable("warnmsg_delay", left("warn_message_delay"))
variable("warnmsg_recipient", left("warn_message_recipients"))
variable("warnmsg_recipients", left("warn_message_recipients"))
variable("bounce_recipient", left("bounce_recipient"))
