"""Running an ACL: ``run_acl`` finds the one that an option's value means, runs its statements, gives the Verdict.

A fault while it runs is a Verdict of ERROR, never an exception; the wording of logs and of the ``-bh``
narrative (``scope.trace``) is Exim's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mta.acl.headers import add_headers
from mta.acl.log_lines import log_text, main_line
from mta.acl.parser import parse_inline
from mta.acl.points import DISCARD, HEADERS, WORDS
from mta.acl.statements import SPEAKS_AFTER, Acl, Clause, Result, Statement
from mta.errors import NOWHERE, ConfigError, Deferred, ExpansionFailed, ForcedFail, Where
from mta.mail.verdict import Ruling, Verdict
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.scope.services import RunAcl

MAX_DEPTH = 20
MAX_ARGUMENTS = 9
MAX_INLINE = 500  # ACL texts kept parsed in one process
MAX_FILE = 1 << 20

_RULINGS = {
    Result.OK: Ruling.ACCEPT,
    Result.FAIL: Ruling.DENY,
    Result.DROP: Ruling.DROP,
    Result.DISCARD: Ruling.DISCARD,
    Result.DEFER: Ruling.DEFER,
    Result.ERROR: Ruling.ERROR,
}
_ENDINGS = {"accept": "ACCEPT", "defer": "DEFER", "deny": "DENY", "discard": "DISCARD", "drop": "DROP"}
_TESTED = {
    Result.OK: "succeeded",
    Result.FAIL: "failed",
    Result.DEFER: "deferred",
    Result.ERROR: "error",
    Result.DROP: 'yielded "drop"',
    Result.DISCARD: 'yielded "discard"',
}


@dataclass(slots=True)
class Run:
    """One call from outside: shared by the ACLs nested in it. ``user`` and ``log`` are the messages so far."""

    acls: Mapping[str, Acl]
    scope: Scope
    point: str
    user: str | None = None
    log: str | None = None
    verb: str = ""
    targets: frozenset[str] = frozenset({"main", "reject"})
    failed_sender: Any = None  # verify.address.SenderCheck of the last sender verification that did not succeed
    memory: dict[str, Any] = field(default_factory=dict)  # what conditions remember while this run lasts, by owner

    @property
    def place(self) -> str:
        """The point in Exim's words, for messages."""
        return WORDS[self.point]

    def trace(self, line: str) -> None:
        if self.scope.trace is not None:
            self.scope.trace("acl", line)

    def error(self, text: str) -> Result:
        """The ACL cannot be run: 451 to the peer, ``text`` to the log."""
        self.log = text
        return Result.ERROR

    def defer(self, text: str | None) -> Result:
        """No answer now; the peer reads the usual text, the log ``text``."""
        self.log = text
        return Result.DEFER

    def fail(self, text: str) -> Result:
        """False, with a text for both readers."""
        self.user = self.log = text
        return Result.FAIL


def run_acl(acls: Mapping[str, Acl], acl: Expansion | str, point: str, scope: Scope) -> Verdict:
    """Run what ``acl`` (an option's value; manual chapter 44, "Finding an ACL to use") says at ``point``.

    ``user_message`` of an accepting verdict is the text for the success reply.
    """
    run = Run(acls, scope, point)
    with scope.saved("acl_point", "tainted", "acl_args", "captures"):
        scope.acl_point = point
        scope.tainted = False
        scope.vars.pop("acl_verify_message", None)
        text = _option_text(run, acl)
        if text is None:
            return Verdict(Ruling.ACCEPT)
        result = Result.ERROR if isinstance(text, Result) else run_text(run, text, where=NOWHERE)
    return _verdict(run, result)


def acl_service(acls: Mapping[str, Acl]) -> RunAcl:
    """What ``services.run_acl`` is: ``${acl{name}{arg}...}`` and the ``acl`` condition of expansions."""

    def call(acl: str, args: list[str], scope: Scope) -> Verdict:
        run = Run(acls, scope, scope.acl_point)
        outer = scope.vars.get("acl_verify_message")
        with scope.saved("trace"):
            if scope.depth:
                _indent(scope)
            result = run_text(run, acl, args)
        _restore(scope, "acl_verify_message", outer)
        return Verdict(_RULINGS[result], run.user, run.log)

    return call


def _option_text(run: Run, acl: Expansion | str) -> str | Result | None:
    if isinstance(acl, str):
        return acl
    try:
        return expand_with_taint(acl, run.scope)
    except ForcedFail:
        return None
    except (ExpansionFailed, Deferred) as error:
        return run.error(f'failed to expand ACL string "{acl.source}": {error.message}')


