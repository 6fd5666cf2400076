"""set: put a value into $acl_c... or $acl_m... with its taint; or override what DKIM found of a signature."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier


@modifier("set")
def make(clause: Clause) -> Act:
    if clause.variable.startswith("dkim_"):
        return _set_dkim(clause.variable)
    connection, name = clause.variable.startswith("acl_c"), clause.variable[5:]

    def act(run: Run, argument: str) -> Result:
        values = run.scope.peer.acl_c if connection else run.scope.message.acl_m
        values[name] = argument
        return Result.OK

    return act


def _set_dkim(name: str) -> Act:
    def act(run: Run, argument: str) -> Result:
        run.scope.message.authentication[name] = argument
        return Result.OK

    return act
