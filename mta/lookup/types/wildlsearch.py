"""wildlsearch and nwildlsearch: lsearch whose keys are patterns; wildlsearch expands each key first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed
from mta.lookup import find as finder
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import cached_file, lines_of
from mta.lookup.index import NameIndex
from mta.lookup.linear import entries
from mta.lookup.types.lsearch import PURPOSE
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.patterns import pattern

Test = Callable[[Scope, str], bool]
DEPTH = 5  # a key may be a lookup in a file whose keys are lookups


@dataclass(slots=True)
class Patterns:
    """``index`` finds literal and ``*`` keys, ``others`` are tried in order as long as they come before its find."""

    index: NameIndex = field(default_factory=NameIndex)
    others: list[tuple[int, Test]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)


def _compile(scope: Scope, path: str, expand: bool, full: bool) -> Patterns:
    patterns = Patterns()
    for place, (key, data) in enumerate(entries(lines_of(path), full)):
        patterns.data.append(data)
        if expand and ("$" in key or "\\" in key):
            patterns.others.append((place, _expanded(scope, key)))
        elif key.startswith("*") and not key.startswith("**"):
            patterns.index.add_end(lower(key[1:]), place)
        elif key.startswith(("^", "!")) or ";" in key:
            patterns.others.append((place, _test(key)))
        else:
            patterns.index.add(lower(key), place)
    return patterns


def _expanded(scope: Scope, key: str) -> Test:
    try:
        text: Expansion = scope.services.compile_text(key)
    except ExpansionFailed as failure:
        message = failure.message

        def refuse(_scope: Scope, _subject: str) -> bool:
            raise Deferred(message)

        return refuse

    def test(scope: Scope, subject: str) -> bool:
        try:
            value = text(scope)
        except ExpansionFailed as failure:
            raise Deferred(failure.message) from None
        return _test(value)(scope, subject)

    return test


def _test(key: str) -> Test:
    """The test for a key that is expanded: ``!`` negates, as the key is a list of one item."""
    if key.startswith("!"):
        inner = _test(key[1:].lstrip())
        return lambda scope, subject: not inner(scope, subject)
    if key.startswith("^"):
        return lambda _scope, subject: pattern(key, True).matches(subject)
    if key.startswith("*"):
        end = lower(key[1:])
        return lambda _scope, subject: lower(subject).endswith(end)
    kind, semicolon, rest = key.partition(";")
    if semicolon:
        return lambda scope, subject: _nested(scope, kind, rest.lstrip(), subject)
    wanted = lower(key)
    return lambda _scope, subject: lower(subject) == wanted


def _nested(scope: Scope, kind: str, rest: str, subject: str) -> bool:
    wanted = finder.parse_type(kind)
    if scope.depth >= DEPTH:
        raise Deferred("lookups in wildlsearch files are nested too deeply")
    with scope.saved("depth"):
        scope.depth += 1
        found = finder.search(scope, wanted, rest, subject) if wanted.single else finder.search(scope, wanted, "", rest)
    return found is not None


def _find(scope: Scope, file: str, key: str, options: list[str], expand: bool) -> str | None:
    full = "ret=full" in options
    kind = f"{'' if expand else 'n'}wildlsearch{',full' if full else ''}"
    patterns = cached_file(scope, file, kind, lambda path: _compile(scope, path, expand, full), PURPOSE)
    best = patterns.index.first(lower(key))
    for place, test in patterns.others:
        if 0 <= best < place:
            break
        if test(scope, key):
            best = place
            break
    return patterns.data[best] if best >= 0 else None


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """wildlsearch: the data of the first key, expanded, that matches."""
    return _find(scope, file, key, options, True)


def find_unexpanded(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """nwildlsearch: the data of the first key that matches."""
    return _find(scope, file, key, options, False)


lookups.register("wildlsearch")(LookupType("wildlsearch", "single", find, absolute_file=False))
lookups.register("nwildlsearch")(LookupType("nwildlsearch", "single", find_unexpanded, absolute_file=False))
