"""``bool`` and ``bool_lax``: strings as truth values (manual 11.7)."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import conditions
from mta.expand.compiler import truth_acl, truth_lax
from mta.expand.nodes import Condition
from mta.expand.parser import Parser
from mta.scope.scope import Scope
from mta.text.ascii import strip


@conditions.register("bool")
def parse_bool(parser: Parser, name: str) -> Condition:
    run = parser.condition_argument(name, 0)
    read = run.run

    def test(scope: Scope) -> bool:
        value = read(scope)
        found = truth_acl(value)
        if found is None:
            raise ExpansionFailed(f'unrecognised boolean value "{strip(value)}"')
        return found

    return Condition(test)


@conditions.register("bool_lax")
def parse_bool_lax(parser: Parser, name: str) -> Condition:
    read = parser.condition_argument(name, 0).run
    return Condition(lambda scope: truth_lax(read(scope)))
