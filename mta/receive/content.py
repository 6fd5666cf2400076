"""The MIME ACLs: asked for each part of a message that has a Content-Type (manual section 45.4).

``check_mime(session)`` says whether reception goes on; ``ask_parts`` is the same for messages of local callers.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.mail.verdict import ACCEPTED, Ruling, Verdict
from mta.receive.plan import Runtime
from mta.receive.session import Session
from mta.receive.verdicts import ask, refuse, run_point
from mta.scope.scope import Scope

DURING = "during MIME ACL checks"


def check_mime(session: Session) -> bool:
    """False when the message was refused and the reply has been given."""
    scope, options = session.scope, session.plan.options
    batch = session.peer.is_batch
    if not scope.message.recipients or (options.acl_not_smtp_mime if batch else options.acl_smtp_mime) is None:
        return True
    if batch:
        verdict = ask_parts(session.runtime, scope)
    else:
        verdict = _walk(scope, lambda: ask(session, "mime"))
    if verdict.accepted:
        if verdict.ruling is Ruling.DISCARD:
            session.discard = "MIME"
            scope.message.recipients.clear()
        return True
    session.reply(refuse(session, "mime", verdict, DURING, headers=scope.message.headers.text()))
    return False


def ask_parts(runtime: Runtime, scope: Scope) -> Verdict:
    """acl_not_smtp_mime for each part."""
    if scope.site.options.acl_not_smtp_mime is None:
        return ACCEPTED
    return _walk(scope, lambda: run_point(runtime, scope, "not_smtp_mime"))


def _walk(scope: Scope, asking: Callable[[], Verdict]) -> Verdict:
    from mta.scan.copy import ScanFailed
    from mta.scan.mime import TooComplex, is_mime, walk

    if not is_mime(scope):
        return ACCEPTED
    try:
        return walk(scope, asking)
    except TooComplex as error:
        return Verdict(Ruling.DENY, "message structure is too complex", str(error))
    except ScanFailed as error:
        scope.services.log_panic(f"{scope.message.id} MIME acl: {error.message}")
        return Verdict(Ruling.DEFER)
