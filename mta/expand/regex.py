"""Regular expressions written in expansions: compiled once where their text is constant."""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.nodes import Node
from mta.scope.scope import Scope
from mta.text.patterns import Pattern, pattern


def regex_of(node: Node) -> Callable[[Scope], Pattern]:
    """The pattern that a node's text is; one that does not compile fails when it is reached, as in Exim."""
    if node.constant is None:
        run = node.run
        return lambda scope: pattern(str(run(scope)))
    try:
        ready = Pattern(node.constant)
    except ExpansionFailed as error:
        message = error.message

        def broken(_scope: Scope) -> Pattern:
            raise ExpansionFailed(message)

        return broken
    return lambda _scope: ready
