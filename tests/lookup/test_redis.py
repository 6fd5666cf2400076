"""Redis lookups against real servers: statements RED-01 to RED-07."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from mta.errors import Deferred
from mta.expand.compiler import compile_text
from mta.lookup import servers
from mta.lookup.types import redis as redis_type
from mta.lookup.types.redis import DRIVER
from mta.match.compile import domain_list, host_list
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.settings.options import option_fields
from tests.lookup.asking import Log, answer, make_scope
from tests.peers import programs
from tests.peers.redis import RedisServer, redis_cluster, redis_server

pytestmark = pytest.mark.xdist_group("redis")
PASSWORD = "redis-secret"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server(PASSWORD) as running:
        yield running


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def scope(server: RedisServer, log: Log) -> Iterator[Scope]:
    server.call("FLUSHALL")
    made = make_scope(log, redis_servers=(f"127.0.0.1:{server.port}//{PASSWORD}",))
    yield made
    servers.close_all(made.services)


def redis(scope: Scope, command: str) -> str:
    return answer(scope, f"${{lookup redis{{{command}}}{{<$value>}}{{no}}}}")


@pytest.mark.parametrize(
    ("item", "host", "port", "socket", "database", "password"),
    [
        ("127.0.0.1/10/", "127.0.0.1", 6379, "", "10", ""),
        ("127.0.0.1//password", "127.0.0.1", 6379, "", "", "password"),
        ("127.0.0.1//", "127.0.0.1", 6379, "", "", ""),
        ("192.0.2.1:7000/3/a/b", "192.0.2.1", 7000, "", "3", "a/b"),
        ("(/tmp/redis.sock)/1/pass", "", 6379, "/tmp/redis.sock", "1", "pass"),
        ("::1.7000//", "::1", 7000, "", "", ""),
    ],
)
def test_red_01_items(item: str, host: str, port: int, socket: str, database: str, password: str) -> None:
    found = servers.read_item(DRIVER, item)
    assert found.address(6379) == (host, port)
    assert (found.socket, found.database, found.password) == (socket, database, password)
    assert not password or password not in repr(found) + found.name


def test_red_01_database_password_and_socket(server: RedisServer, scope: Scope) -> None:
    server.call("SET", "k", "of ten", database=10)
    server.call("SET", "k", "of none")
    for item, expected in (
        (f"127.0.0.1:{server.port}/10/{PASSWORD}", "<of ten>"),
        (f"({server.socket})/10/{PASSWORD}", "<of ten>"),
        (f"127.0.0.1:{server.port}//{PASSWORD}", "<of none>"),
    ):
        one = make_scope(redis_servers=(item,))
        assert redis(one, "get k") == expected
        servers.close_all(one.services)
    assert "not a number" in redis(make_scope(redis_servers=(f"127.0.0.1:{server.port}/x/{PASSWORD}",)), "get k")


def test_red_01_the_option_is_hidden() -> None:
    assert option_fields(MainOptions)["redis_servers"].hide


def test_red_02_any_command(scope: Scope) -> None:
    assert redis(scope, "SADD s one") == "<true>"
    assert redis(scope, "SMEMBERS s") == "<one>"
    assert redis(scope, "HSET h field value") == "<true>"
    assert redis(scope, "  HGET\th   field ") == "<value>"
    assert redis(scope, "SET k v") == "<OK>"
    assert redis(scope, "GET k") == "<v>"
    assert redis(scope, "") == "no"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("SET k v", "<OK>"),
        ("GET none", "<>"),
        ("EXISTS a", "<true>"),
        ("EXISTS none", "<false>"),
        ("RPUSH list z", "<true>"),
        ("LRANGE list 0 -1", "<x\ny>"),
        ("HGETALL hash", "<f\nv\ng\nw>"),
        ("MGET a none a", "<1\n\n1>"),
        ("SMEMBERS none", "<>"),
        ("EVAL return\\{7,\\{8,\\{9\\}\\},'x'\\} 0", "<7\n8\nx>"),
    ],
)
def test_red_03_results(command: str, expected: str, server: RedisServer, scope: Scope) -> None:
    for words in (("SET", "a", "1"), ("RPUSH", "list", "x", "y"), ("HSET", "hash", "f", "v", "g", "w")):
        server.call(*words)
    assert redis(scope, command) == expected


def test_red_03_errors(server: RedisServer, scope: Scope) -> None:
    server.call("SET", "a", "1")
    failed = 'Failed: lookup of "{}" gave DEFER: REDIS: lookup result failed: {}'
    assert redis(scope, "GET a b") == failed.format("GET a b", "ERR wrong number of arguments for 'get' command")
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    assert redis(scope, "LPUSH a x") == failed.format("LPUSH a x", wrong)


def test_red_03_nil_is_not_remembered_and_changes_are_obeyed(server: RedisServer, scope: Scope) -> None:
    assert redis(scope, "GET later") == "<>"
    server.call("SET", "later", "now")
    assert redis(scope, "GET later") == "<now>"
    server.call("SET", "later", "changed")
    assert redis(scope, "GET later") == "<now>"
    assert answer(scope, "${lookup redis,cache=no_rd{GET later}}") == "changed"
    assert [redis(scope, "INCR n") for _ in range(3)] == ["<true>"] * 3
    assert redis(scope, "GET n") == "<3>"


def test_red_04_lists_and_conditions(server: RedisServer, scope: Scope) -> None:
    server.call("SADD", "relay_from_ips", "192.0.2.1", "2001:db8::/32")
    server.call("HSET", "example.com", "domain", "example.com")
    hosts = host_list(compile_text("<\\n ${lookup redis{SMEMBERS relay_from_ips}}"))
    assert hosts.match(scope, "192.0.2.1") is not None
    assert hosts.match(scope, "2001:db8::7") is not None
    assert hosts.match(scope, "192.0.2.2") is None
    domains = domain_list(compile_text("${lookup redis {HGET ${quote_redis:$acl_verify_message} domain}}"))
    scope.vars["acl_verify_message"] = "example.com"
    assert domains.match(scope, "example.com") is not None
    scope.vars["acl_verify_message"] = "other.example"
    assert domains.match(scope, "other.example") is None
    assert answer(scope, "${if eq{${lookup redis{SET SPAMMER 192.0.2.9}}}{OK}{yes}{no}}") == "yes"
    assert answer(scope, "${lookup redis{GET SPAMMER}}") == "192.0.2.9"


def test_red_05_servers_in_turn_and_no_password(server: RedisServer, log: Log) -> None:
    server.call("SET", "k", "v")
    wrong = f"127.0.0.1:{server.port}//wrong-secret"
    scope = make_scope(log, redis_servers=("127.0.0.1:1/2/dead-secret", wrong, f"127.0.0.1:{server.port}//{PASSWORD}"))
    assert [redis(scope, "get k"), redis(scope, "get  k")] == ["<v>", "<v>"]
    buried = [line for line in log if "left alone for" in line]
    assert len(buried) == 1
    assert buried[0].startswith("Redis server 127.0.0.1:1/2 is left alone for 30s: REDIS connection failed: ")
    assert "secret" not in log.text()
    servers.close_all(scope.services)


def test_red_05_incomplete() -> None:
    for item in ("127.0.0.1", "127.0.0.1/hush"):
        got = redis(make_scope(redis_servers=(item,)), "get k")
        assert got == 'Failed: lookup of "get k" gave DEFER: incomplete Redis server data: 127.0.0.1'


def test_red_05_connections_are_kept_and_replaced(server: RedisServer, scope: Scope) -> None:
    kept = servers.pools(scope)
    assert answer(scope, "${lookup redis{PING}}") == "PONG"
    (first,) = next(iter(kept._idle.values()))
    assert answer(scope, "${lookup redis{ECHO x}}") == "x"
    assert next(iter(kept._idle.values()))[0].connection is first.connection
    server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert answer(scope, "${lookup redis{ECHO y}}") == "y"
    assert next(iter(kept._idle.values()))[0].connection is not first.connection
    # a connection that has gone to another database is not kept
    server.call("SET", "k", "of none")
    assert redis(scope, "SELECT 5") == "<OK>"
    assert redis(scope, "GET k") == "<of none>"


def test_red_05_a_child_does_not_use_its_parents_connection(server: RedisServer, scope: Scope) -> None:
    server.call("SET", "k", "v")
    assert redis(scope, "get k") == "<v>"
    child = os.fork()
    if child == 0:
        got = answer(scope, "${lookup redis,cache=no_rd{get k}}")
        servers.close_all(scope.services)
        os._exit(0 if got == "v" else 1)
    assert os.waitpid(child, 0)[1] == 0
    (kept,) = next(iter(servers.pools(scope)._idle.values()))
    assert answer(scope, "${lookup redis,cache=no_rd{get k}}") == "v"
    assert next(iter(servers.pools(scope)._idle.values()))[0].connection is kept.connection


HOSTILE = [
    "a b",
    "a\r\nSET broken 1",
    "\\",
    "\\ SET",
    " lead and trail ",
    "\t\v\f",
    "*3\r\n$3\r\nSET\r\n",
    "$5\r\nx",
    "\x00\xff\xc3\xa9",
    '"quoted"',
    "'",
    "{tag}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_red_06_hostile_values_stay_values(text: str, server: RedisServer, scope: Scope) -> None:
    command = "${lookup redis{SET key ${quote_redis:$acl_verify_message}}}"
    assert answer(scope, command, acl_verify_message=text) == "OK"
    assert answer(scope, "${lookup redis{GET key}}") == text
    assert server.call("DBSIZE") == b":1\r\n"


def test_red_02_a_slow_answer_is_waited_for(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_type, "CONNECT_SECONDS", 0.1)
    assert redis(scope, "BLPOP none 0.3") == "<>"
    monkeypatch.setattr(redis_type, "ANSWER_SECONDS", 0.1)
    servers.close_all(scope.services)
    assert "Timeout reading from socket" in redis(scope, "BLPOP none 1")
    assert redis(scope, "GET k").endswith("(the server is left alone for a while)")


def test_red_06_quoting(scope: Scope) -> None:
    assert answer(scope, "${quote_redis:objvalue plus\\t\\\\}") == "objvalue\\ plus\\\t\\\\"
    assert answer(scope, "${lookup redis{set keyname ${quote_redis:objvalue plus}}}") == "OK"
    assert answer(scope, "${lookup redis{get keyname}}") == "objvalue plus"
    assert answer(scope, "${quote_redis_x:a}") == 'Failed: "x" unrecognized after "${quote_redis"'


def test_red_06_servers_of_the_query(server: RedisServer) -> None:
    scope = make_scope(redis_servers=("127.0.0.1:1//", f"127.0.0.1:{server.port}//{PASSWORD}"))
    server.call("SET", "k", "v")
    whole = f"127.0.0.1::{server.port}//{PASSWORD}"
    by_name = f"redis,servers=127.0.0.1::{server.port}{{get k}}"
    for text in (f"redis,servers={whole}{{get k}}", f"redis{{servers={whole}; get k}}", by_name):
        assert answer(scope, f"${{lookup {text}}}") == "v"
    assert 'Redis server "other" not found in redis_servers' in answer(scope, "${lookup redis,servers=other{get k}}")
    tainted = answer(scope, f"${{lookup redis{{servers={whole}; get $acl_verify_message}}}}", acl_verify_message="x")
    assert "is tainted" in tainted
    assert PASSWORD not in tainted
    servers.close_all(scope.services)


def test_red_06_a_clusters_moves_are_followed() -> None:
    with redis_cluster() as (first, _second):
        scope = make_scope(redis_servers=(f"127.0.0.1:{first.port}//",))
        keys = [f"key{number}" for number in range(12)]
        assert {redis(scope, f"SET {key} of-{key}") for key in keys} == {"<OK>"}
        assert [redis(scope, f"GET {key}") for key in keys] == [f"<of-{key}>" for key in keys]
        assert len(servers.pools(scope)._idle) == 2
        servers.close_all(scope.services)


def test_red_07_listed_in_the_version() -> None:
    done = subprocess.run([*programs.mta(), "-bV"], capture_output=True, text=True, timeout=60, check=False)
    (listed,) = [line for line in done.stdout.split("\n") if line.startswith("Lookups")]
    assert {"redis", "pgsql", "mysql", "ldap", "lmdb"} <= set(listed.split())


def test_no_server_at_all() -> None:
    with pytest.raises(Deferred, match="no Redis servers defined"):
        compile_text("${lookup redis{get k}}")(make_scope())
