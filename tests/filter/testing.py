"""Filter tests in this process: the same as ``mta -bf FILE``, and the oracle's answer to the same."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

from mta.cli.call import Call
from mta.cli.modes import filter as mode
from mta.cli.options import parse
from mta.expand.compiler import compile_text
from mta.mail.headers import Headers
from mta.mail.message import Message
from mta.receive.header_lines import split_header
from mta.route.chain import make_recipient
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from tests.peers import programs

CONFIG = "primary_hostname = oracle.example\nkeep_environment =\n"
MESSAGE = """\
From: Bart Simpson <bart@sfld.example>
To: Postmaster <root@oracle.example>, lisa@sfld.example (his sister)
Cc: =?iso-8859-1?q?J=FCrgen?= <j@example.com>
Subject: Hello =?iso-8859-1?q?M=FCller?= World
Message-ID: <m1@sfld.example>
X-Num: 15k
Date: Wed, 18 Oct 1995 09:51:40 +0100

This is the body.
Second line with $dollar.
"""


def write_config(folder: Path) -> Path:
    folder.chmod(0o755)
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "configure"
    path.write_text(f"spool_directory = {folder}/spool\nlog_file_path = {folder}/%slog\n{CONFIG}")
    path.chmod(0o644)
    return path


class Bench:
    """``mta(...)`` and ``exim(...)`` give what is printed behind "Testing ... file", "mta:" put for "exim:"."""

    def __init__(self, folder: Path) -> None:
        self.config = write_config(folder)
        self.filter = folder / "filter"
        self._runtime: Call | None = None

    def mta(self, text: str, arguments: list[str], message: str) -> str:
        self.filter.write_bytes(text.encode("latin-1"))
        option = "-bF" if "-bF" in arguments else "-bf"
        rest = [one for one in arguments if one != "-bF"]
        found = parse("mta", ["-C", str(self.config), option, str(self.filter), *rest])
        out = io.BytesIO()
        call = Call(found, uid=0, gid=0, stdin=io.BytesIO(message.encode("latin-1")), stdout=out, stderr=io.BytesIO())
        if self._runtime is not None:
            call._config, call._runtime = self._runtime._config, self._runtime._runtime
        mode.run(call)
        self._runtime = call
        return self.told(out.getvalue().decode("latin-1"))

    def exim(self, text: str, arguments: list[str], message: str) -> str:
        program = programs.exim()
        assert program is not None
        self.filter.write_bytes(text.encode("latin-1"))
        self.filter.chmod(0o644)
        option = "-bF" if "-bF" in arguments else "-bf"
        rest = [one for one in arguments if one != "-bF"]
        done = subprocess.run(
            [program, "-C", str(self.config), option, str(self.filter), *rest],
            input=message.encode("latin-1"),
            capture_output=True,
            timeout=30,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        return self.told(done.stdout.decode("latin-1"))

    def told(self, out: str) -> str:
        return out.replace(str(self.filter), "FILE").replace("exim: ", "mta: ")


def filter_scope(
    message: str = MESSAGE, *, sender: str = "bart@sfld.example", recipient: str = "lg@here.example"
) -> Scope:
    """A scope without files: a message, and a recipient whose home is /home/lg."""
    lines, _end, body = split_header(message)
    made = Message(sender=sender, headers=Headers(lines), message_size=len(message), body_size=len(message) - body)
    site = Site(MainOptions(primary_hostname="here.example", qualify_domain="here.example"))
    site.options.qualify_recipient = "here.example"
    scope = Scope(site, Services(), message=made)
    scope.services.compile_text = compile_text
    scope.recipient = make_recipient(recipient)
    scope.recipient.home = "/home/lg"
    data = message[body:].encode("latin-1")
    scope.body = lambda start, size: data[max(start, 0) : max(start, 0) + size]
    return scope
