"""``and`` and ``or`` (manual 11.8): the sub-conditions after the deciding one are parsed, not evaluated."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser
from mta.scope.scope import Scope


@conditions.register("and", "or")
def parse(parser: Parser, name: str) -> Condition:
    parser.condition_bracket(name, 0)
    parser.pos += 1
    suffix = f'inside "{name}{{...}}" condition'
    found: list[Condition] = []
    while (char := parser.skip_space()) and char != "}":
        if char != "{":
            parser.fail(f'each subcondition inside an "{name}{{...}}" condition must be in its own {{}}')
        parser.pos += 1
        with parser.within(suffix):
            found.append(parser.condition())
        if parser.skip_space() != "}":
            parser.fail(f'missing }} at end of condition inside "{name}" group')
        parser.pos += 1
    if not parser.take("}"):
        parser.fail(f'each subcondition inside an "{name}{{...}}" condition must be in its own {{}}')
    return combined(found, stops_at=name == "or", suffix=suffix)


def combined(parts: list[Condition], *, stops_at: bool, suffix: str) -> Condition:
    """A condition that evaluates ``parts`` in order until one gives ``stops_at``, which is then its answer."""
    tests = tuple(part.test for part in parts)

    def test(scope: Scope) -> bool:
        try:
            for one in tests:
                if one(scope) is stops_at:
                    return stops_at
        except ExpansionFailed as error:
            raise type(error)(f"{error.message} {suffix}") from None
        return not stops_at

    return Condition(test, frozenset().union(*(part.sets for part in parts)))
