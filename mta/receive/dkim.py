"""DKIM at the end of a message (manual section 58.3): signatures verified, acl_smtp_dkim run for each signer.

``keep_original`` before the header is put right; ``examine`` after it, which answers the peer when an ACL refuses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.authentication import DkimResult
from mta.mail.headers import Header
from mta.mail.message import Message
from mta.mail.verdict import Ruling
from mta.receive.session import Session
from mta.receive.verdicts import ask, refuse
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.text.ascii import lower, strict_int
from mta.text.lists import split_list

if TYPE_CHECKING:
    from mta.emailauth.dkim_verify import Policy

ORIGINAL = "original_header"  # in message.acl_memory: the header lines as they came
CHUNK = 1 << 16
MAX_RUNS = 100  # of the ACL for one message
NO_LIMIT = "9999999999999"


def keep_original(message: Message, lines: Sequence[Header]) -> None:
    """Signatures are made over the header as it came; ``verify = arc`` wants it, too."""
    message.acl_memory[ORIGINAL] = [line.text for line in lines]


def body_pieces(scope: Scope) -> Iterator[bytes]:
    """The body in pieces, as it stands in the spool."""
    assert scope.body is not None
    position = 0
    while piece := scope.body(position, CHUNK):
        yield piece
        position += len(piece)


def examine(session: Session) -> bool:
    """Verify and ask the ACL; False when the message has been refused and the peer told."""
    scope, message = session.scope, session.scope.message
    resolver = scope.services.resolver
    if session.peer.is_batch or message.dkim_disable_verify or not message.recipients or resolver is None:
        return True
    if any(lower(line[:14]) == "dkim-signature" for line in _original(scope)):
        _verify(session)
    found = message.authentication
    signers = [name for result in message.dkim for name in (result.domain, result.identity) if name]
    found["dkim_signers"] = Tainted(":".join(signers))
    if session.plan.options.acl_smtp_dkim is not None:
        return _ask_all(session)
    if "dkim_verbose" in session.plan.selectors:
        _log_verbose(session, message.dkim)
    return True


def _original(scope: Scope) -> list[str]:
    lines: list[str] = scope.message.acl_memory.get(ORIGINAL, [])
    return lines


def _verify(session: Session) -> None:
    from mta.emailauth.dkim_report import failure_line, verbose_line
    from mta.emailauth.dkim_verify import verify_message

    scope, message = session.scope, session.scope.message
    assert scope.services.resolver is not None
    answer = verify_message(
        _original(scope), lambda: body_pieces(scope), scope.services.resolver, time.time(), policy_of(scope)
    )
    message.dkim = answer.results
    for result in answer.results:
        line = failure_line(result)
        if line:
            session.log(line, message.id)
    if answer.not_looked_at:
        session.log(f"DKIM: {answer.not_looked_at} signatures more than are looked at", message.id)
    if "dkim_verbose" in session.plan.selectors:
        for result in answer.ignored:
            session.log(verbose_line(result), message.id)


def policy_of(scope: Scope) -> Policy:
    """dkim_verify_hashes and its like, worked out once a configuration."""
    options = scope.site.options
    kept: tuple[MainOptions, Policy] | None = scope.services.state.get("receive.dkim_policy")
    if kept is None or kept[0] is not options:
        kept = scope.services.state["receive.dkim_policy"] = (options, _policy(options))
    return kept[1]


def _policy(options: MainOptions) -> Policy:
    from mta.emailauth.dkim_verify import Policy

    sizes = {}
    for item in options.dkim_verify_min_keysizes:
        kind, _, bits = item.partition("=")
        sizes[lower(kind.strip(" \t"))] = strict_int(bits.strip(" \t")) or 0
    return Policy(
        tuple(lower(name) for name in options.dkim_verify_hashes),
        tuple(lower(name) for name in options.dkim_verify_keytypes),
        sizes,
        options.dkim_verify_minimal,
    )


def _ask_all(session: Session) -> bool:
    """The ACL for each signer of dkim_verify_signers, and for each of its signatures."""
    message, found = session.scope.message, session.scope.message.authentication
    statuses: list[str] = []
    for signer in _signers(session):
        matching: list[DkimResult | None] = [result for result in message.dkim if _signed_by(result, signer)]
        for result in matching or [None]:
            if len(statuses) >= MAX_RUNS:
                session.log(f"DKIM: the ACL was run {MAX_RUNS} times, which is enough", message.id)
                break
            found.update(_variables(result))
            found["dkim_cur_signer"] = Tainted(signer)
            before = found["dkim_verify_status"], found["dkim_verify_reason"]
            verdict = ask(session, "dkim")
            after = found["dkim_verify_status"], found["dkim_verify_reason"]
            statuses.append(after[0])
            if result is not None:
                if after != before:
                    result.status, result.reason = after
                    result.overridden = True
                if "dkim_verbose" in session.plan.selectors:
                    _log_verbose(session, [result])
            if not verdict.accepted:
                said = verdict.log_message or verdict.user_message
                session.reply(refuse(session, "dkim", verdict, "DKIM " if said else "DKIM"))
                return False
            if verdict.ruling is Ruling.DISCARD:
                session.discard = "DKIM"
                message.recipients.clear()
                return True
    if statuses:
        found["dkim_verify_status"] = ":".join(statuses)
    return True


def _signers(session: Session) -> list[str]:
    option = session.scope.site.options.dkim_verify_signers
    try:
        text = expand_with_taint(option, session.scope)
    except ForcedFail:
        return []
    except (ExpansionFailed, Deferred) as error:
        session.runtime.log.panic(f"failed to expand dkim_verify_signers: {error.message}", session.scope.message.id)
        return []
    return list(dict.fromkeys(item for item in split_list(text) if item))


def _signed_by(result: DkimResult, signer: str) -> bool:
    return lower(signer) == (lower(result.identity) if "@" in signer else result.domain)


def _log_verbose(session: Session, results: list[DkimResult]) -> None:
    from mta.emailauth.dkim_report import verbose_line

    for result in results:
        session.log(verbose_line(result), session.scope.message.id)


def _variables(result: DkimResult | None) -> dict[str, str]:
    """What acl_smtp_dkim sees of one signature; without one, the values that mean that there is none."""
    shown: Any = result if result is not None else DkimResult("none")
    values = {
        "dkim_domain": shown.domain,
        "dkim_identity": shown.identity,
        "dkim_selector": shown.selector,
        "dkim_algo": shown.algo,
        "dkim_canon_body": shown.canon_body,
        "dkim_canon_headers": shown.canon_headers,
        "dkim_copiedheaders": shown.copied_headers,
        "dkim_bodylength": str(shown.body_length) if shown.body_length >= 0 else NO_LIMIT,
        "dkim_created": str(max(0, shown.created)),
        "dkim_expires": str(shown.expires) if shown.expires >= 0 else NO_LIMIT,
        "dkim_headernames": shown.header_names,
        "dkim_key_granularity": shown.key_granularity,
        "dkim_key_notes": shown.key_notes,
        "dkim_key_srvtype": shown.key_service,
    }
    out: dict[str, str] = {name: Tainted(value) for name, value in values.items()}
    out["dkim_key_testing"] = "1" if shown.key_testing else "0"
    out["dkim_key_nosubdomains"] = "1" if shown.key_nosubdomains else "0"
    out["dkim_key_length"] = str(shown.key_bits)
    out["dkim_verify_status"], out["dkim_verify_reason"] = shown.status, shown.reason
    return out


def signed_by(message: Message) -> str:
    """The domain for DKIM= in the ``<=`` line: one whose signature passed, or ""."""
    return next((result.domain for result in message.dkim if result.status == "pass"), "")
