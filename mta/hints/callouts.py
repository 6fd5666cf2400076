"""What callouts found out, for the next ones (manual section 44.48): a record a domain and a record an address.

``Memory`` answers for one configuration's expiry times. Nothing known is the answer to anything odd in the store.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from mta.hints.store import HintsStore
from mta.text.ascii import lower

DB = "callout"
Known = Literal["", "yes", "no"]
REFUSES_ALL = "reject"  # the connection, or HELO
REFUSES_BOUNCES = "reject_mfnull"  # MAIL FROM:<>
_RESULTS = ("", "accept", REFUSES_ALL, REFUSES_BOUNCES)
_KNOWN = ("", "yes", "no")


@dataclass(slots=True)
class DomainFacts:
    """``result``: how far callouts come. Times are seconds since the epoch."""

    result: str = ""
    postmaster: Known = ""
    postmaster_time: float = 0.0
    random: Known = ""
    random_time: float = 0.0


@dataclass(slots=True)
class Memory:
    """Expiry times are in seconds."""

    store: HintsStore
    now: float
    domain_positive: float
    domain_negative: float
    positive: float
    negative: float

    def domain(self, domain: str) -> DomainFacts:
        """What is still good of a domain's record."""
        hint = self.store.get(DB, _domain_key(domain))
        facts = _facts(hint.value) if hint is not None else None
        if hint is None or facts is None:
            return DomainFacts()
        refused = facts.result in (REFUSES_ALL, REFUSES_BOUNCES)
        if hint.time + (self.domain_negative if refused else self.domain_positive) < self.now:
            return DomainFacts()
        limit = self.domain_negative if facts.postmaster == "no" else self.domain_positive
        if facts.postmaster_time + limit < self.now:
            facts.postmaster = ""
        if facts.random_time + self.domain_positive < self.now:
            facts.random = ""
        return facts

    def learn_domain(self, domain: str, facts: DomainFacts) -> None:
        self.store.put(DB, _domain_key(domain), json.dumps(asdict(facts), separators=(",", ":")))

    def address(self, address: str, mail_from: str) -> Known:
        """Whether the address was accepted, as far as that is still good."""
        hint = self.store.get(DB, _address_key(address, mail_from))
        if hint is None or hint.value not in ("yes", "no"):
            return ""
        limit = self.positive if hint.value == "yes" else self.negative
        if hint.time + limit < self.now:
            return ""
        return "yes" if hint.value == "yes" else "no"

    def learn_address(self, address: str, mail_from: str, accepted: bool) -> None:
        self.store.put(DB, _address_key(address, mail_from), "yes" if accepted else "no")


def _domain_key(domain: str) -> str:
    return f"@{lower(domain)}"


def _address_key(address: str, mail_from: str) -> str:
    return f"{address}/<{mail_from}>" if mail_from else address


def _facts(text: str) -> DomainFacts | None:
    """A record as it was written; None for anything else."""
    try:
        raw = json.loads(text)
    except ValueError:
        return None
    if not isinstance(raw, dict) or set(raw) != set(DomainFacts.__slots__):
        return None
    times = (raw["postmaster_time"], raw["random_time"])
    if raw["result"] not in _RESULTS or raw["postmaster"] not in _KNOWN or raw["random"] not in _KNOWN:
        return None
    if not all(isinstance(number, (int, float)) for number in times):
        return None
    return DomainFacts(**raw)
