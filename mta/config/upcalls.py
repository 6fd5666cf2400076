"""What lower rooms may ask of higher ones beyond the fields of Services: the entries of ``services.state``.

Each import waits for the first call, so that ``mta -be`` loads none of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mta.mail.headers import Headers
from mta.scope.scope import Scope

if TYPE_CHECKING:
    from mta.config.runtime import Runtime


def fill_state(runtime: Runtime) -> None:
    """Rewriting for redirects, routers and transports; authentication for the smtp transport; the transports' names."""
    config, state = runtime.config, runtime.services.state
    state["transports"] = config.transports
    state["rewrite_headers"] = rewrite_for_transport
    state["client_authenticate"] = partial(_authenticate, config.authenticators)
    if config.rewrite_rules:
        state["rewrite_address"] = partial(_rewrite_address, config.rewrite_rules)
    state["rewrite_domain"] = rewrite_domain
    runtime.services.callout = call_out


def call_out(scope: Scope, recipient: Any, wanted: Any, *, is_sender: bool, is_header: bool = False) -> Any:
    """Ask the hosts of a routed address whether they take mail for it."""
    from mta.transport.remote.callout import callout

    return callout(scope, recipient, wanted, is_sender=is_sender, is_header=is_header)


def rewrite_for_transport(rules: Any, headers: Headers, scope: Scope) -> Headers:
    """headers_rewrite of a transport: on the copy that is sent, nothing is kept of the lines as they were."""
    from mta.route.rewrite import rewrite_headers

    return rewrite_headers(rules, headers, scope, keep_old=False)


def _rewrite_address(rules: Any, scope: Scope, address: str, context: str) -> str:
    from mta.route.rewrite import rewrite_address

    return rewrite_address(rules, scope, address, context)


def _authenticate(authenticators: Any, scope: Scope, offered: Any, talk: Any) -> Any:
    from mta.sasl.client import authenticate

    return authenticate(authenticators, scope, offered, talk)


def rewrite_domain(scope: Scope, old: str, new: str) -> None:
    """A router found the whole name of a domain: put it into the address header lines of the message."""
    from mta.mail.address import Address, parse_address_list
    from mta.mail.headers import DELETED
    from mta.text.ascii import lower

    for line in scope.message.headers.lines:
        if line.type == DELETED or line.type not in "BCFRST":
            continue
        name, colon, value = line.text.partition(":")
        pieces, at = [], 0
        for found in parse_address_list(value, allow_domain_literals=True):
            if isinstance(found, Address) and lower(found.domain) == lower(old):
                end = found.end
                start = value.rfind(found.domain, found.start, end)
                if start >= 0:
                    pieces += [value[at:start], new]
                    at = start + len(found.domain)
        if pieces:
            line.text = name + colon + "".join(pieces) + value[at:]
