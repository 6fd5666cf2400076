"""add_header: header lines that the message gets when it is accepted."""

from __future__ import annotations

from mta.acl.headers import add_headers
from mta.acl.points import HEADERS
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier


@modifier("add_header", HEADERS)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        add_headers(run.scope.message, argument)
        return Result.OK

    return act
