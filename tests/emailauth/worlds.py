"""What the tests of sender authentication share: a resolver that answers from a zone file."""

from __future__ import annotations

from pathlib import Path

import dns.zone

from tests.fakes.dns import FakeResolver

DATA = Path(__file__).parent / "data"


def zone_resolver(text: str, origin: str = "test") -> FakeResolver:
    """Answers from zone file text."""
    table: dict[tuple[str, str], list[str] | str] = {}
    zone = dns.zone.from_text(text, origin, relativize=False, check_origin=False)
    for name, node in zone.items():
        for rdataset in node:
            key = (name.to_text(omit_final_dot=True), rdataset.rdtype.name)
            table[key] = [record.to_text() for record in rdataset]
    return FakeResolver(table)
