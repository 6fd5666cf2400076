"""Bounces, delay warnings and success notices as multipart/report messages (RFC 3464), in Exim's layout.

``compose_*`` give what deliver.spooling.put takes. Templates: manual chapter 50.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mta.config.runtime import Runtime
from mta.deliver import dsn_text as text
from mta.deliver.spooling import Generated
from mta.errors import MtaError
from mta.mail.message import RET_FULL, RET_HDRS, Message
from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.spool.locked import Locked
from mta.text.ascii import strip, to_bytes
from mta.text.lists import split_list
from mta.text.quoting import decode_xtext

MAX_REFERENCES = 12
_BUFFER = 8192
MAX_TEMPLATE = 1 << 20
_LIMITED = "X-Exim-DSN-Information: Due to administrative limits only headers are returned\n"
_HEADERS_NOT_FULL = -1  # RET=FULL was asked for and our own limits say otherwise


@dataclass(slots=True)
class Report:
    """The parts of a report in the making."""

    runtime: Runtime
    locked: Locked
    scope: Scope
    boundary: str

    @property
    def message(self) -> Message:
        return self.locked.message

    @property
    def kind(self) -> str:
        """``delivery-status``, or global- for a message with UTF-8 addresses (RFC 6533)."""
        return "global-delivery-status" if self.message.smtputf8 else "delivery-status"


def report(runtime: Runtime, locked: Locked) -> Report:
    boundary = f"{int(time.time())}-eximdsn-{random.randrange(1, 1 << 31)}"
    scope = runtime.scope(peer=locked.peer, message=locked.message)
    scope.body = locked.body
    return Report(runtime, locked, scope, boundary)


def compose_bounce(runtime: Runtime, locked: Locked, outcomes: list[Outcome], to: str) -> Generated:
    """One bounce for the failures of ``outcomes`` (in the order they happened) to one address."""
    made = report(runtime, locked)
    made.scope.vars["bounce_recipient"] = to
    made.scope.vars["bounce_return_size_limit"] = str(runtime.config.main.bounce_return_size_limit)
    items = _template(made, runtime.config.main.bounce_message_file, "bounce_message_file")
    newest_first = list(reversed(outcomes))
    same = to == locked.message.sender
    known = [text.shown_address(o.recipient) for o in newest_first if not text.undisclosed(o.recipient)]
    headers = [f"X-Failed-Recipients: {_folded(known)}"] if known else []
    headers += _reply_to(runtime)
    headers += ["Auto-Submitted: auto-replied", *_from_to(made, to), *_references(locked.message), *_mime(made)]
    subject = "Subject: Mail delivery failed" + (": returning message to sender" if same else "")
    headers += _header_item(items[0]) or [subject]
    intro = items[1] or _bounce_intro(runtime, locked.message, same)
    body = (
        intro
        + "\n"
        + "".join(f"  {text.address_information(one.recipient)}\n{text.reason(one)}" for one in newest_first)
    )
    body += "\n" + _pipe_output(newest_first, items[2])
    status = _status_head(made) + "".join(
        "\n" + text.status_fields(one, "failed") for one in sorted(outcomes, key=lambda one: not one.special)
    )
    copies = _errors_copy(made, to)
    return Generated([to], headers, _body(made, body, status, _returned(made)), parent=locked.message.id, hidden=copies)


def compose_warning(
    runtime: Runtime, locked: Locked, outcomes: list[Outcome], to: list[str], waited: float
) -> Generated:
    """A warning that these recipients wait; ``waited`` seconds is the interval of delay_warning that was passed."""
    made = report(runtime, locked)
    message = locked.message
    delay = delay_text(waited)
    made.scope.vars["warn_message_delay"] = delay
    made.scope.vars["warn_message_recipients"] = ", ".join(to)
    items = _template(made, runtime.config.main.warn_message_file, "warn_message_file")
    headers = [*_reply_to(runtime), "Auto-Submitted: auto-replied", *_from_to(made, ", ".join(to))]
    headers += [*_references(message), *_mime(made)]
    headers += _header_item(items[0]) or [f"Subject: Warning: message {message.id} delayed {delay}"]
    body = items[1] or _warning_intro(runtime, message, to, delay, len(outcomes))
    body += "\n" + "".join(f"  {text.address_information(one.recipient)}\n{text.delay_reason(one)}" for one in outcomes)
    body += "\n" + (items[2] or _WARNING_END) + "\n"
    status = _status_head(made) + "".join("\n" + text.status_fields(one, "delayed") for one in outcomes)
    return Generated(to, headers, _body(made, body, status, RET_HDRS), parent=message.id)


def compose_success(runtime: Runtime, locked: Locked, outcomes: list[Outcome]) -> Generated:
    """What NOTIFY=SUCCESS asked for (RFC 3461), for deliveries whose next hop does not tell itself."""
    made = report(runtime, locked)
    to = locked.message.sender
    headers = [*_from_to(made, to)]
    headers.insert(1, "Auto-Submitted: auto-generated")
    headers += ["Subject: Delivery Status Notification", *_references(locked.message), *_mime(made)]
    body = text.AUTOMATIC + " ----- The following addresses had successful delivery notifications -----\n"
    for one in outcomes:
        how = "relayed to non-DSN-aware mailer" if one.host is not None else 'relayed via non "Remote SMTP" router'
        if one.host is not None and one.recipient.dsn_lasthop:
            how = "relayed via non DSN router"
        body += f"<{text.shown_address(one.recipient)}> ({how})\n\n"
    status = _status_head(made) + "".join("\n" + text.status_fields(one, "delivered") for one in outcomes)
    return Generated([to], headers, _body(made, body, status, RET_HDRS), parent=locked.id)


def delay_text(seconds: float) -> str:
    """``24 hours`` from two hours on, else minutes."""
    if seconds < 120 * 60:
        minutes = int(seconds // 60)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours = int(seconds // 3600)
    return f"{hours} hour{'' if hours == 1 else 's'}"


def _folded(addresses: list[str]) -> str:
    return ",\n  ".join(text.one_line(one) for one in dict.fromkeys(addresses))


def _reply_to(runtime: Runtime) -> list[str]:
    address = runtime.config.main.errors_reply_to
    return [f"Reply-To: {address}"] if address else []


def _from_to(made: Report, to: str) -> list[str]:
    main = made.runtime.config.main
    try:
        sender = main.dsn_from(made.scope)
    except MtaError as error:
        made.runtime.log.panic(f"Failed to expand dsn_from (using default): {error}", made.message.id)
        sender = f"Mail Delivery System <Mailer-Daemon@{main.qualify_domain or main.primary_hostname}>"
    return [f"From: {sender}", f"To: {text.one_line(to)}"]


def _references(message: Message) -> list[str]:
    """References: those of the message and its own id, the last twelve."""
    found: list[str] = []
    for name in ("References", "In-Reply-To"):
        fields = message.headers.named(name)
        if fields:
            found = [word for word in strip(fields[0].value).split() if word.startswith("<") and word.endswith(">")]
            break
    ids = message.headers.named("Message-Id")
    if ids:
        found.append(strip(ids[0].value))
    found = [one for one in found if "\n" not in one][-MAX_REFERENCES:]
    return [f"References: {' '.join(found)}"] if found else []


def _mime(made: Report) -> list[str]:
    return [
        f"Content-Type: multipart/report; report-type=delivery-status; boundary={made.boundary}",
        "MIME-Version: 1.0",
    ]


def _header_item(item: str) -> list[str]:
    """The first item of a template: header lines, folds kept."""
    found: list[str] = []
    for line in item.split("\n"):
        if line[:1] in (" ", "\t") and found:
            found[-1] += "\n" + line
        elif ":" in line:
            found.append(line)
    return found


def _template(made: Report, option: Expansion | None, name: str) -> list[str]:
    """The items of a template file, expanded; "" for those that are to be the default."""
    empty = ["", "", ""]
    if option is None:
        return empty
    try:
        path = option(made.scope)
        with open(path, encoding="latin-1", newline="") as file:
            content = file.read(MAX_TEMPLATE)
        items = _split_items(content) + empty
        return [_expanded(made, item) for item in items[:3]]
    except (OSError, MtaError) as error:
        made.runtime.log.panic(f"Failed to use {name}: {error}", made.message.id)
        return empty


def _split_items(content: str) -> list[str]:
    items = [""]
    for line in content.split("\n"):
        if line == "****":
            items.append("")
        else:
            items[-1] += line + "\n"
    return [item.rstrip("\n") + "\n" if item.strip() else "" for item in items]


def _expanded(made: Report, item: str) -> str:
    return made.scope.services.compile_text(item)(made.scope) if item else ""


def _bounce_intro(runtime: Runtime, message: Message, same: bool) -> str:
    out = text.AUTOMATIC
    extra = runtime.config.main.bounce_message_text
    out += extra.rstrip("\n") + "\n" if extra else "\n"
    if same:
        return out + (
            "A message that you sent could not be delivered to one or more of its\n"
            "recipients. This is a permanent error. The following address(es) failed:\n"
        )
    return out + (
        f"A message sent by\n\n  <{message.sender}>\n\n"
        "could not be delivered to one or more of its recipients. The following\n"
        "address(es) failed:\n"
    )


_WARNING_END = (
    "No action is required on your part. Delivery attempts will continue for\n"
    "some time, and this warning may be repeated at intervals if the message\n"
    "remains undelivered. Eventually the mail delivery software will give up,\n"
    "and when that happens, the message will be returned to you.\n"
)


def _warning_intro(runtime: Runtime, message: Message, to: list[str], delay: str, count: int) -> str:
    if to == [message.sender]:
        out = text.AUTOMATIC + "A message that you sent "
    else:
        out = text.AUTOMATIC + f"A message sent by\n\n  <{message.sender}>\n\n"
    out += (
        "has not yet been delivered to one or more of its\n"
        f"recipients after more than {delay} on the queue on {runtime.config.main.primary_hostname}.\n\n"
        f"The message identifier is:     {message.id}\n"
    )
    for name, words in (("Subject", "The subject of the message is: "), ("Date", "The date of the message is:    ")):
        fields = message.headers.named(name)
        if fields:
            out += words + strip(fields[0].value) + "\n"
    words = "addresses" if count > 1 else "address"
    return out + f"\nThe {words} to which the message has not yet been delivered {'are' if count > 1 else 'is'}:\n"


def _pipe_output(outcomes: list[Outcome], intro: str) -> str:
    """Text of pipes that is to be returned."""
    talkers = [one for one in outcomes if one.special]
    if not talkers:
        return ""
    several = "s" if len(talkers) > 1 else ""
    out = intro or f"The following text was generated during the delivery attempt{several}:\n"
    for one in talkers:
        who = text.address_information(one.recipient).replace("\n    ", "\n       ")
        out += f"\n------ {who} ------\n\n{one.special}"
        out += "" if one.special.endswith("\n") else "\n"
    return out + "\n"


def _status_head(made: Report) -> str:
    out = f"Reporting-MTA: dns; {made.runtime.config.main.primary_hostname}\n"
    if not made.message.dsn_envid:
        return out
    envid = decode_xtext(made.message.dsn_envid)  # RFC 3461 6.3 (a): as the sender had it
    if envid is None or not envid.isascii() or not envid.isprintable():
        return out + "X-Original-Envelope-ID: error decoding xtext formatted ENVID\n"
    return out + f"Original-Envelope-ID: {envid}\n"


def _returned(made: Report) -> int:
    """How much of the message goes back: RET_FULL, RET_HDRS, or 0 for nothing."""
    main, message = made.runtime.config.main, made.message
    if message.dsn_ret == RET_HDRS:
        return RET_HDRS
    if not main.bounce_return_body:
        return _HEADERS_NOT_FULL if message.dsn_ret == RET_FULL else RET_HDRS
    if not main.bounce_return_message and message.dsn_ret != RET_FULL:
        return 0
    return RET_FULL


def _body(made: Report, human: str, status: str, returned: int) -> Iterator[bytes]:
    """The three parts, in pieces."""
    yield to_bytes(
        f"--{made.boundary}\nContent-type: text/plain; charset=us-ascii\n\n{human}"
        f"--{made.boundary}\nContent-type: message/{made.kind}\n\n{status}\n"
    )
    if returned:
        yield from _original(made, returned)
    yield to_bytes(f"--{made.boundary}--\n")


def _original(made: Report, returned: int) -> Iterator[bytes]:
    """The message itself, cut to bounce_return_size_limit and kept free of our boundary and overlong lines."""
    utf8 = made.message.smtputf8
    note = behind = ""
    if returned == _HEADERS_NOT_FULL or (returned == RET_FULL and _too_large(made)):
        returned = RET_HDRS
        # Where Exim puts it: among the headers when all was asked for, else on the part.
        if made.message.dsn_ret == RET_FULL:
            behind = _LIMITED
        else:
            note = _LIMITED
    if returned == RET_FULL:
        kind = "message/global" if utf8 else "message/rfc822"
    else:
        kind = "message/global-headers" if utf8 else "text/rfc822-headers"
    head = f"--{made.boundary}\nContent-type: {kind}\n{note}\nReturn-path: <{made.message.sender}>\n"
    yield to_bytes(head + made.message.headers.text() + behind + "\n")
    if returned == RET_FULL:
        with made.locked.open_body() as body:
            yield from _pieces(body)
    yield b"\n"


def _pieces(body: BinaryIO) -> Iterator[bytes]:
    while True:
        piece = body.read(65536)
        if not piece:
            return
        yield piece


def _too_large(made: Report) -> bool:
    """Over bounce_return_size_limit, which Exim rounds up to whole buffers, or a line over
    bounce_return_linesize_limit; 0 is no limit."""
    main = made.runtime.config.main
    if 0 < main.bounce_return_linesize_limit < made.message.max_received_linelength:
        return True
    limit = main.bounce_return_size_limit
    return limit > 0 and made.message.body_size > (limit // _BUFFER + 1) * _BUFFER


def _errors_copy(made: Report, to: str) -> list[str]:
    """Addresses of errors_copy whose list matches the recipient: ``list addresses`` items."""
    option = made.runtime.config.main.errors_copy
    if option is None:
        return []
    from mta.deliver.retry import compile_list

    found: list[str] = []
    try:
        for item in split_list(option(made.scope)):
            pattern, _, addresses = item.partition(" ")
            if compile_list(made.scope, pattern).match(made.scope, to) is not None:
                found += [strip(one) for one in addresses.split(",") if strip(one)]
    except MtaError as error:
        made.runtime.log.panic(f"errors_copy: {error}", made.message.id)
    return found
