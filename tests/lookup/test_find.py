"""What stands around the lookup types: reading of type texts, changed files, taint, caches, other files."""

import dbm.dumb
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from mta.errors import Deferred, ExpansionFailed
from mta.lookup import files
from mta.lookup.base import lookups
from mta.lookup.find import lookup, parse_type, quote
from mta.mail.message import Message
from mta.scope.expansion import Tainted
from tests.lookup.test_cases import make_scope


def test_type_texts() -> None:
    wanted = parse_type("partial3(.)lsearch*@,ret=key,cache=no_rd,x=y")
    assert (wanted.type.name, wanted.partial, wanted.affix, wanted.default) == ("lsearch", 3, ".", "*@")
    assert (wanted.return_key, wanted.read_cache, wanted.options) == (True, False, ("x=y",))
    assert parse_type("partial-dbm").partial == 2
    assert parse_type("partial()cdb").affix == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch", 'unknown lookup type "nosuch"'),
        ("partial-passwd", '"partial" is not permitted for lookup type "passwd"'),
        ("passwd*", 'defaults using "*" or "*@" are not permitted for lookup type "passwd*"'),
        ("partialx-lsearch", 'format error in lookup type "partialx-lsearch"'),
    ],
)
def test_bad_type_texts(text: str, message: str) -> None:
    with pytest.raises(ExpansionFailed) as caught:
        parse_type(text)
    assert caught.value.message == message


def test_a_changed_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "aliases"
    file.write_text("a: one\n")
    scope = make_scope()
    assert lookup(scope, "lsearch", str(file), "a") == "one"
    file.write_text("a: two!\n")
    assert lookup(scope, "lsearch", str(file), "a") == "two!"
    other = tmp_path / "new"
    other.write_text("a: three\n")
    os.rename(other, file)
    assert lookup(scope, "lsearch", str(file), "a") == "three"
    file.unlink()
    with pytest.raises(ExpansionFailed, match="failed to open"):
        lookup(scope, "lsearch", str(file), "a")


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "big"
    file.write_text("".join(f"key{number}: value {number}\n" for number in range(20_000)))
    scope = make_scope()
    assert lookup(scope, "lsearch", str(file), "KEY19999") == "value 19999"
    monkeypatch.setattr(files, "lines_of", lambda _path: pytest.fail("read again"))
    monkeypatch.setattr("mta.lookup.types.lsearch.lines_of", lambda _path: pytest.fail("read again"))
    assert lookup(scope, "lsearch", str(file), "key7") == "value 7"
    assert lookup(scope, "lsearch", str(file), "nokey") is None


def test_a_file_too_large_to_hold_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mta.lookup.types.lsearch.SCAN_LIMIT", 10)
    file = tmp_path / "huge"
    file.write_text("first: 1\nSecond: 2\n two\n")
    assert lookup(make_scope(), "lsearch", str(file), "second") == "2 two"
    assert lookup(make_scope(), "lsearch", str(file), "third") is None


def test_few_files_are_kept(tmp_path: Path) -> None:
    scope = make_scope()
    for number in range(60):
        (tmp_path / str(number)).write_text(f"k: {number}\n")
        assert lookup(scope, "lsearch", str(tmp_path / str(number)), "k") == str(number)
    assert len(scope.services.state["lookup.files"]._kept) == files.OPEN_MAXIMUM


@pytest.mark.parametrize("kind", ["lsearch", "dsearch", "cdb", "dbm", "json", "iplsearch", "wildlsearch"])
def test_tainted_file_names_are_refused(kind: str) -> None:
    with pytest.raises(ExpansionFailed, match="Tainted filename for search: '/etc/passwd'"):
        lookup(make_scope(), kind, Tainted("/etc/passwd"), "root")


