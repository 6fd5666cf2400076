"""log_reject_target: which logs tell of this ACL's rejection; a list of main, reject, panic."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.text.lists import split_list

LOGS = ("main", "reject", "panic")


@modifier("log_reject_target")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        chosen = set()
        for name in split_list(argument):
            if name in LOGS:
                chosen.add(name)
            else:
                text = f'unknown log name "{name}" in "log_reject_target" in {run.place} ACL'
                run.scope.services.log_panic(text)
        run.targets = frozenset(chosen)
        return Result.OK

    return act
