"""Telling people: ``report`` sends bounces, delay warnings and success notices, ``freeze`` the note to freeze_tell."""

from __future__ import annotations

import time
from collections.abc import Callable

from mta.config.runtime import Runtime
from mta.deliver import dsn, parents, spooling
from mta.deliver.settle import Settler, unique_of
from mta.deliver.spooling import Generated
from mta.errors import MtaError, SpoolError
from mta.mail.message import NOTIFY_DELAY, NOTIFY_FAILURE
from mta.mail.outcome import Outcome
from mta.spool.locked import Locked
from mta.text.ascii import lower, strip


def report(runtime: Runtime, locked: Locked, books: Settler) -> list[str]:
    """All that is owed after an attempt; the ids of the new messages."""
    made: list[str] = []
    books.fail_timed_out()
    if books.delivered:
        outcomes, books.delivered = books.delivered, []
        if locked.message.sender:
            _send(runtime, made, lambda: dsn.compose_success(runtime, locked, outcomes))
    if books.failed:
        made += _bounces(runtime, locked, books)
    if books.deferred and not books.freeze:
        made += _warning(runtime, locked, books)
    return made


def _send(runtime: Runtime, made: list[str], compose: Callable[[], Generated]) -> None:
    """Put a notice that may be lost into the spool; a failure is logged."""
    try:
        with spooling.reserve(runtime) as incoming:
            made.append(spooling.put(runtime, incoming, compose()))
    except SpoolError as error:
        runtime.log.panic(f"cannot send a notice: {error.message}")


def _errors_address(locked: Locked, outcome: Outcome) -> str:
    found = outcome.recipient.errors_to
    return locked.message.sender if found is None else found


def _bounces(runtime: Runtime, locked: Locked, books: Settler) -> list[str]:
    """A bounce to each address that is to have one; then the failures are journalled."""
    failed, books.failed = books.failed, []
    by_address: dict[str, list[Outcome]] = {}
    made: list[str] = []
    for outcome in failed:
        to = _errors_address(locked, outcome)
        if _ignored(runtime, locked, books, outcome, to):
            books.bounced([outcome])
        else:
            by_address.setdefault(to, []).append(outcome)
    for to, outcomes in by_address.items():
        if not to:
            _bounce_of_a_bounce(books, outcomes)
            continue
        addresses = [unique_of(one.recipient) for one in outcomes]
        with spooling.reserve(runtime) as incoming:
            locked.intend(parents.intent(incoming.id, addresses))
            made.append(
                spooling.put(runtime, incoming, dsn.compose_bounce(runtime, locked, outcomes, to), keep_lock=True)
            )
            books.bounced(outcomes)
    return made


def _ignored(runtime: Runtime, locked: Locked, books: Settler, outcome: Outcome, to: str) -> bool:
    """Failures that nobody is told of (manual section 53.14, "error ignored")."""
    recipient, message = outcome.recipient, locked.message
    top = recipient.top
    if top.notify and not top.notify & NOTIFY_FAILURE:
        books.log_line(f"{recipient.address}: error ignored: RFC 3461 DSN, failure notify not requested")
        return True
    if not to:
        too_old = not message.sender and (
            time.time() - message.received_time >= runtime.config.main.ignore_bounce_errors_after
        )
        if too_old or recipient.ignore_error or message.sender:
            books.log_line("error ignored")
            return True
    return False


def _bounce_of_a_bounce(books: Settler, outcomes: list[Outcome]) -> None:
    """No bounce of a bounce: the message is frozen, the recipients stay."""
    books.freeze = "delivery error message"
    books.deferred += outcomes


def _warning(runtime: Runtime, locked: Locked, books: Settler) -> list[str]:
    """delay_warning: once for each of its times that is past."""
    message, main = locked.message, runtime.config.main
    times = main.delay_warning
    if not message.sender or not times or not any(times):
        return []
    waited = time.time() - message.received_time
    due = _next_warning(times, message.warning_count)
    if waited < due or not _wanted(runtime, locked):
        return []
    waiting = [one for one in books.deferred if not one.recipient.top.notify or one.recipient.top.notify & NOTIFY_DELAY]
    count = message.warning_count
    passed = due
    while _next_warning(times, count) <= waited:
        passed = _next_warning(times, count)
        count += 1
    to = list(dict.fromkeys(address for one in waiting if (address := _errors_address(locked, one))))
    made: list[str] = []
    if to:
        _send(runtime, made, lambda: dsn.compose_warning(runtime, locked, waiting, to, passed))
    if made or not to:
        message.warning_count = count
    return made


def _next_warning(times: tuple[float, ...], count: int) -> float:
    """When warning number ``count`` is due; past the end the last interval goes on."""
    if count < len(times):
        return times[count]
    step = times[-1] - (times[-2] if len(times) > 1 else 0.0)
    return times[-1] + max(step, 60.0) * (count - len(times) + 1)


def _wanted(runtime: Runtime, locked: Locked) -> bool:
    scope = runtime.scope(peer=locked.peer, message=locked.message)
    try:
        answer = lower(strip(runtime.config.main.delay_warning_condition(scope)))
    except MtaError as error:
        runtime.log.panic(f"delay_warning_condition: {error}", locked.id)
        return True
    return answer not in ("", "0", "no", "false")


def freeze(runtime: Runtime, locked: Locked, why: str) -> list[str]:
    """Freeze the message, say so in the logs, tell freeze_tell; the ids of the new messages."""
    message = locked.message
    message.frozen, message.frozen_at = True, time.time()
    kind = " (delivery error message)" if why == "delivery error message" else ""
    if why.startswith("by the system filter"):
        kind = f" {why}"
    runtime.log.main(f"Frozen{kind}", message.id)
    runtime.log.msglog(message.id, "*** Frozen" + kind)
    made: list[str] = []
    tell = runtime.config.main.freeze_tell
    if tell and not message.local_error:
        _send(runtime, made, lambda: _frozen_note(runtime, locked, tell, why))
    return made


def _frozen_note(runtime: Runtime, locked: Locked, to: str, why: str) -> Generated:
    message = locked.message
    host = runtime.config.main.primary_hostname
    headers = [
        f"From: Mail Delivery System <Mailer-Daemon@{runtime.config.main.qualify_domain or host}>",
        f"To: {to}",
        "Auto-Submitted: auto-generated",
        f"Subject: Message {message.id} has been frozen",
    ]
    body = (
        f"Message {message.id} has been frozen ({why}).\n"
        f"The sender is <{message.sender}>.\n\n"
        "The following address(es) have yet to be delivered:\n\n"
    )
    body += "".join(f"  {one.address}\n" for one in message.recipients if one.address not in message.delivered)
    return Generated([one for one in (strip(p) for p in to.split(",")) if one], headers, [body.encode("latin-1")])
