"""Asking an ACL at a point, and what its refusal makes of the reply and the log (manual chapter 44).

The defaults of unset ACLs and the reply codes of each point are the tables below.
"""

from __future__ import annotations

from mta.acl.run import run_acl
from mta.log.lines import rejected
from mta.mail.verdict import Ruling, Verdict
from mta.receive.plan import Runtime
from mta.receive.session import Session
from mta.scope.scope import Scope
from mta.smtp.replies import Reply, Spoken, spoken

OPTION = {
    "connect": "acl_smtp_connect", "dkim": "acl_smtp_dkim", "helo": "acl_smtp_helo", "mail": "acl_smtp_mail",
    "rcpt": "acl_smtp_rcpt", "predata": "acl_smtp_predata", "data": "acl_smtp_data", "prdr": "acl_smtp_data_prdr",
    "quit": "acl_smtp_quit", "notquit": "acl_smtp_notquit", "vrfy": "acl_smtp_vrfy", "expn": "acl_smtp_expn",
    "etrn": "acl_smtp_etrn", "starttls": "acl_smtp_starttls", "auth": "acl_smtp_auth",
    "mailauth": "acl_smtp_mailauth", "mime": "acl_smtp_mime", "not_smtp_mime": "acl_not_smtp_mime",
    "not_smtp": "acl_not_smtp", "not_smtp_start": "acl_not_smtp_start",
}  # fmt: skip
DENIED_WHEN_UNSET = frozenset({"rcpt", "vrfy", "expn", "etrn"})
CODES = {"auth": 503, "etrn": 458, "vrfy": 252, "starttls": 503}  # 550 elsewhere
WITH_SENDER = frozenset({"rcpt", "data", "mime", "prdr"})  # F= in the log line
PROHIBITED = "Administrative prohibition"
TRY_LATER = "Temporary local problem - please try later"
_ACCEPTED = Verdict(Ruling.ACCEPT)
_DENIED = Verdict(Ruling.DENY)


def run_point(runtime: Runtime, scope: Scope, point: str) -> Verdict:
    """What a set ACL says outside a session."""
    verdict = run_acl(runtime.config.acls, getattr(scope.site.options, OPTION[point]), point, scope)
    scope.tainted = False
    return verdict


def ask(session: Session, point: str) -> Verdict:
    """What the ACL of ``point`` says; the default when it is not set."""
    if session.peer.is_batch:
        return _ACCEPTED
    acl = getattr(session.plan.options, OPTION[point])
    if acl is None:
        if point in DENIED_WHEN_UNSET and session.scope.trace is not None:
            session.scope.trace("acl", "ACL is NULL: implicit DENY")
        return _DENIED if point in DENIED_WHEN_UNSET else _ACCEPTED
    verdict = run_acl(session.runtime.config.acls, acl, point, session.scope)
    if session.scope.tainted:
        session.scope.tainted = False
    return verdict


def refuse(session: Session, point: str, verdict: Verdict, what: str, *, headers: str = "") -> Reply:
    """Log a refusal and make the reply. ``what`` names the matter in the log: ``RCPT <a@b>``."""
    ruling = verdict.ruling
    temporary = ruling in (Ruling.DEFER, Ruling.ERROR)
    code = 451 if temporary else CODES.get(point, 550)
    user = verdict.user_message
    shown = verdict.log_message or user or ""
    if user and ruling is not Ruling.ERROR:
        found = spoken(code, user)
        if found.complaint:
            session.runtime.log.panic(found.complaint)
            if shown == user:
                shown = f"{code} {found.text}"
    else:
        found = Spoken(code, "", TRY_LATER if temporary else PROHIBITED, "")
    text = found.text
    if "no_multiline_responses" in session.peer.controls:
        text = text.partition("\n")[0]
    elif verdict.details:
        text = "\n".join([*verdict.details, text])
    _log(session, point, verdict, temporary, what, shown, headers)
    return Reply(found.code, text, ruling is Ruling.DROP, found.extended)


def agree(session: Session, code: int, verdict: Verdict, text: str) -> Reply:
    """The reply to what an ACL accepted: its message, or ``text``."""
    if not verdict.user_message:
        return Reply(code, text)
    found = spoken(code, verdict.user_message)
    if found.complaint:
        session.runtime.log.panic(found.complaint)
    return found.reply()


def _log(session: Session, point: str, verdict: Verdict, temporary: bool, what: str, shown: str, headers: str) -> None:
    message = session.scope.message
    sender = message.sender if point in WITH_SENDER else None
    if verdict.details_log:
        session.log_refusal(f"{session.id_fields()} {verdict.details_log}", message.id)
    line = rejected(session.peer, session.plan.selectors, what, shown.partition("\n")[0], sender=sender)
    if temporary:
        line = line.replace("rejected ", "temporarily rejected ", 1) if sender is None else _temporarily(line)
    log = session.runtime.log
    if "main" in verdict.log_targets:
        log.main(line, message.id)
    if "reject" in verdict.log_targets:
        log.reject(line, message.id, headers)
    if "panic" in verdict.log_targets:
        log.panic(line, message.id)


def _temporarily(line: str) -> str:
    # the sender stands in front and is the peer's to choose: look behind it
    head, mark, tail = line.partition("> rejected ")
    return f"{head}> temporarily rejected {tail}" if mark else line
