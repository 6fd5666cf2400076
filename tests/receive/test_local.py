"""Local messages; the header lines of the table are what Exim 4.96 wrote into -H for the same input."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta.receive.caller import Caller, Order, caller_of, split_address
from mta.receive.local import receive_local
from mta.receive.submission import order_from, serve_submission, submit
from tests.receive.conftest import body_of, log_lines

Make = Callable[..., Any]
ROOT = Caller(0, 0, "root", "root", True)
NOBODY = Caller(65534, 65534, "nobody", "", False)


class Submitted:
    def __init__(self, code: int, ids: list[str], said: list[str], output: bytes) -> None:
        self.code, self.ids, self.said, self.output = code, ids, said, output


def hand_in(runtime: Any, order: Order, data: bytes, caller: Caller = ROOT) -> Submitted:
    ids: list[str] = []
    said: list[str] = []
    reader, writer = os.pipe()
    out_reader, out_writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    try:
        code = receive_local(runtime, caller, order, reader, out_writer, on_accepted=ids.append, say=said.append)
    finally:
        os.close(reader)
        os.close(out_writer)
    output = os.read(out_reader, 65536)
    os.close(out_reader)
    return Submitted(code, ids, said, output)


def fields(runtime: Any, message_id: str) -> list[str]:
    """The header lines but Received and Date; deleted ones with their star in front."""
    message, _ = runtime.spool.read(message_id)
    made = f"E{message_id}"
    return [
        (line.type if line.type == "*" else "") + line.text.rstrip("\n").replace(made, "E-ID")
        for line in message.headers.lines
        if not line.text.startswith(("Received:", "Date: ", "Resent-Date: "))
    ]


MADE = "Message-Id: <E-ID@mx.test>"
FROM = "From: root <root@mx.test>"


@pytest.mark.parametrize(
    ("text", "order", "sender", "recipients", "expected"),
    [
        ("Subject: x\n\nhi\n.\nmore\n", Order(recipients=["u@v"]), "root@mx.test", ["u@v"], ["Subject: x", MADE, FROM]),
        ('To: a@b, c\nBcc: d@e\nCc: "x" <y@z>\n\nhi', Order(extract=True), "root@mx.test",
         ["a@b", "c@mx.test", "d@e", "y@z"],
         ["*To: a@b, c", "To: a@b, c@mx.test", "*Bcc: d@e", 'Cc: "x" <y@z>', MADE, FROM]),
        ("Bcc: d@e\nTo: q@r\n\nhi", Order(extract=True, recipients=["q@r"]), "root@mx.test", ["d@e"],
         ["*Bcc: d@e", "To: q@r", MADE, FROM]),
        ("From: foo@bar\nSender: z@y\n\nhi", Order(sender="", recipients=["u@v"]), "", ["u@v"],
         ["From: foo@bar", "Sender: z@y", MADE]),
        ("From: foo\nTo: baz\nReturn-path: <x>\nDelivery-date: x\nEnvelope-to: a\n\nhi",
         Order(sender="me@x", recipients=["u"]), "me@x", ["u@mx.test"],
         ["*From: foo", "From: foo@mx.test", "*To: baz", "To: baz@mx.test", "*Return-path: <x>", "*Delivery-date: x",
          "*Envelope-to: a", MADE]),
        ("Resent-From: foo\nResent-To: a@b\nDate: x\nTo: x@y\nMessage-Id: <a@b>\n\nhi", Order(extract=True),
         "root@mx.test", ["a@b"],
         ["Resent-Message-Id: <E-ID@mx.test>", "*Resent-From: foo", "Resent-From: foo@mx.test", "Resent-To: a@b",
          "To: x@y", "Message-Id: <a@b>"]),
        ("From MAILER Fri Jan  7 12:35 GMT 1994\nSubject: x\n\nhi", Order(recipients=["u@v"]), "MAILER@mx.test",
         ["u@v"], ["Subject: x", MADE, "From: MAILER@mx.test"]),
        ("bad header\n\nhi", Order(recipients=["u@v"]), "root@mx.test", ["u@v"], [MADE, FROM]),
        ("", Order(recipients=["u@v, w@x"]), "root@mx.test", ["u@v", "w@x"], [MADE, FROM]),
    ],
)  # fmt: skip
def test_what_becomes_of_the_header(
    make_runtime: Make, text: str, order: Order, sender: str, recipients: list[str], expected: list[str]
) -> None:
    runtime = make_runtime()
    done = hand_in(runtime, order, text.encode())
    assert (done.code, done.said) == (0, [])
    message, peer = runtime.spool.read(done.ids[0])
    assert message.sender == sender
    assert [recipient.address for recipient in message.recipients] == recipients
    assert [line for line in fields(runtime, done.ids[0]) if not line.startswith("Date")] == expected
    assert peer.received_protocol == "local"
    assert peer.ident == "root"


@pytest.mark.parametrize(
    ("text", "dot_ends", "body"),
    [
        ("\nhi\n.\nmore\n", True, b"hi\n"),
        ("\nhi\n.\nmore\n", False, b"hi\n.\nmore\n"),
        ("\nhi\r\n.\r\nmore", True, b"hi\n"),
        ("\na\r\rb\r\nc", True, b"a\n\nb\nc\n"),
        ("\n..\n.x\n", True, b"..\n.x\n"),
        ("A: b\n.\nmore\n", True, b""),
        ("bad header\n\nhi", True, b"bad header\n\nhi\n"),
    ],
)
def test_bodies(make_runtime: Make, text: str, dot_ends: bool, body: bytes) -> None:
    runtime = make_runtime()
    done = hand_in(runtime, Order(recipients=["u@v"], dot_ends=dot_ends), text.encode())
    assert body_of(runtime, done.ids[0]) == body


def test_an_untrusted_caller_cannot_choose_its_sender(make_runtime: Make) -> None:
    runtime = make_runtime()
    text = b"From: other@x.test\nSender: liar@x.test\n\nhi"
    done = hand_in(runtime, Order(sender="other@x.test", recipients=["u@v"], host_address="1.2.3.4"), text, NOBODY)
    message, peer = runtime.spool.read(done.ids[0])
    assert message.sender == "nobody@mx.test"
    assert peer.address == ""
    assert "Sender: nobody@mx.test\n" in message.headers.text()
    assert "liar" not in message.headers.text()
    allowed = make_runtime("untrusted_set_sender = *\nlocal_from_check = false\nlocal_sender_retain")
    done = hand_in(allowed, Order(sender="other@x.test", recipients=["u@v"]), text, NOBODY)
    message, _ = allowed.spool.read(done.ids[0])
    assert message.sender == "other@x.test"
    assert message.sender_set_untrusted
    assert "Sender: liar@x.test\n" in message.headers.text()


@pytest.mark.parametrize(
    ("text", "order", "code", "said"),
    [
        ("Subject: x\n\n", Order(extract=True, errors="p"), 1, "no recipients in message"),
        ("To: a@b c\n\n", Order(extract=True, errors="p"), 1,
         "invalid address:  a@b c: malformed address: c may not follow a@b "),
        ("x: y\n\n", Order(recipients=["a b@c"], errors="p"), 1,
         'bad recipient address "a b@c": missing or malformed local part (expected word or "<")'),
        ("x: y\n\n" + "x" * 2000, Order(recipients=["a@b"], errors="p"), 1,
         "message rejected: message too big: max=1000"),
        ("x: y\n\n", Order(sender="bad addr", recipients=["a@b"]), 1,
         'bad -f address "bad addr": missing or malformed local part (expected word or "<")'),
    ],
)  # fmt: skip
def test_errors_on_standard_error(make_runtime: Make, text: str, order: Order, code: int, said: str) -> None:
    runtime = make_runtime("message_size_limit = 1000")
    done = hand_in(runtime, order, text.encode())
    assert (done.code, done.said, done.ids) == (code, [said], [])


@pytest.mark.parametrize(("mode", "code"), [("m", 1), ("e", 0)])
def test_errors_by_mail(make_runtime: Make, mode: str, code: int) -> None:
    runtime = make_runtime()
    done = hand_in(runtime, Order(extract=True, errors=mode), b"To: a@b c\n\nhi")
    assert done.code == code
    message, _ = runtime.spool.read(done.ids[0])
    assert message.sender == ""
    assert [recipient.address for recipient in message.recipients] == ["root@mx.test"]
    assert message.headers.named("subject")[0].value == " Mail failure - malformed recipient address\n"
    body = body_of(runtime, done.ids[0]).decode()
    assert "  a@b c: malformed address: c may not follow a@b \n" in body
    assert body.endswith("\n\nhi\n")
    assert any(line.split()[1:3] == ["<=", "<>"] for line in log_lines(runtime))


def test_acl_not_smtp(make_runtime: Make) -> None:
    runtime = make_runtime("acl_not_smtp = local", "local: deny message = no local")
    done = hand_in(runtime, Order(recipients=["a@b"], errors="p"), b"x: y\n\nbody\n")
    assert (done.code, done.said) == (1, ["message rejected by non-SMTP ACL: no local"])
    assert log_lines(runtime)[0].endswith(" F=<root@mx.test> rejected by non-SMTP ACL: no local")


def test_smtp_on_standard_input(make_runtime: Make) -> None:
    runtime = make_runtime()
    text = b"EHLO a\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n"
    done = hand_in(runtime, Order(mode="bs"), text)
    assert b"250-mx.test Hello root at a\r\n" in done.output
    assert done.output.endswith(b"221 mx.test closing connection\r\n")
    message, peer = runtime.spool.read(done.ids[0])
    assert peer.received_protocol == "local-esmtp"
    assert message.sender == "a@b"
    assert len(message.headers.named("message-id")) == 1
    done = hand_in(runtime, Order(mode="bs", host_address="1.2.3.4.25"), text)
    message, peer = runtime.spool.read(done.ids[0])
    assert (peer.address, peer.port, peer.received_protocol) == ("1.2.3.4", 25, "esmtp")
    assert message.headers.named("message-id") == []


def test_an_untrusted_caller_on_standard_input(make_runtime: Make) -> None:
    runtime = make_runtime()
    text = b"EHLO a\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n"
    done = hand_in(runtime, Order(mode="bs"), text, NOBODY)
    assert runtime.spool.read(done.ids[0])[0].sender == "nobody@mx.test"


BATCH = b"MAIL FROM:<a@b>\nRCPT TO:<bad@d>\nDATA\nx: y\n\nq\n.\n"


def test_batch_smtp(make_runtime: Make) -> None:
    runtime = make_runtime(acl="rcpt: deny")  # SMTP ACLs do not run for a batch
    done = hand_in(runtime, Order(mode="bS"), BATCH + BATCH + b"QUIT\n")
    assert (done.code, len(done.ids), done.output) == (0, 2, b"")
    assert runtime.spool.read(done.ids[0])[1].received_protocol == "local-bsmtp"
    failed = hand_in(runtime, Order(mode="bS"), BATCH + b"FOO\nQUIT\n")
    assert (failed.code, len(failed.ids)) == (1, 1)
    assert "   FOO\n\n1 previous message was successfully processed." in failed.said[0]
    assert "started in line 1.\nThe error was detected in line 8.\n" in failed.said[0]
    assert hand_in(runtime, Order(mode="bS"), b"FOO\n").code == 2


def over_socket(runtime: Any, order: Order, data: bytes, tmp_path: Path) -> Submitted:
    ids: list[str] = []
    said: list[str] = []
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve_submission, args=(runtime, theirs), kwargs={"on_accepted": ids.append})
    thread.start()
    given = tmp_path / "input"
    given.write_bytes(data)
    taken = tmp_path / "output"
    with given.open("rb") as source, taken.open("wb") as target:
        code = submit(ours, order, source.fileno(), target.fileno(), said.append)
    thread.join(10)
    return Submitted(code, ids, said, taken.read_bytes())


def test_submission_over_the_socket(make_runtime: Make, tmp_path: Path) -> None:
    runtime = make_runtime()
    done = over_socket(runtime, Order(recipients=["u@v"], sender="x@y"), b"Subject: x\n\nhi\n", tmp_path)
    assert (done.code, len(done.ids)) == (0, 1)
    message, peer = runtime.spool.read(done.ids[0])
    assert message.originator_uid == os.getuid()
    assert peer.ident == caller_of(runtime, os.getuid(), os.getgid(), set()).login
    refused = over_socket(runtime, Order(extract=True, errors="p"), b"Subject: x\n\n", tmp_path)
    assert (refused.code, refused.said) == (1, ["no recipients in message"])
    session = over_socket(runtime, Order(mode="bs"), b"EHLO a\nQUIT\n", tmp_path)
    assert session.output.endswith(b"221 mx.test closing connection\r\n")


@pytest.mark.parametrize(
    "raw",
    [
        None, [], {"mode": "x"}, {"mode": 1}, {"recipients": "a@b"}, {"recipients": [1]}, {"recipients": ["a\nb"]},
        {"full_name": "a\r\nBcc: x@y"}, {"sender": "a\0"}, {"extract": "yes"}, {"receive_timeout": True},
        {"sender": "\u2028"},
    ],
)  # fmt: skip
def test_orders_that_are_none(raw: Any) -> None:
    assert order_from(raw) is None


def test_orders_are_read_back() -> None:
    order = order_from({"mode": "bm", "recipients": ["a@b"], "sender": "", "unknown": 1, "receive_timeout": 2})
    assert order is not None
    assert (order.recipients, order.sender, order.receive_timeout) == (["a@b"], "", 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.3.4", ("1.2.3.4", 0)), ("1.2.3.4.25", ("1.2.3.4", 25)), ("[1.2.3.4]:25", ("1.2.3.4", 25)),
        ("::1", ("::1", 0)), ("::1.25", ("::1", 25)), ("[2001:db8::1]:587", ("2001:db8::1", 587)),
    ],
)  # fmt: skip
def test_addresses_with_ports(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected
