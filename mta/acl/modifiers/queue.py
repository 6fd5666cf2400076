"""queue: the named queue that the message is spooled in."""

from __future__ import annotations

from mta.acl.points import QUEUE
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.scope.expansion import Tainted


@modifier("queue", QUEUE)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        if isinstance(argument, Tainted):
            return run.error(f"Tainted name '{argument}' for queue not permitted")
        if "/" in argument or argument in (".", "..") or "\0" in argument:
            return run.error(f"Directory separator not permitted in queue name: '{argument}'")
        run.scope.message.queue_name = argument
        return Result.OK

    return act
