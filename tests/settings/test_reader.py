"""The configuration's syntax; values and wordings are those of Debian's Exim 4.96 (`exim4 -C file -bP option`)."""

from pathlib import Path

import pytest

from mta.settings.reader import read
from mta.settings.sections import RawConfig


def config(tmp_path: Path, text: str, macros: dict[str, str] | None = None) -> RawConfig:
    path = tmp_path / "a.conf"
    path.write_bytes(text.encode("latin-1"))
    return read(str(path), macros, {"_HAVE_TLS": "y", "_OPT_MAIN_TLS_CRL": "y"}.get)


def value(raw: RawConfig, name: str) -> str | None:
    assert raw.errors == []
    return next(option.value for option in raw.main if option.name == name)


VALUES = [
    ("qualify_domain = a.b", "a.b"),
    ("  qualify_domain=a.b  ", "a.b"),
    ("qualify_domain =", ""),
    ("ABC = x\nABC == ABCz\nqualify_domain = ABC.ABC", "xz.xz"),
    (
        "AA =\n.ifdef AA\nqualify_domain = yes\n.elifdef BB\nqualify_domain = no\n.else\nqualify_domain = noo\n.endif",
        "yes",
    ),
    ("qualify_domain = c\n.ifdef FOO\nx = a\n.else\n.else\nx = b\n.endif", "c"),
    (".ifndef A\n.ifdef B\nqualify_domain = x\n.else\nqualify_domain = y\n.endif trailing\n.endif", "y"),
    (".ifdef X\n.ifdef Y\nfoo = x\n.else\nfoo = y\n.endif\nX = 1\n.elifndef Q\nqualify_domain = q\n.endif", "q"),
    ('qualify_domain = "foo\\x41\\102\\q\\"x\\\n    y" ', 'fooABq"xy'),
    ('qualify_domain = "a\\n\\t\\\\ "', "a\n\t\\ "),
    ("qualify_domain = foo \\\n", "foo "),
    ("qualify_domain = foo\\\n  # comment\\\n  bar", "foobar"),
    ("trusted_users = a:\\\n   b\nqualify_domain = c", "c"),
    ("A = one\nB = A two\nqualify_domain = B", "one two"),
    ("LONG = \\\n  a \\\n  b\nqualify_domain = LONG", "a b"),
    (".ifdef _HAVE_TLS\nqualify_domain = y\n.endif", "y"),
    (".ifndef _HAVE_TLS_ALPN\nqualify_domain = n\n.endif", "n"),
    ("# c\n\n\tqualify_domain = \xff\xe9", "\xff\xe9"),
    ("BEG = # qualify_domain = x\nBEG\nqualify_domain = y", "y"),
    ("E =\nE\nqualify_domain = y", "y"),
]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_values(tmp_path: Path, text: str, expected: str) -> None:
    assert value(config(tmp_path, text), "qualify_domain") == expected


ERRORS = [
    ("AB = x\nABC = y", 2, '"ABC" cannot be defined as a macro because previously defined macro "AB" is a substring'),
    ("AB = x\nAB = y", 2, 'macro "AB" is already defined (use "==" if you want to redefine it)'),
    ("ABC = x\nAB == y", 2, 'can\'t redefine an undefined macro "AB"'),
    ("A-B = c", 1, "malformed macro definition"),
    ('qualify_domain = "foo" bar', 1, "extra characters follow string value for qualify_domain"),
    ('qualify_domain = "foo', 1, "missing quote at end of string value for qualify_domain"),
    ("a = b\n.ifdef FOO", 2, "Unexpected end of configuration file: .endif missing"),
    (".else", 1, ".else without matching .ifdef"),
    (".endif", 1, ".endif without matching .ifdef"),
    (".elifdef X", 1, ".elifdef without matching .ifdef"),
    (".foo", 1, "option setting expected: .foo"),
    ("5foo", 1, "option setting expected: 5foo"),
    (".include /nonexistent", 1, "failed to open included configuration file /nonexistent: No such file or directory"),
    (".include_if_exists nonexistent", 1, '.include specifies a non-absolute path "nonexistent"'),
    (".include", 1, 'a file name is missing after ".include"'),
    ("begin foo\nx = y", 1, '"foo" is not a known configuration section name'),
    ("begin router\nx = y", 1, '"router" is not a known configuration section name (did you mean "routers"?)'),
    ("begin acl\nbegin acl", 2, '"acl" section is repeated in the configuration file'),
    ("qualify_domain x", 1, 'missing "=" after qualify_domain'),
    ("domainlist foo", 1, "missing '=' after \"foo\""),
    ("domainlist foo = a\ndomainlist foo = b", 2, 'duplicate name "foo" for a named domain list'),
    ("localpartlist f = a\nlocalpartlist f = b", 2, 'duplicate name "f" for a named local part list'),
    ("begin routers\nx\n", 2, 'missing "=" after x'),
    ("begin routers\nx: driver = accept", 2, "extra characters follow driver name x"),
    ("begin transports\n1x:", 2, "transport name missing"),
    ("begin routers\nx:\nx:", 3, 'there are two routers called "x"'),
    (
        "begin transports\nx:\nM = 5\ny:\n M = 6",
        5,
        'macro "M" is already defined (use "==" if you want to redefine it)',
    ),
    ("a = b\0c", 1, "line contains a NUL character"),
]


