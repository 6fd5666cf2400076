"""regex: a header line or a line of the body, or of the raw MIME part, matches one of the patterns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mta.acl.log_lines import with_id
from mta.acl.points import BODY
from mta.acl.run import Run
from mta.acl.scanning import PARTS, matched
from mta.acl.statements import Act, Clause, Result, condition
from mta.errors import ExpansionFailed
from mta.scan.decoding import raw
from mta.scan.mime import CURRENT
from mta.text.lists import split_list
from mta.text.patterns import Pattern, pattern

MAX_LINE = 31999  # bytes of a line that are looked at
CHUNK = 1 << 16


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
                    return matched(run, compiled, found)
        return Result.FAIL

    return act


def _patterns(run: Run, argument: str) -> list[Pattern]:
    out = []
    for source in split_list(argument):
        try:
            out.append(pattern(source))
        except ExpansionFailed as error:
            complaint = f"regex acl condition warning - {error.message}, skipped."
            run.scope.services.log_main(with_id(run.scope, complaint))
    return out


def _lines(run: Run) -> Iterator[str]:
    if run.point in PARTS:
        part = run.scope.message.acl_memory.get(CURRENT)
        if part is not None:
            yield from _split(raw(part.read, part.start, part.end))
        return
    for header in run.scope.message.headers:
        yield header.text.rstrip("\n")[:MAX_LINE]
    body = run.scope.body
    if body is None:
        return
    yield from _split(_chunks(body))


def _chunks(body: Callable[[int, int], bytes]) -> Iterator[bytes]:
    position = 0
    while chunk := body(position, CHUNK):
        position += len(chunk)
        yield chunk


def _split(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends, the first MAX_LINE bytes of each."""
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield line[:MAX_LINE].decode("latin-1")
        pending = pending[:MAX_LINE]
    if pending:
        yield pending.decode("latin-1")
