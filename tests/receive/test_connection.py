from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta.receive import envelope
from tests.receive.conftest import Client, body_of, log_lines

Make = Callable[..., Any]
Connect = Callable[..., Client]


def spooled(runtime: Any) -> list[str]:
    folder = Path(runtime.spool_directory) / "input"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def transaction(client: Client, *recipients: str, data: bytes = b"A: b\r\n\r\nhi\r\n.\r\n") -> list[str]:
    client.say("MAIL FROM:<a@b.test>")
    for recipient in recipients:
        client.say(f"RCPT TO:<{recipient}>")
    assert client.say("DATA")[0].startswith("354")
    return client.say(data)


def test_a_message_is_stored_before_its_250(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime()
    client = connect(runtime)
    client.reply()
    client.say("EHLO client.test")
    message_id = transaction(client, "c@d.test")[0].removeprefix("250 OK id=")
    assert f"{message_id}-H" in spooled(runtime)
    client.say("QUIT")
    client.close()
    assert client.accepted == [message_id]
    message, peer = runtime.spool.read(message_id)
    assert message.sender == "a@b.test"
    assert [recipient.address for recipient in message.recipients] == ["c@d.test"]
    assert peer.address == "192.0.2.1"
    assert message.headers.text().startswith("Received: from [192.0.2.1] (helo=client.test)\n\tby mx.test with esmtp ")
    assert "for c@d.test;\n\t" in message.headers.text()
    assert message.headers.text().endswith("A: b\n")
    assert body_of(runtime, message_id) == b"hi\n"
    assert message.body_linecount == 1
    assert message.message_size == len(message.headers.text()) + 1 + 3


def test_nothing_smuggled_becomes_a_message(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime()
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    attack = b"A: b\r\n\r\nbody\n.\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<evil@y>\r\nDATA\r\nx: y\r\n\r\n\n.\n\r.\r\r\n.\r\n"
    transaction(client, "c@d.test", data=attack)
    client.close()
    assert len(client.accepted) == 1
    body = body_of(runtime, client.accepted[0])
    assert b"MAIL FROM" in body
    assert b"\r" not in body


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], None),
        (
            ["HELO x", "MAIL FROM:<a@b>"],
            "unexpected disconnection while reading SMTP command from (x) [192.0.2.1] D=0s",
        ),
        (
            ["HELO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"],
            "SMTP connection from (x) [192.0.2.1] lost while reading message data (header)",
        ),
    ],
)
def test_a_lost_peer_leaves_nothing(make_runtime: Make, connect: Connect, said: list[str], reason: str | None) -> None:
    runtime = make_runtime()
    client = connect(runtime)
    client.reply()
    for line in said:
        client.say(line)
    client.close()
    assert spooled(runtime) == []
    assert log_lines(runtime) == ([reason] if reason else [])


