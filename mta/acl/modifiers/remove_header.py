"""remove_header: names of header lines that go when the message is accepted; a colon-separated list."""

from __future__ import annotations

from mta.acl.points import HEADERS
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.text.lists import split_list

MAX_REMOVED = 1000


@modifier("remove_header", HEADERS)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        removed = run.scope.message.removed_headers
        room = MAX_REMOVED - len(removed)
        removed.extend([name for name in split_list(argument) if name][: max(room, 0)])
        return Result.OK

    return act
