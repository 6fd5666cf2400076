"""``${if condition {yes}{no}}`` (manual 11.5, 11.7)."""

from __future__ import annotations

from mta.expand.base import Closure, items
from mta.expand.nodes import Condition, Node
from mta.expand.parser import Parser
from mta.scope.scope import Scope


@items.register("if")
def parse(parser: Parser, name: str) -> Node:
    condition = parser.condition()
    if parser.header_unclosed and not parser.skip_space():
        parser.fail("missing or misplaced { or } - could be header name not terminated by colon")
    branches = parser.branches(name)
    yes: Closure = branches.yes.run if branches.yes else lambda _scope: "true"
    return Node(_choose(condition, yes, branches.no.run))


def _choose(condition: Condition, yes: Closure, no: Closure) -> Closure:
    # what was tested does not become part of the result, so it does not taint it
    test = condition.test
    if not condition.sets:

        def run(scope: Scope) -> str:
            before = scope.tainted
            answer = test(scope)
            scope.tainted = before
            return yes(scope) if answer else no(scope)

        return run

    def run_restoring(scope: Scope) -> str:
        captures, value, before = scope.captures, scope.value, scope.tainted
        try:
            answer = test(scope)
            scope.tainted = before
            return yes(scope) if answer else no(scope)
        finally:
            scope.captures, scope.value = captures, value

    return run_restoring
