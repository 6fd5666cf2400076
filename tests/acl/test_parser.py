"""ACL text to statements: what loads, and the words for what does not (Exim 4.96's, ``-bV``)."""

from __future__ import annotations

import pytest

from mta.acl.parser import parse_acls, parse_inline
from mta.errors import ConfigError, Where
from tests.acl.acls import lines

REFUSED = [
    ("r:\n foo bar", 11, 'error in ACL: unknown ACL verb "foo" in "foo bar"'),
    ("r:\n message = a", 11, 'error in ACL: unknown ACL verb "message" in "message = a"'),
    ("r:\n accept message", 11, 'error in ACL: "=" missing after ACL "message" modifier'),
    ("r:\n accept condition", 11, 'error in ACL: "=" missing after ACL "condition" condition'),
    ("r:\n accept set acl_m1 4", 11, 'error in ACL: "=" missing after ACL "set" modifier'),
    ("r:\n accept frob = x", 11, 'error in ACL: unknown ACL condition/modifier in "accept frob = x"'),
    ("r:\n accept = 3", 11, 'error in ACL: unknown ACL condition/modifier in "accept = 3"'),
    ("r:\n accept\n endpassx", 12, 'error in ACL: unknown ACL condition/modifier in "endpassx"'),
    ("r:\n deny endpass", 11, 'error in ACL: ACL error: "endpass" is not allowed with "deny"'),
    ("r:\n accept !endpass", 11, 'error in ACL: ACL error: negation is not allowed with "endpass"'),
    ("r:\n accept !message = x", 11, 'error in ACL: ACL error: negation is not allowed with "message"'),
    ("r:\n !accept", 11, 'error in ACL: malformed ACL line "!accept"'),
    ("r:\n ACCEPT", 11, 'error in ACL: unknown ACL verb "ACCEPT" in "ACCEPT"'),
    (
        "r:\n accept set acl_q = 3",
        11,
        'error in ACL: invalid variable name after "set" in ACL modifier "set acl_q = 3" '
        '(must start "acl_c" or "acl_m")',
    ),
    (
        "r:\n accept set acl_mfoo = 3",
        11,
        'error in ACL: invalid variable name after "set" in ACL modifier "set acl_mfoo = 3" '
        "(digit or underscore must follow acl_c or acl_m)",
    ),
    (
        "r:\n accept set acl_c9 = 3\n set acl_m_a.b = 3",
        12,
        'error in ACL: invalid character "." in variable name in ACL modifier "set acl_m_a.b = 3"',
    ),
    ("r:\n accept\nr:\n deny", 12, 'there are two ACLs called "r"'),
    ("r:\n accept\n:x", 12, "missing or malformed ACL name"),
    ("r:\n accept\n1r:", 12, "missing or malformed ACL name"),
    # ours: known to Exim, not done yet
    ("r:\n accept dcc = pass", 11, 'ACL condition "dcc" is not implemented in mta yet'),
    ("r:\n accept verify = csa", 11, 'ACL condition "verify = csa" is not implemented in mta yet'),
    ("r:\n accept control = debug/tag=.x", 11, 'ACL control "debug" is not implemented in mta yet'),
]
LOADED = [
    "r:\n accept endpass",
    "r:\n accept endpass = x",
    "r:\n accept ! condition = a",
    "r:\n accept !  condition=a",
    "r:\n accept set acl_m_ = 3",
    "r:\n accept set acl_m1x=3",
    "r:accept\n deny",
    "r :\n accept",
    "r:\n accept condition =",
    "r:\n accept\n message=foo",
    "r:\n discard",
    "r:\n accept verify = foo",
    "r:\n accept control = foo",
    "r:\n accept control = freeze/x",
    "r:\n accept delay=foo",
    "r:\n accept\nmessage : x",
    "r:\n\n",
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(text: str, line: int, message: str) -> None:
    errors: list[ConfigError] = []
    parse_acls(lines(text), errors)
    first = errors[0]
    assert first.where.line == line
    assert first.message.partition(" (did you mean")[0] == message


@pytest.mark.parametrize("text", LOADED)
def test_loaded(text: str) -> None:
    errors: list[ConfigError] = []
    parse_acls(lines(text), errors)
    assert errors == []


def test_every_fault_is_found() -> None:
    errors: list[ConfigError] = []
    parse_acls(lines("r:\n acept\n accept hoosts = a\n deny mesage = x"), errors)
    assert len(errors) == 3
    assert 'did you mean "accept"?' in errors[0].message


def test_text_after_a_label_is_ignored() -> None:
    found = parse_acls(lines("r:accept\n deny"), [])
    assert [statement.verb for statement in found["r"].statements] == ["deny"]


def test_clauses() -> None:
    found = parse_acls(lines("r:\n deny !condition = yes\n set acl_m_x = y\n message = a : b"), [])
    [statement] = found["r"].statements
    assert [(c.label, c.source, c.where.line) for c in statement.clauses] == [
        ("!condition", "yes", 11),
        ("set acl_m_x", "y", 12),
        ("message", "a : b", 13),
    ]


def test_inline_text_has_lines_comments_and_continuations() -> None:
    found = parse_inline("\n# no\ndeny condition = no\n  accept \\\n   message = hello\n", Where("f", 3))
    assert [(s.verb, [c.source for c in s.clauses]) for s in found.statements] == [
        ("deny", ["no"]),
        ("accept", ["hello"]),
    ]


def test_inline_fault_is_raised() -> None:
    with pytest.raises(ConfigError, match='unknown ACL verb "nosuch" in "nosuch"'):
        parse_inline("nosuch", Where("f", 3))
