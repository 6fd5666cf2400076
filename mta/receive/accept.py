"""From the last byte of a message to its place in the queue: headers put right, ACLs, the commit, the log line.

Nothing here reads from the peer. ``settle`` gives the reply that the whole message gets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mta.errors import Deferred, ExpansionFailed, ForcedFail, SpoolError
from mta.log import lines as log_lines
from mta.mail.headers import DELETED, Header, header_type
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.verdict import Ruling
from mta.receive.content import check_mime
from mta.receive.dkim import examine, keep_original, signed_by
from mta.receive.envelope import under_way
from mta.receive.fixups import Origin, fix_up
from mta.receive.intake import Intake
from mta.receive.plan import Incoming
from mta.receive.session import Session
from mta.receive.verdicts import agree, ask, refuse, run_point
from mta.route.percent_hack import without_percents
from mta.route.rewrite import Rule, rewrite_envelope
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.smtp.replies import Reply, spoken
from mta.text.ascii import lower
from mta.text.dates import rfc5322_date


def fill_in(message: Message, intake: Intake, incoming: Incoming, max_line: int) -> None:
    """The facts of the message's size and shape."""
    message.id = incoming.id
    message.headers.lines = intake.headers
    message.body_linecount = intake.body_lines
    message.body_zerocount = intake.body_zeros
    message.body_size = intake.body_size
    message.max_received_linelength = max_line
    message.received_complete = time.time()


def count_size(message: Message) -> None:
    """message_size and message_linecount as they are with the header of now; the empty line counts."""
    header = message.headers.text()
    message.message_size = len(header) + 1 + message.body_size
    message.message_linecount = header.count("\n") + 1 + message.body_linecount


def received_header(scope: Scope) -> str:
    """The Received: line (received_header_text, manual chapter 14), dated; "" when the option expands to nothing."""
    message, option = scope.message, scope.site.options.received_header_text
    only = message.recipients[0].address if len(message.recipients) == 1 else ""
    scope.vars["received_for"] = Tainted(only)
    before = scope.tainted
    try:
        text = option(scope)
    except ForcedFail:
        return ""
    except (ExpansionFailed, Deferred) as error:
        scope.services.log_panic(f'failed to expand received_header_text "{option.source}": {error.message}')
        text = "Received: "
    finally:
        scope.tainted = before
        scope.vars.pop("received_for", None)
    if not text.strip():
        return ""
    return f"{text.rstrip()};\n\t{rfc5322_date(message.received_complete or time.time())}\n"


def origin_of(session: Session) -> Origin:
    """How a message that came by SMTP is to be treated."""
    message, peer = session.scope.message, session.peer
    local = peer.is_local
    origin = Origin(
        local=local or message.submission,
        trusted=peer.caller_trusted if local else False,
        qualify_senders=local or session.host_in("sender_unqualified_hosts"),
        qualify_recipients=local or session.host_in("recipient_unqualified_hosts"),
        login=peer.caller_login if local else "",
        name="",
    )
    if message.submission:
        _submission(message, peer.authenticated_id, origin)
    return origin


def _submission(message: Message, authenticated_id: str, origin: Origin) -> None:
    """Submission mode (manual section 48.1): the author is who has authenticated, under the domain that was given."""
    chosen = message.submission_options
    login, at, domain = authenticated_id.partition("@")
    origin.name = chosen.get("name", "")
    origin.trusted = not authenticated_id
    if "domain" in chosen:
        given = chosen["domain"]
        # an empty domain takes what the id itself says
        origin.login, origin.domain = (login, given) if given else (login, domain if at else "")
    else:
        origin.login, origin.domain = login, domain
    if authenticated_id and "sender_retain" not in chosen and message.sender and origin.login and origin.domain:
        message.sender = Tainted(f"{origin.login}@{origin.domain}")


def prepare(scope: Scope, origin: Origin, rules: Sequence[Rule]) -> bool:
    """Fix-ups, rewriting and the Received: line; whether a Message-ID was made."""
    message = scope.message
    if rules:
        _rewrite_envelope(scope, rules)
    created = fix_up(message, origin, scope, rules)
    count_size(message)  # what ACLs see is what came, without the line that we add
    line = received_header(scope)
    if line:
        message.headers.lines.insert(0, Header(line, "P"))
    apply_acl_headers(message)
    return created


