"""dmarc_status: what DMARC recommends for the message is in the list; the check is made when this is first reached."""

from __future__ import annotations

from mta.acl.dmarc_check import dmarc_result
from mta.acl.points import DMARC
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.text.ascii import lower, strip
from mta.text.lists import split_list

_OLD_NAMES = {"error": "temperror"}  # before 4.83


@condition("dmarc_status", DMARC)
def make(clause: Clause) -> Act:
    if "error" in [lower(strip(item.removeprefix("!"))) for item in split_list(clause.source)]:
        clause.note = '"error" became "temperror" in Exim 4.83'

    def act(run: Run, argument: str) -> Result:
        status = dmarc_result(run.scope).status
        for item in split_list(argument):
            word = lower(strip(item.removeprefix("!")))
            if (_OLD_NAMES.get(word, word) == status) != item.startswith("!"):
                return Result.OK
        return Result.FAIL

    return act
