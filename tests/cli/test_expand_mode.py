"""-be: what it prints (compared with Debian's Exim 4.96)."""

from __future__ import annotations

import io
import os
import pty
import sys

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


def test_a_terminal_has_line_editing() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "dumb"
        os.execv(sys.executable, [sys.executable, "-m", "mta", "-C", "/dev/null", "-be"])
    seen = b""

    def read_until(wanted: bytes) -> None:
        nonlocal seen
        while wanted not in seen:
            seen += os.read(terminal, 4096)

    try:
        read_until(b"> ")
        os.write(terminal, b"${uc:ac}\x1b[D\x1b[Db\r")  # two to the left, and a b
        read_until(b"ABC")
        os.write(terminal, b"\x10\r")  # the line before
        read_until(b"ABC\r\n> ")
        os.write(terminal, "${strlen:\u00e4}".encode() + b"\r")
        read_until(b"\n2\r\n")
        os.write(terminal, b"\x04")
        assert os.waitpid(child, 0)[1] == 0
    finally:
        os.close(terminal)