def _rewrite_envelope(scope: Scope, rules: Sequence[Rule]) -> None:
    """Sender and recipients as soon as the header is there (manual section 31.2)."""
    message = scope.message
    message.sender = Tainted(rewrite_envelope(rules, message.sender, "F", scope))
    for recipient in message.recipients:
        changed = rewrite_envelope(rules, recipient.address, "T", scope)
        if changed != recipient.address:
            recipient.address = Tainted(changed)


def apply_acl_headers(message: Message) -> None:
    """What ACLs added and removed goes into the header (manual section 44.23 to 44.24)."""
    lines = message.headers.lines
    for name in message.removed_headers:
        for item in name.split(":"):
            key = lower(item.strip(" \t\n"))
            for line in lines:
                if key and line.type != DELETED and _named(line.name, key):
                    line.type = DELETED
    for position, text in message.added_headers:
        header = Header(text, header_type(text.partition(":")[0].rstrip(" \t")))
        lines.insert(_place(lines, position), header)
    message.removed_headers = []
    message.added_headers = []


def _named(name: str, key: str) -> bool:
    return lower(name).startswith(key[:-1]) if key.endswith("*") else lower(name) == key


def _place(lines: list[Header], position: str) -> int:
    if position == "at_start":
        return 0
    if position in ("after_received", "at_start_rfc"):
        last = -1
        for number, line in enumerate(lines):
            name = lower(line.name)
            block = name == "received" or (position == "at_start_rfc" and (name.startswith("resent-")))
            if block and line.type != DELETED:
                last = number
            elif position == "after_received" and last >= 0:
                break
        return last + 1
    return len(lines)


def settle(session: Session, incoming: Incoming, intake: Intake, max_line: int, *, chunking: bool = False) -> None:
    """A whole message is here: decide, store, answer."""
    scope, message = session.scope, session.scope.message
    fill_in(message, intake, incoming, max_line)
    scope.body = incoming.read_body
    keep_original(message, intake.headers)
    created = prepare(scope, origin_of(session), session.runtime.config.rewrite_rules)
    if not examine(session) or not check_mime(session):
        return incoming.abandon()
    prdr = _per_recipient(session) if _wants_prdr(session) else None
    if prdr is not None and not message.recipients:
        incoming.abandon()
        return session.say(550, f"id={message.id} message rejected for all recipients")
    custom: str | None = None
    if session.peer.is_batch and session.plan.options.acl_not_smtp is not None:
        verdict = run_point(session.runtime, scope, "not_smtp")
        if not verdict.accepted:
            incoming.abandon()
            return session.reply(refuse(session, "not_smtp", verdict, "by non-SMTP ACL"))
    if message.recipients and session.plan.options.acl_smtp_data is not None:
        verdict = ask(session, "data")
        if not verdict.accepted:
            incoming.abandon()
            return session.reply(refuse(session, "data", verdict, "after DATA", headers=message.headers.text()))
        if verdict.ruling is Ruling.DISCARD:
            session.discard, session.discard_why = "DATA", verdict.log_message or verdict.user_message or ""
            message.recipients.clear()
        custom = verdict.user_message
    apply_acl_headers(message)
    count_size(message)
    if not message.recipients:
        incoming.abandon()
        _blackhole(session, created, chunking)
        return _answer(session, custom, prdr)
    try:
        if not session.pretend:
            incoming.commit(message, session.peer)
    except SpoolError as error:
        session.runtime.log.panic(f"{error}", message.id)
        return session.say(451, "Temporary local problem - please try later")
    log_received(session.runtime, scope, created=created, chunking=chunking)
    if message.frozen:
        session.log("frozen by ACL", message.id)
    elif message.queued_by_acl and "delay_delivery" in session.plan.selectors:
        session.log("no immediate delivery: queued by ACL", message.id)
    session.peer.transactions += 1
    session.count_received()
    _answer(session, custom, prdr)
    if not session.pretend:
        session.accepted.append(message.id)
    return None


