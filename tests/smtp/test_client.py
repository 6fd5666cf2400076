from __future__ import annotations

import pytest

from mta.mail.message import NOTIFY_DELAY, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_HDRS
from mta.smtp.client import BadReply, ReplyReader, Window, encode_data, mail_command, parse_ehlo, rcpt_command
from mta.smtp.extensions import Extensions
from mta.smtp.replies import Reply

EHLO = b"250-mx.test Hello\r\n250-SIZE 1000\r\n250-auth plain\r\n250-AUTH=LOGIN\r\n250-DSN\r\n250-PRDR\r\n250-LIMITS MAILMAX=5 RCPTMAX=9\r\n250 PIPELINING\r\n"  # noqa: E501


def test_replies_in_pieces() -> None:
    data = b"220 hello\r\n250-a\r\n250 b\r\n354 go\r\n"
    expected = [Reply(220, "hello"), Reply(250, "a\nb"), Reply(354, "go")]
    assert ReplyReader().feed(data) == expected
    reader = ReplyReader()
    assert [reply for i in range(len(data)) for reply in reader.feed(data[i : i + 1])] == expected
    assert not reader.pending


def test_differing_codes_are_a_temporary_failure() -> None:
    (reply,) = ReplyReader().feed(b"250-fine\r\n550 no\r\n")
    assert reply.code == 451


@pytest.mark.parametrize(
    "bad",
    [b"hello\r\n", b"25 x\r\n", b"2500 x\r\n", b"150 x\r\n", b"250\tx\r\n", b"\xb2\xb2\xb2 x\r\n", b"250 a\0\r\n"],
)
def test_what_is_no_reply(bad: bytes) -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(bad)


def test_endless_replies_are_bounded() -> None:
    reader = ReplyReader()
    with pytest.raises(BadReply):
        for _ in range(2000):
            reader.feed(b"250-more\r\n")


def test_injected_replies_are_seen_and_thrown_away() -> None:
    reader = ReplyReader()
    assert len(reader.feed(b"220 go\r\n250-in")) == 1
    assert reader.pending
    assert reader.discard() == b"250-in"
    assert not reader.pending


def extensions() -> Extensions:
    return parse_ehlo(ReplyReader().feed(EHLO)[0])


def test_ehlo() -> None:
    found = extensions()
    assert "PIPELINING" in found
    assert "CHUNKING" not in found
    assert found.size == 1000
    assert found.auth == ["PLAIN", "LOGIN"]
    assert found.limit("RCPTMAX") == 9


def test_commands_have_what_the_server_knows() -> None:
    known, nothing = extensions(), Extensions()
    options = {"size": 10, "body": 8, "ret": RET_HDRS, "envid": "x", "prdr": True, "smtputf8": True}
    assert mail_command("a@b", known, **options) == b"MAIL FROM:<a@b> SIZE=10 PRDR RET=HDRS ENVID=x\r\n"
    assert mail_command("", nothing, **options) == b"MAIL FROM:<>\r\n"
    notify = NOTIFY_SUCCESS | NOTIFY_DELAY
    assert rcpt_command("a@b", known, notify=notify, orcpt="rfc822;c@d") == (
        b"RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d\r\n"
    )
    assert rcpt_command("a@b", known, notify=NOTIFY_NEVER) == b"RCPT TO:<a@b> NOTIFY=NEVER\r\n"
    assert rcpt_command("a@b", nothing, notify=NOTIFY_NEVER) == b"RCPT TO:<a@b>\r\n"


@pytest.mark.parametrize("bad", ["a@b>\r\nRCPT TO:<c@d", "a\0b", "a\nb"])
def test_nothing_breaks_out_of_a_command(bad: str) -> None:
    with pytest.raises(ValueError):
        mail_command(bad, Extensions())
    with pytest.raises(ValueError):
        rcpt_command(bad, Extensions())


def test_the_window() -> None:
    window = Window(2)
    window.add(b"a", 1)
    assert not window.full
    window.add(b"b", 2)
    assert window.full
    assert window.output() == b"ab"
    assert window.output() == b""
    assert window.answered() == 1
    assert window.waiting == 1


def test_encoding_is_the_wire_s() -> None:
    assert encode_data(b".\n", True) == b"..\r\n"
