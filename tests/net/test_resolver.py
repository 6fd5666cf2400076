"""The resolver against a real name server, and against servers that misbehave."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import pytest

from mta.errors import ConfigError
from mta.net import records
from mta.net.answer import Answer, AnswerCache
from mta.net.resolv_conf import parse_nameservers, read_resolv_conf
from mta.net.resolver import NAMES_PATTERN, Resolver
from tests.fakes.dns import FakeResolver
from tests.peers.nsd import name_server

BIG = " ".join(f'"{"x" * 200}"' for _ in range(20))
ZONES = {
    "example.com": f"""
@ MX 20 backup
@ MX 10 MAIL.example.com.
@ TXT "v=spf1 -all" "second"
@ TXT "other"
mail A 192.0.2.1
mail AAAA 2001:db8::1
backup A 192.0.2.2
www CNAME mail
far CNAME host.example.net.
loop1 CNAME loop2
loop2 CNAME loop1
dead CNAME nowhere.example.net.
big TXT {BIG}
_imap._tcp SRV 5 6 143 mail
_25._tcp.mail TLSA 3 1 1 {"ab" * 32}
under_score A 192.0.2.9
*.wild A 192.0.2.7
""",
    "example.net": "host A 198.51.100.1\nback CNAME loop.example.com.\n",
    "2.0.192.in-addr.arpa": "1 PTR mail.example.com.\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with name_server(ZONES, tmp_path_factory.mktemp("dns")) as address:
        yield address


@pytest.fixture
def resolver(server: tuple[str, int]) -> Resolver:
    return Resolver([server], retrans=5, retry=1, search=["example.com", "example.net"], trust_ad=False)


@pytest.mark.parametrize(
    ("name", "rdtype", "status", "canonical", "texts"),
    [
        ("mail.example.com", "A", "ok", "mail.example.com", ["192.0.2.1"]),
        ("MAIL.Example.COM.", "A", "ok", "mail.example.com", ["192.0.2.1"]),
        ("www.example.com", "A", "ok", "mail.example.com", ["192.0.2.1"]),
        ("www.example.com", "CNAME", "ok", "www.example.com", ["mail.example.com."]),
        ("www.example.com", "MX", "nodata", "mail.example.com", []),
        ("far.example.com", "A", "ok", "host.example.net", ["198.51.100.1"]),
        ("dead.example.com", "A", "nxdomain", "nowhere.example.net", []),
        ("loop1.example.com", "A", "again", "loop1.example.com", []),
        ("mail.example.com", "MX", "nodata", "mail.example.com", []),
        ("none.example.com", "A", "nxdomain", "none.example.com", []),
        ("other.example.org", "A", "again", "other.example.org", []),
        ("x" * 64 + ".example.com", "A", "nxdomain", "x" * 64 + ".example.com", []),
        ("a..b", "A", "nxdomain", "a..b", []),
        ("x." * 200 + "example.com", "A", "nxdomain", "x." * 200 + "example.com", []),
        ("b\xfccher.wild.example.com", "A", "ok", "b\xfccher.wild.example.com", ["192.0.2.7"]),
    ],
)
def test_answers(resolver: Resolver, name: str, rdtype: str, status: str, canonical: str, texts: list[str]) -> None:
    answer = resolver.query(name, rdtype)
    assert (answer.status, answer.canonical, answer.texts()) == (status, canonical, texts)


def test_a_long_answer_comes_by_tcp(resolver: Resolver) -> None:
    assert [len(piece) for piece in records.txt(resolver, "big.example.com").values[0]] == [200] * 20


def test_negative_answers_are_kept_for_the_soa_minimum(resolver: Resolver) -> None:
    assert resolver.query("none.example.com", "A").ttl == 60
    assert resolver.query("mail.example.com", "A").ttl == 300


def test_records(resolver: Resolver) -> None:
    assert records.mx(resolver, "example.com").values == [(10, "mail.example.com"), (20, "backup.example.com")]
    assert sorted(records.txt(resolver, "example.com").values) == [["other"], ["v=spf1 -all", "second"]]
    assert records.srv(resolver, "_imap._tcp.example.com").values == [(5, 6, 143, "mail.example.com")]
    assert records.tlsa(resolver, "_25._tcp.mail.example.com").values == [(3, 1, 1, b"\xab" * 32)]
    assert records.ptr(resolver, "192.0.2.1").values == ["mail.example.com"]
    assert records.ptr(resolver, "not an address").status == "nxdomain"


def test_addresses(resolver: Resolver) -> None:
    assert records.addresses(resolver, "mail.example.com").values == ["2001:db8::1", "192.0.2.1"]
    assert records.addresses(resolver, "mail.example.com", ipv6=False).values == ["192.0.2.1"]
    assert records.addresses(resolver, "backup.example.com").values == ["192.0.2.2"]
    assert records.addresses(resolver, "none.example.com").status == "nxdomain"
    assert records.addresses(resolver, "example.com").status == "nodata"
    assert records.addresses(resolver, "www.example.com").name == "mail.example.com"
    resolver.ipv4_lookup = lambda domain: domain == "mail.example.com"
    assert records.addresses(resolver, "mail.example.com").values == ["192.0.2.1"]


def test_widening(resolver: Resolver) -> None:
    assert resolver.query("mail", "A").status == "again"  # nsd refuses the root
    assert resolver.query("mail", "A", qualify_single=True).name == "mail.example.com"
    assert resolver.query("host", "A", search_parents=True).name == "host.example.net"
    assert resolver.query("a.mail", "A", search_parents=True).status == "again"
    assert resolver.query("mail.", "A", qualify_single=True).status == "again"


def test_cname_loops_option() -> None:
    table = {("a", "CNAME"): ["b."], ("b", "CNAME"): ["c."], ("c", "A"): ["192.0.2.1"], ("d", "CNAME"): ["d."]}
    for loops, status in [(0, "again"), (1, "again"), (2, "ok"), (9, "ok")]:
        assert FakeResolver(table, cname_loops=loops).query("a", "A").status == status
    assert (
        FakeResolver({("a", "CNAME"): ["b."], ("b", "CNAME"): ["a."]}, cname_loops=9).query("a", "A").status == "again"
    )


def test_names_pattern(server: tuple[str, int]) -> None:
    strict = Resolver([server], retrans=5, retry=1, names_pattern=NAMES_PATTERN)
    assert strict.query("under_score.example.com", "A").status == "nxdomain"
    assert strict.query("mail.example.com", "A").status == "ok"
    assert strict.query("_25._tcp.mail.example.com", "TLSA").status == "ok"


def test_again_means_nonexist(server: tuple[str, int]) -> None:
    lenient = Resolver([server], retrans=5, retry=1, again_means_nonexist=lambda domain: domain.endswith(".org"))
    assert lenient.query("other.example.org", "A").status == "nxdomain"
    assert lenient.query("other.example.org", "TLSA").status == "again"
    assert lenient.query("other.example.edu", "A").status == "again"


def test_trust_aa(server: tuple[str, int]) -> None:
    trusting = Resolver([server], retrans=5, retry=1, trust_aa=lambda owner: owner == "example.com")
    assert trusting.query("mail.example.com", "A").authenticated
    assert trusting.query("none.example.com", "A").authenticated
    assert not trusting.query("host.example.net", "A").authenticated
    assert not trusting.query("far.example.com", "A").authenticated  # one link of the chain is not trusted


class Liar:
    """A UDP server that answers each question with what ``replies`` makes of it."""

    def __init__(self, replies) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.replies = replies
        self.asked = 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> "Liar":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self.address)
        self.thread.join()
        self.socket.close()

    def run(self) -> None:
        while True:
            wire, client = self.socket.recvfrom(4096)
            if not wire:
                return
            self.asked += 1
            for reply in self.replies(wire):
                self.socket.sendto(reply, client)


def respond(wire: bytes, *lines: str, flags: int = 0, rcode: int = 0) -> bytes:
    answer = dns.message.make_response(dns.message.from_wire(wire))
    answer.flags |= flags
    answer.set_rcode(rcode)
    text = "id 1\nopcode QUERY\nflags QR\n;ANSWER\n" + "\n".join(lines)
    answer.answer = dns.message.from_text(text).answer
    return answer.to_wire()


def test_forged_answers_are_passed_over() -> None:
    def replies(wire: bytes) -> list[bytes]:
        good = respond(wire, "host.test. 60 IN A 192.0.2.1")
        bad = respond(wire, "host.test. 60 IN A 192.0.2.66")
        (number,) = struct.unpack("!H", wire[:2])
        other = dns.message.make_response(dns.message.make_query("evil.test", "A", id=number)).to_wire()
        return [struct.pack("!H", number ^ 1) + bad[2:], other, b"", b"\0", good]

    with Liar(replies) as liar:
        assert Resolver([liar.address], retrans=5, retry=1).query("host.test", "A").texts() == ["192.0.2.1"]


def test_the_ad_bit_counts_where_the_server_is_trusted() -> None:
    def replies(wire: bytes) -> list[bytes]:
        return [respond(wire, "host.test. 60 IN A 192.0.2.1", flags=dns.flags.AD)]

    with Liar(replies) as liar:
        assert Resolver([liar.address], retrans=5).query("host.test", "A").authenticated
        assert not Resolver([liar.address], retrans=5, trust_ad=False).query("host.test", "A").authenticated


def test_unrelated_records_in_an_answer_are_not_believed() -> None:
    with Liar(lambda wire: [respond(wire, "bank.test. 60 IN A 192.0.2.66")]) as liar:
        assert Resolver([liar.address], retrans=5, retry=1).query("host.test", "A").status == "nodata"


def test_a_silent_server_costs_its_time_and_the_next_answers(server: tuple[str, int]) -> None:
    with Liar(lambda _wire: []) as silent:
        resolver = Resolver([silent.address, server], retrans=0.05, retry=2)
        assert resolver.query("mail.example.com", "A").status == "ok"
        alone = Resolver([silent.address], retrans=0.05, retry=2)
        assert alone.query("mail.example.com", "A").error == "127.0.0.1: timed out"
        assert silent.asked == 3
        alone.query("mail.example.com", "A")  # kept: the dead are not asked for each recipient
        assert silent.asked == 3


def test_servfail_is_not_taken_for_no_such_name(server: tuple[str, int]) -> None:
    with Liar(lambda wire: [respond(wire, rcode=2)]) as broken:
        assert Resolver([broken.address], retrans=5, retry=1).query("mail.example.com", "A").status == "again"
        assert Resolver([broken.address, server], retrans=5).query("mail.example.com", "A").status == "ok"


def test_a_server_without_edns_is_asked_without() -> None:
    def replies(wire: bytes) -> list[bytes]:
        if dns.message.from_wire(wire).edns >= 0:
            return [respond(wire, rcode=1)]
        return [respond(wire, "host.test. 60 IN A 192.0.2.1")]

    with Liar(replies) as old:
        assert Resolver([old.address], retrans=5).query("host.test", "A").status == "ok"


def test_nobody_listens_is_known_at_once() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
    started = time.monotonic()
    assert Resolver([address], retrans=30, retry=3).query("host.test", "A").status == "again"
    assert time.monotonic() - started < 5


def test_the_cache_is_bounded_and_ages() -> None:
    now = [0.0]
    cache = AnswerCache(2, clock=lambda: now[0])
    for name in "abc":
        cache.put(name, "A", Answer("ok", name, "A", ttl=10))
    assert len(cache) == 2
    assert cache.get("a", "A") is None
    assert cache.get("c", "A") is not None
    now[0] = 10.0
    assert cache.get("c", "A") is None
    cache.put("zero", "A", Answer("ok", "zero", "A", ttl=0))
    assert cache.get("zero", "A") is None


@pytest.mark.parametrize(
    ("item", "server"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("127.0.0.1.5353", ("127.0.0.1", 5353)),
        ("[::1]:53", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("::1", ("::1", 53)),
        ("::1.54", ("::1", 54)),
    ],
)
def test_nameservers(item: str, server: tuple[str, int]) -> None:
    assert parse_nameservers([item]) == [server]


@pytest.mark.parametrize("item", ["localhost", "127.0.0.1:0", "127.0.0.1:x", "127.0.0.1:99999", "[::1", "1.2.3"])
def test_bad_nameservers(item: str) -> None:
    with pytest.raises(ConfigError, match="dns_nameservers"):
        parse_nameservers([item])


def test_resolv_conf(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# x\nnameserver 192.0.2.53 # here\nnameserver bad\nnameserver ::1\nsearch a.example b.example.\n"
        "options timeout:2 attempts:3 trust-ad ndots:x\n"
    )
    found = read_resolv_conf(str(file))
    assert found.nameservers == [("192.0.2.53", 53), ("::1", 53)]
    assert found.search == ["a.example", "b.example"]
    assert (found.timeout, found.attempts, found.trust_ad) == (2.0, 3, True)
    assert read_resolv_conf(str(tmp_path / "none")).nameservers == [("127.0.0.1", 53)]


def test_hosts_file(tmp_path: Path, server: tuple[str, int]) -> None:
    from mta.net.hosts_file import HostsFile

    file = tmp_path / "hosts"
    file.write_text("127.0.0.9 Box.local box # c\n::9 box.local\nbad line\n192.0.2.200 mail.example.com\n")
    resolver = Resolver([server], retrans=5, hosts=HostsFile(str(file)))
    assert records.addresses(resolver, "box.LOCAL", hosts_file=True).values == ["127.0.0.9", "::9"]
    assert records.addresses(resolver, "mail.example.com", hosts_file=True).values == ["192.0.2.200"]
    assert records.addresses(resolver, "mail.example.com", ipv6=False).values == ["192.0.2.1"]
    assert resolver.hosts.names("127.0.0.9") == ["Box.local", "box"]
    file.write_text("127.0.0.9 changed.local\n")
    assert resolver.hosts.names("127.0.0.9") == ["changed.local"]
