"""A resolver that answers from a table, for tests of whatever asks the DNS.

``FakeResolver({("example.com", "MX"): ["10 mail.example.com."], ("slow.example", "A"): "again"})``:
a list is records in zone file form, a string a status; a name that has no entry at all is NXDOMAIN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from mta.net.answer import Answer
from mta.net.hosts_file import HostsFile
from mta.net.resolver import Resolver

Table = Mapping[tuple[str, str], Sequence[str] | str]


class FakeResolver(Resolver):
    """``authenticated`` names the owners whose answers carry the AD bit; ``asked`` lists the questions in order."""

    def __init__(
        self, table: Table, *, authenticated: Sequence[str] = (), hosts: Path | None = None, **options: Any
    ) -> None:
        file = HostsFile(str(hosts) if hosts else "/nonexistent/hosts")
        super().__init__([("127.0.0.1", 53)], hosts=file, resolv_conf="/nonexistent/resolv.conf", **options)
        self.table = {(name.lower(), kind): value for (name, kind), value in table.items()}
        self.authenticated = set(authenticated)
        self.asked: list[tuple[str, str]] = []

    def _ask_servers(self, name: str, rdtype: str, timeout: float, attempts: int) -> Answer:
        self.asked.append((name, rdtype))
        ad = name in self.authenticated
        value = self.table.get((name, rdtype))
        if isinstance(value, str):
            assert value in ("ok", "nodata", "nxdomain", "again")
            return Answer(value, name, rdtype, canonical=name, ttl=60.0, error="a fake failure")  # type: ignore[arg-type]
        if value is not None:
            kind = dns.rdatatype.from_text(rdtype)
            records = tuple(dns.rdata.from_text(dns.rdataclass.IN, kind, text) for text in value)
            return Answer("ok", name, rdtype, records, name, ad, 300.0)
        alias = self.table.get((name, "CNAME"))
        if alias is not None and not isinstance(alias, str):
            return Answer("nodata", name, rdtype, canonical=alias[0].rstrip("."), authenticated=ad, ttl=300.0)
        known = any(owner == name for owner, _ in self.table)
        return Answer("nodata" if known else "nxdomain", name, rdtype, canonical=name, authenticated=ad, ttl=60.0)
