"""The public RFC 7208 test suite (data/rfc7208-tests.json, from pyspf's sources) through our resolver and a real nsd.

All of a scenario's names stand in one root zone; a name that shall time out is a zone that nsd cannot load: SERVFAIL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from mta.emailauth.spf import check_spf
from mta.net.resolver import Resolver
from tests.peers.nsd import name_server

SCENARIOS = json.loads((Path(__file__).parent / "data" / "rfc7208-tests.json").read_text())
CASES = [(number, name) for number, scenario in enumerate(SCENARIOS) for name in scenario["tests"]]
HEAD = "$TTL 300\n{0} IN SOA ns.invalid. root.invalid. 1 3600 600 86400 60\n{0} IN NS ns.invalid.\n"
BROKEN = "this SOA cannot be read ("


def _name(text: str) -> dns.name.Name | None:
    text = text.removesuffix(".")
    try:
        return dns.name.Name([*(label.encode("utf-8") for label in text.split(".")), b""])
    except dns.exception.DNSException:
        return None  # such a name cannot be in the DNS


def _texts(kind: str, value: Any) -> str:
    if kind == "TXT":
        data = [piece.encode("utf-8") for piece in ([value] if isinstance(value, str) else value)]
        pieces = [data_[at : at + 255] for data_ in data for at in range(0, len(data_), 255) or [0]]
        return " ".join('"' + "".join(f"\\{byte:03d}" for byte in piece) + '"' for piece in pieces) or '""'
    if kind == "MX":
        target = _name(value[1]) if value[1] else dns.name.root
        assert target is not None
        return f"{value[0]} {target.to_text()}"
    if kind in ("PTR", "CNAME"):
        target = _name(value)
        assert target is not None
        return target.to_text()
    return str(value)


def _has_text(record: Any) -> bool:
    return isinstance(record, dict) and record.get("TXT", "NONE") != "NONE"


def zones(zonedata: dict[str, list[Any]]) -> dict[str, str]:
    """The zones of a scenario: "." with all records, and broken ones for names without an answer."""
    lines: list[tuple[str, str]] = []
    broken: list[str] = []
    for owner, records in zonedata.items():
        name = _name(owner)
        if name is None:
            continue
        if "TIMEOUT" in records and not any(_has_text(record) for record in records):
            broken.append(owner)  # what else there is has type SPF, which nobody asks for
            continue
        kinds = [(kind, value) for record in records if record != "TIMEOUT" for kind, value in record.items()]
        if not any(kind == "TXT" for kind, _ in kinds):
            kinds = [("TXT" if kind == "SPF" else kind, value) for kind, value in kinds]
        for kind, value in kinds:
            if kind == "SPF" or value == "NONE":
                continue
            lines.append((owner, f"{name.to_text()} IN {kind} {_texts(kind, value)}"))
    found = {".": HEAD.format("."), **dict.fromkeys(broken, BROKEN)}
    for owner, line in lines:
        # below a zone that does not answer, each name is a zone of its own
        zone = owner if any(owner.endswith(f".{above}") for above in broken) else "."
        found[zone] = found.get(zone, HEAD.format(f"{owner}.")) + line + "\n"
    return found


@pytest.fixture(scope="module")
def resolvers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Resolver]]:
    """A resolver a scenario, each in front of its own nsd."""
    with ExitStack() as stack:
        found = []
        for scenario in SCENARIOS:
            server = stack.enter_context(name_server(zones(scenario["zonedata"]), tmp_path_factory.mktemp("nsd")))
            found.append(Resolver([server], retrans=2.0, retry=1, search=[]))
        yield found


@pytest.mark.parametrize(("number", "test"), CASES, ids=[name for _, name in CASES])
def test_spf_02_rfc7208_suite(resolvers: list[Resolver], number: int, test: str) -> None:
    case = SCENARIOS[number]["tests"][test]
    found = check_spf(resolvers[number], case["host"], case["mailfrom"], case["helo"])
    allowed = [case["result"]] if isinstance(case["result"], str) else case["result"]
    assert found.result in allowed, found
    if case.get("explanation", "DEFAULT") != "DEFAULT":
        assert found.explanation == case["explanation"]
