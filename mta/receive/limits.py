"""Limits on connections at the moment they come: smtp_accept_max and its kin (manual chapter 14, "smtp_accept_max").

Whoever accepts sockets counts them; ``Counts`` is its view of all workers. The new connection is counted already.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from mta.receive.plan import expand
from mta.receive.session import Session
from mta.text.units import parse_size

TOO_MANY = "Too many concurrent SMTP connections; please try again later."
TOO_MANY_HERE = "Too many concurrent SMTP connections from this IP address; please try again later."
TOO_MUCH_LOAD = "Too much load; please try again later."


class Counts(Protocol):
    """SMTP connections under way over all workers, this one included."""

    def total(self) -> int: ...
    def same_host(self, address: str) -> int: ...


class Refusal(NamedTuple):
    """A 421's text, and the end of the log line ``Connection from ... refused: ...``."""

    text: str
    reason: str


def check(session: Session, counts: Counts) -> Refusal | None:
    """Why this connection cannot be served now."""
    options, peer = session.plan.options, session.peer
    total = counts.total()
    if 0 < options.smtp_accept_max < total:
        return Refusal(TOO_MANY, "too many connections")
    if options.smtp_accept_max_per_host is not None:
        limit = parse_size(expand(session.scope, options.smtp_accept_max_per_host).strip()) or 0
        if 0 < limit < counts.same_host(peer.address):
            return Refusal(TOO_MANY_HERE, "too many connections from that IP address")
    loaded = options.smtp_load_reserve is not None and os.getloadavg()[0] > options.smtp_load_reserve
    reserved = options.smtp_accept_reserve > 0 and 0 < options.smtp_accept_max - options.smtp_accept_reserve < total
    if (loaded or reserved) and not session.host_in("smtp_reserve_hosts"):
        if loaded:
            return Refusal(TOO_MUCH_LOAD, f"load average = {os.getloadavg()[0]:.2f}")
        return Refusal(TOO_MANY, "too many connections (reserve)")
    return None
