"""The lmtp transport over a socket and with a command; texts are the oracle's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mta.mail.outcome import Status
from mta.scope.scope import Scope
from tests.fakes.smtp_server import CLOSE, Script, ScriptedServer
from tests.transport.building import make_batch, make_transport

D, W, F = Status.DELIVERED, Status.DEFERRED, Status.FAILED


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(after_data=["250 fine", "452 full"]), [(D, 0, ""), (W, 0, "LMTP error after end of data: 452 full")]),
        (Script(answers={"RCPT TO:<A": "550 no"}), [(F, 0, "LMTP error after RCPT TO:<a@r.ex>: 550 no"), (D, 0, "")]),
        (Script(answers={"RCPT TO:<A": "450 no"}), [(W, -44, "LMTP error after RCPT TO:<a@r.ex>: 450 no"), (D, 0, "")]),
        (Script(answers={"MAIL": "450 no"}), [(W, -45, "LMTP error after MAIL FROM:<sender@src.ex>: 450 no")] * 2),
        (Script(answers={"DATA": "550 no"}), [(F, 0, "LMTP error after DATA: 550 no")] * 2),
        (Script(banner="421 no"), [(W, -1, "LMTP error after initial connection: 421 no")] * 2),
        (Script(answers={"LHLO": "550 no"}), [(F, 0, "LMTP error after LHLO mx.test.ex: 550 no")] * 2),
        (Script(answers={"MAIL": CLOSE}), [(W, -1, "LMTP connection closed after MAIL FROM:<sender@src.ex>")] * 2),
    ],
)
def test_socket(scope: Scope, mail: Path, script: Script, expected: list[tuple[Status, int, str]]) -> None:
    script.lmtp = True
    transport = make_transport("lmtp", socket=f"{mail}/sock", batch_max="10", timeout="5s")
    with ScriptedServer(script, path=f"{mail}/sock") as server:
        found = transport.driver.deliver(transport, make_batch("a@r.ex", "b@r.ex"), scope)
    # the oracle says -1 for what has no number of its own; an answer to the data keeps 0
    assert [(o.status, o.errno, o.message) for o in found] == expected
    if script.banner.startswith("220"):
        assert server.commands[0] == "LHLO mx.test.ex"


def test_no_socket(scope: Scope, mail: Path) -> None:
    transport = make_transport("lmtp", socket=f"{mail}/no")
    (outcome,) = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)
    text = f"Failed to connect to socket {mail}/no for lmtp_t transport: No such file or directory"
    assert (outcome.status, outcome.errno, outcome.message) == (W, -1, text)
    assert [fact.key for fact in outcome.retry] == ["T:a@r.ex"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/bin/false", "LMTP connection closed after initial connection"),
        ("/bin/sleep 9", "LMTP timeout after initial connection"),
    ],
)
def test_commands_that_do_not_talk(scope: Scope, command: str, message: str) -> None:
    transport = make_transport("lmtp", command=command, timeout="0.2s")
    (outcome,) = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)
    assert (outcome.status, outcome.message) == (W, message)


SERVER = """
import sys
out = sys.stdout
def say(text): out.write(text + "\\r\\n"); out.flush()
say("220 hi")
data = False
for line in sys.stdin:
    line = line.rstrip()
    if data:
        if line == ".": say("250 taken"); data = False
    elif line.startswith("LHLO"): say("250-x"); say("250 IGNOREQUOTA")
    elif line == "DATA": say("354 go"); data = True
    elif line == "QUIT": say("221 bye"); break
    elif line.startswith("RCPT"): say("250 ok" if line.endswith("IGNOREQUOTA") else "550 quota")
    else: say("250 ok")
"""


def test_command(scope: Scope, mail: Path) -> None:
    (mail / "server.py").write_text(SERVER)
    transport = make_transport("lmtp", command=f"{sys.executable} {mail}/server.py", ignore_quota="true", timeout="20s")
    (outcome,) = transport.driver.deliver(transport, make_batch("a@r.ex"), scope)
    assert (outcome.status, outcome.response) == (D, "250 taken")
