"""``match``: a regular expression (manual 11.7); sets ``$0`` and on when it succeeds."""

from __future__ import annotations

from mta.expand.base import conditions
from mta.expand.nodes import Condition, isolated
from mta.expand.parser import Parser
from mta.expand.regex import regex_of
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

SETS = frozenset(["captures"])


@conditions.register("match")
def parse(parser: Parser, name: str) -> Condition:
    subject_node, pattern_node = parser.condition_arguments(name, 2)
    subject, regex = isolated(subject_node), regex_of(pattern_node)

    def test(scope: Scope) -> bool:
        text = subject(scope)
        found = regex(scope).search(text)
        if found is None:
            return False
        scope.captures = [Tainted(group) for group in found] if text.__class__ is Tainted else found
        return True

    return Condition(test, SETS)
