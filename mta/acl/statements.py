"""The parts of an ACL: statements of a verb and its clauses, each clause a condition or a modifier.

A clause's ``act(run, argument)`` is made at load by the ``make`` of its Kind; kinds are registered
one file each in ``conditions/`` and ``modifiers/``. Running them is ``acl/run.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from mta.acl.points import EVERYWHERE
from mta.errors import NOWHERE, Where
from mta.registry import Registry
from mta.scope.expansion import Expansion

if TYPE_CHECKING:
    from mta.acl.run import Run


class Result(IntEnum):
    """What a condition, and a whole ACL, comes to."""

    OK = 0
    FAIL = 1
    DROP = 2  # fail, and end the connection
    DISCARD = 3
    DEFER = 4
    ERROR = 5


VERBS = ("accept", "defer", "deny", "discard", "drop", "require", "warn")
# the result after which a statement's message and log_message are made; with endpass accept and discard use FAIL
SPEAKS_AFTER = dict.fromkeys(VERBS, Result.OK) | {"require": Result.FAIL}

# Called with the run and the expanded argument (the source text where the kind does not expand).
Act = Callable[["Run", str], Result]


@dataclass(slots=True)
class Clause:
    """One condition or modifier. ``source`` is its argument as written, ``variable`` the name after ``set``."""

    name: str
    source: str
    where: Where = NOWHERE
    negated: bool = False
    variable: str = ""
    text: Expansion | None = None  # None: no argument (endpass)
    points: frozenset[str] = EVERYWHERE  # where it may be used; kinds with options check for themselves
    is_modifier: bool = False
    expands: bool = True  # the argument is expanded before act is called
    act: Act | None = None  # None: message, log_message, endpass, which the statement itself looks at
    note: str = ""  # what a lint says of it though it works

    @property
    def label(self) -> str:
        """``!hosts``, ``set acl_m0``: what stands before the ``=`` in the trace."""
        return f"{'!' if self.negated else ''}{self.name}{' ' + self.variable if self.variable else ''}"


@dataclass(slots=True)
class Statement:
    verb: str
    where: Where
    clauses: list[Clause] = field(default_factory=list)


@dataclass(slots=True)
class Acl:
    """``name`` "" for ACL text that stands in an option, a file or an ``acl =`` condition."""

    name: str
    where: Where = NOWHERE
    statements: list[Statement] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f'ACL "{self.name}"' if self.name else "inline ACL"


@dataclass(frozen=True, slots=True)
class Kind:
    """A condition or modifier. ``make`` raises ConfigError for an argument that can never work.

    ``points``: where it may be used; a kind whose points depend on its argument checks for itself.
    """

    name: str
    make: Callable[[Clause], Act | None]
    points: frozenset[str] = EVERYWHERE
    expands: bool = True
    needs_value: bool = True


conditions: Registry[Kind] = Registry("ACL condition", "mta.acl.conditions")
modifiers: Registry[Kind] = Registry("ACL modifier", "mta.acl.modifiers")

Make = Callable[[Clause], Act | None]


def condition(name: str, points: frozenset[str] = EVERYWHERE, *, expands: bool = True) -> Callable[[Make], Make]:
    """Register the maker of a condition under its name in the file."""

    def add(make: Make) -> Make:
        conditions.register(name)(Kind(name, make, points, expands))
        return make

    return add


def modifier(
    name: str, points: frozenset[str] = EVERYWHERE, *, expands: bool = True, needs_value: bool = True
) -> Callable[[Make], Make]:
    """Register the maker of a modifier under its name in the file."""

    def add(make: Make) -> Make:
        modifiers.register(name)(Kind(name, make, points, expands, needs_value))
        return make

    return add
