"""set: put a value into $acl_c... of the connection or $acl_m... of the message, with its taint."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier


@modifier("set")
def make(clause: Clause) -> Act:
    connection, name = clause.variable.startswith("acl_c"), clause.variable[5:]

    def act(run: Run, argument: str) -> Result:
        values = run.scope.peer.acl_c if connection else run.scope.message.acl_m
        values[name] = argument
        return Result.OK

    return act
