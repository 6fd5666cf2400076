"""PostgreSQL lookups against a real server (statements SQL-01 to SQL-05), and against Exim's recorded answers."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.lookup import servers
from mta.match.compile import domain_list
from mta.scope.scope import Scope
from tests.lookup.asking import Log, answer, ask_exim, cases, filled, make_scope
from tests.lookup.sqlcases import PG_SETUP
from tests.peers import programs
from tests.peers.postgres import PASSWORD, Postgres, postgres

pytestmark = pytest.mark.xdist_group("postgres")
DEAD = "127.0.0.1:1/db/user/dead-secret"
HOSTILE = [
    "o'brien",
    "x'; drop table users; --",
    "\\'; drop table users; --",
    "\\",
    "''",
    '"; select 1; "',
    "$$;drop table users;$$",
    "a\nb\tc\rd\be",
    "\xbf'; drop table users; --",
    "\xc3\xa9\xe2\x80\x99",
    "%' or '1'='1",
    "/* */ -- ;",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def scope(server: Postgres, log: Log) -> Iterator[Scope]:
    made = make_scope(log, pgsql_servers=(server.item(),))
    yield made
    servers.close_all(made.services)


def expected_of_ours(text: str) -> str:
    """Exim writes the statement a second time after an error; ours stands in front already."""
    return re.sub(r" \(PGRES_FATAL_ERROR\) \(.*\)\n$", "", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def places(server: Postgres) -> dict[str, object]:
    server.psql(PG_SETUP)
    return {"ITEM": server.item().replace(":", "::"), "PORT": server.port}


@pytest.mark.parametrize(("text", "expected"), cases("pgsql_cases.txt"))
def test_sql_02_case(text: str, expected: str, places: dict[str, object], scope: Scope) -> None:
    wanted = expected_of_ours(filled(expected, places))
    got = answer(scope, filled(text, places))
    if text.startswith("${lookup pgsql{servers=") and "Failed" in expected:
        assert got.partition("DEFER")[2] == wanted.partition("DEFER")[2]
    else:
        assert got == wanted


@pytest.mark.oracle
@pytest.mark.skipif(programs.exim() is None, reason="exim4 is not installed (Debian package exim4-daemon-heavy)")
def test_recorded_answers_are_exims(server: Postgres, places: dict[str, object], tmp_path: Path) -> None:
    server.psql(PG_SETUP)
    recorded = cases("pgsql_cases.txt")
    configuration = f"pgsql_servers = <; {server.item()}"
    got = ask_exim(tmp_path, configuration, [filled(text, places) for text, _ in recorded])
    assert got == [filled(expected, places) for _, expected in recorded]


def test_sql_01_socket(server: Postgres) -> None:
    scope = make_scope(pgsql_servers=(f"({server.socket})/postgres/postgres/{PASSWORD}",))
    assert answer(scope, "${lookup pgsql{select inet_client_addr() is null}}") == "t"
    servers.close_all(scope.services)


def test_sql_01_bad_items(server: Postgres) -> None:
    for item, message in (
        ("127.0.0.1/secret", "incomplete pgSQL server data: 127.0.0.1"),
        ("127.0.0.1:port/d/u/p", '"port" is not a port number'),
        ("(/tmp/x)/d/u/p", "PGSQL invalid filename for socket: /tmp/x"),
    ):
        got = answer(make_scope(pgsql_servers=(item,)), "${lookup pgsql{select 1}}")
        assert got == f'Failed: lookup of "select 1" gave DEFER: {message}'
    assert "no PostgreSQL servers defined (pgsql_servers option)" in answer(make_scope(), "${lookup pgsql{select 1}}")


def test_sql_01_servers_are_tried_in_turn(server: Postgres, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = make_scope(log, pgsql_servers=(DEAD, server.item()))
    assert answer(scope, "${lookup pgsql{select 1}}") == "1"
    told = [line for line in log if "is left alone for 30s" in line]
    assert len(told) == 1
    assert told[0].startswith("PostgreSQL server 127.0.0.1:1/db is left alone")
    assert "\n" not in told[0]
    # left alone: no second attempt, so no second line
    assert answer(scope, "${lookup pgsql{select 2}}") == "2"
    assert len([line for line in log if "is left alone for 30s" in line]) == 1
    monkeypatch.setattr(servers, "DEAD_SECONDS", -1.0)
    kept = servers.pools(scope)
    kept._dead.clear()
    assert answer(scope, "${lookup pgsql{select 3}}") == "3"
    assert answer(scope, "${lookup pgsql{select 4}}") == "4"
    assert len([line for line in log if "is left alone for" in line]) == 3
    assert "dead-secret" not in log.text()
    servers.close_all(scope.services)


def test_sql_01_refusals_are_not_deaths(server: Postgres, log: Log) -> None:
    wrong = server.item().replace(PASSWORD, "wrong-secret")
    scope = make_scope(log, pgsql_servers=(wrong, server.item()))
    assert answer(scope, "${lookup pgsql{select 1}}") == "1"
    assert "left alone" not in log.text()
    assert "password authentication failed" in answer(
        make_scope(log, pgsql_servers=(wrong,)), "${lookup pgsql{select 1}}"
    )
    assert "secret" not in log.text()
    servers.close_all(scope.services)


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_03_hostile_values_stay_values(text: str, server: Postgres, scope: Scope) -> None:
    server.psql(PG_SETUP)
    found = "coalesce((select name from users where id = x), 'none')"
    query = f"select length(x) || ':' || {found} from (values ('${{quote_pgsql:$acl_verify_message}}')) v(x)"
    got = answer(scope, f"${{lookup pgsql{{{query}}}}}", acl_verify_message=text)
    # the database takes UTF-8 only
    assert "invalid byte sequence" in got if "\xbf" in text else re.fullmatch(r"[0-9]+:none", got)
    assert server.psql("select count(*) from users").strip() == "4"


def test_sql_03_a_name_is_found_by_its_quoted_form(server: Postgres, scope: Scope) -> None:
    server.psql(PG_SETUP)
    query = "${lookup pgsql{select id from users where home='${quote_pgsql:$acl_verify_message}'}}"
    assert answer(scope, query, acl_verify_message="a'b") == "u3"


def test_sql_04_old_form_with_text_of_a_peer(server: Postgres, scope: Scope, log: Log) -> None:
    text = "${lookup pgsql{servers=" + server.item().replace(":", "::") + "; select '$acl_verify_message'}}"
    got = answer(scope, text, acl_verify_message="x")
    assert got.endswith(f'PostgreSQL server "127.0.0.1::{server.port}" is tainted')
    assert PASSWORD not in got
    assert PASSWORD not in log.text()


def test_sql_05_the_function_of_the_source_text(server: Postgres, scope: Scope) -> None:
    server.psql(
        "create or replace function record_Delivery(text, text, text, text) returns setof text language sql as "
        "$$ select 'seen ' || $1 || ' ' || $3 $$"
    )
    query = (
        "${lookup pgsql {SELECT * FROM record_Delivery("
        "'${quote_pgsql:$sender_address_domain}', '${quote_pgsql:$sender_address_local_part}', "
        "'${quote_pgsql:$domain}', '${quote_pgsql:$local_part}')}}"
    )
    scope.message.sender = "user@it's.example"
    assert answer(scope, query) == "seen it's.example "


def test_list_by_query(server: Postgres, scope: Scope) -> None:
    server.psql(PG_SETUP)
    listed = domain_list("pgsql;select home from users where id='userx'")
    assert listed.match(scope, "any.example") is not None
    assert domain_list("pgsql;select home from users where id='nobody'").match(scope, "any.example") is None


def test_answers_are_remembered_but_changes_are_obeyed(server: Postgres, scope: Scope) -> None:
    server.psql("drop table if exists calls; create table calls (n integer); insert into calls values (0)")
    for _ in range(2):
        assert answer(scope, "${lookup pgsql{with u as (update calls set n=n+1 returning n) select n from u}}") == "1"
        assert answer(scope, "${lookup pgsql{update calls set n=n+10}}") == "1"
    assert server.psql("select n from calls").strip() == "21"
    no_read = "${lookup pgsql,cache=no_rd{with u as (update calls set n=n+1 returning n) select n from u}}"
    assert [answer(scope, no_read), answer(scope, no_read)] == ["22", "23"]


def test_connections_are_kept_and_replaced(server: Postgres, scope: Scope) -> None:
    pid = "${lookup pgsql,cache=no_rd{select pg_backend_pid()}}"
    first = answer(scope, pid)
    assert answer(scope, pid) == first
    server.psql(f"select pg_terminate_backend({first}, 5000)")
    second = answer(scope, pid)
    assert second.isdigit()
    assert second != first
    # a transaction left open is nobody else's
    assert answer(scope, "${lookup pgsql{begin}{yes}{no}}") == "no"
    assert answer(scope, pid) != second


def test_connections_are_one_threads_at_a_time(server: Postgres, scope: Scope) -> None:
    barrier = threading.Barrier(3, timeout=10)
    found: list[str] = []

    def run() -> None:
        own = make_scope(pgsql_servers=(server.item(),))
        own.services = scope.services
        barrier.wait()
        found.append(answer(own, "${lookup pgsql{select pg_backend_pid() from pg_sleep(0.2)}}"))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(found)) == 3


def test_a_child_does_not_use_its_parents_connection(server: Postgres, scope: Scope) -> None:
    pid = "${lookup pgsql,cache=no_rd{select pg_backend_pid()}}"
    first = answer(scope, pid)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, answer(scope, pid).encode())
        servers.close_all(scope.services)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        of_child = pipe.read()
    os.waitpid(child, 0)
    assert of_child.isdigit()
    assert of_child != first
    assert answer(scope, pid) == first


def test_a_server_that_does_not_answer(server: Postgres, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta.lookup.types import pgsql

    monkeypatch.setattr(pgsql, "ANSWER_SECONDS", 0.2)
    scope = make_scope(log, pgsql_servers=(server.item(),))
    assert "no answer within 0s" in answer(scope, "${lookup pgsql{select pg_sleep(5)}}")
    assert "is left alone for 30s" in log.text()
    assert answer(scope, "${lookup pgsql{select 1}}").endswith("(the server is left alone for a while)")
