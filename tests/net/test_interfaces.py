"""The confirmed name of a peer (manual section 10.14)."""

from pathlib import Path

import pytest

from mta.mail.peer import Peer
from mta.net.interfaces import lookup_host_name
from tests.fakes.dns import FakeResolver, Table

PTR = ("1.2.0.192.in-addr.arpa", "PTR")
GOOD: Table = {PTR: ["Mail.Example.com."], ("mail.example.com", "A"): ["192.0.2.9", "192.0.2.1"]}


def look(table: Table, address: str = "192.0.2.1", **options: object) -> tuple[Peer, FakeResolver]:
    resolver = FakeResolver(table, **options)  # type: ignore[arg-type]
    peer = Peer(address=address)
    lookup_host_name(peer, resolver)
    return peer, resolver


@pytest.mark.parametrize(
    ("table", "name", "aliases", "failed", "deferred"),
    [
        (GOOD, "mail.example.com", [], False, False),
        (
            {PTR: ["a.x.", "b.x.", "c.x."], ("a.x", "A"): ["192.0.2.1"], ("c.x", "A"): ["192.0.2.1"]},
            "a.x",
            ["c.x"],
            False,
            False,
        ),
        ({PTR: ["liar.x."], ("liar.x", "A"): ["192.0.2.2"]}, "", [], True, False),
        ({PTR: ["gone.x."]}, "", [], True, False),
        ({PTR: ["slow.x."], ("slow.x", "A"): "again"}, "", [], False, True),
        ({PTR: "again"}, "", [], False, True),
        ({}, "", [], True, False),
        ({PTR: ["slow.x.", "a.x."], ("slow.x", "A"): "again", ("a.x", "A"): ["192.0.2.1"]}, "a.x", [], False, False),
    ],
)
def test_names(table: Table, name: str, aliases: list[str], failed: bool, deferred: bool) -> None:
    peer, _ = look(table)
    assert peer.host_lookup_done
    assert (peer.host_name, peer.host_aliases) == (name, aliases)
    assert (peer.host_lookup_failed, peer.host_lookup_deferred) == (failed, deferred)


def test_it_is_done_once() -> None:
    peer, resolver = look(GOOD)
    asked = len(resolver.asked)
    lookup_host_name(peer, resolver)
    assert len(resolver.asked) == asked


def test_secure_only_when_both_directions_are() -> None:
    assert look(GOOD, authenticated=[PTR[0], "mail.example.com"])[0].host_dnssec
    assert not look(GOOD, authenticated=[PTR[0]])[0].host_dnssec


def test_hosts_file_comes_second_and_the_dns_confirms(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.1 Box.local box\n")
    both = ["192.0.2.1"]
    assert look({}, hosts=hosts)[0].host_name == ""
    peer, _ = look({("box.local", "A"): both, ("box", "A"): both}, hosts=hosts)
    assert (peer.host_name, peer.host_aliases) == ("box.local", ["box"])
    assert look(GOOD, hosts=hosts)[0].host_name == "mail.example.com"


def test_many_names_cost_a_bounded_number_of_questions() -> None:
    peer, resolver = look({PTR: [f"n{number}.x." for number in range(500)]})
    assert peer.host_lookup_failed
    assert len(resolver.asked) < 50
