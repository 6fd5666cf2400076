"""Items that mta knows by name and does not do; each says what does the same."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import Node
from mta.expand.parser import Parser
from mta.scope.scope import Scope

_REFUSED = {
    "perl": (1, 9, "mta has no embedded Perl: use ${python{module.function}...} with python_startup, or ${run{...}}"),
    "dlfunc": (
        2,
        10,
        "mta loads no C functions: use ${python{module.function}...} with python_startup, or ${run{...}}",
    ),
}

_FORBIDDEN = {"perl": "Perl calls are not permitted", "dlfunc": "dynamically-loaded functions are not permitted"}


@items.register(*_REFUSED)
def parse(parser: Parser, name: str) -> Node:
    least, most, reason = _REFUSED[name]
    parser.arguments(name, least, most)

    def run(scope: Scope) -> str:
        if name in scope.forbidden:
            raise ExpansionFailed(_FORBIDDEN[name])
        raise ExpansionFailed(f"${{{name}}} cannot be used: {reason}")

    return Node(run)
