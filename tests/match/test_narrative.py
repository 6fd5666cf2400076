"""What -bh tells of lists; the lines are Exim's."""

from __future__ import annotations

import pytest

from mta.match.compile import domain_list, host_list, local_part_list
from tests.match.site import make_scope

LINES = [
    ("a.test : *.b.test", "a.test", 'a.test in "a.test : *.b.test"? yes (matched "a.test")'),
    ("a.test : *.b.test", "x.b.test", 'x.b.test in "a.test : *.b.test"? yes (matched "*.b.test")'),
    ("a.test : ^c", "c.test", 'c.test in "a.test : ^c"? yes (matched "^c")'),
    ("!a.test", "a.test", 'a.test in "!a.test"? no (matched "!a.test")'),
    ("!a.test", "c.test", 'c.test in "!a.test"? yes (end of list)'),
    ("", "a.test", 'a.test in ""? no (end of list)'),
]


@pytest.mark.parametrize(("text", "subject", "line"), LINES)
def test_domain_lists(text: str, subject: str, line: str) -> None:
    scope = make_scope()
    told: list[str] = []
    scope.trace = lambda _selector, said: told.append(said)
    domain_list(text).match(scope, subject)
    assert told == [line]


def test_local_parts_and_hosts() -> None:
    scope = make_scope()
    told: list[str] = []
    scope.trace = lambda _selector, said: told.append(said)
    local_part_list("+caseful : p : q").match(scope, "q")
    scope.peer.address = "192.0.2.1"
    host_list("1.2.3.4 : !192.0.2.1 : *").match(scope, "192.0.2.1")
    assert told == [
        'q in "+caseful : p : q"? yes (matched "q")',
        'host in "1.2.3.4 : !192.0.2.1 : *"? no (matched "!192.0.2.1")',
    ]


def test_nothing_is_kept_without_a_trace() -> None:
    scope = make_scope()
    domain_list("a.test : ^c").match(scope, "c.test")
    assert not [name for name in scope.vars if name.startswith("match.")]
