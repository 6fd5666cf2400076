"""Expansions that tell what they do, for debugging: each item, operator, variable and condition says what it came to.

``grammar`` holds the parser that compile_text uses; nothing is paid for this while it is the plain one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from mta.errors import MtaError
from mta.expand.nodes import Condition, Node
from mta.expand.parser import Parser
from mta.scope.scope import Scope

LONGEST = 400  # characters of a text that are shown


class TracingParser(Parser):
    """Wraps the nodes of the grammar; the source of each is what the cursor passed over."""

    __slots__ = ()

    def whole(self) -> Node:
        node = super().whole()
        return node if node.constant is not None else _traced(node, self.text)

    def _item(self) -> Node:
        start = self.pos - 2
        return _traced(super()._item(), self.text[start : self.pos])

    def condition(self) -> Condition:
        start = self.pos
        found = super().condition()
        source, test = self.text[start : self.pos], found.test

        def told(scope: Scope) -> bool:
            if scope.trace is None:
                return test(scope)
            answer = _nested(scope, "condition", source, lambda: test(scope))
            return bool(answer)

        return Condition(told, found.sets)


grammar: ContextVar[type[Parser]] = ContextVar("grammar", default=Parser)


def _traced(node: Node, source: str) -> Node:
    run = node.run

    def told(scope: Scope) -> str:
        if scope.trace is None:
            return run(scope)
        value = _nested(scope, "considering", source, lambda: run(scope))
        assert isinstance(value, str)
        return value

    return Node(told, node.constant)


def _nested(scope: Scope, word: str, source: str, work: Callable[[], str | bool]) -> str | bool:
    """Do the work one column further in, between a line that names it and one that has its result."""
    trace = scope.trace
    assert trace is not None
    deeper = hasattr(trace, "level")
    result = "a fault"
    trace("expand", f"╭{word:─>11}: {_shown(source)}")
    if deeper:
        trace.level += 1  # type: ignore[attr-defined]
    try:
        value = work()
        result = _shown(value) if isinstance(value, str) else str(value).lower()
    except MtaError as error:
        result = f"failed: {error}"
        raise
    finally:
        if deeper:
            trace.level -= 1  # type: ignore[attr-defined]
        trace("expand", f"╰{'result':─>11}: {result}")
    return value


def _shown(text: str) -> str:
    text = text.replace("\n", "\\n")
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
