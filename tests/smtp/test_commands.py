"""Parsing of commands and parameters; texts are what Exim 4.96 answers."""

from __future__ import annotations

import pytest

from mta.mail.message import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_FULL, RET_HDRS
from mta.smtp.commands import (
    Chunk,
    MailParameters,
    Offered,
    RcptParameters,
    helo_name,
    parse_bdat,
    parse_command,
    parse_mail,
    parse_rcpt,
    xtext_decode,
    xtext_encode,
)

ALL = Offered(esmtp=True, dsn=True, prdr=True, smtputf8=True)


@pytest.mark.parametrize(
    ("line", "verb", "argument"),
    [
        ("EHLO foo", "EHLO", "foo"),
        ("ehlo  foo ", "EHLO", "foo"),
        ("mail from: <a@b> size=1", "MAIL", "<a@b> size=1"),
        ("MAIL FROM:", "MAIL", ""),
        ("rcpt to:a@b", "RCPT", "a@b"),
        ("NOOP\tx", "", "NOOP\tx"),
        ("QUIT", "QUIT", ""),
        ("MAIL", "", "MAIL"),
        ("MAIL FROM <a@b>", "", "MAIL FROM <a@b>"),
        ("RCPT FROM:<a@b>", "", "RCPT FROM:<a@b>"),
        ("QUITX", "", "QUITX"),
        ("", "", ""),
        ("GET / HTTP/1.1", "", "GET / HTTP/1.1"),
    ],
)
def test_commands(line: str, verb: str, argument: str) -> None:
    found = parse_command(line)
    assert (found.verb, found.argument) == (verb, argument)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("<a@b>", MailParameters("<a@b>")),
        ("<a@b> SIZE=100 body=8bitmime", MailParameters("<a@b>", size=100, body=8)),
        ("<a@b> BODY=7BIT", MailParameters("<a@b>", body=7)),
        ("<a@b> RET=FULL ENVID=x+41", MailParameters("<a@b>", ret=RET_FULL, envid="x+41")),
        ("<a@b> ret=hdrs PRDR SMTPUTF8", MailParameters("<a@b>", ret=RET_HDRS, prdr=True, smtputf8=True)),
        ("<> AUTH=<>", MailParameters("<>", auth="")),
        ("<> AUTH=a+2Bb@c", MailParameters("<>", auth="a+b@c", auth_given="a+2Bb@c")),
        ("<a@b> FOO=1", MailParameters("<a@b> FOO=1")),
        ("<a@b> SIZE=1x", MailParameters("<a@b>")),
        ("<a@b> SIZE=\xb2", MailParameters("<a@b>")),
        ('<"a b"@c>', MailParameters('<"a b"@c>')),
        ("<a@b> BODY=X", "invalid data for BODY"),
        ("<a@b> RET=X", "Value for RET is invalid"),
        ("<a@b> RET=FULL RET=HDRS", "RET can be specified once only"),
        ("<a@b> ENVID=a ENVID=b", "ENVID can be specified once only"),
        ("<a@b> ENVID=a+0Ab", "Value for ENVID is invalid"),
        ("<a@b> ENVID=" + "x" * 101, "Value for ENVID is invalid"),
        ("<a@b> AUTH=+0D", "invalid data for AUTH"),
    ],
)
def test_mail(argument: str, expected: MailParameters | str) -> None:
    assert parse_mail(argument, ALL) == expected


def test_dsn_03_only_what_was_offered_is_taken() -> None:
    assert parse_mail("<a@b> SIZE=1", Offered()) == MailParameters("<a@b> SIZE=1")
    assert parse_mail("<a@b> RET=FULL", Offered(esmtp=True)) == MailParameters("<a@b> RET=FULL")
    assert parse_mail("<a@b> PRDR", Offered(esmtp=True)) == MailParameters("<a@b> PRDR")
    assert parse_rcpt("<a@b> NOTIFY=NEVER", Offered(esmtp=True)) == RcptParameters("<a@b> NOTIFY=NEVER")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("<a@b>", RcptParameters("<a@b>")),
        ("<a@b> NOTIFY=NEVER", RcptParameters("<a@b>", NOTIFY_NEVER)),
        ("<a@b> NOTIFY=", RcptParameters("<a@b>", NOTIFY_NEVER)),
        ('<"p q"@b>', RcptParameters('<"p q"@b>')),
        ("<a@b> notify=success,DELAY", RcptParameters("<a@b>", NOTIFY_SUCCESS | NOTIFY_DELAY)),
        ("<a@b> ORCPT=rfc822;x@y NOTIFY=FAILURE", RcptParameters("<a@b>", NOTIFY_FAILURE, "rfc822;x@y")),
        ("<a@b> FOO", RcptParameters("<a@b>=FOO")),
        ("<a@b> NOTIFY=X", "Invalid value for NOTIFY parameter"),
        ("<a@b> NOTIFY=NEVER,SUCCESS", "Invalid value for NOTIFY parameter"),
        ("<a@b> NOTIFY=DELAY NOTIFY=DELAY", "NOTIFY can be specified once only"),
        ("<a@b> ORCPT=a ORCPT=b", "ORCPT can be specified once only"),
        ("<a@b> ORCPT=rfc822;a+0A", "Invalid value for ORCPT parameter"),
    ],
)
def test_rcpt(argument: str, expected: RcptParameters | str) -> None:
    assert parse_rcpt(argument, ALL) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("5", Chunk(5, False)), ("0 LAST", Chunk(0, True)), ("5 last", Chunk(5, True))],
)
def test_bdat(argument: str, expected: Chunk) -> None:
    assert parse_bdat(argument) == expected


@pytest.mark.parametrize("argument", ["", "x", "-1", "+5", "5 LAST x", "5 FIRST", "9" * 30, "\xb25"])
def test_bad_bdat(argument: str) -> None:
    assert parse_bdat(argument) == "missing size for BDAT command"


@pytest.mark.parametrize("name", ["a", "a-b.c", "foo.", "a..b", "1.2.3.4", "[1.2.3.4]", "[IPv6:::1]", "x_y"])
def test_helo_names(name: str) -> None:
    assert helo_name(name, "_") == name


@pytest.mark.parametrize("name", ["", "a b", "a_b", "[foo]", "[1.2.3.4", "a@b", "\xe4", "x" * 256, "[1.2.3.4%x]"])
def test_bad_helo_names(name: str) -> None:
    assert helo_name(name, "") is None


def test_xtext() -> None:
    text = "a+b=c d\xe4\x01"
    assert xtext_encode(text) == "a+2Bb+3Dc+20d+E4+01"
    assert xtext_decode("a+2Bb+3Dc+20d+E4") == "a+b=c d\xe4"
    for bad in ("a b", "+4", "+4g", "+0A", "\xe4", "+7F", "+ab"):
        assert xtext_decode(bad) is None
