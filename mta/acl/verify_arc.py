"""verify = arc: the state of the Authenticated Received Chain, found once a message, is in the list (RFC 8617)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mta.acl.run import Run
from mta.acl.statements import Result
from mta.acl.verify_options import VerifyOptions
from mta.mail.headers import Header
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower

MEMORY = "arc"
ORIGINAL = "original_header"  # receive.dkim leaves the header lines there as they came
STATES = ("none", "pass", "fail")
CHUNK = 1 << 16


def verify_arc(run: Run, options: VerifyOptions) -> Result:
    """``arc``: none or pass; ``arc/pass:fail`` names the states that are wanted."""
    state = chain_state(run.scope)
    wanted = options.states or ("none", "pass")
    if state in wanted:
        return Result.OK
    return run.fail(f"ARC: {state}")


def chain_state(scope: Scope) -> str:
    """Verify unless that has been done; sets ``$arc_...``."""
    found = scope.message.authentication
    if "arc_state" in found:
        return found["arc_state"]
    from mta.emailauth.arc import Chain, verify_chain

    resolver = scope.services.resolver
    lines = scope.message.acl_memory.get(ORIGINAL) or _texts(scope.message.headers.lines)
    if resolver is None or not any(lower(line[:4]) == "arc-" for line in lines):
        chain = Chain("none")
    else:
        chain = verify_chain(lines, lambda: _body(scope), resolver)
    scope.message.acl_memory[MEMORY] = chain
    found["arc_state"] = chain.state
    found["arc_state_reason"] = Tainted(chain.reason)
    found["arc_domains"] = Tainted(":".join(chain.domains))
    found["arc_oldest_pass"] = str(chain.oldest_pass) if chain.sets else ""
    return chain.state


def _texts(lines: Sequence[Header]) -> list[str]:
    return [line.text for line in lines]


def _body(scope: Scope) -> Iterator[bytes]:
    position = 0
    while scope.body is not None and (piece := scope.body(position, CHUNK)):
        yield piece
        position += len(piece)
