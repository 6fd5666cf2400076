"""seen: was this key met before, or within, an interval (manual chapter 44.38); over the hints."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.text.ascii import strip
from mta.text.units import parse_time

DB = "seen"
REFRESH = 10 * 86400.0


@dataclass(slots=True)
class Options:
    """Seconds; ``before``: a record older than the interval is wanted, else one that is younger."""

    interval: float
    before: bool
    key: str
    refresh: float = REFRESH
    readonly: bool = False
    write: bool = False


@condition("seen")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        options = _parse(run, argument)
        if isinstance(options, str):
            return run.error(options)
        return _look(run, options)

    return act


def _parse(run: Run, argument: str) -> Options | str:
    first, *rest = (strip(part) for part in argument.split("/"))
    interval = parse_time(first.removeprefix("-"))
    if interval is None:
        return f"failed to parse '{argument}'"
    options = Options(interval, first.startswith("-"), run.scope.peer.address)
    for part in rest:
        name, equals, value = part.partition("=")
        if name == "key" and equals:
            options.key = value
        elif part == "readonly":
            options.readonly, options.write = True, False
        elif part == "write":
            options.write, options.readonly = True, False
        elif name == "refresh" and equals:
            seconds = parse_time(value)
            if seconds is None:
                return f"failed to parse '{argument}'"
            options.refresh = seconds
        else:
            return f"unrecognised option '{part}' in '{argument}'"
    return options


def _look(run: Run, options: Options) -> Result:
    store = run.scope.services.hints
    if store is None:
        return run.defer('no hints database for the "seen" condition')
    now = time.time()
    with store.together():
        hint = store.get(DB, options.key)
        when = _time(hint.value) if hint is not None else None
        old = when is not None and when <= now - options.interval
        answer = when is not None and (old if options.before else not old)
        if options.readonly:
            run.trace("seen db not written (readonly)")
        elif when is None or options.write or not options.before:
            store.put(DB, options.key, repr(now))
            run.trace(f"seen db written ({'create' if when is None else 'update'})")
        elif answer and now - when > options.refresh:
            store.put(DB, options.key, repr(now - options.interval))
            run.trace("seen db written (refresh)")
    return Result.OK if answer else Result.FAIL


def _time(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
