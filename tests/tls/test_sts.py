"""MTA-STS records and policies (RFC 8461 3.1, 3.2, 4.1)."""

from __future__ import annotations

import pytest

from mta.tls.sts import Policy, parse_policy, record_id


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([["v=STSv1; id=20160831085700Z;"]], "20160831085700Z"),
        ([["v=STSv1;id=1"]], "1"),
        ([["v=STSv1; ", "id=ab", "c;"]], "abc"),
        ([["v=STSv1; foo=bar; id=9; x"]], "9"),
        ([["v=spf1 -all"], ["v=STSv1; id=1;"]], "1"),
        ([["v=STSv1; id=1;"], ["v=STSv1; id=2;"]], None),
        ([["v=STSv2; id=1;"]], None),
        ([["v=STSv1"]], None),
        ([["v=STSv1; id=;"]], None),
        ([["v=STSv1; id=a-b;"]], None),
        ([["v=STSv1; id=" + "a" * 33]], None),
        ([[" v=STSv1; id=1;"]], None),
        ([], None),
    ],
)
def test_record(texts: list[list[str]], expected: str | None) -> None:
    assert record_id(texts) == expected


FILE = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE, Policy("enforce", 604800, ("mail.example.com", "*.example.net"))),
        (FILE.replace("\r", ""), Policy("enforce", 604800, ("mail.example.com", "*.example.net"))),
        (FILE + "mode: none\r\nnew: field\r\n", Policy("enforce", 604800, ("mail.example.com", "*.example.net"))),
        ("version: STSv1\nmode: none\nmax_age: 1", Policy("none", 1)),
        ("version:STSv1\nmode:testing\nmax_age:99999999\nmx:a", Policy("testing", 31557600, ("a",))),
        ("version: STSv1\nmode: enforce\nmax_age: 1\n", None),
        ("version: STSv1\nmode: maybe\nmx: a\nmax_age: 1\n", None),
        ("mode: enforce\nmx: a\nmax_age: 1\n", None),
        ("version: STSv2\nmode: enforce\nmx: a\nmax_age: 1\n", None),
        ("version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n", None),
        ("version: STSv1\nmode: enforce\nmx: a\n", None),
        ("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", None),
        ("version: STSv1\nmode: enforce\nmx: *.*.a\nmax_age: 1\n", None),
        ("version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n", None),
        ("<html>nothing here</html>", None),
        (FILE + "x" * 70000, None),
        ("", None),
    ],
)
def test_policy(text: str, expected: Policy | None) -> None:
    assert parse_policy(text.encode("latin-1")) == expected


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("a.example.net", True),
        ("a.b.example.net", False),
        ("example.net", False),
        ("other.example.com", False),
        ("*.example.net", True),
        ("", False),
    ],
)
def test_allowed_hosts(host: str, allowed: bool) -> None:
    policy = Policy("enforce", 1, ("mail.example.com", "*.example.net"))
    assert policy.allows(host) == allowed
