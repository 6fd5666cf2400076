"""List conditions: domains, hosts, senders and kin, each a list compiled at load and a subject taken from the scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result
from mta.acl.texts import compiled
from mta.match import compile as match
from mta.scope.expansion import Matched
from mta.scope.scope import Scope

Ask = Callable[[Any, Scope], Matched | None]


def list_act(names: Any, ask: Ask, data_variable: str = "") -> Act:
    """An act that asks the list ``names``; the data of a match stays in ``scope.vars[data_variable]`` until the next.

    The list expands its own text (a forced failure there means "not in this list", not "ignore the condition").
    """

    def act(run: Run, _argument: str) -> Result:
        scope = run.scope
        if data_variable:
            scope.vars.pop(data_variable, None)
        found = ask(names, scope)
        if found is None:
            return Result.FAIL
        if data_variable and found.data is not None:
            scope.vars[data_variable] = found.data
        return Result.OK

    return act


def domain_list(clause: Clause) -> Any:
    return match.domain_list(compiled(clause.source, clause.where))


def local_part_list(clause: Clause) -> Any:
    return match.local_part_list(compiled(clause.source, clause.where))


def address_list(clause: Clause) -> Any:
    return match.address_list(compiled(clause.source, clause.where))


def host_list(clause: Clause) -> Any:
    return match.host_list(compiled(clause.source, clause.where))


def string_list(clause: Clause) -> Any:
    return match.string_list(compiled(clause.source, clause.where))
