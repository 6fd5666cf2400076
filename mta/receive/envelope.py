"""MAIL and RCPT: addresses checked and qualified, limits, their ACLs (manual chapters 44 and 49; RFC 5321 4.1.1)."""

from __future__ import annotations

import os
import time

from mta.errors import Deferred, ExpansionFailed
from mta.mail.address import Address, AddressError, parse_address, qualify, unquote_local_part
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.recipient import Recipient
from mta.mail.verdict import Ruling
from mta.receive.caller import may_claim, own_address
from mta.receive.plan import expand
from mta.receive.ratelimit import slow_down
from mta.receive.session import Session
from mta.receive.verdicts import agree, ask, refuse
from mta.route.percent_hack import without_percents
from mta.route.rewrite import rewrite_smtp
from mta.scope.expansion import Tainted
from mta.scope.options import MainOptions
from mta.smtp.commands import Command, MailParameters, Offered, parse_mail, parse_rcpt
from mta.text.ascii import lower
from mta.text.units import parse_size

TOO_BIG = "Message size exceeds maximum permitted"
MIN_REPORTED = 2**31 - 1  # larger sizes are shown as this in the log


def mail(session: Session, command: Command) -> None:
    """MAIL FROM."""
    options = session.plan.options
    if not command.argument:
        return session.syntax_error(501, "MAIL must have an address operand", command.line)
    session.mail_commands += 1
    slow_down(session, "smtp_ratelimit_mail", session.mail_commands)
    if 0 < session.per_connection < session.mail_commands:
        session.say(421, "too many messages in this connection")
        session.log_refusal(f"rejected MAIL command {session.id_fields()}: too many messages in one connection")
        return None
    offer = session.protocol.offer
    offered = Offered(session.protocol.esmtp, offer.dsn, offer.prdr, offer.smtputf8)
    parameters = parse_mail(command.argument, offered)
    if isinstance(parameters, str):
        return session.syntax_error(501, parameters, command.line)
    limit = size_limit(session)
    if parameters.size > limit > 0:
        session.say(552, TOO_BIG)
        session.log_refusal(
            f"rejected MAIL FROM:<{_shown(parameters.address)}> {session.id_fields()}: message too big:"
            f" size{_size(parameters.size)} max={limit}"
        )
        return None
    parsed = _address(session, parameters.address, null=True, utf8=parameters.smtputf8)
    if isinstance(parsed, AddressError):
        text = f"{parameters.address}: {parsed.message}"
        return session.syntax_error(501, text, command.line, why=parsed.message)
    sender = parsed.text
    if sender and not parsed.domain:
        if not (session.peer.is_local or session.host_in("sender_unqualified_hosts")):
            _log_unqualified(session, "sender", sender)
            shown = f"{parameters.address}: sender address must contain a domain"
            return session.syntax_error(501, shown, command.line)
        sender = qualify(sender, options.qualify_domain or options.primary_hostname)
    if session.peer.is_local and not may_claim(session.scope, session.peer.caller_trusted, sender):
        sender = own_address(options, session.peer.caller_login)
    if not enough_space(session, parameters.size):
        session.say(452, "Space shortage, please try later")
        return None
    message = session.new_message()
    _fill(session, message, parameters, sender)
    return _rule_mail(session, message, parameters)


def _fill(session: Session, message: Message, parameters: MailParameters, sender: str) -> None:
    message.sender = Tainted(sender)
    message.message_size = parameters.size
    message.body_8bit = parameters.body
    message.prdr_requested = parameters.prdr
    message.smtputf8 = parameters.smtputf8
    message.dsn_ret = parameters.ret
    message.dsn_envid = Tainted(parameters.envid) if parameters.envid else ""
    session.peer.authenticated_sender = ""
    if parameters.auth is not None:
        _mail_auth(session, parameters.auth, parameters.auth_given)


def _mail_auth(session: Session, text: str, given: str) -> None:
    """AUTH= of MAIL (RFC 4954 5): believed of an authenticated client when acl_smtp_mailauth, if set, agrees."""
    if not session.peer.authenticator:
        if text:
            session.log(f"ignoring AUTH={given} from {session.id_fields()} (client not authenticated)")
        return None
    session.peer.authenticated_sender = Tainted(text) if text else ""
    if text and session.plan.options.acl_smtp_mailauth is not None:
        verdict = ask(session, "mailauth")
        if not verdict.accepted:
            session.peer.authenticated_sender = ""
            why = f": {verdict.log_message}" if verdict.log_message else ""
            return session.log(f"ignoring AUTH={text} from {session.id_fields()}{why}")
    if not _authenticator_agrees(session):
        session.peer.authenticated_sender = ""
        why = f'server_mail_auth_condition failed: authenticated ID="{session.peer.authenticated_id}"'
        session.log(f"ignoring AUTH={text or '<>'} from {session.id_fields()} ({why})")
    return None