@pytest.mark.parametrize(("text", "line", "message"), ERRORS)
def test_errors(tmp_path: Path, text: str, line: int, message: str) -> None:
    raw = config(tmp_path, text)
    if text.startswith("begin routers\nx\n"):
        message = "router name missing"
    assert [(error.message, error.where.line) for error in raw.errors] == [(message, line)]


def test_every_error_is_reported(tmp_path: Path) -> None:
    raw = config(tmp_path, "5a\nq = 1\nX-\n.endif\nbegin acl\nbegin bcl\nbegin routers\nfoo = bar")
    assert [error.where.line for error in raw.errors] == [1, 3, 4, 6, 8]


def test_options_as_written(tmp_path: Path) -> None:
    raw = config(tmp_path, "queue_only\nno_write_rejectlog\nnot_tcp_nodelay\nhide mysql_servers = x\nhide\tprdr_enable")
    assert [(o.name, o.value, o.negated, o.hide) for o in raw.main] == [
        ("queue_only", None, False, False),
        ("write_rejectlog", None, True, False),
        ("tcp_nodelay", None, True, False),
        ("mysql_servers", "x", False, True),
        ("prdr_enable", None, False, True),
    ]


def test_named_lists(tmp_path: Path) -> None:
    raw = config(
        tmp_path, 'domainlist a = x : y\nhide hostlist_cache b = "<; 1"\nlocalpartlist c=\naddresslist a = q@r'
    )
    assert [(x.kind, x.name, x.text, x.hide, x.cached) for x in raw.lists] == [
        ("domain", "a", "x : y", False, False),
        ("host", "b", "<; 1", True, True),
        ("local_part", "c", "", False, False),
        ("address", "a", "q@r", False, False),
    ]


def test_sections(tmp_path: Path) -> None:
    text = (
        "begin acl\nA = b\nfoo:\n  accept hosts = A\nbegin routers\nr1:\n driver = accept\n transport = t\nr2:\n"
        " driver = x\n"
        "begin retry\n* * F,2h,15m\nbegin rewrite\n*@a b@c\nbegin authenticators\np:\n driver = plaintext\n"
        "begin local_scan\nq = 1"
    )
    raw = config(tmp_path, text)
    assert raw.errors == []
    assert [line.text for line in raw.acl] == ["foo:", "accept hosts = b"]
    assert [(d.name, [o.name for o in d.options]) for d in raw.routers] == [
        ("r1", ["driver", "transport"]),
        ("r2", ["driver"]),
    ]
    assert [line.text for line in raw.retry] == ["* * F,2h,15m"]
    assert [line.text for line in raw.rewrite] == ["*@a b@c"]
    assert raw.authenticators[0].where.line == 16
    assert raw.local_scan[0].name == "q"


def test_command_line_macros_win(tmp_path: Path) -> None:
    raw = config(tmp_path, "AA = 1\nAA == 2\nqualify_domain = AA", {"AA": "given"})
    assert value(raw, "qualify_domain") == "given"


def test_include_is_physical(tmp_path: Path) -> None:
    (tmp_path / "inc").write_text("b.c \\\n")
    raw = config(tmp_path, 'qualify_domain = a.\\\n   .include "inc"\n d\n')
    assert value(raw, "qualify_domain") == "a.b.c d"
    raw = config(
        tmp_path, f".include_if_exists {tmp_path}/none\n.include_if_exists {tmp_path}/inc2\nqualify_domain = x"
    )
    assert value(raw, "qualify_domain") == "x"


def test_include_places(tmp_path: Path) -> None:
    (tmp_path / "inc").write_text("a = b\n5bad\n")
    raw = config(tmp_path, "X=inc\n.include X\n6bad")
    assert [str(error.where) for error in raw.errors] == [f"{tmp_path}/inc:2", f"{tmp_path}/a.conf:3"]


def test_include_loops_end(tmp_path: Path) -> None:
    raw = config(tmp_path, ".include a.conf\nqualify_domain = x")
    assert "includes itself" in raw.errors[0].message
    for number in range(60):
        (tmp_path / f"f{number}").write_text(f".include f{number + 1}\n")
    raw = config(tmp_path, ".include f0")
    assert [error.message for error in raw.errors] == ["files are included more than 50 deep"]


def test_macro_growth_is_bounded(tmp_path: Path) -> None:
    text = "A = xxxxxxxxxx\n" + "A == AAAA\n" * 30
    raw = config(tmp_path, text)
    assert 'after replacing macro "A"' in raw.errors[0].message


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    assert str(read(f"{tmp_path}/none").errors[0]) == (
        f"{tmp_path}/none: failed to open configuration file {tmp_path}/none: No such file or directory"
    )
    assert "Is a directory" in read(str(tmp_path)).errors[0].message
