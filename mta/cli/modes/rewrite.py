"""``-brw``: what the rewriting rules make of an address at each place where one can stand."""

from __future__ import annotations

from mta.cli.call import Call
from mta.route.rewrite import explain


def run(call: Call) -> int:
    """One address; what follows it is ignored, as by Exim."""
    words = call.arguments.words
    if not words:
        call.write("-brw needs an address argument\n")
        return 1
    call.write(explain(call.config().rewrite_rules, words[0], call.runtime().scope()))
    return 0
