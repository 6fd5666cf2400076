"""Host lists: their items, their order, and addresses that have to be looked up."""

from __future__ import annotations

import pytest

from mta.errors import Deferred
from mta.mail.host import Host
from mta.mail.outcome import Status
from mta.scope.scope import Scope
from mta.transport.remote.hosts import HostsFailed, ordered, parse_host_text, port_number
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.transport.building import make_batch, make_transport


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.ex : b.ex::26", [("a.ex", "", 0, 0), ("b.ex", "", 26, 0)]),
        ("192.0.2.1 : 192.0.2.2::27", [("192.0.2.1", "192.0.2.1", 0, 0), ("192.0.2.2", "192.0.2.2", 27, 0)]),
        (
            "<; 2001:db8::1 ; [2001:db8::2]:28",
            [("2001:db8::1", "2001:db8::1", 0, 0), ("2001:db8::2", "2001:db8::2", 28, 0)],
        ),
        ("a : + : b", [("a", "", 0, 0), ("b", "", 0, 1)]),
        ("a::foo", [("a:foo", "", 0, 0)]),
    ],
)
def test_items(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert [(host.name, host.address, host.port, host.sort_key) for host in parse_host_text(text)] == expected


def test_order() -> None:
    mx = [Host(f"h{n}", "", 0, n // 3, n // 3) for n in range(9)]
    seen = {tuple(host.name for host in ordered(mx, randomize=False)) for _ in range(60)}
    assert len(seen) > 5
    for names in seen:
        assert [sorted(names[at : at + 3]) for at in (0, 3, 6)] == [
            ["h0", "h1", "h2"],
            ["h3", "h4", "h5"],
            ["h6", "h7", "h8"],
        ]
    listed = parse_host_text("a : b : c : + : d")
    assert ordered(listed, randomize=False) == listed
    assert {ordered(listed, randomize=True)[3].name for _ in range(20)} == {"d"}


@pytest.mark.parametrize(
    ("text", "number"), [("25", 25), ("smtp", 25), ("smtps", 465), ("99999", None), ("nosuch!", None)]
)
def test_ports(text: str, number: int | None) -> None:
    if number is None:
        with pytest.raises(HostsFailed, match="is not defined for x transport"):
            port_number(text, "x")
    else:
        assert port_number(text, "x") == number


def test_name_without_address(scope: Scope) -> None:
    transport = make_transport("smtp", hosts="no.such.invalid", hosts_override="true")
    (outcome,) = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)
    assert (outcome.status, outcome.errno) == (Status.DEFERRED, -32)
    assert outcome.message == "failed to lookup IP address for no.such.invalid"
    assert [(fact.key, fact.errno) for fact in outcome.retry] == [("R:no.such.invalid", -1)]


def test_answers_outlive_a_failed_lookup(scope: Scope) -> None:
    """The first host took one recipient; the list of the second host has no answer: nobody is delivered twice."""

    class Undecided:
        source = "x"

        def match(self, _scope: Scope, subject: str, name: str | None = None) -> None:
            if name == "second":
                raise Deferred("no answer")

    with ScriptedServer(Script(answers={"RCPT TO:<B": "451 later"})) as server:
        transport = make_transport("smtp", port=str(server.port))
        transport.driver.hosts_avoid_tls = Undecided()  # type: ignore[attr-defined]
        transport.driver.hosts_avoid_esmtp = Undecided()  # type: ignore[attr-defined]
        hosts = [Host("first", "127.0.0.1"), Host("second", "127.0.0.1")]
        found = transport.driver.deliver(transport, make_batch("a@r.ex", "b@r.ex", hosts=hosts), scope)
    assert [(outcome.status, outcome.message) for outcome in found] == [
        (Status.DELIVERED, ""),
        (Status.DEFERRED, "no answer"),
    ]


def test_no_hosts_at_all(scope: Scope) -> None:
    transport = make_transport("smtp")
    (outcome,) = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)
    assert (outcome.status, outcome.message) == (Status.DEFERRED, "smtp_t transport called with no hosts set")
