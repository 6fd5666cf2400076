"""``${acl{name}{arg}...}`` and the condition ``acl {{name}{arg}...}`` (manual 11.5, 11.7)."""

from __future__ import annotations

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand.base import items
from mta.expand.nodes import Node, insert, isolated
from mta.expand.parser import Parser
from mta.mail.verdict import Ruling, Verdict
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

MAX_DEPTH = 20


@items.register("acl")
def parse(parser: Parser, name: str) -> Node:
    runs = [isolated(argument) for argument in parser.arguments(name, 1, 10)]

    def run(scope: Scope) -> str:
        verdict = call_acl(scope, [one(scope) for one in runs])
        return insert(scope, verdict.user_message or "")

    return Node(run)


def call_acl(scope: Scope, words: list[str]) -> Verdict:
    """Run the ACL that ``words`` names with its arguments; an accept or a deny comes back, the rest is raised."""
    name, *arguments = words
    if name.__class__ is Tainted:
        scope.services.log_panic(f'attempt to use tainted ACL text "{name}"')
        raise ExpansionFailed(f'ERROR from acl "{name}"')
    if scope.depth >= MAX_DEPTH:
        raise ExpansionFailed("ACL nested too deep: possible loop")
    kept, captures = scope.acl_args, scope.captures
    scope.depth += 1
    try:
        verdict = scope.services.run_acl(name, arguments, scope)
    finally:
        scope.depth -= 1
        scope.acl_args, scope.captures = kept, captures
    if verdict.ruling == Ruling.DEFER:
        raise ForcedFail(f'DEFER from acl "{name}"')
    if verdict.ruling not in (Ruling.ACCEPT, Ruling.DENY):
        raise ExpansionFailed(f'{verdict.ruling.name} from acl "{name}"')
    return verdict
