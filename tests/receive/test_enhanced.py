"""Enhanced status codes (RFC 2034) for the hosts of enhancedstatuscodes_advertise_hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mta.smtp.enhanced import enhanced

MAIN = "enhancedstatuscodes_advertise_hosts = 192.0.2.1"
ACL = """
rcpt:
  deny local_parts = own
    message = 554 5.7.13 a\\nb
  deny local_parts = text
    message = 5.7.99 mine
  deny local_parts = two
    message = a\\nb
  deny local_parts = no
  defer local_parts = later
  accept
"""
EXCHANGES = [
    ("RCPT TO:<a@b>", ["503 5.5.1 sender not yet given"]),
    ("NOOP", ["250 2.0.0 OK"]),
    ("FOO", ["500 5.5.2 unrecognized command"]),
    ("MAIL FROM:<a", ['501 5.1.7 <a: "@" or "." expected after "a"']),
    ("MAIL FROM:<a@b>", ["250 2.1.0 OK"]),
    ("RCPT TO:<own@b>", ["554-5.7.13 a", "554 5.7.13 b"]),
    ("RCPT TO:<text@b>", ["550 5.7.99 mine"]),
    ("RCPT TO:<two@b>", ["550-5.7.1 a", "550 5.7.1 b"]),
    ("RCPT TO:<no@b>", ["550 5.7.1 Administrative prohibition"]),
    ("RCPT TO:<later@b>", ["451 4.3.0 Temporary local problem - please try later"]),
    ("RCPT TO:<yes@b>", ["250 2.1.5 Accepted"]),
    ("DATA", ['354 Enter message, ending with "." on a line by itself']),
]


def test_every_reply_of_ours_has_one(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    client = connect(make_runtime(MAIN, ACL))
    assert client.reply()[0].startswith("220 mx.test")
    hello = client.say("EHLO c")
    assert hello[0].startswith("250-mx.test Hello")
    assert "250-ENHANCEDSTATUSCODES" in hello
    for said, heard in EXCHANGES:
        assert client.say(said) == heard
    assert client.say("x: y\r\n\r\n.")[0].startswith("250 2.6.0 OK id=")
    assert client.say("QUIT") == ["221 2.0.0 mx.test closing connection"]


def test_not_after_helo_nor_for_others(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    client = connect(make_runtime(MAIN))
    client.reply()
    client.say("EHLO c")
    client.say("HELO c")
    assert client.say("NOOP") == ["250 OK"]
    other = connect(make_runtime(""))
    other.reply()
    assert not [line for line in other.say("EHLO c") if "ENHANCED" in line]
    assert other.say("NOOP") == ["250 OK"]


@pytest.mark.parametrize(
    ("code", "verb", "text", "expected"),
    [(354, "DATA", "x", ""), (250, "NOOP", "x", "2.0.0 "), (599, "X", "x", "5.0.0 "), (550, "RCPT", "5.1.1 x", "")],
)
def test_table(code: int, verb: str, text: str, expected: str) -> None:
    assert enhanced(code, verb, text) == expected
