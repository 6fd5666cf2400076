"""``forall`` and ``forany`` with their forms for JSON arrays (manual 11.7)."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import conditions
from mta.expand.json_text import array_items, unquoted
from mta.expand.listwork import each, split
from mta.expand.nodes import Condition, isolated, like
from mta.expand.parser import Parser
from mta.scope.scope import Scope

_NAMES = [f"{word}{form}" for word in ("forall", "forany") for form in ("", "_json", "_jsons")]


@conditions.register(*_NAMES)
def parse(parser: Parser, name: str) -> Condition:
    source = isolated(parser.condition_argument(name, 0))
    parser.condition_bracket(name, 0)
    parser.pos += 1
    suffix = f'inside "{name}" condition'
    with parser.within(suffix):
        inner = parser.condition()
    if parser.skip_space() != "}":
        parser.fail(f'missing }} at end of condition inside "{name}"')
    parser.pos += 1
    one, stops_at, form = inner.test, name.startswith("forany"), name[6:]

    def test(scope: Scope) -> bool:
        values = _values(source(scope), form)
        try:
            # a list without items is neither all nor any, as in Exim
            answer = False
            for _item in each(scope, values):
                answer = one(scope)
                if answer is stops_at:
                    return answer
        except ExpansionFailed as error:
            raise type(error)(f"{error.message} {suffix}") from None
        return answer

    return Condition(test, inner.sets)


def _values(text: str, form: str) -> list[str]:
    if not form:
        return split(text).items
    found = array_items(text)
    if form == "_jsons":
        found = [unquoted(value) for value in found]
    return [like(value, text) for value in found]
