"""``${sg{subject}{regex}{replacement}}`` (manual 11.5): the replacement is expanded for each match."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import Closure, items
from mta.expand.nodes import MAX_RESULT, Node, isolated
from mta.expand.parser import Parser
from mta.expand.regex import regex_of
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.patterns import pattern


@items.register("sg")
def parse(parser: Parser, name: str) -> Node:
    from mta.expand.compiler import compile_cached, compile_text

    arguments = parser.arguments(name, 3, 3)
    subject, regex = isolated(arguments[0]), regex_of(arguments[1])
    replacement = isolated(arguments[2])
    # the replacement is expanded a second time, with the captures set
    ready = compile_text(arguments[2].constant) if arguments[2].constant is not None else None
    plain = pattern(arguments[1].constant).literal if _compiles(arguments[1].constant) else None
    if plain is not None and ready is not None and ready.constant is not None:
        return Node(_replacing(subject, plain, ready.constant))

    def run(scope: Scope) -> str:
        text, pattern = subject(scope), regex(scope)
        source = replacement(scope)
        compiled = ready or compile_cached(scope, source)
        tainted = text.__class__ is Tainted
        if source.__class__ is Tainted:
            scope.tainted = True
        out: list[str] = []
        size = position = 0
        kept = scope.captures
        try:
            for start, end, groups in pattern.spans(text):
                scope.captures = [Tainted(group) for group in groups] if tainted else groups
                before = text[position:start]
                out += (before, compiled(scope))
                if before and tainted:
                    scope.tainted = True
                size += len(before) + len(out[-1])
                if size > MAX_RESULT:
                    raise ExpansionFailed("expanded string is too long")
                position = end
        finally:
            scope.captures = kept
        if position < len(text):
            out.append(text[position:])
            if tainted:
                scope.tainted = True
        return "".join(out)

    return Node(run)


def _compiles(source: str | None) -> bool:
    if source is None:
        return False
    try:
        pattern(source)
    except ExpansionFailed:
        return False
    return True


def _replacing(subject: Closure, old: str, new: str) -> Closure:
    """Plain text for plain text, which most uses are."""

    def run(scope: Scope) -> str:
        text = subject(scope)
        if text.__class__ is Tainted and text:
            scope.tainted = True
        changed = text.replace(old, new)
        if len(changed) > MAX_RESULT:
            raise ExpansionFailed("expanded string is too long")
        return changed

    return run
