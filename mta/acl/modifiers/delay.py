"""delay: wait, with output flushed first (services.state["flush"]), unless this is a test session."""

from __future__ import annotations

import time

from mta.acl.points import EVERYWHERE
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.text.ascii import strip
from mta.text.units import parse_time


@modifier("delay", EVERYWHERE - {"notquit"})
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        seconds = parse_time(strip(argument))
        if seconds is None:
            return run.error(f'syntax error in argument for "delay" modifier: "{argument}" is not a time value')
        run.trace(f"delay modifier requests {int(seconds)}-second delay")
        if run.scope.host_checking:
            run.trace("delay skipped in -bh checking mode")
            return Result.OK
        if run.scope.flush is not None and "no_delay_flush" not in run.scope.peer.controls:
            run.scope.flush()
        (run.scope.sleep or time.sleep)(seconds)
        return Result.OK

    return act
