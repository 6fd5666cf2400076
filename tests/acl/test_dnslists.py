"""dnslists against a resolver of fixed answers; results, variables and log lines are Exim 4.96's for the same zone."""

from __future__ import annotations

from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from mta.acl.conditions.dnslists import reversed_address
from mta.net.answer import Answer
from tests.acl.acls import session

A = {
    "1.2.0.192.a.test": ["127.0.0.2"],
    "1.2.0.192.multi.test": ["127.0.0.1", "127.0.0.2"],
    "k.name.test": ["127.0.0.4"],
    "1.2.0.192.out.test": ["10.0.0.1"],
    "1.2.0.192.fine.test": ["127.0.0.9"],
}
TXT = {"1.2.0.192.a.test": "listed for spam", "1.2.0.192.fine.test": "fine text"}


class Zone:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, name: str, rdtype: str, **_: Any) -> Answer:
        self.asked.append(name)
        if name.endswith("bad.test"):
            return Answer("again", name, rdtype, error="SERVFAIL")
        texts = A.get(name, []) if rdtype == "A" else [f'"{TXT[name]}"'] if name in TXT else []
        kind = dns.rdatatype.from_text(rdtype)
        records = tuple(dns.rdata.from_text(dns.rdataclass.IN, kind, text) for text in texts)
        return Answer("ok" if records else "nxdomain", name, rdtype, records)


MULTI = "multi.test|127.0.0.1, 127.0.0.2||192.0.2.1"
SPAM = "a.test|127.0.0.2|listed for spam|192.0.2.1"
FINE = "fine.test|127.0.0.9|fine text|192.0.2.1"
CASES = [
    ("", "miss"),
    ("a.test", SPAM),
    ("nothing.test : a.test", SPAM),
    ("a.test=127.0.0.2", SPAM),
    ("a.test=127.0.0.3", "miss"),
    ("a.test=127.0.0.3,127.0.0.2", SPAM),
    ("a.test!=127.0.0.2", "miss"),
    ("a.test!=127.0.0.3", SPAM),
    ("multi.test=127.0.0.1", MULTI),
    ("multi.test==127.0.0.1", "miss"),
    ("multi.test==127.0.0.1,127.0.0.2", MULTI),
    ("multi.test!==127.0.0.1", MULTI),
    ("multi.test!=127.0.0.1", "miss"),
    ("multi.test&0.0.0.2", MULTI),
    ("multi.test=&0.0.0.2", "miss"),
    ("multi.test!&0.0.0.2", "miss"),
    ("multi.test!=&0.0.0.2", MULTI),
    ("name.test/k", "name.test|127.0.0.4||k"),
    ("name.test/x::k", "name.test|127.0.0.4||k"),
    ("name.test/<;x;k", "name.test|127.0.0.4||k"),
    ("a.test/192.0.2.1", SPAM),
    ("a.test/", "miss"),
    ("out.test", "miss"),
    ("fine.test,a.test", FINE),
    ("fine.test,a.test=127.0.0.2", FINE),
    ("fine.test,a.test=127.0.0.3", "miss"),
    ("none.test,a.test", "miss"),
    ("bad.test", "miss"),
    ("+include_unknown : bad.test", "bad.test|||192.0.2.1"),
    ("+include_unknown : a.test=127.0.0.3 : bad.test", "bad.test|||192.0.2.1"),
    ("+defer_unknown : bad.test", "defer"),
    ("+exclude_unknown : bad.test : a.test", SPAM),
]


@pytest.mark.parametrize(("lists", "said"), CASES)
def test_dnslists(lists: str, said: str) -> None:
    made = session()
    made.scope.services.resolver = Zone()  # type: ignore[assignment]
    verdict = made.run(
        f" accept dnslists = {lists}\n message = $dnslist_domain|$dnslist_value|$dnslist_text|$dnslist_matched\n"
        " accept message = miss"
    )
    assert (verdict.user_message or "defer") == said


LOGGED = [
    ("out.test", "DNS list lookup for 192.0.2.1 at out.test returned 10.0.0.1; not in 127.0/8 and discarded"),
    ("bad.test", "DNS list lookup defer (probably timeout) for 1.2.0.192.bad.test: assumed not in list"),
    (
        "+include_unknown : bad.test",
        "DNS list lookup defer (probably timeout) for 1.2.0.192.bad.test: assumed in list",
    ),
    ("+foo : a.test", "unknown item in dnslist (ignored): +foo"),
    ("a b.test", 'dnslists domain "a b.test" contains strange characters - is this right?'),
]


@pytest.mark.parametrize(("lists", "line"), LOGGED)
def test_logged(lists: str, line: str) -> None:
    made = session()
    made.scope.services.resolver = Zone()  # type: ignore[assignment]
    made.run(f" accept dnslists = {lists}\n accept")
    assert made.main == [line]


def test_narrative() -> None:
    made = session()
    made.scope.services.resolver = Zone()  # type: ignore[assignment]
    made.run(" accept dnslists = a.test!=127.0.0.2 : multi.test==127.0.0.1 : a.test\n accept")
    assert made.trace[3:-2] == [
        "dnslists check: a.test!=127.0.0.2",
        "new DNS lookup for 1.2.0.192.a.test",
        "DNS lookup for 1.2.0.192.a.test succeeded (yielding 127.0.0.2)",
        "=> but we are not accepting this block class because",
        "=> there was an exclude match for =127.0.0.2",
        "dnslists check: multi.test==127.0.0.1",
        "new DNS lookup for 1.2.0.192.multi.test",
        "DNS lookup for 1.2.0.192.multi.test succeeded (yielding 127.0.0.1, 127.0.0.2)",
        "=> but we are not accepting this block class because",
        "=> there was an IP address that did not match for ==127.0.0.1",
        "dnslists check: a.test",
        "new DNS lookup for 1.2.0.192.a.test",
        "DNS lookup for 1.2.0.192.a.test succeeded (yielding 127.0.0.2)",
        "=> that means 192.0.2.1 is listed at a.test",
    ]


def test_number_of_questions_is_bounded() -> None:
    made = session()
    zone = Zone()
    made.scope.services.resolver = zone  # type: ignore[assignment]
    keys = "::".join(f"k{number}" for number in range(1000))
    made.run(f" accept dnslists = list.test/{keys}")
    assert len(zone.asked) <= 200


def test_reversed_address() -> None:
    assert reversed_address("192.168.62.43") == "43.62.168.192"
    assert reversed_address("3ffe:ffff:836f:0a00:000a:0800:200a:c031") == (
        "1.3.0.c.a.0.0.2.0.0.8.0.a.0.0.0.0.0.a.0.f.6.3.8.f.f.f.f.e.f.f.3"
    )
    assert reversed_address("a.domain") is None