def _verdict(run: Run, result: Result) -> Verdict:
    if result is Result.DISCARD and run.point not in DISCARD:
        text = f'"discard" verb not allowed in {run.place} ACL'
        run.scope.services.log_panic(text)
        return Verdict(Ruling.ERROR)
    verdict = Verdict(_RULINGS[result], run.user, run.log, log_targets=run.targets)
    if result is Result.ERROR:
        verdict.user_message = None
    if run.failed_sender is not None and result in (Result.FAIL, Result.DROP, Result.DEFER):
        run.failed_sender.report(verdict, "no_multiline_responses" not in run.scope.peer.controls)
    return verdict


def run_text(run: Run, text: str, args: list[str] | None = None, where: Where = NOWHERE) -> Result:
    """Run the ACL that an expanded text means: a name, an absolute file name, or ACL text; one level deeper."""
    scope = run.scope
    if scope.depth > MAX_DEPTH:
        return run.error("ACL nested too deep: possible loop")
    if isinstance(text, Tainted):
        line = f'attempt to use tainted ACL text "{text}"'
        scope.services.log_panic(line)
        return run.error("internal configuration error")
    try:
        found = _find(run, text, where)
    except ConfigError as error:
        return run.error(error.message.removeprefix("error in ACL: "))
    outer_verb = run.verb
    with scope.saved("depth", "acl_args", "trace"):
        if scope.depth:
            _indent(scope)
        scope.depth += 1
        scope.acl_args = (args or [])[:MAX_ARGUMENTS]
        if found.name or found.statements:
            _trace_using(run, found, text)
        result = _statements(run, found)
    run.verb = outer_verb
    return result


def _trace_using(run: Run, acl: Acl, text: str) -> None:
    if acl.name:
        run.trace(f'using ACL "{acl.name}"')
    elif text.startswith("/"):
        run.trace(f'read ACL from file "{text}"')


def _indent(scope: Scope) -> None:
    """Exim moves the narrative of an inner ACL one column to the right, with a ruler in every fourth."""
    outer, column = scope.trace, "\xe2\x95\x8e" if scope.depth % 4 == 0 else " "
    if outer is not None:
        write = outer
        scope.trace = lambda selector, line: write(selector, column + line)


def _find(run: Run, text: str, where: Where) -> Acl:
    named = run.acls.get(text)
    if named is not None:
        return named
    kept: dict[str, Acl] = run.scope.services.state.setdefault("acl.inline", {})
    found = kept.get(text)
    if found is None:
        found = parse_inline(_read(text), where) if text.startswith("/") else parse_inline(text, _inline_where(run))
        if len(kept) >= MAX_INLINE:
            kept.clear()
        kept[text] = found
    return found


def _inline_where(run: Run) -> Where:
    return Where(run.scope.site.config_file or "inline", 0)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f'failed to open ACL file "{path}": {error.strerror}') from None
    if len(data) > MAX_FILE:
        raise ConfigError(f'ACL file "{path}" is too long')
    return data.decode("latin-1")


def _statements(run: Run, acl: Acl) -> Result:
    for statement in acl.statements:
        run.user = run.log = None
        run.scope.vars.pop("acl_verify_message", None)
        run.verb = statement.verb
        run.trace(f'processing "{statement.verb}" ({statement.where.file} {statement.where.line})')
        result, endpass, spoken = _check(run, statement)
        run.trace(f"{statement.verb}: condition test {_TESTED[result]} in {acl.title}")
        if statement.verb == "warn":
            _warn(run, result, spoken)
            answer = Result.ERROR if result is Result.ERROR else None
            if answer is None:
                run.user = run.log = None  # an ACL that ends here has said nothing
        else:
            answer = _obey(run, acl, statement.verb, result, endpass)
        run.scope.vars.pop("acl_verify_message", None)
        if answer is not None:
            return answer
    run.trace(f"end of {acl.title}: implicit DENY")
    return Result.FAIL


def _obey(run: Run, acl: Acl, verb: str, result: Result, endpass: bool) -> Result | None:
    """What the verb makes of its conditions' result; None: on to the next statement."""
    if result in (Result.ERROR, Result.DEFER):
        return result
    if verb == "require":
        if result is Result.OK:
            return None
        run.trace(f"end of {acl.title}: not OK")
        return result
    if result in (Result.OK, Result.DISCARD):
        run.trace(f"end of {acl.title}: {_ENDINGS[verb]}")
        if result is Result.DISCARD:
            return result
        return {
            "accept": Result.OK,
            "defer": Result.DEFER,
            "deny": Result.FAIL,
            "discard": Result.DISCARD,
            "drop": Result.DROP,
        }[verb]
    if endpass:
        run.trace(f"{verb}: endpass encountered - denying access")
        return result
    return None


