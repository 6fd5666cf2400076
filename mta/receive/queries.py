"""NOOP, HELP, VRFY, EXPN, ETRN (RFC 5321 4.1.1.6 to 4.1.1.9, RFC 1985)."""

from __future__ import annotations

from mta.mail.address import AddressError, parse_address, qualify
from mta.receive.session import Session
from mta.receive.verdicts import ask, refuse
from mta.smtp.commands import Command


def noop(session: Session, _command: Command) -> None:
    session.say(250, "OK")


def help_(session: Session, _command: Command) -> None:
    words = "STARTTLS " if session.starttls else ""
    session.say(214, f"Commands supported:\nAUTH {words}HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP")


def vrfy(session: Session, command: Command) -> None:
    """VRFY: the ACL first, then routing as for a recipient."""
    address = _parse(session, command)
    if address is None:
        return None
    verdict = ask(session, "vrfy")
    if not verdict.accepted:
        return session.reply(refuse(session, "vrfy", verdict, f"VRFY {command.argument}"))
    found = session.scope.services.verify_address(session.scope, address, is_sender=False)
    if found.ok:
        return session.say(250, f"<{address}> is deliverable")
    if found.ok is None:
        return session.say(451, f"<{address}> {found.user_message or 'Temporary local problem'}")
    session.log_refusal(f"VRFY failed for {command.argument} {session.id_fields()}")
    return session.say(550, f"<{address}> {found.user_message or 'Unrouteable address'}")


def _parse(session: Session, command: Command) -> str | None:
    options = session.plan.options
    parsed = parse_address(
        command.argument, allow_domain_literals=options.allow_domain_literals, allow_utf8=options.allow_utf8_domains
    )
    if isinstance(parsed, AddressError):
        session.say(501, parsed.message)
        return None
    if parsed.domain:
        return parsed.text
    if session.peer.is_local or session.host_in("recipient_unqualified_hosts"):
        return qualify(parsed.text, options.qualify_recipient or options.qualify_domain or options.primary_hostname)
    session.say(501, f"{command.argument}: recipient address must contain a domain")
    return None


def expn(session: Session, command: Command) -> None:
    """EXPN: the ACL first, then where the address goes, one level deep."""
    verdict = ask(session, "expn")
    if not verdict.accepted:
        return session.reply(refuse(session, "expn", verdict, f"EXPN {command.argument}"))
    parsed = parse_address(command.argument)
    if isinstance(parsed, AddressError):
        return session.say(501, f"{command.argument}: {parsed.message}")
    options = session.plan.options
    address = qualify(parsed.text, options.qualify_recipient or options.qualify_domain or options.primary_hostname)
    found = session.scope.services.verify_address(session.scope, address, is_sender=False, expn=True)
    if found.ok:
        return session.say(250, "\n".join(f"<{child}>" for child in found.children or (address,)))
    why = "is undeliverable" if found.ok is False else "cannot be resolved at this time"
    return session.say(553, f"{address} {why}")


def etrn(session: Session, command: Command) -> None:
    """ETRN: only the ACL's word is given; mta's queue runs need no prodding."""
    session.log(f"ETRN {command.argument} received from {session.who()}")
    verdict = ask(session, "etrn")
    if not verdict.accepted:
        return session.reply(refuse(session, "etrn", verdict, f"ETRN {command.argument}"))
    return session.say(250, "OK")
