"""Messages that local processes hand in: -bm, -t, -bs, -bS on standard input or over the submission socket.

``receive_local`` takes one message (or one SMTP session) from a file descriptor and gives the exit code; what the
caller is to read on standard error goes to ``say``.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed, PeerGone, SpoolError
from mta.mail.address import Address, AddressError, parse_address, parse_address_list, qualify
from mta.mail.endings import end
from mta.mail.headers import DELETED
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.verdict import Ruling, Verdict
from mta.receive.accept import apply_acl_headers, count_size, fill_in, log_received, prepare
from mta.receive.batch import receive_batch
from mta.receive.caller import BadSender, Caller, Order, make_peer, own_address, sender_of, split_words
from mta.receive.complaint import Complaint, mail_complaint
from mta.receive.connection import converse, open_session
from mta.receive.content import ask_parts
from mta.receive.fixups import Origin
from mta.receive.header_lines import mark_resent, resent
from mta.receive.intake import Intake
from mta.receive.link import BLOCK, PipeLink
from mta.receive.plan import Incoming, Runtime, plan_of
from mta.receive.verdicts import run_point
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.system.readiness import readable
from mta.text.ascii import lower
from mta.text.patterns import pattern

FROM_LINE_LONGEST = 1024


def say_nothing(_text: str) -> None:
    """The default of what reports."""


@dataclass(slots=True)
class Reception:
    """One local message on its way."""

    runtime: Runtime
    scope: Scope
    caller: Caller
    order: Order
    say: Callable[[str], None]
    on_accepted: Callable[[str], None]
    sender_given: bool = False
    bad: list[AddressError] = field(default_factory=list)


def receive_local(
    runtime: Runtime,
    caller: Caller,
    order: Order,
    input_fd: int,
    output_fd: int = 1,
    *,
    on_accepted: Callable[[str], None] = say_nothing,
    say: Callable[[str], None] = say_nothing,
) -> int:
    """Take in what ``order`` asks for; returns the exit code of the command.

    ``say`` gets lines for standard error, without a newline and without the program's name in front.
    """
    peer = make_peer(runtime, caller, order, time.time())
    if order.mode == "bs":
        return _session(runtime, caller, order, input_fd, output_fd, on_accepted)
    scope = runtime.scope(peer=peer, message=Message(received_time=time.time()))
    reception = Reception(runtime, scope, caller, order, say, on_accepted)
    try:
        if order.mode == "bS":
            return receive_batch(runtime, peer, PipeLink(input_fd, output_fd), on_accepted=on_accepted, say=say)
        return _message(reception, input_fd)
    except BadSender as bad:
        say(str(bad))
        return 1
    except Exception:
        runtime.log.panic(f"local submission by {caller.login} failed:\n{traceback.format_exc()}")
        say("internal error: message not accepted")
        return 1


def _session(
    runtime: Runtime,
    caller: Caller,
    order: Order,
    input_fd: int,
    output_fd: int,
    on_accepted: Callable[[str], None],
) -> int:
    """-bs: SMTP on two file descriptors."""
    peer = make_peer(runtime, caller, order, time.time())
    peer.enforce_sync = False
    session = open_session(runtime, PipeLink(input_fd, output_fd), peer, on_accepted)
    session.fixed_protocol = bool(order.protocol)
    session.no_delivery = order.no_delivery
    session.queue_only = order.queue_only
    session.new_message()
    converse(session)
    return 0


def _message(reception: Reception, input_fd: int) -> int:
    scope, order, runtime = reception.scope, reception.order, reception.runtime
    message, plan = scope.message, plan_of(runtime)
    message.sender, reception.sender_given = sender_of(scope, reception.caller, order.sender)
    message.sender_set = True
    message.originator_login, message.originator_uid = reception.caller.login, reception.caller.uid
    message.originator_gid = reception.caller.gid
    message.sender_local = scope.peer.is_local
    message.sender_set_untrusted = reception.sender_given and not reception.caller.trusted
    message.allow_unqualified_sender = message.allow_unqualified_recipient = order.unqualified
    message.no_local_fixups = order.suppress_fixups
    message.dont_deliver = order.no_delivery
    message.no_deliver = order.queue_only
    message.local_error = order.local_error is not None
    if not order.extract:
        _envelope(reception, split_words(order.recipients))
        if reception.bad and order.errors == "p":
            for fault in reception.bad:
                reception.say(f'bad recipient address "{fault.text}": {fault.message}')
            return 1
    if scope.site.options.acl_not_smtp_start is not None:
        run_point(runtime, scope, "not_smtp_start")
    incoming: Incoming = runtime.spool.begin()
    message.id = incoming.id
    try:
        limit = plan.size_limit or 0
        intake = Intake(incoming, limit, plan.options.header_maxsize, plan.options.header_line_maxsize)
        lines = _read(reception, intake, input_fd)
        if intake.fault is not None:
            text = f"message too big: max={limit}" if intake.fault.kind == "size" else intake.fault.text
            runtime.log.main(f"{message.sender or '<>'} rejected: {text}", message.id)
            return _complain(reception, Complaint("size", limit=limit), f"message rejected: {text}")
        return _settle(reception, incoming, intake, lines)
    except PeerGone:
        runtime.log.main(f"timed out while reading local message from {reception.caller.login}", message.id)
        reception.say("timed out while reading - message abandoned")
        return 1
    except SpoolError as error:
        runtime.log.panic(str(error))
        reception.say("message not accepted: cannot write the spool")
        return 1
    finally:
        incoming.abandon()
        end(message)


class _Lines:
    """Local text with its line ends made LF: CRLF and a bare CR each are one (manual section 48.2)."""

    __slots__ = ("_after_cr", "longest")

    def __init__(self) -> None:
        self._after_cr = False
        self.longest = 0

    def clean(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if data:
            self.longest = max(self.longest, max(map(len, data.split(b"\n"))))
        return data


def _read(reception: Reception, intake: Intake, input_fd: int) -> _Lines:
    """All of the input, or up to a line with a dot alone; lines "From " in front are taken off."""
    order = reception.order
    timeout = order.receive_timeout
    if timeout is None:
        timeout = reception.scope.site.options.receive_timeout
    lines, ends, first = _Lines(), _DotEnd(), b""
    starting = True
    while True:
        if timeout and not readable(input_fd, timeout):
            raise PeerGone("data-timeout")
        raw = os.read(input_fd, BLOCK)
        data = lines.clean(raw)
        if starting:
            first += data
            if raw and b"\n" not in first and len(first) < FROM_LINE_LONGEST:
                continue
            data, starting = _without_from_line(reception, first), False
        if order.dot_ends:
            data = ends.feed(data, last=not raw)
        if data:
            intake.add(data)
        if not raw or ends.seen:
            break
    intake.finish()
    return lines


class _DotEnd:
    """Finds the line that holds a dot alone, however the text is cut; what may begin it is held back."""

    __slots__ = ("_held", "_start", "seen")

    def __init__(self) -> None:
        self._held = b""
        self._start = True  # what is held begins a line
        self.seen = False

    def feed(self, data: bytes, *, last: bool) -> bytes:
        text = self._held + data
        self._held = b""
        if self._start and text.startswith(b".\n"):
            self.seen = True
            return b""
        end = text.find(b"\n.\n")
        if end >= 0:
            self.seen = True
            return text[: end + 1]
        if not last:
            if self._start and text == b".":
                self._held = text
                return b""
            if text.endswith(b"\n."):
                self._held, text = b".", text[:-1]
        if text:
            self._start = text.endswith(b"\n")
        return text


def _without_from_line(reception: Reception, text: bytes) -> bytes:
    """A UUCP ``From `` line in front (manual section 48.4): it names the sender when a trusted caller gave none."""
    options = reception.scope.site.options
    while text.startswith((b"From ", b">From ")):
        line, mark, rest = text.partition(b"\n")
        shown = line.decode("latin-1").removeprefix(">")
        try:
            found = pattern(options.uucp_from_pattern).search(shown)
        except (Deferred, ExpansionFailed):
            return text
        if found is None or not mark:
            return text
        if reception.order.sender is None and reception.caller.trusted:
            _uucp_sender(reception, found)
        text = rest
    return text


def _uucp_sender(reception: Reception, groups: list[str]) -> None:
    scope = reception.scope
    with scope.saved("captures", "tainted"):
        scope.captures = [Tainted(group) for group in groups]
        try:
            address = scope.site.options.uucp_from_sender(scope)
        except (Deferred, ExpansionFailed):
            return
    parsed = parse_address(address)
    if isinstance(parsed, Address):
        options = scope.site.options
        scope.message.sender = qualify(parsed.text, options.qualify_domain or options.primary_hostname)
        reception.sender_given = True


def _envelope(reception: Reception, addresses: list[str]) -> None:
    """Recipients from text: parsed, qualified, each once, into the message; what is none of them into ``bad``."""
    scope = reception.scope
    options, message = scope.site.options, scope.message
    known = {recipient.address for recipient in message.recipients}
    for text in addresses:
        parsed = parse_address(
            text, allow_domain_literals=options.allow_domain_literals, allow_utf8=options.allow_utf8_domains
        )
        if isinstance(parsed, AddressError):
            if text or parsed.message != "empty address":
                reception.bad.append(AddressError(parsed.message, text))
            continue
        if not parsed.domain and not reception.order.unqualified:
            reception.bad.append(AddressError("unqualified address not permitted", text))
            continue
        domain = options.qualify_recipient or options.qualify_domain or options.primary_hostname
        address = Tainted(qualify(parsed.text, domain))
        if address not in known:
            known.add(address)
            message.recipients.append(EnvelopeRecipient(address))


def _extract(reception: Reception) -> None:
    """-t: recipients from the header, less those of the command line (manual section 5.4, -t)."""
    scope = reception.scope
    message = scope.message
    prefix = "resent-" if resent(message.headers.lines) else ""
    if prefix:
        mark_resent(message.headers.lines)
    names = {f"{prefix}to", f"{prefix}cc", f"{prefix}bcc"}
    found: list[str] = []
    for line in message.headers:
        if lower(line.name) in names:
            for parsed in parse_address_list(line.value, allow_utf8=scope.site.options.allow_utf8_domains):
                if isinstance(parsed, AddressError):
                    reception.bad.append(parsed)
                else:
                    found.append(parsed.text)
    words = split_words(reception.order.recipients)
    if not scope.site.options.extract_addresses_remove_arguments:
        return _envelope(reception, [*found, *words])
    options = scope.site.options
    domain = options.qualify_recipient or options.qualify_domain or options.primary_hostname
    never = set()
    for word in words:
        address = parse_address(word)
        if isinstance(address, Address):
            never.add(qualify(address.text, domain))
            message.delivered.add(qualify(address.text, domain))
    return _envelope(reception, [text for text in found if qualify(text, domain) not in never])


def _settle(reception: Reception, incoming: Incoming, intake: Intake, lines: _Lines) -> int:
    scope, runtime, order = reception.scope, reception.runtime, reception.order
    message = scope.message
    fill_in(message, intake, incoming, lines.longest)
    scope.body = incoming.read_body
    if reception.bad:
        return _complain(reception, Complaint("argument", bad=reception.bad, body=incoming.read_body), "")
    if order.extract:
        _extract(reception)
    created = prepare(scope, _origin(reception), runtime.config.rewrite_rules)
    if reception.bad:
        return _bad_addresses(reception, incoming)
    if not message.recipients:
        runtime.log.panic("no recipients found in headers" if order.extract else "no recipients", message.id)
        return _complain(reception, Complaint("none", body=incoming.read_body), "no recipients in message")
    verdict, asked = ask_parts(runtime, scope), "MIME"
    if verdict.ruling is Ruling.ACCEPT and scope.site.options.acl_not_smtp is not None:
        verdict, asked = run_point(runtime, scope, "not_smtp"), "non-SMTP"
    if not verdict.accepted:
        return _refused(reception, incoming, verdict, asked)
    if verdict.ruling is Ruling.DISCARD:
        message.recipients.clear()
    apply_acl_headers(message)
    count_size(message)
    if message.recipients:
        incoming.commit(message, scope.peer)
    log_received(runtime, scope, created=created, bounce_of=order.local_error or _reference(reception))
    if message.recipients:
        reception.on_accepted(message.id)
    else:
        runtime.log.main(f"=> blackhole ({asked} ACL discarded recipients)", message.id)
        runtime.log.main("Completed", message.id)
    return 0


def _refused(reception: Reception, incoming: Incoming, verdict: Verdict, asked: str) -> int:
    """An ACL does not want the message: the logs, and the complaint to its sender."""
    message, log = reception.scope.message, reception.runtime.log
    shown = verdict.log_message or verdict.user_message or ""
    why = f": {shown}" if shown else ""
    soft = "temporarily " if verdict.ruling in (Ruling.DEFER, Ruling.ERROR) else ""
    line = f"F=<{message.sender}> {soft}rejected by {asked} ACL{why}"
    log.main(line, message.id)
    log.reject(line, message.id, message.headers.text())
    told = verdict.user_message or "Administrative prohibition"
    complaint = Complaint("acl", text=told, body=incoming.read_body)
    return _complain(reception, complaint, f"message rejected by {asked} ACL: {told}")


def _reference(reception: Reception) -> str:
    """-oMm of a trusted caller."""
    return (reception.order.message_reference or "") if reception.caller.trusted else ""


def _origin(reception: Reception) -> Origin:
    caller, peer = reception.caller, reception.scope.peer
    return Origin(
        local=peer.is_local,
        trusted=caller.trusted,
        qualify_senders=reception.order.unqualified,
        qualify_recipients=reception.order.unqualified,
        remove_bcc=reception.order.extract,
        login=caller.login,
        name=caller.name,
        sender_given=reception.sender_given,
    )


def _bad_addresses(reception: Reception, incoming: Incoming) -> int:
    """Malformed recipients: the sender is told; the good ones get the message when there are any."""
    runtime, message, order = reception.runtime, reception.scope.message, reception.order
    runtime.log.panic("bad addresses found in headers" if order.extract else "bad recipient addresses", message.id)
    complaint = Complaint("addresses", bad=reception.bad, others=bool(message.recipients), body=incoming.read_body)
    if order.errors in ("p", "q"):
        for fault in reception.bad:
            reception.say(f"invalid address:  {fault.text}: {fault.message}")
        return 1
    code = _complain(reception, complaint, "")
    if message.recipients:
        count_size(message)
        apply_acl_headers(message)
        incoming.commit(message, reception.scope.peer)
        log_received(runtime, reception.scope)
        reception.on_accepted(message.id)
    return code


def _complain(reception: Reception, complaint: Complaint, text: str) -> int:
    """Tell the sender in the way of -oe: on standard error, by mail, or by the exit code alone."""
    mode = reception.order.errors
    if mode in ("p", "q"):
        if mode == "p" and text:
            reception.say(text)
        return 1
    message = reception.scope.message
    to = message.sender or own_address(reception.scope.site.options, reception.caller.login)
    lines = [line for line in message.headers.lines if line.type not in (DELETED, "P")]
    complaint.header = "".join(line.text for line in lines)
    accepted = mail_complaint(reception.runtime, to, complaint, message)
    if accepted:
        reception.on_accepted(accepted)
    return 0 if mode == "e" else 1
