"""A real spamd (SpamAssassin) on loopback: a few rules of our own, no network tests, no Bayes.

``with spamd() as server:``; skips, by name, where spamd is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import account, daemon, own_folder, program
from tests.peers.nsd import free_port

RULES = """\
required_score 5
use_bayes 0
dns_available no
skip_rbl_checks 1
clear_report_template
report Score _SCORE_ of _REQD_
report _SUMMARY_
body TEST_SPAM /spam-word/
score TEST_SPAM 7.35
describe TEST_SPAM A word of spam
header TEST_HAM Subject =~ /ham-word/
score TEST_HAM -2.55
describe TEST_HAM A word of ham
header TEST_FROM X-Envelope-From =~ /spammer@/
score TEST_FROM 20
"""


@dataclass(slots=True)
class Spamd:
    port: int
    socket: Path


@contextmanager
def spamd() -> Iterator[Spamd]:
    """One daemon, on a port and a socket."""
    path = program("spamd", "spamd")
    user = account("debian-spamd")
    with own_folder("spamd", user) as folder:
        server = Spamd(free_port(), folder / "spamd.sock")
        rules = folder / "rules"
        rules.mkdir()
        (rules / "10_mta.cf").write_text(RULES)
        (rules / "init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
        empty = folder / "empty"
        empty.mkdir()
        command = [path, "-L", "-x", "-m", "1", "--listen", f"127.0.0.1:{server.port}", "--listen", str(server.socket)]
        command += ["-C", str(rules), f"--siteconfigpath={rules}", "-s", "stderr", "-H", str(empty), "--min-children=1"]
        with daemon(command, folder, lambda: _answers(server.port), user=user):
            yield server


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"PING SPAMC/1.2\r\n\r\n")
            return sock.recv(100).startswith(b"SPAMD/")
    except OSError:
        return False
