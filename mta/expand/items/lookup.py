"""``${lookup ...}`` (manual 11.5, chapter 9): the search itself is ``mta.lookup.find``'s.

A lookup's value is clean whatever its key was; its file must not come from a peer.
"""

from __future__ import annotations

import re

from mta.errors import Deferred, ExpansionFailed
from mta.expand.base import Closure, items
from mta.expand.nodes import Branches, Node, isolated, value_item
from mta.expand.parser import Parser
from mta.lookup.base import LookupType, lookups
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

_TYPE = re.compile(r"[^\s{]*")
_PARTIAL = re.compile(r"partial(?:[0-9]*)(?:\([^)]*\))?-")


@items.register("lookup")
def parse(parser: Parser, name: str) -> Node:
    key = None
    if parser.skip_space() == "{":
        key = isolated(parser.braced())
    parser.skip_space()
    found = _TYPE.match(parser.text, parser.pos)
    assert found is not None
    type_text = found.group()
    if not type_text or not type_text[0].isalpha():
        parser.fail("missing lookup type")
    parser.pos = found.end()
    kind = _kind(parser, type_text)
    if kind.style == "single" and key is None:
        parser.fail(f'missing {{key}} for single-key "{type_text}" lookup')
    if kind.style == "query" and key is not None:
        parser.fail(f'a single key was given for lookup type "{type_text}", which is not a single-key lookup type')
    second = isolated(parser.argument("lookup file-or-query arg"))
    branches = parser.branches(name)
    if key is None:
        return _restoring(type_text, lambda _scope: "", second, branches)
    return _restoring(type_text, second, key, branches)


def _kind(parser: Parser, type_text: str) -> LookupType:
    bare = type_text.partition(",")[0]
    if bare.startswith("partial"):
        prefix = _PARTIAL.match(bare)
        if prefix is None:
            parser.fail(f'format error in lookup type "{type_text}"')
        bare = bare[prefix.end() :]
    bare = bare.partition("*")[0]
    found = lookups.get(bare)
    if found is None:
        parser.fail(f'unknown lookup type "{bare}"')
    return found


def _restoring(type_text: str, file: Closure, key: Closure, branches: Branches) -> Node:
    from mta.lookup.find import lookup

    def fetch(scope: Scope) -> str | None:
        path, wanted = file(scope), key(scope)
        if path.__class__ is Tainted:
            scope.services.log_panic(f"Tainted filename for search: '{path}'")
            raise ExpansionFailed(f"Tainted filename for search: '{path}'")
        try:
            return lookup(scope, type_text, path, wanted)
        except Deferred as error:
            raise Deferred(f'lookup of "{wanted}" gave DEFER: {error.message}') from None

    inner = value_item(fetch, branches).run

    def run(scope: Scope) -> str:
        # a partial match sets $1 and $2 for the strings only
        kept = scope.captures
        try:
            return inner(scope)
        finally:
            scope.captures = kept

    return Node(run)