def _authenticator_agrees(session: Session) -> bool:
    """server_mail_auth_condition of the authenticator that the client used (manual section 33.1)."""
    from mta.expand.compiler import truth_lax

    for one in session.runtime.config.authenticators:
        if one.name == session.peer.authenticator and one.options.server_mail_auth_condition is not None:
            try:
                return truth_lax(one.options.server_mail_auth_condition(session.scope))
            except (Deferred, ExpansionFailed) as error:
                session.runtime.log.panic(f"server_mail_auth_condition of {one.name}: {error.message}")
                return False
    return True


def _rule_mail(session: Session, message: Message, parameters: MailParameters) -> None:
    verdict = ask(session, "mail")
    if not verdict.accepted:
        reply = refuse(session, "mail", verdict, f"MAIL <{message.sender}>")
        session.new_message()
        return session.reply(reply)
    if verdict.ruling is Ruling.DISCARD:
        session.discard, session.discard_why = "MAIL", verdict.log_message or verdict.user_message or ""
    message.sender_set = True
    session.protocol.mail()
    reply = agree(session, 250, verdict, "OK")
    session.reply(reply._replace(text=f"{reply.text}, PRDR Requested") if parameters.prdr else reply)
    return None


def rcpt(session: Session, command: Command) -> None:
    """RCPT TO."""
    message, options, protocol = session.scope.message, session.plan.options, session.protocol
    if not command.argument:
        message.rcpt_fail_count += 1
        return session.syntax_error(501, "RCPT must have an address operand", command.line)
    message.rcpt_count += 1
    parameters = parse_rcpt(command.argument, Offered(protocol.esmtp, protocol.offer.dsn))
    if isinstance(parameters, str):
        message.rcpt_fail_count += 1
        return session.syntax_error(501, parameters, command.line)
    parsed = _address(session, parameters.address, null=False, utf8=message.smtputf8)
    if isinstance(parsed, AddressError):
        message.rcpt_fail_count += 1
        text = f"{parameters.address}: {parsed.message}"
        protocol.rcpt_refused(f"501 {text}")
        return session.syntax_error(501, text, command.line, why=parsed.message)
    address = parsed.text
    if not parsed.domain:
        if not (
            session.peer.is_local or lower(address) == "postmaster" or session.host_in("recipient_unqualified_hosts")
        ):
            message.rcpt_fail_count += 1
            _log_unqualified(session, "recipient", address)
            text = f"{parameters.address}: recipient address must contain a domain"
            protocol.rcpt_refused(f"501 {text}")
            return session.syntax_error(501, text, command.line)
        address = qualify(address, options.qualify_recipient or options.qualify_domain or options.primary_hostname)
    slow_down(session, "smtp_ratelimit_rcpt", message.rcpt_count)
    if 0 < options.recipients_max < message.rcpt_count:
        return _too_many(session)
    recipient = EnvelopeRecipient(Tainted(address), notify=parameters.notify, orcpt=parameters.orcpt)
    return _rule_rcpt(session, message, recipient)


def _log_unqualified(session: Session, what: str, address: str) -> None:
    if "smtp_syntax_error" in session.plan.selectors:
        session.log_refusal(f"unqualified {what} rejected: <{address}> {session.id_fields()}")


def _too_many(session: Session) -> None:
    message = session.scope.message
    if session.plan.options.recipients_max_reject:
        message.rcpt_fail_count += 1
        session.say(552, "too many recipients")
        if not session.too_many:
            session.log(f"too many recipients: message rejected: sender=<{message.sender}> {session.id_fields()}")
    else:
        message.rcpt_defer_count += 1
        session.say(452, "too many recipients")
        if not session.too_many:
            session.log(
                f"too many recipients: excess temporarily rejected: sender=<{message.sender}> {session.id_fields()}"
            )
    session.too_many = True


def _rule_rcpt(session: Session, message: Message, recipient: EnvelopeRecipient) -> None:
    address = recipient.address
    if session.discard:
        _discarded(session, address, session.discard, session.discard_why)
        session.protocol.rcpt()
        message.raw_recipients_count += 1
        return session.say(250, "Accepted")
    session.scope.recipient = under_way(without_percents(session.scope, address))
    verdict = ask(session, "rcpt")
    session.scope.recipient = None
    if not verdict.accepted:
        if verdict.ruling in (Ruling.DEFER, Ruling.ERROR):
            message.rcpt_defer_count += 1
        else:
            message.rcpt_fail_count += 1
        reply = refuse(session, "rcpt", verdict, f"RCPT <{address}>")
        session.protocol.rcpt_refused(reply.text)
        return session.reply(reply)
    session.protocol.rcpt()
    message.raw_recipients_count += 1
    if verdict.ruling is Ruling.DISCARD:
        _discarded(session, address, "RCPT", verdict.log_message or verdict.user_message or "")
    else:
        message.recipients.append(recipient)
    session.reply(agree(session, 250, verdict, "Accepted"))
    return None