class Spoken(NamedTuple):
    """Which messages a statement made of its own."""

    message: bool = False
    log_message: bool = False


def _check(run: Run, statement: Statement) -> tuple[Result, bool, Spoken]:
    """Go through a statement's clauses until one is not true; then make its messages if the result calls for them."""
    endpass = False
    message: Clause | None = None
    log_message: Clause | None = None
    result = Result.OK
    for clause in statement.clauses:
        if clause.act is None:
            if clause.name == "endpass":
                endpass = True
            elif clause.name == "message":
                message = clause
                run.trace(f"  message: {clause.source}")
            else:
                log_message = clause
                run.trace(f"l_message: {clause.source}")
            continue
        result = _clause(run, clause)
        if result is not Result.OK:
            break
    wanted = Result.FAIL if endpass else SPEAKS_AFTER[statement.verb]
    if result is wanted or (wanted is Result.FAIL and result is Result.DROP):
        return result, endpass, _make_messages(run, message, log_message)
    return result, endpass, Spoken()


def _clause(run: Run, clause: Clause) -> Result:
    assert clause.act is not None
    argument = clause.source
    if clause.text is not None:
        if clause.text.constant is not None:
            argument = clause.text.constant
        else:
            try:
                argument = expand_with_taint(clause.text, run.scope)
            except ForcedFail:
                return Result.OK
            except (ExpansionFailed, Deferred) as error:
                return run.error(f'failed to expand ACL string "{clause.source}": {error.message}')
    if run.scope.trace is not None:
        label = f"check {clause.label} "
        run.trace(f"{label}= {clause.source}")
        if argument != clause.source:
            # not moved with the narrative of an inner ACL
            run.trace(f"{' ' * (len(label) - run.scope.depth + 1)}= {argument}")
    if run.point not in clause.points:
        return run.error(f"cannot {'use' if clause.is_modifier else 'test'} {clause.name} condition in {run.place} ACL")
    try:
        result = clause.act(run, argument)
    except Deferred as error:
        result = run.defer(error.message)
    except ExpansionFailed as error:
        result = run.error(error.message)
    if clause.negated:
        if result is Result.OK:
            return Result.FAIL
        if result in (Result.FAIL, Result.DROP):
            return Result.OK
    return result


def _make_messages(run: Run, message: Clause | None, log_message: Clause | None) -> Spoken:
    user = _message_text(run, message, run.user) if message is not None else ""
    log = _message_text(run, log_message, run.log or run.user) if log_message is not None else ""
    if user:
        run.user = user
    if log:
        run.log = f"{log}: {run.log}" if run.log and run.verb != "warn" else log
    if run.log is None:
        run.log = run.user
    return Spoken(bool(user), bool(log))


def _message_text(run: Run, clause: Clause, before: str | None) -> str:
    """The expansion of a message; ``$acl_verify_message`` is the one that there was. Empty when it fails."""
    assert clause.text is not None
    scope = run.scope
    outer = scope.vars.get("acl_verify_message")
    scope.vars["acl_verify_message"] = Tainted(before or "")
    tainted = scope.tainted
    try:
        return clause.text(scope)
    except ForcedFail:
        return ""
    except (ExpansionFailed, Deferred) as error:
        line = f'failed to expand ACL message "{clause.source}": {error.message}'
        scope.services.log_panic(line)
        return ""
    finally:
        scope.tainted = tainted
        _restore(scope, "acl_verify_message", outer)


def _restore(scope: Scope, name: str, value: str | None) -> None:
    if value is None:
        scope.vars.pop(name, None)
    else:
        scope.vars[name] = value


def _warn(run: Run, result: Result, spoken: Spoken) -> None:
    """``warn`` logs its log_message once a message, and adds its message as header lines (the old way)."""
    scope = run.scope
    if result is Result.DEFER:
        why = f": {run.log or run.user}" if run.log or run.user else ""
        main_line(scope, f'Warning: ACL "warn" statement skipped: condition test deferred{why}')
        return
    if result is not Result.OK:
        return
    if spoken.log_message and run.log is not None:
        said: set[str] = scope.message.acl_memory.setdefault("acl.warnings", set())
        if run.log not in said:
            said.add(run.log)
            main_line(scope, f"Warning: {log_text(run.log)}")
    if not spoken.message or not run.user:
        return
    if run.point not in HEADERS:
        line = (
            f'ACL "warn" with "message" setting found in a non-message ({run.place}) ACL: '
            "cannot specify header lines here: message ignored"
        )
        scope.services.log_panic(line)
        return
    add_headers(scope.message, run.user)
