"""Redirection data that is a filter (manual 22.1, 22.10): run, and turned into the router's answer.

A filter that looks at nothing but the message runs here. One that uses files, lookups or programs runs in a process
under the user's ids (``services.state["filter_as_user"]``), or not at all: never with root's rights or the daemon's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.filter.actions import Action, Deliver, FilterError, FilterKind, Outcome, Pipe, Save
from mta.filter.actions import Answer as AnswerAction
from mta.filter.job import Job, is_pure, run_job
from mta.mail.recipient import Kind, Recipient
from mta.route.assign import take_ids
from mta.route.base import Answer, Declined, Failed, Redirected, RouteDeferred, Router
from mta.route.redirect_addresses import generated_address, reply_recipients
from mta.route.redirect_file import log_line
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text.ascii import strip

if TYPE_CHECKING:
    from mta.route.drivers.redirect import Redirect

RUN_AS_USER = "filter_as_user"  # services.state: (job, scope) -> Outcome, under scope.recipient's ids


def filter_answer(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, text: str, kind: FilterKind
) -> Answer:
    """Run the filter and say what becomes of the address."""
    if kind == "exim" and driver.forbid_exim_filter:
        return RouteDeferred("error in filter file: Exim filtering not enabled")
    if kind == "sieve" and driver.forbid_sieve_filter:
        return RouteDeferred("error in filter file: Sieve filtering not enabled")
    try:
        take_ids(router, recipient, scope)
        job = _job(driver, recipient, scope, text, kind)
        outcome = _run(job, scope)
    except FilterError as error:
        return _wrong(driver, router, scope, error.message)
    for note in outcome.notes:
        log_line(scope, f"{router.name} router: {recipient.address}: {note}")
    if kind == "sieve" and not _takes_names(driver, scope):
        _place_folders(outcome, recipient, job.sieve_inbox)
    children = [_child(driver, router, recipient, scope, one, place) for place, one in enumerate(outcome.actions)]
    return _answer(outcome, children)


def _wrong(driver: Redirect, router: Router, scope: Scope, message: str) -> Answer:
    if driver.skip_syntax_errors:
        driver.tell_errors(router, scope, [message])
        return Declined("error in the filter")
    return RouteDeferred(f"error in filter file: {message}")


def _place_folders(outcome: Outcome, recipient: Recipient, inbox: str) -> None:
    """Where file_transport takes paths as they are, Sieve's keep is the delivery by the routers behind this one, and
    folders are in the home directory."""
    kept = [one for one in outcome.actions if isinstance(one, Save) and one.path == inbox]
    if kept:
        outcome.actions = [one for one in outcome.actions if one not in kept]
        outcome.seen = False
    for one in outcome.actions:
        if isinstance(one, Save) and not one.path.startswith("/") and recipient.home:
            one.path = f"{recipient.home}/{one.path}"


def _answer(outcome: Outcome, children: list[Recipient]) -> Answer:
    if outcome.ending == "fail":
        return Failed(outcome.text, smtp_message=outcome.text, children=children)
    if outcome.ending:
        return RouteDeferred(outcome.text, freeze=outcome.ending == "freeze", children=children)
    if not children:
        if not outcome.seen:
            return Declined("the filter set up no significant delivery")
        return Redirected([], discarded=True, what="discarded")
    return Redirected(children, continues=not outcome.seen)


def _run(job: Job, scope: Scope) -> Outcome:
    recipient = scope.recipient
    assert recipient is not None
    own = os.geteuid()
    if is_pure(job) or (own != 0 and recipient.uid in (-1, own)):
        return run_job(job, scope)
    helper: Callable[[Job, Scope], Outcome] | None = scope.services.state.get(RUN_AS_USER)
    if helper is None or recipient.uid <= 0:
        raise FilterError("this filter uses files, lookups or programs, which needs its user's rights")
    return helper(job, scope)


def _job(driver: Redirect, recipient: Recipient, scope: Scope, text: str, kind: FilterKind) -> Job:
    job = Job(
        kind,
        text,
        allow_defer=driver.allow_defer,
        allow_fail=driver.allow_fail,
        allow_freeze=driver.allow_freeze,
        forbidden=_forbidden(driver),
        log_forbidden=driver.forbid_filter_logwrite,
        reply_forbidden=driver.forbid_filter_reply,
        prepend_home=driver.filter_prepend_home,
    )
    if kind == "sieve":
        job.vacation_directory = _expanded(driver.sieve_vacation_directory, scope, "sieve_vacation_directory")
        job.sieve_user = _expanded(driver.sieve_useraddress, scope, "sieve_useraddress")
        job.sieve_subaddress = _expanded(driver.sieve_subaddress, scope, "sieve_subaddress")
        job.sieve_inbox = _expanded(driver.sieve_inbox, scope, "sieve_inbox") or "inbox"
    elif driver.qualify_preserve_domain:
        job.qualify_domain = recipient.domain
    elif driver.qualify_domain is not None:
        job.qualify_domain = strip(driver.qualify_domain(scope))
    return job


def _forbidden(driver: Redirect) -> list[str]:
    """What the expansions of the filter may not use, by the names that the language knows."""
    switches = {
        "dlfunc": driver.forbid_filter_dlfunc,
        "existstest": driver.forbid_filter_existstest,
        "lookup": driver.forbid_filter_lookup,
        "perl": driver.forbid_filter_perl,
        "readfile": driver.forbid_filter_readfile,
        "readsocket": driver.forbid_filter_readsocket,
        "run": driver.forbid_filter_run,
    }
    return [name for name, on in switches.items() if on]


def _expanded(option: Expansion | None, scope: Scope, name: str) -> str | None:
    if option is None:
        return None
    try:
        return option(scope)
    except ForcedFail:
        return None
    except (ExpansionFailed, Deferred) as error:
        raise FilterError(f'failed to expand "{option.source}" ({name}): {error}') from None


def _child(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, action: Action, place: int
) -> Recipient:
    """The new recipient for an action."""
    if isinstance(action, Deliver):
        child = generated_address(driver, recipient, scope, action.address)
        child.errors_to = action.errors_to
    elif isinstance(action, Save):
        child = _local(driver, router, recipient, scope, action.path)
        child.file_mode = action.mode
    elif isinstance(action, Pipe):
        child = _local(driver, router, recipient, scope, f"|{action.command}")
        child.pipe_expandn = list(action.captures)
        child.filter_n = list(action.numbers)
        child.data["thisaddress"] = action.this_address
    else:
        child = _reply(driver, router, recipient, scope, action, place)
    child.ignore_error = child.ignore_error or action.noerror
    return child


def _reply(
    driver: Redirect, router: Router, recipient: Recipient, scope: Scope, action: AnswerAction, place: int
) -> Recipient:
    people = ",".join(reply_recipients(action.reply.to)) or "**bad-reply**"
    child = _local(driver, router, recipient, scope, f">{people}"[:257])
    child.reply = action.reply
    child.unique = f"{child.address}:{place}:{recipient.unique}"  # each is honoured, to the same person, too
    return child


def _takes_names(driver: Redirect, scope: Scope) -> bool:
    """Whether file_transport says itself where a file is, so that a relative name means something to it."""
    if driver.file_transport is None:
        return False
    try:
        name = strip(driver.file_transport(scope))
    except (ExpansionFailed, Deferred):
        return True
    transport = scope.services.state.get("transports", {}).get(name)
    if transport is None:
        return True
    inner = transport.driver
    return getattr(inner, "file", None) is not None or getattr(inner, "directory", None) is not None


_OPTIONS: dict[str, tuple[Kind, str, str]] = {
    "|": ("pipe", "pipe_transport", "forbid_pipe"),
    ">": ("reply", "reply_transport", "forbid_filter_reply"),
    "/": ("directory", "directory_transport", "forbid_file"),
    "": ("file", "file_transport", "forbid_file"),
}
_REFUSALS = {
    "forbid_pipe": "delivery to pipe forbidden",
    "forbid_filter_reply": "autoreply forbidden",
    "forbid_file": "delivery to file forbidden",
}


def _local(driver: Redirect, router: Router, recipient: Recipient, scope: Scope, text: str) -> Recipient:
    """A pipe, file or reply; one that is not to be has the reason in ``data``."""
    mark = text[:1] if text[:1] in ("|", ">") else ("/" if text.endswith("/") else "")
    kind, option, forbid = _OPTIONS[mark]
    child = Recipient(address=text, kind=kind, parent=recipient, unique=f"{text}:{recipient.unique}")
    child.router = router.name
    transport: Expansion | None = getattr(driver, option)
    if transport is None:
        child.data["unset"] = f"{option} unset in {router.name} router"
        return child
    try:
        child.transport = strip(transport(scope))
    except (ExpansionFailed, Deferred) as error:
        child.data["unset"] = f'failed to expand "{option}" in {router.name} router: {error}'
    if getattr(driver, forbid):
        child.data["refused"] = _REFUSALS[forbid]
    return child
