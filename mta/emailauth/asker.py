"""Who answers the DNS questions of SPF and DMARC: the process's Resolver, or a table of TXT records given by hand.

``ask`` bounds one question by the seconds that its evaluation has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mta.net.answer import Answer, Status
from mta.text.ascii import lower

if TYPE_CHECKING:
    from dns.rdata import Rdata

STRING = 255  # bytes of one character string of a TXT record (RFC 1035 3.3.14)
MAX_NAME = 253


class Asker(Protocol):
    """``net.resolver.Resolver`` and ``TableAsker``."""

    timeout: float
    attempts: int

    def query(
        self, name: str, rdtype: str, *, retrans: float = 0.0, retry: int = 0, check_names: bool = True
    ) -> Answer: ...


class OutOfTime(Exception):
    """The evaluation has used up its time."""


class Deadline:
    """The time that an evaluation may take, all its questions together. ``seconds`` from now on."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def ask(self, asker: Asker, name: str, rdtype: str) -> Answer:
        """One question that ends before the deadline does; raises OutOfTime when none is left."""
        left = self._end - self._clock()
        if left <= 0:
            raise OutOfTime
        if len(name) > MAX_NAME:
            return Answer("nxdomain", name, rdtype, canonical=name, error="not a domain name")
        servers = max(1, len(getattr(asker, "nameservers", ())))
        attempts = max(1, asker.attempts)
        seconds = min(asker.timeout, left / (attempts * servers))
        return asker.query(name, rdtype, retrans=seconds, retry=attempts, check_names=False)


class TableAsker:
    """TXT records by name, case ignored: a text or a list of them; any other question finds nothing.

    ``{"name": {"A": ["192.0.2.1"]}}`` gives other types in zone file form; a text "SERVFAIL" is no answer.
    """

    timeout = 1.0
    attempts = 1

    def __init__(self, table: Mapping[str, object]) -> None:
        self._table = {lower(name).rstrip("."): value for name, value in table.items()}

    def query(
        self, name: str, rdtype: str, *, retrans: float = 0.0, retry: int = 0, check_names: bool = True
    ) -> Answer:
        name = lower(name).rstrip(".")
        value = self._table.get(name)
        if value == "SERVFAIL":
            return Answer("again", name, rdtype, canonical=name, error="SERVFAIL")
        if value is None:
            below = any(known.endswith(f".{name}") for known in self._table)
            return self._empty("nodata" if below else "nxdomain", name, rdtype)
        by_type: Any = value if isinstance(value, dict) else {"TXT": value}
        found: Any = by_type.get(rdtype, [])
        texts = [found] if isinstance(found, str) else list(found)
        if not texts:
            return self._empty("nodata", name, rdtype)
        try:
            records = tuple(_record(rdtype, str(text)) for text in texts)
        except ValueError as error:
            return Answer("again", name, rdtype, canonical=name, error=str(error))
        return Answer("ok", name, rdtype, records, name)

    def _empty(self, status: Status, name: str, rdtype: str) -> Answer:
        return Answer(status, name, rdtype, canonical=name)


def _record(rdtype: str, text: str) -> Rdata:
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    from dns.rdtypes.ANY.TXT import TXT

    if rdtype == "TXT":
        data = text.encode("utf-8", "surrogatepass")
        pieces = [data[start : start + STRING] for start in range(0, len(data), STRING)] or [b""]
        return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, pieces)
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), text)
    except dns.exception.DNSException as error:
        raise ValueError(f"{rdtype} {text}: {error}") from None
