"""``def:name``: a variable is not empty, a header is there (manual 11.7)."""

from __future__ import annotations

import re

from mta.expand import references
from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser
from mta.scope.scope import Scope

_HEADER = re.compile(r"[rbl]?h(?:eader)?_")


@conditions.register("def")
def parse(parser: Parser, name: str) -> Condition:
    if not parser.take(":"):
        parser.fail(f'":" expected after "{name}"')
    header = _HEADER.match(parser.text, parser.pos)
    if header:
        parser.pos = header.end()
        wanted = parser.header_name()
        return Condition(lambda scope: bool(wanted) and bool(scope.message.headers.named(wanted)))
    variable = parser.word()
    if not variable:
        parser.fail('variable name omitted after "def:"')
    found = references.find_variable(variable) or references.slot_variable(variable)
    if found is None:
        parser.fail(f'unknown variable "{variable}" after "def:"' + references.acl_hint(variable))
    get = found.get

    def test(scope: Scope) -> bool:
        return bool(get(scope))

    return Condition(test)