def under_way(address: str) -> Recipient:
    """What $local_part and $domain are while an address of the envelope is considered."""
    local_part, _, domain = address.rpartition("@")
    local_part = unquote_local_part(local_part)  # "root"@x and root@x are one mailbox
    return Recipient(address, Tainted(lower(local_part)), Tainted(lower(domain)), cc_local_part=Tainted(local_part))


def _discarded(session: Session, address: str, point: str, why: str = "") -> None:
    sender = session.scope.message.sender
    why = f": {why}" if why else ""
    session.log_refusal(f"{session.id_fields()} F=<{sender}> RCPT <{address}>: discarded by {point} ACL{why}")


def _address(session: Session, text: str, *, null: bool, utf8: bool) -> Address | AddressError:
    options = session.plan.options
    if session.plan.rewrites_smtp:
        text = rewrite_smtp(session.runtime.config.rewrite_rules, session.scope, text)
    parsed = parse_address(
        text,
        allow_domain_literals=options.allow_domain_literals,
        allow_null=null,
        allow_utf8=options.allow_utf8_domains or utf8,
        strip_trailing_dot=options.strip_trailing_dot,
        strip_excess_brackets=options.strip_excess_angle_brackets,
    )
    if isinstance(parsed, Address) and parsed.domain.startswith("[") and not options.allow_domain_literals:
        return AddressError("domain literals not allowed")
    return parsed


def size_limit(session: Session) -> int:
    """message_size_limit in bytes for this session; 0: none."""
    if session.plan.size_limit is not None:
        return session.plan.size_limit
    return parse_size(expand(session.scope, session.plan.options.message_size_limit).strip()) or 0


def enough_space(session: Session, size: int) -> bool:
    """Whether the spool's disk has room (check_spool_space and check_spool_inodes, manual chapter 14)."""
    options = session.plan.options
    if not options.smtp_check_spool_space or session.pretend:
        return True
    if max(options.check_spool_space, options.check_spool_inodes) <= 0 and not _checks_log(options):
        return True
    now = time.monotonic()
    state = session.runtime.services.state
    checked, free, inodes = state.get("receive.space", (0.0, 0, 0))
    if now - checked > 1.0:  # statvfs once a second is as good as once a message
        try:
            found = os.statvfs(session.runtime.spool_directory)
        except OSError:
            return True
        # a file system that counts no inodes has room for them
        free, inodes = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 40
        state["receive.space"] = (now, free, inodes)
    needed = options.check_spool_space + max(size, 0)
    if free < needed or inodes < options.check_spool_inodes:
        session.log(f"spool directory space check failed: space={free >> 10}K inodes={inodes}")
        return False
    return not _checks_log(options) or _enough_for_logs(session)


def _checks_log(options: MainOptions) -> bool:
    return options.check_log_space > 0 or options.check_log_inodes > 0


def _enough_for_logs(session: Session) -> bool:
    """Whether the log files' disk has room (check_log_space and check_log_inodes); a log that is no file always has."""
    options, now = session.plan.options, time.monotonic()
    state = session.runtime.services.state
    checked, free, inodes = state.get("receive.log_space", (0.0, 0, 0))
    if now - checked > 1.0:
        try:
            found = os.statvfs(session.runtime.log.folder)
        except OSError:
            return True
        free, inodes = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 40
        state["receive.log_space"] = (now, free, inodes)
    if free >= options.check_log_space and inodes >= options.check_log_inodes:
        return True
    session.log(f"log directory space check failed: space={free >> 10}K inodes={inodes}")
    return False


def per_connection_limit(session: Session) -> int:
    """smtp_accept_max_per_connection, expanded after HELO; 0: none."""
    if session.plan.per_connection is not None:
        return session.plan.per_connection
    try:
        return parse_size(session.plan.options.smtp_accept_max_per_connection(session.scope).strip()) or 0
    except (ExpansionFailed, Deferred):
        return 0


def _size(size: int) -> str:
    return f"={size}" if size < MIN_REPORTED else f">={MIN_REPORTED}"


def _shown(text: str) -> str:
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text
