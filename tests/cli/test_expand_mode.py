"""-be: what it prints (compared with Debian's Exim 4.96)."""

from __future__ import annotations

import io

from mta.cli.modes.expand import run
from tests.expand.scopes import empty_scope


def output(arguments: list[str], stdin: str = "") -> str:
    out = io.StringIO()
    assert run(empty_scope, arguments, io.StringIO(stdin), out) == 0
    return out.getvalue()


def test_arguments() -> None:
    assert output(["${lc:AB}", "", " $nosuch", "c"]) == 'ab\n\nFailed: unknown variable name "nosuch"\nc\n'


def test_lines_with_a_prompt() -> None:
    assert output([], "  ab\n\tc\\\n   d\ne\\\n") == ">   ab\n> \tcd\n> e\n> \n"
    assert output([]) == "> \n"
    assert output([], "a") == "> a\n> \n"


def test_captures_do_not_reach_the_next_text() -> None:
    assert output(["${if match{a}{(a)}{$1}}", "[$1]"]) == "a\n[]\n"
