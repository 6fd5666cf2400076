"""The system filter (manual chapter 47): run before routing at each attempt; ``run(...) -> Found``.

It runs with this process's rights, the mta user's; a root process runs only what looks at nothing but the message.
system_filter_user and _group say under whom its deliveries to files, pipes and replies run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.deliver.settle import SYSTEM_FILTER, Settler
from mta.errors import Deferred, ExpansionFailed
from mta.filter.actions import Action, Deliver, FilterError, Outcome, Pipe, Save
from mta.filter.exim.interpreter import interpret
from mta.filter.exim.parser import SYSTEM, parse
from mta.filter.exim.world import World
from mta.filter.job import Job, is_pure, write_log
from mta.mail.outcome import Outcome as DeliveryOutcome
from mta.mail.outcome import Status
from mta.mail.recipient import Kind, Recipient
from mta.route.chain import make_recipient
from mta.route.redirect_addresses import reply_recipients
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.spool.locked import Locked
from mta.system import users
from mta.text.ascii import strip

MAX_FILTER = 1 << 20
TOP = SYSTEM_FILTER


@dataclass(slots=True)
class Found:
    """``recipients``: its new deliveries. ``originals``: whether the envelope's recipients are to be delivered.

    ``settled``: they are done with all the same. ``stopped``: nothing at all is to be done at this attempt.
    """

    recipients: list[Recipient] = field(default_factory=list)
    originals: bool = True
    settled: bool = False
    stopped: bool = False


def run(runtime: Runtime, locked: Locked, scope: Scope, books: Settler) -> Found:
    """Obey the filter; its failures are told in the log, and stop the attempt."""
    main = runtime.config.main
    if main.system_filter is None:
        return Found()
    scope.vars["system_filter"] = "1"
    try:
        text = _read(main.system_filter, scope)
        if os.geteuid() == 0 and not is_pure(Job("exim", text)):
            raise FilterError("a process of root runs no system filter that uses files, lookups or programs")
        world = World(write_log=write_log if os.geteuid() != 0 else None, prepend_home=False, system=True)
        with scope.saved("captures", "tainted"):
            outcome = interpret(parse(text, SYSTEM), scope, world)
        recipients = [_recipient(runtime, scope, one, place) for place, one in enumerate(outcome.actions)]
    except FilterError as error:
        line = f"Error in system filter: {error.message}"
        runtime.log.panic(line, locked.id)
        runtime.log.msglog(locked.id, f"*** {line}")
        return Found(originals=False, stopped=True)
    finally:
        del scope.vars["system_filter"]
        for number in range(10):
            scope.vars.pop(f"n{number}", None)
    for note in outcome.notes:
        books.log_line(f"system filter: {note}")
    for number, value in enumerate(outcome.numbers):
        scope.vars[f"sn{number}"] = str(value)
    return _found(runtime, locked, books, outcome, recipients)


def _read(option: Expansion, scope: Scope) -> str:
    try:
        path = option(scope)
    except (ExpansionFailed, Deferred) as error:
        raise FilterError(f'failed to expand "{option.source}" (system_filter): {error}') from None
    try:
        with open(path.encode("latin-1"), "rb") as file:
            return file.read(MAX_FILTER).decode("latin-1")
    except (OSError, ValueError) as error:
        raise FilterError(f"failed to open {path}: {getattr(error, 'strerror', error)}") from None


def _found(runtime: Runtime, locked: Locked, books: Settler, outcome: Outcome, recipients: list[Recipient]) -> Found:
    if outcome.ending == "freeze":
        books.freeze = "by the system filter" + (f": {outcome.text}" if outcome.text else "")
        return Found(recipients, originals=False)
    if outcome.ending == "defer":
        books.log_line("Delivery deferred by system filter")
        return Found(recipients, originals=False)
    if outcome.ending == "fail":
        _fail(locked, books, outcome.text)
        return Found(recipients, originals=False)
    if outcome.seen:
        books.log_line("original recipients ignored (system filter)" if recipients else "=> discarded (system filter)")
        return Found(recipients, originals=False, settled=True)
    return Found(recipients)


def _fail(locked: Locked, books: Settler, text: str) -> None:
    """All of the envelope's recipients fail; ``<<log text>>bounce text`` (manual 47.5)."""
    from mta.deliver.routing import envelope

    logged, told = text, text
    if text.startswith("<<") and ">>" in text:
        logged, _, told = text[2:].partition(">>")
    why = "cancelled by system filter" + (f": {logged}" if logged else "")
    books.log_line(why, f"*** {why}")
    for recipient in envelope(locked):
        books.expect(recipient)
        books.fail(DeliveryOutcome(recipient, Status.FAILED, told or "delivery cancelled"), log=False)


_KINDS: dict[str, tuple[Kind, str]] = {"|": ("pipe", "pipe"), ">": ("reply", "reply"), "/": ("directory", "directory")}


def _recipient(runtime: Runtime, scope: Scope, action: Action, place: int) -> Recipient:
    top = Recipient(address=TOP, unique=TOP)
    if isinstance(action, Deliver):
        made = make_recipient(action.address, parent=top)
        made.errors_to = action.errors_to
    elif isinstance(action, Save):
        made = _local(runtime, scope, top, action.path)
        made.file_mode = action.mode
    elif isinstance(action, Pipe):
        made = _local(runtime, scope, top, f"|{action.command}")
        made.pipe_expandn, made.filter_n = list(action.captures), list(action.numbers)
        made.data["thisaddress"] = action.this_address
    else:
        people = ",".join(reply_recipients(action.reply.to)) or "**bad-reply**"
        made = _local(runtime, scope, top, f">{people}"[:257])
        made.reply = action.reply
        made.unique = f"{made.address}:{place}:{TOP}"
    made.ignore_error = action.noerror
    return made


def _local(runtime: Runtime, scope: Scope, top: Recipient, text: str) -> Recipient:
    main = runtime.config.main
    kind, name = _KINDS.get(text[:1], ("file", "file"))
    if kind == "directory" and not text.endswith("/"):
        kind, name = "file", "file"
    made = Recipient(address=text, kind=kind, parent=top, unique=f"{text}:{TOP}")
    option = {
        "pipe": main.system_filter_pipe_transport,
        "reply": main.system_filter_reply_transport,
        "directory": main.system_filter_directory_transport,
        "file": main.system_filter_file_transport,
    }[name]
    if option is None:
        made.data["unset"] = f"system_filter_{name}_transport is unset"
        return made
    try:
        made.transport = strip(option(scope))
        _identity(runtime, scope, made)
    except (ExpansionFailed, Deferred) as error:
        made.data["unset"] = f'failed to expand "{option.source}" for the system filter: {error}'
    return made


def _identity(runtime: Runtime, scope: Scope, made: Recipient) -> None:
    main = runtime.config.main
    if main.system_filter_user is not None:
        name = strip(main.system_filter_user(scope))
        user = users.account(main, name)
        if user is None:
            raise ExpansionFailed(f'failed to find user "{name}" for system_filter_user')
        made.user, made.uid, made.gid = user.name, user.uid, user.gid
    if main.system_filter_group is not None:
        name = strip(main.system_filter_group(scope))
        gid = users.group(main, name)
        if gid is None:
            raise ExpansionFailed(f'failed to find group "{name}" for system_filter_group')
        made.gid = gid
