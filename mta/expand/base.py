"""The registries of the language: variables, operators, items and conditions.

``variables/`` and ``operators/`` hold families of small functions; ``items/`` and ``conditions/`` one file each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mta.registry import Registry
from mta.scope.scope import Scope

Closure = Callable[[Scope], str]


@dataclass(frozen=True, slots=True)
class Variable:
    """``get`` returns the value ("" when nothing has happened yet); a ``Tainted`` one raises the scope's flag.

    ``tainted``: a peer always has a hand in it, whatever type ``get`` returns.
    ``get`` returning None makes the expansion fail as for an unknown variable (``$acl_arg1`` outside a call is "").
    """

    name: str
    get: Callable[[Scope], str | None]
    tainted: bool = False


# exact names; and families by prefix (acl_c, acl_m, r_, auth, ...): (prefix) -> maker of a Variable for the full name,
# or None where the full name is not one of the family
variables: Registry[Variable] = Registry("variable", "mta.expand.variables")
families: dict[str, Callable[[str], Variable | None]] = {}


def variable(name: str, get: Callable[[Scope], str | None], *, tainted: bool = False) -> None:
    """Register one variable; one line a variable in ``variables/FAMILY.py``."""
    variables.register(name)(Variable(name, get, tainted))


def left(name: str, empty: str = "") -> Callable[[Scope], str]:
    """Reads what conditions, drivers and items leave in ``scope.vars``; ``empty`` before anything happened."""
    return lambda s: s.vars.get(name, empty)


def family(prefix: str) -> Callable[[Callable[[str], Variable | None]], Callable[[str], Variable | None]]:
    """Register the maker of a family of variables, e.g. ``@family("acl_c")``."""

    def add(make: Callable[[str], Variable | None]) -> Callable[[str], Variable | None]:
        families[prefix] = make
        return make

    return add


Apply = Callable[[Scope, str, str | None], str]
Bind = Callable[[str, str | None], Callable[[str], str]]


@dataclass(frozen=True, slots=True)
class Operator:
    """``apply(scope, text, argument)``; ``argument`` is what follows ``_`` in ``length_3:``, None without a ``_``.

    ``pure``: same text, same answer: may be folded at load when its operand is constant.
    ``bind(name, argument)`` makes a function of the text alone, for operators whose argument is read at load; the name
    is as written. It and ``apply`` raise ExpansionFailed with Exim's words.
    """

    name: str
    apply: Apply
    pure: bool = True
    bind: Bind | None = None


operators: Registry[Operator] = Registry("expansion operator", "mta.expand.operators")


def operator(*names: str, pure: bool = True) -> Callable[[Apply], Apply]:
    """Register ``apply(scope, text, argument) -> str`` under each name."""

    def add(apply: Apply) -> Apply:
        operators.register(*names)(Operator(names[0], apply, pure))
        return apply

    return add


def bound_operator(*names: str) -> Callable[[Bind], Bind]:
    """Register ``bind(name, argument) -> function of the text`` under each name; the function is pure."""

    def add(bind: Bind) -> Bind:
        for name in names:

            def apply(_scope: Scope, text: str, argument: str | None, name: str = name) -> str:
                return bind(name, argument)(text)

            operators.register(name)(Operator(name, apply, True, bind))
        return bind

    return add


# A parse function is given the parser placed behind the name, and the name; an item's returns a nodes.Node,
# a condition's a nodes.Condition. ``expand`` is no operator of the registry: the grammar knows it.
items: Registry[Any] = Registry("expansion item", "mta.expand.items")
conditions: Registry[Any] = Registry("expansion condition", "mta.expand.conditions")