def test_a_chunk_left_open_leaves_nothing(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime()
    client = connect(runtime)
    client.reply()
    for line in ("EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"):
        client.say(line)
    assert client.say(b"BDAT 4\r\na: b") == ["250 4 byte chunk received"]
    client.say("QUIT")
    client.close()
    assert spooled(runtime) == []


@pytest.mark.parametrize(
    ("said", "reply", "logged"),
    [
        (["HELO x"], "421 mx.test: SMTP command timeout - closing connection",
         "SMTP command timeout on connection from (x) [192.0.2.1]"),
        (["HELO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"],
         "421 mx.test SMTP incoming data timeout - closing connection.",
         "SMTP data timeout (message abandoned) on connection from (x) [192.0.2.1] F=<a@b>"),
    ],
)  # fmt: skip
def test_silence_ends_the_session(
    make_runtime: Make, connect: Connect, said: list[str], reply: str, logged: str
) -> None:
    runtime = make_runtime("smtp_receive_timeout = 0.2s")
    client = connect(runtime)
    client.reply()
    for line in said:
        client.say(line)
    assert client.reply() == [reply]
    assert client.line() == ""
    assert log_lines(runtime) == [logged]


def test_a_bug_is_never_shown_to_the_peer(
    make_runtime: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(envelope, "enough_space", broken)
    runtime = make_runtime()
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    assert client.say("MAIL FROM:<a@b>") == ["421 mx.test internal error - closing connection"]
    assert client.line() == ""
    client.close()
    assert "secret detail" in " ".join(log_lines(runtime, "panic"))


def test_talk_before_the_greeting(make_runtime: Make) -> None:
    from mta.receive.connection import serve

    runtime = make_runtime()
    ours, theirs = socket.socketpair()
    ours.sendall(b"EHLO x\r\n")
    serve(runtime, theirs, ("192.0.2.1", 1), ("192.0.2.2", 25))
    assert ours.recv(1000) == b"554 SMTP synchronization error\r\n"
    ours.close()
    assert log_lines(runtime)[0].startswith(
        "SMTP protocol synchronization error (input sent without waiting for greeting)"
    )


class Counted:
    def __init__(self, total: int, same: int) -> None:
        self._total, self._same = total, same

    def total(self) -> int:
        return self._total

    def same_host(self, _address: str) -> int:
        return self._same


@pytest.mark.parametrize(
    ("main", "counts", "reply", "reason"),
    [
        ("smtp_accept_max = 2", Counted(3, 1), "421 Too many concurrent SMTP connections; please try again later.",
         "too many connections"),
        ("smtp_accept_max_per_host = 1", Counted(3, 2),
         "421 Too many concurrent SMTP connections from this IP address; please try again later.",
         "too many connections from that IP address"),
        ("smtp_accept_max = 5\nsmtp_accept_reserve = 3\nsmtp_reserve_hosts = 10.0.0.1", Counted(3, 1),
         "421 Too many concurrent SMTP connections; please try again later.", "too many connections (reserve)"),
    ],
)  # fmt: skip
def test_limits_on_connections(
    make_runtime: Make, connect: Connect, main: str, counts: Counted, reply: str, reason: str
) -> None:
    runtime = make_runtime(main)
    client = connect(runtime, counts=counts)
    assert client.reply() == [reply]
    client.close()
    assert log_lines(runtime) == [f"Connection from [192.0.2.1] refused: {reason}"]


def test_connections_within_the_limits_are_served(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime("smtp_accept_max = 2\nsmtp_accept_max_per_host = 1\nlog_selector = +smtp_connection")
    client = connect(runtime, counts=Counted(2, 1))
    assert client.reply()[0].startswith("220 ")
    client.say("QUIT")
    client.close()
    assert log_lines(runtime) == [
        "SMTP connection from [192.0.2.1] (TCP/IP connection count = 2)",
        "SMTP connection from [192.0.2.1] closed by QUIT",
    ]


AUTH = """
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{tim}}{eq{$auth3}{tanstaaftanstaaf}}}}
  server_set_id = $auth2
"""


def test_auth(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime(sections=AUTH)
    client = connect(runtime)
    client.reply()
    assert "250-AUTH PLAIN" in client.say("EHLO x")
    assert client.say("AUTH LOGIN") == ["504 LOGIN authentication mechanism not supported"]
    assert client.say("AUTH PLAIN !!!") == ["501 Invalid base64 data"]
    assert client.say("AUTH PLAIN AHRpbQB3cm9uZw==") == ["535 Incorrect authentication data"]
    assert client.say("AUTH PLAIN") == ["334 "]
    assert client.say("*") == ["501 Authentication cancelled"]
    assert client.say("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm") == ["235 Authentication succeeded"]
    assert client.say("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm") == ["503 already authenticated"]
    transaction(client, "c@d.test")
    client.close()
    logged = log_lines(runtime)
    assert any("plain authenticator failed for (x) [192.0.2.1]: 535 Incorrect authentication data (set_id=tim)" in line
               for line in logged)  # fmt: skip
    assert any(" P=esmtpa A=plain:tim " in line for line in logged)


def test_starttls_forgets_what_was_said_in_clear(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime("tls_advertise_hosts = *\nsmtp_enforce_sync = false")
    client = connect(runtime)
    client.reply()
    assert "250-STARTTLS" in client.say("EHLO x")
    # the second command is plain text behind STARTTLS: thrown away, never obeyed
    assert client.say(b"STARTTLS\r\nMAIL FROM:<evil@x>\r\n") == ["220 TLS go ahead"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.sock = context.wrap_socket(client.sock)
    client.buffer = b""
    assert client.say("RCPT TO:<c@d>") == ["503 sender not yet given"]
    assert client.say("MAIL FROM:<a@b>") == ["503 HELO or EHLO required"]
    assert "250-STARTTLS" not in client.say("EHLO x")
    assert transaction(client, "c@d.test")[0].startswith("250 OK id=")
    client.close()
    assert any(" P=esmtps X=TLS1.3:" in line for line in log_lines(runtime))


def test_a_pipelined_starttls_is_refused(make_runtime: Make, connect: Connect) -> None:
    client = connect(make_runtime("tls_advertise_hosts = *"))
    client.reply()
    client.say("EHLO x")
    assert client.say(b"STARTTLS\r\nMAIL FROM:<evil@x>\r\n") == ["554 SMTP synchronization error"]
    assert client.line() == ""


def test_an_acl_adds_and_removes_header_lines(make_runtime: Make, connect: Connect) -> None:
    acl = """rcpt: warn add_header = X-End: 1\\n:at_start:X-Start: 2\\n:after_received:X-After: 3
       remove_header = A
  accept"""
    runtime = make_runtime(acl=acl)
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    transaction(client, "c@d.test", data=b"A: b\r\nC: d\r\n\r\nhi\r\n.\r\n")
    client.close()
    message, _ = runtime.spool.read(client.accepted[0])
    assert [line.name for line in message.headers] == ["X-Start", "Received", "X-After", "C", "X-End"]


def test_rewriting(make_runtime: Make, connect: Connect) -> None:
    runtime = make_runtime(sections="begin rewrite\n*@old.test  $1@new.test  FTfrs\n")
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    client.say("MAIL FROM:<a@old.test>")
    client.say("RCPT TO:<b@old.test>")
    client.say("DATA")
    client.say(b"From: X <a@old.test>\r\n\r\nhi\r\n.\r\n")
    client.close()
    message, _ = runtime.spool.read(client.accepted[0])
    assert message.sender == "a@new.test"
    assert message.recipients[0].address == "b@new.test"
    assert message.headers.named("from")[0].text == "From: X <a@new.test>\n"


def test_submission_mode(make_runtime: Make, connect: Connect) -> None:
    acl = "rcpt: accept control = submission/domain=dom.test/name=A B"
    runtime = make_runtime(acl=acl, sections=AUTH)
    client = connect(runtime)
    client.reply()
    client.say("EHLO x")
    client.say("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm")
    transaction(client, "c@d.test", data=b"From: other@x.test\r\n\r\nhi\r\n.\r\n")
    client.close()
    message, _ = runtime.spool.read(client.accepted[0])
    text = message.headers.text()
    assert message.sender == "tim@dom.test"
    assert "Sender: A B <tim@dom.test>\n" in text
    assert "Date: " in text
    assert f"Message-Id: <E{message.id}@mx.test>\n" in text


def test_a_reset_is_no_shutdown_of_the_server(make_runtime: Make) -> None:
    from mta.receive.connection import serve

    runtime = make_runtime()
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, address = listener.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    serve(runtime, server, address, server.getsockname())
    listener.close()
    assert log_lines(runtime, "panic") == []
