"""One run of a user's filter as a value, and the run: ``run_job(job, scope) -> Outcome``.

Jobs and outcomes are plain data, so that the run can take place in a process with the user's rights
(``outcome_record``, ``outcome_of``); ``is_pure`` says when any process will do.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from mta.filter.actions import Action, Answer, Deliver, FilterError, FilterKind, Outcome, Pipe, Save
from mta.filter.exim.interpreter import interpret
from mta.filter.exim.parser import Allowed, parse
from mta.filter.exim.world import World
from mta.filter.sieve.run import Options, run_sieve
from mta.filter.sieve.tree import SieveError
from mta.mail.recipient import Reply
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

# ${...} that looks at nothing but its text: variables, and these operators
_PURE_OPERATORS = frozenset(
    (
        "lc", "uc", "length", "l", "substr", "s", "hash", "h", "nhash", "nh", "local_part", "domain", "address",
        "addresses", "escape", "escape8bit", "quote", "quote_local_part", "strlen", "str2b64", "base64", "base64d",
        "md5", "sha1", "sha256", "eval", "eval10", "mask", "rxquote", "rfc2047", "rfc2047d", "utf8clean", "hexquote",
        "time_interval", "time_eval", "headerwrap", "xtextd", "reverse_ip", "from_utf8",
    )
)  # fmt: skip
_BRACED = re.compile(r"\$\{[ \t\n]*([A-Za-z0-9_]*)(.?)", re.DOTALL)


@dataclass(slots=True)
class Job:
    """``forbidden``: what Scope.forbidden names. The sieve fields are the redirect router's options, expanded."""

    kind: FilterKind
    text: str
    allow_defer: bool = False
    allow_fail: bool = False
    allow_freeze: bool = False
    forbidden: list[str] = field(default_factory=list)
    log_forbidden: bool = False
    reply_forbidden: bool = False
    prepend_home: bool = True
    qualify_domain: str = ""
    vacation_directory: str | None = None
    sieve_user: str | None = None
    sieve_subaddress: str | None = None
    sieve_inbox: str = "inbox"


def is_pure(job: Job) -> bool:
    """Whether the run touches no file, server or program, by a look at the text that rather says no."""
    if job.kind == "sieve":
        return True
    if "logfile" in job.text:
        return False
    for found in _BRACED.finditer(job.text):
        word, following = found.groups()
        if following == "}" or (following == ":" and (word.partition("_")[0] in _PURE_OPERATORS or _is_header(word))):
            continue
        return False
    return True


def _is_header(word: str) -> bool:
    """``${h_from:}`` and kin."""
    return word.startswith(("h_", "header_", "rh_", "rheader_", "bh_", "bheader_", "lh_", "lheader_"))


def run_job(job: Job, scope: Scope) -> Outcome:
    """FilterError for an Exim filter that cannot be obeyed; a Sieve script then keeps the message and says so in notes.

    The scope's variables and captures are left as they were.
    """
    with scope.saved("vars", "captures", "forbidden", "tainted"):
        scope.vars = dict(scope.vars)
        scope.forbidden = frozenset(job.forbidden)
        return _sieve(job, scope) if job.kind == "sieve" else _exim(job, scope)


def _exim(job: Job, scope: Scope) -> Outcome:
    allowed = Allowed(defer=job.allow_defer, fail=job.allow_fail, freeze=job.allow_freeze)
    world = World(
        write_log=write_log if os.geteuid() != 0 else None,
        log_forbidden=job.log_forbidden,
        prepend_home=job.prepend_home,
        qualify=(lambda local_part: f"{local_part}@{job.qualify_domain}") if job.qualify_domain else None,
    )
    return interpret(parse(job.text, allowed), scope, world)


def _sieve(job: Job, scope: Scope) -> Outcome:
    options = Options(
        vacation_directory=job.vacation_directory,
        reply_forbidden=job.reply_forbidden,
        user=job.sieve_user,
        subaddress=job.sieve_subaddress,
        inbox=job.sieve_inbox,
    )
    try:
        outcome = run_sieve(job.text, scope, options)
    except SieveError as error:
        outcome = Outcome(notes=[f"Sieve error: {error}"])
    if not outcome.seen:
        # the implicit keep (RFC 5228 section 2.10.2)
        outcome.seen = True
        if not any(isinstance(one, Save) and one.path == job.sieve_inbox for one in outcome.actions):
            outcome.actions.append(Save(job.sieve_inbox))
    return outcome


def write_log(path: str, mode: int, text: str) -> str:
    """Append to a log of the user's, with the rights of this process: never root's."""
    if isinstance(path, Tainted) or not path.startswith("/"):
        return f'"{path}" is not a usable name for a log'
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        handle = os.open(path.encode("latin-1"), flags, mode)
    except (OSError, ValueError) as error:
        return f'failed to open "{path}": {error}'
    try:
        data = text if text.endswith("\n") else text + "\n"
        os.write(handle, data.encode("latin-1"))
    except OSError as error:
        return f'failed to write "{path}": {error}'
    finally:
        os.close(handle)
    return ""


# ---- between processes

_KINDS: dict[str, type[Any]] = {"deliver": Deliver, "save": Save, "pipe": Pipe, "answer": Answer}


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """As JSON has it; what a peer had a hand in is marked."""
    actions = []
    for action in outcome.actions:
        record = asdict(action)
        record["kind"] = next(name for name, kind in _KINDS.items() if isinstance(action, kind))
        record["tainted"] = isinstance(action, Save) and isinstance(action.path, Tainted)
        if isinstance(action, Answer):
            record["tainted_names"] = [
                name for name in ("file", "log", "once") if isinstance(getattr(action.reply, name), Tainted)
            ]
        actions.append(record)
    return {
        "actions": actions,
        "seen": outcome.seen,
        "ending": outcome.ending,
        "text": outcome.text,
        "numbers": outcome.numbers,
        "notes": outcome.notes,
    }


def outcome_of(record: dict[str, Any]) -> Outcome:
    """FilterError when the record makes no sense: the process that made it had a user's rights only."""
    try:
        actions = [_action_of(one) for one in record["actions"]]
        numbers = [int(number) for number in record["numbers"]]
        notes = [str(note) for note in record["notes"]]
        ending = record["ending"]
        if ending not in ("", "defer", "fail", "freeze") or len(numbers) != 10:
            raise ValueError(ending)
        return Outcome(actions, bool(record["seen"]), ending, str(record["text"]), numbers, notes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FilterError(f"the filter's process gave no usable answer: {error!r}") from None


def _action_of(record: dict[str, Any]) -> Action:
    values = dict(record)
    kind = _KINDS[values.pop("kind")]
    tainted, names = values.pop("tainted"), values.pop("tainted_names", ())
    if tainted:
        values["path"] = Tainted(values["path"])
    if kind is Answer:
        values["reply"] = Reply(**values["reply"])
        for name in names:
            setattr(values["reply"], name, Tainted(getattr(values["reply"], name)))
    made: Action = kind(**values)
    return made


def job_record(job: Job) -> dict[str, Any]:
    return asdict(job)


def job_of(record: dict[str, Any]) -> Job:
    """KeyError or TypeError when it is none."""
    return Job(**record)
