"""MySQL lookups against a real MariaDB (statements SQL-01 to SQL-05), and against Exim's recorded answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.lookup import servers
from mta.lookup.mysql_files import read_group
from mta.scope.scope import Scope
from tests.lookup.asking import Log, answer, ask_exim, cases, filled, make_scope
from tests.lookup.sqlcases import MY_SETUP
from tests.lookup.test_pgsql import HOSTILE
from tests.peers import programs
from tests.peers.mariadb import PASSWORD, MariaDB, mariadb

pytestmark = pytest.mark.xdist_group("mariadb")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with mariadb() as running:
        yield running


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def scope(server: MariaDB, log: Log) -> Iterator[Scope]:
    made = make_scope(log, mysql_servers=(server.item(),))
    yield made
    servers.close_all(made.services)


@pytest.fixture(scope="module")
def places(server: MariaDB) -> dict[str, object]:
    server.sql(MY_SETUP)
    return {"ITEM": server.item().replace(":", "::"), "PORT": server.port}


@pytest.mark.parametrize(("text", "expected"), cases("mysql_cases.txt"))
def test_sql_02_case(text: str, expected: str, places: dict[str, object], scope: Scope) -> None:
    wanted = filled(expected, places).removesuffix("\n")  # Exim ends the server's words with a newline
    got = answer(scope, filled(text, places))
    assert got == wanted


@pytest.mark.oracle
@pytest.mark.skipif(programs.exim() is None, reason="exim4 is not installed (Debian package exim4-daemon-heavy)")
def test_recorded_answers_are_exims(server: MariaDB, places: dict[str, object], tmp_path: Path) -> None:
    server.sql(MY_SETUP)
    recorded = cases("mysql_cases.txt")
    got = ask_exim(tmp_path, f"mysql_servers = <; {server.item()}", [filled(text, places) for text, _ in recorded])
    assert got == [filled(expected, places) for _, expected in recorded]


def test_sql_01_forms_of_an_item(server: MariaDB) -> None:
    rest = f"mail/mta/{PASSWORD}"
    for item, user in (
        (f"localhost({server.socket})/{rest}", "mta@localhost"),
        (f"({server.socket})/{rest}", "mta@localhost"),
        (f"127.0.0.1:{server.port}[group]/{rest}", "mta@127.0.0.1"),
        (f"127.0.0.1:{server.port}//mta/{PASSWORD}", "mta@127.0.0.1"),
    ):
        scope = make_scope(mysql_servers=(item,))
        assert answer(scope, "${lookup mysql{select user()}}") == user
        servers.close_all(scope.services)


def test_sql_01_option_groups(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.cnf").write_text("[exim]\nuser = 'of group'\n")
    (tmp_path / "more" / "b.txt").write_text("[exim]\nuser = nobody\n")
    main = tmp_path / "my.cnf"
    main.write_text(
        "[mysqld]\nport=1\n[client]\nport = 3307\nssl_ca=/ca.pem\n# port = 2\nskip-name\n"
        f"!includedir {tmp_path}/more\n!include {tmp_path}/my.cnf\n[exim]\nsocket=/s\n[other]\nsocket=/o\n"
    )
    expected = {"port": "3307", "ssl-ca": "/ca.pem", "user": "of group", "socket": "/s"}
    assert read_group("exim", (str(main), "/nowhere/my.cnf")) == expected
    main.write_text("[client]\nport = many\n")
    assert read_group("exim", (str(main),)) == {}


def test_sql_01_servers_are_tried_in_turn(server: MariaDB, log: Log) -> None:
    dead, wrong = "127.0.0.1:1/mail/mta/dead-secret", server.item().replace(PASSWORD, "wrong-secret")
    scope = make_scope(log, mysql_servers=(dead, wrong, server.item()))
    assert [answer(scope, f"${{lookup mysql{{select {n}}}}}") for n in range(3)] == ["0", "1", "2"]
    buried = [line for line in log if "left alone for" in line]
    assert len(buried) == 1
    assert buried[0].startswith("MySQL server 127.0.0.1:1/mail is left alone for 30s: MYSQL connection failed: Can't")
    assert "Access denied for user 'mta'@'127.0.0.1' (using password: YES)" in log.text()
    assert "secret" not in log.text()
    servers.close_all(scope.services)


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_03_hostile_values_stay_values(text: str, server: MariaDB, scope: Scope) -> None:
    server.sql(MY_SETUP)
    query = "${lookup mysql{select concat('<', hex('${quote_mysql:$acl_verify_message}'), '>')}}"
    got = answer(scope, query, acl_verify_message=text)
    # the database takes UTF-8 only, and says so or puts a question mark
    wanted = text.encode("latin-1").hex().upper()
    assert got == f"<{wanted}>" or ("\xbf" in text and re.fullmatch(r"<[0-9A-F]+>|Failed.*Invalid utf8.*", got))
    assert server.sql("select count(*) from mail.users").strip() == "4"


def test_sql_03_a_second_statement_is_never_obeyed(server: MariaDB, scope: Scope) -> None:
    server.sql(MY_SETUP)
    got = answer(scope, "${lookup mysql{select 1; drop table users}}")
    assert "You have an error in your SQL syntax" in got
    assert server.sql("select count(*) from mail.users").strip() == "4"


def test_sql_04_old_form_with_text_of_a_peer(server: MariaDB, scope: Scope, log: Log) -> None:
    text = "${lookup mysql{servers=" + server.item().replace(":", "::") + "; select '$acl_verify_message'}}"
    got = answer(scope, text, acl_verify_message="x")
    assert got.endswith(f'MySQL server "127.0.0.1::{server.port}" is tainted')
    assert "secret" not in got + log.text()


def test_sql_05_the_statement_of_the_source_text(server: MariaDB, scope: Scope) -> None:
    server.sql(
        "use mail; drop table if exists delivlog;"
        "create table delivlog (msgid text, senderlp text, senderdom text, delivlp text, delivdom text)"
    )
    statement = (
        "${lookup mysql {insert into delivlog set msgid='${quote_mysql:$acl_verify_message}', "
        "senderlp = '${quote_mysql:$sender_address_local_part}', "
        "senderdom = '${quote_mysql:$sender_address_domain}', delivlp = 'x', delivdom = 'y'}}"
    )
    scope.message.sender = "o'brien@example.com"
    assert [answer(scope, statement, acl_verify_message="1-2-3") for _ in range(2)] == ["1", "1"]
    assert server.sql("select * from mail.delivlog") == "1-2-3\to'brien\texample.com\tx\ty\n" * 2


def test_connections_are_kept_and_replaced(server: MariaDB, scope: Scope) -> None:
    number = "${lookup mysql,cache=no_rd{select connection_id()}}"
    first = answer(scope, number)
    assert answer(scope, number) == first
    server.sql(f"kill {first}")
    second = answer(scope, number)
    assert second.isdigit()
    assert second != first
    # a transaction left open is nobody else's
    assert answer(scope, "${lookup mysql{begin}}") == "0"
    assert answer(scope, number) != second


def test_procedures_give_their_first_result(server: MariaDB, scope: Scope) -> None:
    server.sql("use mail;\ndelimiter //\ncreate or replace procedure two() begin select 1; select 2; end//")
    assert answer(scope, "${lookup mysql{call two()}}") == "1"
    assert answer(scope, "${lookup mysql{select 3}}") == "3"
