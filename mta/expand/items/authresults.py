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
    out += _spf(scope)
    out += _dkim(scope)
    out += _dmarc(scope)
    out += _arc(scope)
    return out


def _spf(scope: Scope) -> list[str]:
    found = scope.message.authentication
    result = found.get("spf_result", "")
    if not result:
        return []
    how = " (best guess record for domain)" if found.get("spf_result_guessed") == "yes" else ""
    domain = scope.message.sender.rpartition("@")[2]
    who = f"smtp.mailfrom={domain}" if domain else f"smtp.helo={scope.peer.helo_name}"
    return [f"spf={result}{how} {who}"]


def _dkim(scope: Scope) -> list[str]:
    if not scope.message.dkim:
        return []
    from mta.emailauth.dkim_report import clauses

    return clauses(scope.message.dkim)


def _arc(scope: Scope) -> list[str]:
    """RFC 8617 10.2; oldest-pass is 0 when every instance still passes."""
    found = scope.message.authentication
    state = found.get("arc_state", "")
    oldest = found.get("arc_oldest_pass", "")
    if state == "pass":
        return [f"arc=pass header.oldest-pass={'0' if oldest == '1' else oldest}"]
    return [f"arc={state}"] if state else []


# $dmarc_status -> the result word of RFC 8601; "off" says nothing
_DMARC_WORDS = {
    "accept": "pass",
    "reject": "fail",
    "quarantine": "fail",
    "none": "none",
    "norecord": "none",
    "nofrom": "temperror",
    "temperror": "temperror",
}


def _dmarc(scope: Scope) -> list[str]:
    found = scope.message.authentication
    word = _DMARC_WORDS.get(found.get("dmarc_status", ""))
    if word is None:
        return []
    domain = found.get("dmarc_author_domain", "")
    return [f"dmarc={word}" + (f" header.from={domain}" if domain else "")]