NOT_REAL = b"\r\n**** SMTP testing: that is not a real message id!\r\n\r\n"


def _answer(session: Session, custom: str | None, prdr: bool | None) -> None:
    session.reply(_final(session, custom, prdr))
    if session.pretend and prdr is None:
        session.out.append(NOT_REAL)


def _final(session: Session, custom: str | None, prdr: bool | None) -> Reply:
    message = session.scope.message
    if message.fake_response:
        code = 550 if message.fake_response == "reject" else 450
        return spoken(code, message.fake_response_text).reply()
    if custom:
        found = spoken(250, custom)
        if found.complaint:
            session.runtime.log.panic(found.complaint)
        return found.reply()
    if prdr is not None:
        return Reply(250, f"id={message.id} message accepted{'' if prdr else ' for some recipients'}")
    return Reply(250, f"{session.chunk_note}OK id={message.id}")


def _wants_prdr(session: Session) -> bool:
    """PRDR-07: asked for, more than one recipient, and an ACL to ask."""
    message = session.scope.message
    if session.plan.options.acl_smtp_data_prdr is None or len(message.recipients) < 2:
        message.prdr_requested = False
    return message.prdr_requested


def _per_recipient(session: Session) -> bool:
    """The PRDR ACL for each recipient, with a reply for each; whether all were accepted."""
    message, scope = session.scope.message, session.scope
    session.say(353, "PRDR content analysis beginning")
    kept: list[EnvelopeRecipient] = []
    whole = True
    for recipient in message.recipients:
        address = recipient.address
        scope.recipient = under_way(without_percents(scope, address))
        verdict = ask(session, "prdr")
        scope.recipient = None
        code, default = _PRDR[verdict.ruling]
        default = f"PRDR R=<{address}> {default}"
        reply = agree(session, code, verdict, default)
        said = verdict.log_message or verdict.user_message
        session.log(f"PRDR {address} {said}" if said else default, message.id)
        session.reply(reply)
        if verdict.ruling is Ruling.ACCEPT:
            kept.append(recipient)
        else:
            whole = False
    message.recipients = kept
    return whole


_PRDR = {
    Ruling.ACCEPT: (250, "acceptance"),
    Ruling.DISCARD: (250, "acceptance"),
    Ruling.DEFER: (450, "temporary refusal"),
    Ruling.ERROR: (450, "temporary refusal"),
    Ruling.DENY: (550, "refusal"),
    Ruling.DROP: (550, "refusal"),
}


def _blackhole(session: Session, created: bool, chunking: bool) -> None:
    """Accepted and thrown away: the log says so, the queue never sees it."""
    message = session.scope.message
    log_received(session.runtime, session.scope, created=created, chunking=chunking)
    why = f": {session.discard_why}" if session.discard == "DATA" and session.discard_why else ""
    session.log(f"=> blackhole ({session.discard or 'RCPT'} ACL discarded recipients){why}", message.id)
    session.log("Completed", message.id)


def log_received(
    runtime: Any, scope: Scope, *, created: bool = False, chunking: bool = False, bounce_of: str = ""
) -> None:
    """The ``<=`` line."""
    message, log = scope.message, runtime.log
    selectors = log.selectors
    message_id = subject = ""
    for line in message.headers.lines:
        if line.type == "I":
            message_id = line.value.strip(" \t\n").removeprefix("<").removesuffix(">")
    if "subject" in selectors:
        found = message.headers.named("subject")
        subject = found[0].value.strip(" \t\n") if found else ""
    text = log_lines.received(
        message,
        scope.peer,
        selectors,
        bounce_of=bounce_of,
        message_id=message_id,
        message_id_created=created,
        subject=subject,
        dkim_domain=signed_by(message),
        arc_passed=message.authentication.get("arc_state") == "pass",
        fake_reject=message.fake_response == "reject",
        chunking=chunking,
        pipelining="L" if scope.peer.acl_memory.get("pipelined") else "",
    )
    log.main(text, message.id)
    msglog = getattr(log, "msglog", None)
    if msglog is not None and message.recipients:
        msglog(message.id, log_lines.received_msglog(text))
