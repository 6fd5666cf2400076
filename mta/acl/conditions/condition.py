"""condition: a truth value made by expansion: yes, true, a number, no, false, nothing."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.expand.compiler import truth_acl


@condition("condition")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        value = truth_acl(argument)
        if value is None:
            return run.defer(f'invalid "condition" value "{argument}"')
        return Result.OK if value else Result.FAIL

    return act
