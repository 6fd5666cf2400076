"""dnsdb against the answers of Exim 4.96 over the same zones (dnsdb_cases.txt: query TAB answer)."""

from pathlib import Path

import pytest

from mta.errors import Deferred
from mta.lookup.find import lookup
from mta.net.resolver import NAMES_PATTERN
from tests.fakes.dns import FakeResolver
from tests.lookup.test_cases import make_scope

ARPA = "2.1.10.in-addr.arpa"
TABLE = {
    ("ex", "SOA"): ["ns.ex. root.ex. 1 3600 600 300 60"],
    ("ex", "NS"): ["ns.ex."],
    ("zzz", "NS"): "again",
    ("a", "TXT"): "again",
    ("host.ex", "A"): ["10.1.2.3", "10.1.2.4"],
    ("other.ex", "A"): ["10.1.2.9"],
    ("six.ex", "AAAA"): ["2001:db8::1"],
    ("both.ex", "A"): ["10.5.5.5"],
    ("both.ex", "AAAA"): ["2001:db8::55"],
    ("alias.ex", "CNAME"): ["host.ex."],
    ("refused.zzz", "A"): "again",
    ("mxa.ex", "MX"): ["10 our.host.ex.", "20 other.ex."],
    ("mxb.ex", "MX"): ["10 other.ex.", "20 our.host.ex."],
    ("txt.ex", "TXT"): ['"one" "two"', '"three"'],
    ("spf.ex", "TXT"): ['"v=spf1 " "-all"', '"other"'],
    ("old.ex", "SPF"): ['"v=spf1 " "-all"'],
    ("_x._tcp.ex", "SRV"): ["1 2 3 host.ex.", "0 0 0 ."],
    ("_25._tcp.host.ex", "TLSA"): ["3 1 0 ABCDEF"],
    ("_client._smtp.csa.ex", "SRV"): ["1 2 0 host.ex."],
    ("_client._smtp.csano.ex", "SRV"): ["1 1 0 host.ex."],
    ("_client._smtp.csax.ex", "SRV"): ["1 3 0 other.ex."],
    ("_client._smtp.csaq.ex", "SRV"): ["1 7 0 other.ex."],
    ("_client._smtp.all.ex", "SRV"): ["1 2 1 host.ex."],
    (f"3.{ARPA}", "PTR"): ["host.ex."],
    (f"5.{ARPA}", "PTR"): ["multi.names.ex.", "second.ex."],
    ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["six.ex."],
}
CASES = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "dnsdb_cases.txt").read_text("latin-1").split("\n")
    if line
]


def ask(query: str, **options: object) -> str:
    scope = make_scope()
    scope.services.resolver = FakeResolver(TABLE, names_pattern=NAMES_PATTERN, **options)  # type: ignore[arg-type]
    try:
        value = lookup(scope, "dnsdb", "", query.replace("\\n", "\n"))
    except Deferred as failure:
        return f"Failed: {failure.message}"
    return "no" if value is None else f"<{value}>".replace("\n", "\\n")


@pytest.mark.parametrize(("query", "expected"), CASES)
def test_case(query: str, expected: str) -> None:
    answer = ask(query)
    start = f'Failed: lookup of "{query}" gave DEFER: '
    if expected.startswith(start) and expected != start:
        assert answer == "Failed: " + expected.removeprefix(start)
    elif expected == start:  # Exim says nothing of the reason
        assert answer.startswith("Failed: DNS lookup")
    else:
        assert answer == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("spf=old.ex", "<v=spf1 -all>"),
        ("csa=below.all.ex", "<X host.ex>"),
        ("csa=all.ex", "<Y host.ex>"),
        ("retry_x,a=host.ex", "Failed: unsupported dnsdb retry count"),
        ("dnssec_x,a=host.ex", "Failed: unsupported dnsdb dnssec behaviour"),
    ],
)
def test_other_queries(query: str, expected: str) -> None:
    assert ask(query) == expected


def test_dnssec() -> None:
    assert ask("dnssec_strict,a=host.ex", authenticated=["host.ex"]) == "<10.1.2.3\\n10.1.2.4>"
    assert ask("dnssec_strict,defer_never,a=host.ex") == "no"
    scope = make_scope()
    scope.services.resolver = FakeResolver(TABLE, authenticated=["host.ex"])
    for query, said in [("a=host.ex", "yes"), ("a=host.ex:other.ex", "no"), ("dnssec_never,a=host.ex", "")]:
        lookup(scope, "dnsdb", "", query)
        assert scope.vars["lookup_dnssec_authenticated"] == said
