"""-be: what it prints (compared with Debian's Exim 4.96)."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

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


def test_bem_reads_a_message(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("From: a@b\nSubject: s\n\nbody\n")
    (tmp_path / "c").write_text("qualify_domain = q.test\nprimary_hostname = q.test\n")

    def ask(file: Path, text: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mta", "-C", str(tmp_path / "c"), "-bem", str(file), text]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    told = ask(tmp_path / "m", "$h_subject:|$message_size|$message_body_size|<$message_body>|$message_linecount")
    assert told.stdout == "s|27|5|<body >|4\n"  # as Exim has it
    assert ask(tmp_path / "m", "$sender_address").stdout.endswith("@q.test\n")
    missing = ask(tmp_path / "none", "x")
    assert (missing.returncode, "No such file or directory" in missing.stderr) == (1, True)
