"""What a name in a text becomes: variables, captures, headers and operators as nodes.

Names are looked up here, at compile time; the closures touch the scope only.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand import base
from mta.expand.base import Bind, Closure, Operator, Variable
from mta.expand.headers import header_value
from mta.expand.nodes import Node, failing, insert, isolated, literal
from mta.scope.expansion import Expansion, Tainted
from mta.scope.scope import Scope

MAX_REEXPANSION = 20


def variable(name: str) -> Node | None:
    """The node of ``$name``; None when there is no such variable."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    found = find_variable(name)
    return None if found is None else _reader(found)


def find_variable(name: str) -> Variable | None:
    """The variable of this name, from the registry or from a family."""
    found = base.variables.get(name)  # also brings the families in
    if found is not None:
        return found
    for prefix in sorted(base.families, key=len, reverse=True):
        if name.startswith(prefix):
            made = base.families[prefix](name)
            if made is not None:
                return made
    return None


def acl_hint(name: str) -> str:
    """What Exim adds for a name that looks like a variable of an ACL."""
    if not name.startswith("acl_"):
        return ""
    if name[4:5] not in ("c", "m"):
        return " (user-defined ACL variables must start acl_c or acl_m)"
    return " (6th character of a user-defined ACL variable must be a digit or underscore)"


def _reader(found: Variable) -> Node:
    get, name = found.get, found.name
    if found.tainted:

        def read_tainted(scope: Scope) -> str:
            value = get(scope)
            if value:
                scope.tainted = True
                return value
            if value is None:
                raise ExpansionFailed(f'unknown variable name "{name}"')
            return value

        def tainted_apart(scope: Scope) -> str:
            value = get(scope)
            if value is None:
                raise ExpansionFailed(f'unknown variable name "{name}"')
            return Tainted(value) if value else value

        return Node(read_tainted, apart=tainted_apart)

    def read(scope: Scope) -> str:
        value = get(scope)
        if value.__class__ is str:
            return value
        if value is None:
            raise ExpansionFailed(f'unknown variable name "{name}"')
        if value:
            scope.tainted = True
        return value

    def apart(scope: Scope) -> str:
        value = get(scope)
        if value is None:
            raise ExpansionFailed(f'unknown variable name "{name}"')
        return value

    return Node(read, apart=apart)


def _read_item(scope: Scope) -> str:
    value = scope.item
    return "" if value is None else insert(scope, value)


def _read_value(scope: Scope) -> str:
    value = scope.value
    return "" if value is None else insert(scope, value)


_SPECIAL = {"item": Node(_read_item), "value": Node(_read_value)}


def slot_variable(name: str) -> Variable | None:
    """The variables that live in the scope itself, for ``def:``."""
    return Variable(name, _SPECIAL[name].run) if name in _SPECIAL else None


def capture(digits: str) -> Node:
    """``$0``, ``$1`` ...: what the last regular expression or wild card caught; "" for those that are not set."""
    number = int(digits[-9:]) if len(digits) <= 9 else 1 << 30

    def read(scope: Scope) -> str:
        captures = scope.captures
        return insert(scope, captures[number]) if number < len(captures) else ""

    return Node(read)


def header(kind: str, name: str) -> Node:
    """``$h_name:`` and its kin; ``kind`` is "", "r", "b" or "l"."""

    def read(scope: Scope) -> str:
        value = header_value(scope, kind, name)
        if value:
            scope.tainted = True
        return value

    def apart(scope: Scope) -> str:
        value = header_value(scope, kind, name)
        return Tainted(value) if value else value

    return Node(read, apart=apart)


# Numbers and digests: nothing of the text is left in them (asked of Exim 4.96, name by name).
_FREE_OF_TAINT = frozenset(
    (
        *("base32", "base62", "eval", "eval10", "listcount", "md5", "nh", "nhash", "randint", "reverse"),
        *("sha1", "sha2", "sha256", "sha3", "stat", "strlen", "time"),
    )
)


def reexpand(operand: Node, compile_now: Callable[[Scope, str], Expansion]) -> Node:
    """``${expand:text}``: a second expansion of what the first gave; a peer's text is refused."""
    run = isolated(operand)

    def reexpanded(scope: Scope) -> str:
        text = run(scope)
        if text.__class__ is Tainted and text:
            scope.services.log_panic(f"attempt to expand tainted string '{text}'")
            raise ExpansionFailed(f"internal expansion of \"{text}\" failed: attempt to expand tainted string '{text}'")
        if scope.depth >= MAX_REEXPANSION:
            raise ExpansionFailed("too many nested expansions")
        scope.depth += 1
        try:
            return compile_now(scope, text)(scope)
        except ForcedFail:
            raise
        except ExpansionFailed as error:
            raise ExpansionFailed(f'internal expansion of "{text}" failed: {error.message}') from None
        finally:
            scope.depth -= 1

    return Node(reexpanded)


def operator(found: Operator, name: str, argument: str | None, operand: Node) -> Node:
    """``${name_argument:text}``; a bad argument is told when the operator is reached."""
    if found.bind is not None:
        return _bound(found.bind, name, argument, operand)
    apply, run = found.apply, operand.run
    if operand.constant is not None and found.pure:
        try:
            # a pure operator looks at its text only
            return literal(apply(None, operand.constant, argument))  # type: ignore[arg-type]
        except ExpansionFailed as error:
            return failing(error)
    if name in _FREE_OF_TAINT:
        return _clearing(lambda scope: apply(scope, run(scope), argument))
    return Node(lambda scope: apply(scope, run(scope), argument))


def _bound(bind: Bind, name: str, argument: str | None, operand: Node) -> Node:
    try:
        work = bind(name, argument)
        if operand.constant is not None:
            return literal(work(operand.constant))
    except ExpansionFailed as error:
        return failing(error)
    run = operand.run
    return _clearing(lambda scope: work(run(scope))) if name in _FREE_OF_TAINT else Node(lambda scope: work(run(scope)))


def _clearing(run: Closure) -> Node:
    """The node of an operator that leaves nothing of its text."""

    def run_clearing(scope: Scope) -> str:
        before = scope.tainted
        value = run(scope)
        scope.tainted = before
        return value

    return Node(run_clearing)
