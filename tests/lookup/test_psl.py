"""psl and regdom, on the list that the library brings and on one of our own; and the types that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.lookup.base import extra_module, lookups
from mta.lookup.types.elsewhere import ABSENT
from tests.lookup.asking import answer, make_scope

FOOD, COMPANY = "\xe9\xa3\x9f\xe7\x8b\xae", "\xe5\x85\xac\xe5\x8f\xb8"


@pytest.mark.parametrize(
    ("key", "suffix", "registered"),
    [
        ("www.example.co.uk", "co.uk", "example.co.uk"),
        ("Example.COM", "com", "example.com"),
        ("example.com.", "com", "example.com"),
        ("com", "com", "no"),
        ("a.b.c.kobe.jp", "c.kobe.jp", "b.c.kobe.jp"),
        ("city.kobe.jp", "kobe.jp", "city.kobe.jp"),
        ("a.nosuchtld", "nosuchtld", "a.nosuchtld"),
        (f"www.{FOOD}.{COMPANY}.cn", f"{COMPANY}.cn", f"{FOOD}.{COMPANY}.cn"),
        ("x..com", "no", "no"),
        (".com", "no", "no"),
        ("\xff.com", "com", "no"),
    ],
)
def test_built_in_list(key: str, suffix: str, registered: str) -> None:
    scope = make_scope()
    scope.vars["acl_verify_message"] = key
    assert answer(scope, "${lookup{$acl_verify_message}psl{}{$value}{no}}") == suffix
    if "\xff" not in key:
        assert answer(scope, "${lookup{$acl_verify_message}regdom{}{$value}{no}}") == registered


def test_own_list(tmp_path: Path) -> None:
    file = tmp_path / "list.dat"
    file.write_text("// ours\nexample\n*.wild.example\n!not.wild.example\n")
    scope = make_scope()
    found = [
        answer(scope, f"${{lookup{{{key}}}regdom{{{file}}}{{$value}}{{no}}}}")
        for key in ("a.b.example", "a.b.wild.example", "x.not.wild.example")
    ]
    assert found == ["b.example", "a.b.wild.example", "not.wild.example"]


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_refused_types_say_why(name: str) -> None:
    kind = lookups[name]
    text = f"${{lookup{{k}}{name}{{/f}}}}" if kind.style == "single" else f"${{lookup {name}{{q}}}}"
    got = answer(make_scope(), text)
    assert got == f'Failed: lookup type "{name}" is not available in mta: {ABSENT[name]}'


def test_nisplus_quotes() -> None:
    assert answer(make_scope(), '${quote_nisplus:a"b}') == 'a""b'


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    scope = make_scope(pgsql_servers=("127.0.0.1:1/d/u/p",))
    got = answer(scope, "${lookup pgsql{select 1}}")
    assert got == "Failed: this lookup needs the module psycopg: pip install mta[pgsql]"
    assert extra_module("pgsql", "os") is __import__("os")
