"""What the content scanning conditions share: options that expand when they begin with a dollar, words of arguments.

A scan without verdict goes to the panic log in Exim's words and defers, or fails where ``defer_ok`` says so.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.acl.log_lines import log_text, with_id
from mta.acl.points import BODY
from mta.acl.run import Run
from mta.acl.statements import Result
from mta.errors import Deferred, ExpansionFailed
from mta.mail.endings import at_end
from mta.scan.copy import ScanFailed
from mta.scope.expansion import Tainted, expand_with_taint
from mta.text.ascii import lower
from mta.text.patterns import Pattern

SCANNED = BODY - {"mime", "not_smtp_mime"}  # malware and spam
PARTS = frozenset({"mime", "not_smtp_mime"})  # decode, mime_regex
MAX_CAPTURES = 9
_FALSE = frozenset({"", "0", "false"})


def is_false(word: str) -> bool:
    """A word that means: do not scan."""
    return lower(word) in _FALSE


def option_text(run: Run, name: str, source: str) -> str:
    """The value of an option that is expanded when it begins with a dollar. Raises ScanFailed."""
    if not source.startswith("$"):
        return source
    scope = run.scope
    try:
        return expand_with_taint(scope.services.compile_text(source), scope)
    except (ExpansionFailed, Deferred) as error:
        raise ScanFailed(f"{name} starts with $, but expansion failed: {error.message}") from None


def is_tainted(text: str) -> bool:
    """Whether a peer had a hand in it."""
    return isinstance(text, Tainted)


def scanned(run: Run, name: str, scan: Callable[[], Result], *, defer_ok: bool) -> Result:
    """Run ``scan``; what ScanFailed says is logged as the condition's."""
    try:
        return scan()
    except ScanFailed as error:
        run.scope.services.log_panic(with_id(run.scope, f"{name} acl condition: {log_text(error.message)}"))
        if defer_ok:
            return Result.FAIL
        return run.defer(None)


def clear_later(run: Run, *names: str) -> None:
    """The variables are of this message."""
    variables = run.scope.vars

    def clear() -> None:
        for name in names:
            variables.pop(name, None)

    at_end(run.scope.message, clear)


def matched(run: Run, pattern: Pattern, groups: list[str]) -> Result:
    """What regex and mime_regex leave behind."""
    run.scope.vars["regex_match_string"] = pattern.source
    for number, group in enumerate(groups[1 : MAX_CAPTURES + 1], 1):
        run.scope.vars[f"regex{number}"] = group
    return Result.OK
