"""spf: the result of SPF for the envelope sender, or for the HELO name under the null sender, is in the list."""

from __future__ import annotations

from mta.acl.points import SENDER_POLICY
from mta.acl.run import Run
from mta.acl.sender_policy import note_old_names, run_spf
from mta.acl.statements import Act, Clause, Result, condition


@condition("spf", SENDER_POLICY)
def make(clause: Clause) -> Act:
    note_old_names(clause)

    def act(run: Run, argument: str) -> Result:
        return run_spf(run, argument, best_guess=False)

    return act
