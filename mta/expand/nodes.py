"""Compiled pieces of text: closures over a scope, with their value where it is known already.

A node's closure raises ``scope.tainted`` when a peer's text goes into its value and never lowers it;
``isolated`` turns that flag into the type of the value, for items that use a string rather than insert it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand.base import Closure
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.scope import Scope

# An expansion that outgrows this is stopped: no option, header or list of a working configuration is near it.
MAX_RESULT = 64 << 20


@dataclass(slots=True)
class Node:
    """``constant`` is the value when nothing in the text depends on the scope.

    ``apart`` is what ``isolated`` would make of ``run``, where a node can say it without the scope's flag.
    """

    run: Closure
    constant: str | None = None
    apart: Closure | None = None


@dataclass(slots=True)
class Condition:
    """``sets`` names the scope's slots that a true answer leaves set for the branches of an ``if``."""

    test: Callable[[Scope], bool]
    sets: frozenset[str] = frozenset()


def literal(text: str) -> Node:
    """Text without anything to expand."""
    return Node(lambda _scope: text, text)


EMPTY = literal("")


def failing(error: ExpansionFailed) -> Node:
    """A node that raises ``error`` whenever it is reached."""

    def run(_scope: Scope) -> str:
        raise type(error)(error.message)

    return Node(run)


def forced_fail(item: str) -> Node:
    """The branch ``fail`` of an item."""
    return failing(ForcedFail(f'"{item}" failed and "fail" requested'))


def isolated(node: Node) -> Closure:
    """The value as ``str`` or ``Tainted``, the scope's flag left as it was."""
    if node.constant is not None:
        return node.run
    if node.apart is not None:
        return node.apart
    run = node.run

    def run_apart(scope: Scope) -> str:
        if scope.tainted:
            return expand_with_taint(run, scope)  # type: ignore[arg-type]
        value = run(scope)
        if scope.tainted:
            scope.tainted = False
            return Tainted(value)
        return value

    return run_apart


def insert(scope: Scope, value: str) -> str:
    """``value`` as part of a result: raises the flag when it is a peer's."""
    if value and value.__class__ is Tainted:
        scope.tainted = True
    return value


def like(value: str, *sources: str) -> str:
    """``value``, Tainted when any of ``sources`` is a peer's."""
    for source in sources:
        if source.__class__ is Tainted:
            return Tainted(value)
    return value


def bounded(value: str) -> str:
    """``value``, unless it grew beyond MAX_RESULT."""
    if len(value) > MAX_RESULT:
        raise ExpansionFailed("expanded string is too long")
    return value


def concat(nodes: Sequence[Node]) -> Node:
    """One node of several in a row; neighbouring constants become one."""
    literals: list[str] = [""]  # literals[i] stands before dynamic[i]
    dynamic: list[Closure] = []
    for node in nodes:
        if node.constant is not None:
            literals[-1] += node.constant
        else:
            dynamic.append(node.run)
            literals.append("")
    if not dynamic:
        return literal(literals[0])
    return Node(_concat(literals, dynamic))


def _concat(texts: list[str], runs: list[Closure]) -> Closure:
    # f-strings of fixed shapes: measured at a third of the time of joining a list comprehension
    if len(runs) == 1:
        return _concat1(texts[0], runs[0], texts[1])
    if len(runs) == 2:
        (a, b), (t0, t1, t2) = runs, texts
        return lambda s: f"{t0}{a(s)}{t1}{b(s)}{t2}"
    if len(runs) == 3:
        (a, b, c), (t0, t1, t2, t3) = runs, texts
        return lambda s: f"{t0}{a(s)}{t1}{b(s)}{t2}{c(s)}{t3}"
    if len(runs) == 4:
        (a, b, c, d), (t0, t1, t2, t3, t4) = runs, texts
        return lambda s: f"{t0}{a(s)}{t1}{b(s)}{t2}{c(s)}{t3}{d(s)}{t4}"
    if len(runs) <= 8:
        head, tail = _concat(texts[:5], runs[:4]), _concat(["", *texts[5:]], runs[4:])
        return lambda s: head(s) + tail(s)
    first = texts[0]
    groups = [_concat(["", *texts[i + 1 : i + 5]], runs[i : i + 4]) for i in range(0, len(runs), 4)]
    return lambda s: first + "".join([group(s) for group in groups])


def _concat1(before: str, run: Closure, after: str) -> Closure:
    if not before and not after:
        return run
    if not after:
        return lambda s: before + run(s)
    if not before:
        return lambda s: run(s) + after
    return lambda s: f"{before}{run(s)}{after}"


@dataclass(slots=True)
class Branches:
    """What follows an item that succeeds or fails; ``yes`` None: no strings were given."""

    yes: Node | None
    no: Node


def value_item(fetch: Callable[[Scope], str | None], branches: Branches) -> Node:
    """An item that finds a value (Tainted where a peer's) or None; ``$value`` holds it while ``yes`` is expanded."""
    no = branches.no.run
    if branches.yes is None:

        def run_plain(scope: Scope) -> str:
            value = fetch(scope)
            return no(scope) if value is None else insert(scope, value)

        return Node(run_plain)
    yes = branches.yes.run

    def run(scope: Scope) -> str:
        value = fetch(scope)
        if value is None:
            return no(scope)
        kept, scope.value = scope.value, value
        try:
            return yes(scope)
        finally:
            scope.value = kept

    return Node(run)
