"""``inbound_srs {local part}{secret}``: a bounce's recipient that ``${srs_encode}`` made; sets ``$srs_recipient``."""

from __future__ import annotations

import time

from mta.emailauth.srs import decode
from mta.expand.base import conditions
from mta.expand.nodes import Condition, Node, isolated
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope


@conditions.register("inbound_srs")
def parse(parser: Parser, name: str) -> Condition:
    local_part, secret = (isolated(_argument(parser, name)) for _ in range(2))

    def test(scope: Scope) -> bool:
        found = decode(local_part(scope), secret(scope), now=time.time())
        if found is None:
            return False
        # set whatever the hash says, as Exim does: only a true answer says that it is ours
        scope.vars["srs_recipient"] = Tainted(found.recipient)
        return found.valid

    return Condition(test)


def _argument(parser: Parser, name: str) -> Node:
    if parser.skip_space() != "{":
        parser.fail(f"too few arguments or bracketing error for {name}")
    return parser.braced()
