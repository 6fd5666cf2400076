"""The items that go through a list: ``filter``, ``map``, ``reduce`` and ``sort`` (manual 11.5)."""

from __future__ import annotations

import functools
from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.listwork import Comparator, comparators, each, join, split
from mta.expand.nodes import MAX_RESULT, Condition, Node, bounded, insert, isolated, like
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.scope import Scope


def _end(parser: Parser, name: str) -> None:
    if parser.skip_space() != "}":
        parser.fail(f'missing }} at end of "{name}"')
    parser.pos += 1


@items.register("filter")
def parse_filter(parser: Parser, name: str) -> Node:
    source = isolated(parser.argument("first arg of filter"))
    if parser.skip_space() != "{":
        parser.fail("missing '{' for last arg of filter")
    parser.pos += 1
    with parser.within('inside "filter" item'):
        condition = parser.condition()
    if parser.skip_space() != "}":
        parser.fail('missing } at end of condition inside "filter"')
    parser.pos += 1
    _end(parser, name)
    return Node(_filter(source, condition))


def _filter(source: Callable[[Scope], str], condition: Condition) -> Callable[[Scope], str]:
    test = condition.test

    def run(scope: Scope) -> str:
        listing = split(source(scope))
        captures, value, before = scope.captures, scope.value, scope.tainted
        try:
            kept = [item for item in each(scope, listing.items) if test(scope)]
        except ExpansionFailed as error:
            raise type(error)(f'{error.message} inside "filter" condition') from None
        finally:
            scope.captures, scope.value, scope.tainted = captures, value, before
        return insert(scope, like(join(kept, listing.separator), listing.text) if kept else "")

    return run


@items.register("map")
def parse_map(parser: Parser, name: str) -> Node:
    source = isolated(parser.argument("first arg of map"))
    if parser.skip_space() != "{":
        parser.fail("missing '{' for last arg of map")
    with parser.within('inside "map" item'):
        inner = parser.braced().run
    _end(parser, name)

    def run(scope: Scope) -> str:
        listing = split(source(scope))
        out: list[str] = []
        size = 0
        try:
            for _item in each(scope, listing.items):
                out.append(inner(scope))
                size += len(out[-1])
                if size > MAX_RESULT:
                    raise ExpansionFailed("expanded string is too long")
        except ExpansionFailed as error:
            raise type(error)(f'{error.message} inside "map" item') from None
        return join(out, listing.separator)

    return Node(run)


@items.register("reduce")
def parse_reduce(parser: Parser, name: str) -> Node:
    source = isolated(parser.argument("first arg of reduce"))
    start = isolated(parser.argument("second arg of reduce"))
    if parser.skip_space() != "{":
        parser.fail("missing '{' for last arg of reduce")
    with parser.within('inside "reduce" item'):
        step = parser.braced().run
    _end(parser, name)

    def run(scope: Scope) -> str:
        listing = split(source(scope))
        result = start(scope)
        kept = scope.value
        try:
            for _item in each(scope, listing.items):
                scope.value = result
                result = bounded(expand_with_taint(step, scope))  # type: ignore[arg-type]
        except ExpansionFailed as error:
            raise type(error)(f'{error.message} inside "reduce" item') from None
        finally:
            scope.value = kept
        return insert(scope, result)

    return Node(run)


@items.register("sort")
def parse_sort(parser: Parser, name: str) -> Node:
    source = isolated(parser.argument("list arg of sort"))
    comparator = parser.argument("comparator arg of sort")
    known = _comparator(comparator.constant) if comparator.constant is not None else None
    if parser.skip_space() != "{":
        parser.fail("missing '{' for extractor arg of sort")
    extract = parser.braced().run
    _end(parser, name)

    def run(scope: Scope) -> str:
        listing = split(source(scope))
        before = known or _comparator(comparator.run(scope))
        tainted = scope.tainted
        pairs = [(extract(scope), item) for item in each(scope, listing.items)]
        scope.tainted = tainted
        ordered = _sorted(pairs, before)
        text = join([item for _key, item in ordered], listing.separator)
        return insert(scope, Tainted(text) if listing.text.__class__ is Tainted else text)

    return Node(run)


def _comparator(name: str) -> Comparator:
    found = comparators.get(name)
    if found is not None:
        return found
    if not name or not (name[0].isalnum() or name[0] in "=<>!"):
        raise ExpansionFailed(f'condition name expected, but found "{name}"')
    raise ExpansionFailed("comparator not handled for sort")


def _sorted(pairs: list[tuple[str, str]], before: Comparator) -> list[tuple[str, str]]:
    def order(left: tuple[str, str], right: tuple[str, str]) -> int:
        if _is_before(before, left[0], right[0]):
            return -1
        return 1 if _is_before(before, right[0], left[0]) else 0

    return sorted(pairs, key=functools.cmp_to_key(order))


def _is_before(before: Comparator, left: str, right: str) -> bool:
    try:
        return before(left, right)
    except ExpansionFailed:  # no number: Exim leaves such items where they are
        return False