def test_what_a_lookup_gives_is_not_tainted(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("k: v\n")
    for kind, file in [("lsearch", tmp_path / "k"), ("lsearch,ret=key", tmp_path / "k"), ("dsearch", tmp_path)]:
        value = lookup(make_scope(), kind, str(file), Tainted("k"))
        assert value in ("k", "v")
        assert type(value) is str


def test_sqlite(tmp_path: Path) -> None:
    file = tmp_path / "db"
    with sqlite3.connect(file) as made:
        made.execute("create table t(a text, b int)")
        made.execute("insert into t values ('x', 1)")
    made.close()
    scope = make_scope(sqlite_dbfile=str(file), sqlite_lock_timeout=0.05)
    assert lookup(scope, "sqlite", "", "select a from t where b=1") == "x"
    assert lookup(scope, "sqlite", "", "update t set a='y'") is None
    assert lookup(scope, "sqlite", "", "select a from t where b=1") == "x"  # kept for the message
    assert lookup(scope, "sqlite,cache=no_rd", "", "select a from t where b=1") == "y"
    scope.message = Message()
    assert lookup(scope, "sqlite", "", "select a from t where b=1") == "y"
    assert lookup(scope, "sqlite", "", "insert into t values ('z;', 2); select b from t where a='z;'") == "2"
    locked = sqlite3.connect(file, isolation_level=None)
    locked.execute("begin exclusive")
    with pytest.raises(Deferred, match="locked"):
        lookup(scope, "sqlite", "", "select b from t where a='q'")
    locked.close()
    with pytest.raises(ExpansionFailed, match="Tainted filename"):
        lookup(scope, "sqlite", "", Tainted(f"{file} select 1"))
    for connections in scope.services.state["lookup.sqlite"].idle.values():
        for connection in connections:
            connection.close()


def test_sqlite_in_many_threads(tmp_path: Path) -> None:
    file = tmp_path / "db"
    scope = make_scope()
    lookup(scope, f"sqlite,file={file}", "", "create table t(a)")
    answers: list[str | None] = []

    def run(number: int) -> None:
        mine = make_scope()
        mine.services.state = scope.services.state
        answers.append(lookup(mine, f"sqlite,file={file}", "", f"select {number}+1"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=lambda text: int(text or 0)) == [str(number + 1) for number in range(20)]
    for connections in scope.services.state["lookup.sqlite"].idle.values():
        for connection in connections:
            connection.close()


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "j"
    file.write_text('{"a": {"b": [1, "two", {"c": "\u00e9"}]}, "t": true, "n": null}')
    scope = make_scope()
    for key, value in [
        ("a:b:0", "1"), ("a:b:1", "two"), ("a:b:2:c", "\xc3\xa9"), ("a:b:9", None), ("a:x", None), ("t", "true"),
        ("n", "null"), ("a:b:1:z", None), ("<, a, b, 2", '{"c": "\xc3\xa9"}'), ("a:b:-1", None),
    ]:  # fmt: skip
        assert lookup(scope, "json", str(file), key) == value
    file.write_text("[" * 100_000)
    with pytest.raises((Deferred, ExpansionFailed)):
        lookup(scope, "json", str(file), "a")


def test_dbm(tmp_path: Path) -> None:
    base = str(tmp_path / "d")
    with dbm.dumb.open(base, "c") as database:
        database[b"k\0"] = b"with\0"
        database[b"k"] = b"without"
        database[b"a\0b"] = b"joined"
    scope = make_scope()
    assert lookup(scope, "dbm", base, "k") == "with"
    assert lookup(scope, "dbmnz", base, "k") == "without"
    assert lookup(scope, "dbmjz", base, "a:b") == "joined"
    assert lookup(scope, "dbm", base, "z") is None


def test_cdb_damaged(tmp_path: Path) -> None:
    whole = (Path(__file__).parent / "data" / "t.cdb").read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[:3000])
    with pytest.raises(Deferred, match="corrupt"):
        for number in range(500):
            lookup(make_scope(), "cdb", str(cut), f"n{number}")


def test_types_of_extras_and_absent_ones_are_known_by_name() -> None:
    scope = make_scope()
    with pytest.raises(ExpansionFailed, match=r'lookup type "nis" is not available in mta: NIS sends'):
        lookup(scope, "nis", "/x", "y")
    wanted = {"cdb", "dbm", "dbmjz", "dbmnz", "dnsdb", "dsearch", "iplsearch", "json", "ldap", "lsearch", "mysql"}
    assert wanted | {"nwildlsearch", "passwd", "pgsql", "redis", "sqlite", "testdb", "wildlsearch"} <= set(lookups)


def test_quoting() -> None:
    assert quote("sqlite", "it's") == "it''s"
    assert quote("sqlite", "it's", "x") is None
    assert quote("lsearch", "it's") == "it's"
    with pytest.raises(ExpansionFailed, match='unknown lookup type "nosuch"'):
        quote("nosuch", "x")


def test_testdb() -> None:
    assert lookup(make_scope(), "testdb", "", "x") == "x"
    assert lookup(make_scope(), "testdb", "", "fail") is None
    with pytest.raises(Deferred):
        lookup(make_scope(), "testdb", "", "defer")
