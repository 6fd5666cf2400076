"""The condition ``acl {{name}{arg}...}`` (manual 11.7): ``$value`` is the message that the ACL set."""

from __future__ import annotations

from mta.expand.base import Closure, conditions
from mta.expand.items.acl import call_acl
from mta.expand.nodes import Condition, isolated
from mta.expand.parser import Parser
from mta.mail.verdict import Ruling
from mta.scope.scope import Scope


@conditions.register("acl")
def parse(parser: Parser, name: str) -> Condition:
    parser.condition_bracket(name, 0)
    parser.pos += 1
    runs: list[Closure] = []
    while parser.skip_space() == "{":
        if len(runs) == 10:
            parser.fail(f"Too many arguments for '{name}' (max is 10)")
        runs.append(isolated(parser.braced()))
    if not runs or not parser.take("}"):
        parser.fail(f"too few arguments or bracketing error for {name}")

    def test(scope: Scope) -> bool:
        verdict = call_acl(scope, [one(scope) for one in runs])
        scope.value = verdict.user_message or ""
        return verdict.ruling == Ruling.ACCEPT

    return Condition(test, frozenset(["value"]))
