"""``${python{module.function}{arg}...}``: a function of a file of ``python_startup``, mta's own beside ``${perl``.

Arguments and result are text; None is a forced failure, as undef is of a Perl function.
"""

from __future__ import annotations

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand.base import items
from mta.expand.nodes import Node, bounded, insert, isolated, like
from mta.expand.parser import Parser
from mta.scope.functions import call, given, taken
from mta.scope.scope import Scope


@items.register("python")
def parse(parser: Parser, name: str) -> Node:
    function, *rest = (isolated(argument) for argument in parser.arguments(name, 1, 9))

    def run(scope: Scope) -> str:
        if "perl" in scope.forbidden:  # who may not call the one may not call the other
            raise ExpansionFailed("Python calls are not permitted")
        wanted = function(scope)
        texts = [argument(scope) for argument in rest]
        result = call(scope, wanted, [given(text) for text in texts])
        if result is None:
            raise ForcedFail(f"python function {wanted} returned None")
        try:
            value = bounded(taken(result))
        except UnicodeEncodeError as error:
            raise ExpansionFailed(f"python function {wanted} returned text that is no UTF-8: {error.reason}") from None
        return insert(scope, like(value, *texts))

    return Node(run)
