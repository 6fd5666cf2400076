"""Host lists against the answers of Exim 4.96 (host_cases.txt: address|list TAB answer), over the same DNS data.

An answer is "n", "F" (no answer now) or ``y:data``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.errors import Deferred
from mta.match.compile import host_list, lookup_host_name
from mta.scope.scope import Scope
from tests.fakes.dns import FakeResolver
from tests.match.site import DATA, make_scope

ARPA = "2.1.10.in-addr.arpa"
TABLE = {
    ("host.ex", "A"): ["10.1.2.3", "10.1.2.4"],
    ("multi.names.ex", "A"): ["10.1.2.5"],
    ("second.ex", "A"): ["10.1.2.5"],
    ("unconf.ex", "A"): ["10.9.9.9"],
    ("six.ex", "AAAA"): ["2001:db8::1"],
    ("alias.ex", "CNAME"): ["host.ex."],
    ("our.host.ex", "A"): ["127.0.0.1"],
    ("other.ex", "A"): ["10.1.2.9"],
    ("a.wild.part.ex", "A"): ["10.1.2.7"],
    ("mxa.ex", "MX"): ["10 our.host.ex.", "20 other.ex."],
    ("mxb.ex", "MX"): ["10 other.ex.", "20 our.host.ex."],
    ("mxc.ex", "MX"): ["10 other.ex."],
    ("mxd.ex", "MX"): ["10 nowhere.ex."],
    ("mxn.ex", "MX"): ["0 ."],
    ("mxs.ex", "MX"): "again",
    (f"3.{ARPA}", "PTR"): ["host.ex."],
    (f"5.{ARPA}", "PTR"): ["Multi.Names.ex.", "second.ex."],
    (f"6.{ARPA}", "PTR"): ["unconf.ex."],
    (f"7.{ARPA}", "PTR"): ["a.wild.part.ex."],
    (f"8.{ARPA}", "PTR"): ["refused.zzz."],
    ("1.1.16.172.in-addr.arpa", "PTR"): "again",
    ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["six.ex."],
    ("host", "A"): "again",
    ("host", "AAAA"): "again",
    ("filehost.local", "A"): "again",
    ("refused.zzz", "A"): "again",
    ("refused.zzz", "AAAA"): "again",
}
OURS = {
    "10.1.2.3|10.1.2.3/x": "n",
}


def cases() -> Iterator[tuple[str, str]]:
    for line in (Path(__file__).parent / "host_cases.txt").read_text("latin-1").split("\n"):
        if line:
            question, answer = line.split("\t")
            yield question, answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hosts")
    for file in DATA.iterdir():
        (path / file.name).write_text(file.read_text("latin-1").replace("DIR", str(path)), "latin-1")
    (path / "etc-hosts").write_text("127.0.0.1 localhost\n192.168.1.7 filehost.local fh\n")
    return path


def host_scope(folder: Path, address: str) -> tuple[Scope, FakeResolver]:
    resolver = FakeResolver(TABLE, hosts=folder / "etc-hosts")
    scope = make_scope(resolver)
    scope.services.lookup_host_name = lookup_host_name
    scope.peer.address = address
    return scope, resolver


@pytest.mark.parametrize(("question", "expected"), list(cases()))
def test_case(question: str, expected: str, folder: Path) -> None:
    address, text = question.replace("DIR", str(folder)).split("|", 1)
    scope, _ = host_scope(folder, address)
    try:
        matched = host_list(text).match(scope, address)
    except Deferred:
        answer = "F"
    else:
        answer = "n" if matched is None else f"y:{matched.data or ''}".replace(str(folder), "DIR")
    assert answer == OURS.get(question, expected)


def test_addresses_before_names_cost_no_question(folder: Path) -> None:
    scope, resolver = host_scope(folder, "10.1.2.9")
    assert host_list("10.0.0.0/8 : *.ex : other.ex").match(scope, "10.1.2.9") is not None
    assert resolver.asked == []


def test_the_name_is_looked_up_once_for_all_lists(folder: Path) -> None:
    scope, resolver = host_scope(folder, "10.1.2.3")
    assert host_list("*.nowhere").match(scope, "10.1.2.3") is None
    asked = len(resolver.asked)
    assert host_list("^nothing").match(scope, "10.1.2.3") is None
    assert len(resolver.asked) == asked


def test_a_given_name_is_not_looked_up(folder: Path) -> None:
    scope, resolver = host_scope(folder, "10.1.2.3")
    assert host_list("*.target").match(scope, "10.9.9.9", "mx.target") is not None
    assert host_list("*.ex").match(scope, "10.9.9.9", "mx.target") is None
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("text", "matches"),
    [("*", True), (":", True), ("10.0.0.0/8", False), ("!10.0.0.1", True), ("*.ex", False), ("host.ex", False),
     ("net-lsearch;/nonexistent", False), ("10.0.0.1 : :", True), ("@[]", False)],
)  # fmt: skip
def test_a_local_caller_has_no_host(folder: Path, text: str, matches: bool) -> None:
    scope, _ = host_scope(folder, "")
    assert (host_list(text).match(scope, "") is not None) == matches


@pytest.mark.parametrize(
    ("domain", "any_", "primary", "secondary"),
    [
        ("mxa.ex", True, True, False),
        ("mxb.ex", True, False, True),
        ("mxc.ex", False, False, False),
        ("mxd.ex", False, False, False),
        ("mxn.ex", False, False, False),
        ("none.ex", False, False, False),
    ],
)
def test_mx_items(folder: Path, domain: str, any_: bool, primary: bool, secondary: bool) -> None:
    from mta.match.compile import domain_list

    scope, _ = host_scope(folder, "")
    for item, expected in (("@mx_any", any_), ("@mx_primary", primary), ("@mx_secondary", secondary)):
        matched = domain_list(item).match(scope, domain)
        assert (matched is not None) == expected
        assert matched is None or matched.data == item
    assert domain_list("@mx_any/ignore=127.0.0.0/8").match(scope, domain) is None


def test_mx_items_defer_when_the_dns_does(folder: Path) -> None:
    from mta.match.compile import domain_list

    scope, _ = host_scope(folder, "")
    with pytest.raises(Deferred, match=r"mxs\.ex"):
        domain_list("@mx_any").match(scope, "mxs.ex")
    assert domain_list("mxs.ex : @mx_any").match(scope, "mxs.ex") is not None


def test_hosts_treated_as_local(folder: Path) -> None:
    from mta.match.compile import domain_list

    scope, _ = host_scope(folder, "")
    scope.site.options.hosts_treat_as_local = domain_list("other.*  : *ther.ex")
    assert domain_list("@mx_primary").match(scope, "mxc.ex") is not None
