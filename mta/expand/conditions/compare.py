"""Comparisons of two strings or two numbers (manual 11.7)."""

from __future__ import annotations

from mta.expand.base import conditions
from mta.expand.listwork import Comparator, comparators
from mta.expand.nodes import Condition
from mta.expand.numbers import integer
from mta.expand.parser import Parser
from mta.text.ascii import lower

_TESTS: dict[str, Comparator] = {
    **comparators,
    "=": lambda a, b: integer(a) == integer(b),
    "==": lambda a, b: integer(a) == integer(b),
    "eq": lambda a, b: a == b,
    "eqi": lambda a, b: lower(a) == lower(b),
}


@conditions.register(*_TESTS)
def parse(parser: Parser, name: str) -> Condition:
    left, right = parser.condition_arguments(name, 2)
    a, b, test = left.run, right.run, _TESTS[name]
    if name == "eq" and right.constant is not None:
        wanted = right.constant
        return Condition(lambda scope: a(scope) == wanted)
    return Condition(lambda scope: test(a(scope), b(scope)))
