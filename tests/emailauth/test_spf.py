"""SPF evaluation beyond the public suite: bounds, lateness, hostile records, and what is said of a result."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mta.emailauth.asker import Deadline, TableAsker
from mta.emailauth.spf import check_spf
from mta.net.answer import Answer
from tests.fakes.dns import FakeResolver


def one(record: str | list[str], sender: str = "user@example.com", **more: list[str] | str) -> Any:
    table: dict[tuple[str, str], Any] = {
        ("example.com", "TXT"): [f'"{r}"' for r in ([record] if isinstance(record, str) else record)]
    }
    table |= {(name.replace("__", "."), "A"): value for name, value in more.items()}
    return check_spf(FakeResolver(table), "192.0.2.1", sender, "helo.example.com", receiver="mx")


def test_spf_02_ten_terms_that_ask_are_the_limit() -> None:
    hosts = {f"h{n}__example__com": ["198.51.100.1"] for n in range(12)}
    ten = " ".join(f"a:h{n}.example.com" for n in range(10))
    assert one(f"v=spf1 {ten} ip4:192.0.2.1 -all", **hosts).result == "pass"
    found = one(f"v=spf1 {ten} a:h10.example.com ip4:192.0.2.1 -all", **hosts)
    assert (found.result, found.problem) == ("permerror", "Too many DNS lookups")


def test_spf_02_two_void_answers_are_the_limit() -> None:
    assert one("v=spf1 a:v1.example.com a:v2.example.com ip4:192.0.2.1 -all").result == "pass"
    found = one("v=spf1 a:v1.example.com a:v2.example.com a:v3.example.com ip4:192.0.2.1 -all")
    assert (found.result, found.problem) == ("permerror", "Void lookup limit of 2 exceeded")


class SlowResolver(FakeResolver):
    """Every question takes as long as it may; the clock is the test's own."""

    now = 0.0

    def _ask_servers(self, name: str, rdtype: str, timeout: float, attempts: int) -> Answer:
        self.now += timeout * attempts
        return super()._ask_servers(name, rdtype, timeout, attempts)


def test_spf_02_late_answers_end_in_temperror_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[tuple[str, str], Any] = {
        ("example.com", "TXT"): ['"v=spf1 ' + " ".join(f"include:i{n}.example.com" for n in range(9)) + ' -all"']
    }
    table |= {(f"i{n}.example.com", "TXT"): ['"v=spf1 ?all"'] for n in range(9)}
    slow = SlowResolver(table, retrans=4.0, retry=2)
    monkeypatch.setattr("mta.emailauth.spf.Deadline", lambda seconds: Deadline(seconds, lambda: slow.now))
    found = check_spf(slow, "192.0.2.1", "user@example.com", "h.example.com", time_limit=20.0)
    assert (found.result, found.problem) == ("temperror", "DNS: the evaluation took too long")
    assert slow.now <= 20.0


def test_spf_02_broken_answers_are_temperror() -> None:
    found = check_spf(FakeResolver({("example.com", "TXT"): "again"}), "192.0.2.1", "a@example.com", "h")
    assert (found.result, found.problem) == ("temperror", "DNS a fake failure: example.com TXT")
    assert one("v=spf1 a:slow.example.com -all", slow__example__com="again").result == "temperror"


HOSTILE = [
    ("v=spf1 " + "a=1 " * 10000, "permerror"),
    ("v=spf1 " + " ".join(f"x{n}=1" for n in range(9000)) + " -all", "permerror"),
    ("v=spf1 exists:" + "%%." * 20000 + "com -all", "permerror"),
    ("v=spf1 exists:%{d" + "9" * 5000 + "}.com -all", "permerror"),
    ("v=spf1 exists:%{d" + "9" * 500 + "}.com -all", "fail"),
    ("v=spf1 include:example.com -all", "permerror"),
    ("v=spf1 redirect=example.com", "permerror"),
    ("v=spf1 ip4:" + "1" * 20000 + " -all", "permerror"),
    ("v=spf1 \x80\xff -all", "permerror"),
    ("v=spf1 ip4:1.2.3.4/" + "9" * 5000 + " -all", "permerror"),
    ("v=spf1" + " -all" * 3000, "fail"),
]


@pytest.mark.parametrize(("record", "result"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_records_cost_little(record: str, result: str) -> None:
    started = time.process_time()
    found = check_spf(TableAsker({"example.com": record}), "192.0.2.1", "a@example.com", "h.example.com")
    assert found.result == result, found.problem
    assert len(found.problem) <= 512
    assert time.process_time() - started < 2


def test_names_of_macros_are_asked_whatever_they_hold() -> None:
    """dns_check_names_pattern is for host names; libspf2 asks past it."""
    made = FakeResolver(
        {
            ("example.com", "TXT"): ['"v=spf1 exists:%{l}._u.example.com -all"'],
            ("a+b._u.example.com", "A"): ["127.0.0.2"],
        },
        names_pattern=r"^[a-z0-9.]+$",
    )
    assert made.query("a+b._u.example.com", "A").status == "nxdomain"
    assert check_spf(made, "192.0.2.1", "a+b@example.com", "h").result == "pass"
    assert made.query("a+b._u.example.com", "A").status == "nxdomain"  # and the cache does not mix them up


def test_spf_06_header_texts_hold_no_line_ends() -> None:
    found = check_spf(
        TableAsker({"example.com": "v=spf1 -all"}), "192.0.2.1", "a@example.com", "x\r\nX-Evil: 1", receiver="mx"
    )
    assert "\n" not in found.received
    assert "\r" not in found.received
    assert found.helo == "x??X-Evil: 1"


def test_spf_10_explanation_of_the_domain_is_kept_short() -> None:
    asker = TableAsker(
        {"example.com": "v=spf1 -all exp=why.example.com", "why.example.com": "%{i} is not ours " + "x" * 900}
    )
    found = check_spf(asker, "192.0.2.1", "a@example.com", "h.example.com")
    assert found.explanation.startswith("192.0.2.1 is not ours x")
    assert len(found.explanation) == 512


def test_ipv4_in_ipv6_is_ipv4() -> None:
    found = check_spf(
        TableAsker({"example.com": "v=spf1 ip4:192.0.2.1 -all"}), "::ffff:192.0.2.1", "a@example.com", "h"
    )
    assert (found.result, found.ip) == ("pass", "192.0.2.1")


def test_spf_06_a_record_cannot_end_the_comment() -> None:
    found = check_spf(TableAsker({"example.com": "v=spf1 x)client-ip=9.9.9.9;("}), "192.0.2.1", "a@example.com", "h")
    assert r"found: x\)client-ip=9.9.9.9;\()" in found.received
