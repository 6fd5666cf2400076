"""continue: expanded for its side effects."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier


@modifier("continue")
def make(_clause: Clause) -> Act:
    def act(_run: Run, _argument: str) -> Result:
        return Result.OK

    return act
