"""``${lookup ...}`` (manual 11.5, chapter 9): the search itself is ``mta.lookup.find``'s.

A lookup's value is clean whatever its key was; its file must not come from a peer.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mta.errors import Deferred, ExpansionFailed
from mta.expand.base import Closure, items
from mta.expand.nodes import EMPTY, Node, isolated, like, value_item
from mta.expand.parser import Parser
from mta.lookup.find import Search, parse_type, search
from mta.lookup.servers import shown_query
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

_TYPE = re.compile(r"[^\s{]*")


@items.register("lookup")
def parse(parser: Parser, name: str) -> Node:
    key = parser.braced() if parser.skip_space() == "{" else None
    parser.skip_space()
    found = _TYPE.match(parser.text, parser.pos)
    assert found is not None
    type_text = found.group()
    if not type_text or not type_text[0].isalpha():
        parser.fail("missing lookup type")
    parser.pos = found.end()
    kind = parse_type(type_text)
    if kind.single and key is None:
        parser.fail(f'missing {{key}} for single-key "{type_text}" lookup')
    if not kind.single and key is not None:
        parser.fail(f'a single key was given for lookup type "{type_text}", which is not a single-key lookup type')
    second = parser.argument("lookup file-or-query arg")
    file, wanted = (EMPTY, second) if key is None else (second, key)
    inner = value_item(_fetch(kind, isolated(file), isolated(wanted)), parser.branches(name)).run

    def run(scope: Scope) -> str:
        if "lookup" in scope.forbidden:
            raise ExpansionFailed("lookup expansions are not permitted")
        # a partial match sets $1 and $2 for the strings of the item only
        kept = scope.captures
        try:
            return inner(scope)
        finally:
            scope.captures = kept

    return Node(run)


def _fetch(kind: Search, file: Closure, key: Closure) -> Callable[[Scope], str | None]:
    def fetch(scope: Scope) -> str | None:
        path, wanted = file(scope), key(scope)
        if path.__class__ is Tainted:
            scope.services.log_panic(f"Tainted filename for search: '{path}'")
        try:
            hit = search(scope, kind, path, wanted)
        except Deferred as error:
            raise Deferred(f'lookup of "{shown_query(wanted)}" gave DEFER: {error.message}') from None
        if hit is None:
            return None
        if kind.partial >= 0 or hit.wild is not None:
            # a key found as it is has no wild part, and is its own fixed part
            wild, fixed = (hit.wild, hit.fixed) if hit.wild is not None else ("", wanted)
            scope.captures = ["", like(wild or "", wanted), like(fixed or "", wanted)]
        return hit.value

    return fetch
