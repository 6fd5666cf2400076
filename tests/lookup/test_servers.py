"""What the servers of all kinds share: silent ones, dead ones, pools, and what logs may show."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mta.errors import Deferred
from mta.lookup import servers
from mta.lookup.servers import Driver, Refused, Server, Unreachable, ask, pools, shown_query
from mta.lookup.types import ldap, mysql, pgsql, redis
from mta.scope.scope import Scope
from tests.lookup.asking import Log, answer, make_scope


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("module", "option", "rest", "text"),
    [
        (redis, "redis_servers", "//secret", "redis{get k}"),
        (pgsql, "pgsql_servers", "/d/u/secret", "pgsql{select 1}"),
        (mysql, "mysql_servers", "/d/u/secret", "mysql{select 1}"),
        (ldap, "ldap_default_servers", "", "ldap{user=x pass=secret ldap:///o=base}"),
    ],
)
def test_a_silent_server_is_a_defer(
    module: Any, option: str, rest: str, text: str, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({ldap: "ldap"}.get(module, "redis"))
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2 if module is pgsql else 0.2)  # libpq's least
    log = Log()
    scope = make_scope(log, **{option: (f"127.0.0.1:{silent}{rest}",)})
    got = answer(scope, f"${{lookup {text}}}")
    assert got.startswith("Failed: lookup of ")
    assert f"server 127.0.0.1:{silent}" in log.text()
    assert "is left alone for 30s" in log.text()
    assert answer(scope, f"${{lookup {text}}}").endswith("(the server is left alone for a while)")
    assert "secret" not in got + log.text()


class Fake:
    """Connections that are numbers of socket pairs; what is done to them is kept."""

    def __init__(self) -> None:
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.closed: list[int] = []
        self.fails: set[str] = set()
        self.driver: Driver[int] = Driver(
            "Fake", "fake_servers", ("database", "password"), self.connect, self.fileno, self.close
        )

    def connect(self, scope: Scope, server: Server) -> int:
        if server.host in self.fails:
            raise Unreachable(f"{server.host} is down, {server.password} was useless\nsecond line")
        self.pairs.append(socket.socketpair())
        return len(self.pairs) - 1

    def fileno(self, number: int) -> int:
        return self.pairs[number][0].fileno()

    def close(self, number: int) -> None:
        self.closed.append(number)
        for end in self.pairs[number]:
            end.close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    for pair in made.pairs:
        for end in pair:
            end.close()


A, B = Server("a", password="hush"), Server("b")


def test_turns_and_memory(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    scope = make_scope(log)
    clock = [1000.0]
    monkeypatch.setattr(servers.time, "monotonic", lambda: clock[0])
    fake.fails = {"a"}
    asked: list[str] = []

    def question(number: int, server: Server) -> str:
        asked.append(server.host)
        return server.host

    assert ask(scope, fake.driver, [A, B], question) == "b"
    assert log[0] == "Fake server a is left alone for 30s: a is down, *** was useless second line"
    fake.fails = set()
    clock[0] += servers.DEAD_SECONDS - 1
    assert ask(scope, fake.driver, [A, B], question) == "b"
    clock[0] += 2
    assert ask(scope, fake.driver, [A, B], question) == "a"
    assert asked == ["b", "b", "a"]
    assert len([line for line in log if "left alone" in line]) == 1
    # an idle connection is not kept for ever
    clock[0] += servers.IDLE_SECONDS + 1
    assert ask(scope, fake.driver, [A], question) == "a"
    assert len(fake.closed) == 1


def test_refusals_keep_the_connection_and_bugs_do_not(fake: Fake) -> None:
    scope = make_scope()

    def refuse(number: int, server: Server) -> str:
        raise Refused(f"no, said {server.host}")

    with pytest.raises(Deferred, match="no, said b"):
        ask(scope, fake.driver, [A, B], refuse)
    assert fake.closed == []

    def fail(number: int, server: Server) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(scope, fake.driver, [A], fail)
    assert fake.closed == [0]
    with pytest.raises(Deferred, match=r"no Fake servers defined \(fake_servers option\)"):
        ask(scope, fake.driver, [], refuse)


def test_each_thread_has_its_own_connection_and_few_are_kept(fake: Fake) -> None:
    scope = make_scope()
    count = servers.IDLE_MAXIMUM + 3
    barrier = threading.Barrier(count, timeout=10)
    seen: list[int] = []

    def question(number: int, server: Server) -> None:
        barrier.wait()
        seen.append(number)

    threads = [threading.Thread(target=ask, args=(scope, fake.driver, [A], question)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(seen) == list(range(count))
    assert len(fake.closed) == 3
    servers.close_all(scope.services)
    assert len(fake.closed) == count
    assert pools(scope).take(fake.driver, A) is None


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("select 1", "select 1"),
        ("servers=h/d/u/p:h2/d/u/p; select 1", "servers=***; select 1"),
        (" servers=h/d/u/p", " servers=***"),
        ("servers=h1:h2; select 1", "servers=h1:h2; select 1"),
        ('user="cn=x" pass="a \\" b" ldap:///o=base', 'user="cn=x" pass=*** ldap:///o=base'),
        ("PASS=x ldap://h/", "PASS=*** ldap://h/"),
        ("servers=h1:h2 pass=p ldap:///o=b", "servers=h1:h2 pass=*** ldap:///o=b"),
    ],
)
def test_shown_queries(query: str, shown: str) -> None:
    assert shown_query(query) == shown


def test_no_password_in_representations() -> None:
    assert "hush" not in repr(A) + A.name + str(A)
