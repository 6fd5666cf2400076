"""``${authresults{id}}``: an Authentication-Results header line of what is known of the message (manual 11.5)."""

from __future__ import annotations

from mta.expand.base import items
from mta.expand.nodes import Node, insert
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope


@items.register("authresults")
def parse(parser: Parser, name: str) -> Node:
    server = parser.arguments(name, 1, 1)[0].run

    def run(scope: Scope) -> str:
        parts = [f"Authentication-Results: {server(scope)}", *results(scope)]
        text = ";\n\t".join(parts)
        return insert(scope, Tainted(text)) if len(parts) > 1 else text

    return Node(run)


def results(scope: Scope) -> list[str]:
    """One clause a method that had something to say, in Exim's order."""
    peer = scope.peer
    out: list[str] = []
    if peer.address and not peer.is_local:
        if peer.host_name:
            out.append(f"iprev=pass ({peer.host_name}) smtp.remote-ip={peer.address}")
        elif peer.host_lookup_failed:
            out.append(f"iprev=fail smtp.remote-ip={peer.address}")
        elif peer.host_lookup_deferred:
            out.append(f"iprev=temperror smtp.remote-ip={peer.address}")
    if peer.authenticator:
        out.append(f"auth=pass ({peer.authenticator}) smtp.auth={peer.authenticated_id}")
    spf = scope.vars.get("spf_result", "")
    if spf:
        out.append(f"spf={spf} smtp.mailfrom={scope.message.sender.partition('@')[2]}")
    return out
