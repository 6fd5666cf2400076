"""regex: a line of the message, headers unfolded and body, matches one of the patterns."""

from __future__ import annotations

from collections.abc import Iterator

from mta.acl.points import BODY
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.errors import ExpansionFailed
from mta.text.lists import split_list
from mta.text.patterns import Pattern, pattern

MAX_LINE = 31999  # bytes of a line that are looked at
CHUNK = 1 << 16
MAX_CAPTURES = 9


@condition("regex", BODY)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        patterns = _patterns(run, argument)
        if not patterns:
            return Result.FAIL
        for line in _lines(run):
            for compiled in patterns:
                found = compiled.search(line)
                if found is not None:
                    run.scope.vars["regex_match_string"] = compiled.source
                    for number, group in enumerate(found[1 : MAX_CAPTURES + 1], 1):
                        run.scope.vars[f"regex{number}"] = group
                    return Result.OK
        return Result.FAIL

    return act


def _patterns(run: Run, argument: str) -> list[Pattern]:
    out = []
    for source in split_list(argument):
        try:
            out.append(pattern(source))
        except ExpansionFailed as error:
            run.scope.services.log_main(f"regex acl condition warning - {error.message}, skipped.")
    return out


def _lines(run: Run) -> Iterator[str]:
    for header in run.scope.message.headers:
        yield header.text.rstrip("\n")[:MAX_LINE]
    body = run.scope.body
    if body is None:
        return
    pending, position = b"", 0
    while chunk := body(position, CHUNK):
        position += len(chunk)
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield line[:MAX_LINE].decode("latin-1")
        pending = pending[:MAX_LINE]
    if pending:
        yield pending.decode("latin-1")
