"""The spam condition: scripted spamd and Rspamd, and real ones; values and texts are Exim 4.96's unless said.

MISC-01: a spamd that cannot be reached is a main-log line, the panic log hears only that all have failed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mta.scan.spamd import Server, in_order, parse_http, parse_servers
from tests.peers.rspamd import Rspamd, rspamd
from tests.peers.spamd import Spamd, spamd
from tests.scan.conftest import FROM, Scanner, Send

MESSAGE = FROM + "\nhello\n"
SHOW = "warn logwrite = $spam_score $spam_score_int $spam_bar <$spam_action> <$spam_report>"
LATER = "451 Temporary local problem - please try later"
OK = "250 OK id=ID"
WHO = "ID H=(cl.test) [10.1.2.3] U=root"
Start = Callable[..., Scanner]


def deny(argument: str) -> str:
    return f"warn spam = {argument}\n logwrite = hit\n{SHOW}\ndeny message = SPAM\n spam = {argument}"


def verdict(score: str, threshold: str = "5.0", body: str = "report\nof two\n") -> bytes:
    return f"SPAMD/1.1 0 EX_OK\r\nSpam: True ; {score} / {threshold}\r\n\r\n{body}".encode()


SCORES = [
    ("7.3", "SPAM", "7.3 73 +++++++ <reject>"), ("5.0", "SPAM", "5.0 50 +++++ <reject>"),
    ("-2.5", "", "-2.5 -24 -- <no action>"), ("0.0", "", "0.0 0 / <no action>"), ("0.9", "", "0.9 9 / <no action>"),
    ("100.0", "SPAM", f"100.0 1000 {'+' * 50} <reject>"),
]  # fmt: skip


@pytest.mark.parametrize(("score", "said", "shown"), SCORES)
def test_scores(send: Send, scanner: Start, score: str, said: str, shown: str) -> None:
    server = scanner(verdict(score))
    found = send(MESSAGE, data=deny("joe"), main=f"spamd_address = 127.0.0.1 {server.port}")
    assert found.reply == (f"550 {said}" if said else OK)
    lines = [line for line in found.log if not line.startswith(WHO)]
    assert lines == ["ID hit"] * bool(said) + [f"ID {shown} <report\\n of two>"]
    assert len(server.got) == 1
    head, _, text = server.got[0].partition(b"\r\n\r\n")
    assert head == b"REPORT SPAMC/1.2\r\nUser: joe\r\nContent-length: %d" % len(text)
    assert text.startswith(b"From MAILER-DAEMON ")
    assert text.endswith(b"\nSubject: x\n\nhello\n")


def test_true_and_other_users(send: Send, scanner: Start) -> None:
    server = scanner(verdict("1.0"))
    main = f"spamd_address = 127.0.0.1 {server.port}"
    assert send(MESSAGE, data=deny("joe:true"), main=main).reply == "550 SPAM"
    assert len(server.got) == 1
    assert send(MESSAGE, data="warn spam = joe\nwarn spam = ann\nwarn spam = ann:true", main=main).reply == OK
    assert len(server.got) == 3
    assert send(MESSAGE, data="warn spam = $acl_m0\nwarn spam = joe:true", main="spamd_address = 127.0.0.1 1").panic


@pytest.mark.parametrize("argument", ["false", "0", ""])
def test_no_scan(send: Send, argument: str) -> None:
    said = send(MESSAGE, data=deny(argument), main="spamd_address = 127.0.0.1 1")
    assert (said.reply, said.panic) == (OK, [])


NO_SERVERS = "no useable spamd server addresses in spamd_address configuration option."
REFUSED = "spamd: failed to connect to any address for 127.0.0.1: Connection refused"
ALL = "all spamd servers failed"
FAULTS = [
    # spamd_address, what the main log says before, what the panic log says
    ("127.0.0.1 1", [REFUSED], ALL),
    ("127.0.0.1 1:127.0.0.1 2", [REFUSED, REFUSED], ALL),
    ("/nonexist", ["spamd: unable to connect to UNIX socket (/nonexist): No such file or directory"], ALL),
    ("127.0.0.1 1 foo=1", ["warning - invalid spamd parameter: 'foo=1'", REFUSED], ALL),
    ("127.0.0.1 1 pri=x", ["warning - invalid spamd parameter: 'pri=x'", REFUSED], ALL),
    ("127.0.0.1 1 variant=foo", ["warning - invalid spamd parameter: 'variant=foo'", REFUSED], ALL),
    ("127.0.0.1 1 retry=z tmo=z", ["warning - invalid spamd retry value: 'z'",
                                   "warning - invalid spamd timeout value: 'z'", REFUSED], ALL),
    ("127.0.0.1 1 weight=2 pri=3 retry=0s", [REFUSED], ALL),
    ("127.0.0.1 1-3", [REFUSED], ALL),
    ("127.0.0.1 x", ["spamd: invalid socket '127.0.0.1 x'"], ALL),
    ("127.0.0.1", ["warning - invalid spamd address: '127.0.0.1'"], NO_SERVERS),
    ("$acl_m_none", [], NO_SERVERS),
    ("${if", [], 'spamd_address starts with $, but expansion failed: condition name expected, but found ""'),
]  # fmt: skip


@pytest.mark.parametrize(("address", "main", "panic"), FAULTS)
def test_misc_01_faults(send: Send, address: str, main: list[str], panic: str) -> None:
    said = send(MESSAGE, data="deny spam = joe", main=f"spamd_address = {address}")
    assert said.reply == LATER
    assert said.panic == [f"ID spam acl condition: {panic}"]
    wanted = [f"ID spam acl condition: {line}" for line in [*main, panic]]
    assert said.log == [*wanted, f"{WHO} F=<s@snd.test> temporarily rejected after DATA"]
    assert send(MESSAGE, data="deny spam = joe/defer_ok", main=f"spamd_address = {address}").reply == OK


@pytest.mark.parametrize("answer", [b"", b"junk\n", b"SPAMD/1.1 76 EX_PROTOCOL\r\nSpam: True ; 9 / 5\r\n\r\n"])
def test_answers_that_are_none(send: Send, scanner: Start, answer: bytes) -> None:
    server = scanner(answer)
    said = send(MESSAGE, data="deny spam = joe", main=f"spamd_address = 127.0.0.1 {server.port}")
    assert said.reply == LATER
    assert said.panic == [f"ID spam acl condition: cannot parse spamd [127.0.0.1]:{server.port} output"]


def test_timeout(send: Send, scanner: Start) -> None:
    server = scanner(None)
    said = send(MESSAGE, data="deny spam = joe", main=f"spamd_address = 127.0.0.1 {server.port} tmo=1s")
    where = f"[127.0.0.1]:{server.port}"
    assert said.panic == [f"ID spam acl condition: error reading from spamd {where}, socket: Connection timed out"]


def test_misc_01_the_next_server_is_asked(send: Send, scanner: Start) -> None:
    server = scanner(verdict("9.0"))
    said = send(MESSAGE, data="deny message = $callout_address\n spam = joe",
                main=f"spamd_address = 127.0.0.1 1 pri=9 : 127.0.0.1 {server.port}")  # fmt: skip
    assert said.reply == f"550 [127.0.0.1]:{server.port}"
    assert (said.log[0], said.panic) == (f"ID spam acl condition: {REFUSED}", [])


def test_rspamd_as_spamc(send: Send, scanner: Start) -> None:
    answer = b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; %s / 15.00 / 0.00\r\nAction: %s\r\n\r\n"
    server = scanner(answer % (b"16.35", b"soft reject"))
    main = f"spamd_address = 127.0.0.1 {server.port} variant=rspamd"
    said = send(MESSAGE, data=deny("joe"), main=main, to=("x@me.test", "y@me.test"))
    assert said.reply == "550 SPAM"
    assert said.log[1] == "ID 16.4 163 ++++++++++++++++ <soft reject> <Action: soft reject>"
    head = server.got[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[0] == "CHECK RSPAMC/1.3"
    assert head[3:] == ["From: <s@snd.test>", "Recipient-Number: 2", "Rcpt: <x@me.test>", "Rcpt: <y@me.test>",
                        "Helo: cl.test", "IP: 10.1.2.3"]  # fmt: skip
    server.answer = answer % (b"7.35", b"add header")
    assert send(MESSAGE, data=deny("joe"), main=main).reply == OK  # below Rspamd's own limit for spam


def test_order_of_servers() -> None:
    text = "a 1 pri=1 : b 1 pri=5 time=8-17.30 : c 1 pri=5 weight=1000000 time=8-17.30.01 : /d pri=2 : e 1 time=0-8"
    servers = parse_servers(text, lambda _line: None)
    noon, night = time.struct_time((2026, 1, 1, 12, 0, 0, 0, 1, 0)), time.struct_time((2026, 1, 1, 2, 0, 0, 0, 1, 0))

    def names(found: list[Server]) -> list[str]:
        return [server.host or server.path for server in found]

    assert names(in_order(servers, noon)) in (["c", "b", "/d", "a"], ["b", "c", "/d", "a"])
    assert sorted(names(in_order(servers, night))[1:]) == ["a", "e"]


@pytest.fixture(scope="module")
def assassin() -> Iterator[Spamd]:
    with spamd() as server:
        yield server


def test_real_spamd(send: Send, assassin: Spamd) -> None:
    main = f"spamd_address = 127.0.0.1 {assassin.port}"
    said = send("From: a@b\nSubject: ham-word\n\nx\n", data=deny("joe"), main=main)
    assert said.reply == OK
    assert said.log[0].startswith("ID -2.5 -24 -- <no action> <Score -2.5 of 5.0\\n -2.5 TEST_HAM ")
    said = send("From: a@b\nSubject: x\n\nspam-word\n", data=deny("joe"), main=f"spamd_address = {assassin.socket}")
    assert said.reply == "550 SPAM"
    assert said.log[1].startswith("ID 7.3 73 +++++++ <reject> <Score 7.3 of 5.0\\n  7.3 TEST_SPAM ")


HTTP = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
JSON = '{"score": 7.35, "required_score": 5, "action": "reject", "symbols": {"A": {"score": 1}, "B": {"score": -6.5}}}'


def test_rspamd_over_http(send: Send, scanner: Start) -> None:
    server = scanner((HTTP + JSON).encode())
    server._read = lambda connection: read_request(connection)  # type: ignore[method-assign]
    said = send(MESSAGE, data=deny("joe"), main=f"spamd_address = 127.0.0.1 {server.port} variant=rspamd-http")
    assert said.reply == "550 SPAM"
    assert said.log[1] == ("ID 7.3 73 +++++++ <reject> <Action: reject\\n Symbol: B(-6.50)\\n Symbol: A(1.00)>")
    head, _, body = server.got[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[:3] == ["POST /checkv2 HTTP/1.1", "Host: rspamd", "Connection: close"]
    assert lines[5:] == [
        "From: <s@snd.test>",
        "Recipient-Number: 1",
        "Rcpt: <x@me.test>",
        "Helo: cl.test",
        "IP: 10.1.2.3",
    ]
    assert body.endswith(b"\nhello\n")


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\nhello\n"):
        data += connection.recv(65536)
    return data


ODD_JSON = [
    "", "[]", "{}", "nonsense", "[" * 100_000, JSON.replace("7.35", "NaN"), JSON.replace("7.35", "true"),
    JSON.replace("7.35", "1e999"), JSON.replace('"reject"', "1"),
]  # fmt: skip


@pytest.mark.parametrize("text", ODD_JSON, ids=range(len(ODD_JSON)))
def test_odd_answers_over_http(text: str) -> None:
    assert parse_http((HTTP + text).encode()) is None
    assert parse_http((HTTP.replace("200", "500") + JSON).encode()) is None


@pytest.fixture(scope="module")
def real_rspamd() -> Iterator[Rspamd]:
    with rspamd() as server:
        yield server


@pytest.mark.parametrize("variant", ["rspamd", "rspamd-http"])
def test_real_rspamd(send: Send, real_rspamd: Rspamd, variant: str) -> None:
    main = f"spamd_address = 127.0.0.1 {real_rspamd.port} variant={variant}"
    said = send("From: a@b\nSubject: x\n\nreject-word\n", data=deny("joe"), main=main)
    assert said.reply == "550 SPAM", said
    assert "20.0 200" in said.log[1]
    said = send("From: a@b\nSubject: x\n\nspam-word\n", data=deny("joe"), main=main)
    assert said.reply == OK, said
    assert "7.3 73" in said.log[0]
    assert "<add header>" in said.log[0]
    said = send("From: a@b\nSubject: x\n\nx\n", data=deny("joe"), main=main, to=("strict@me.test", "x@me.test"))
    assert said.reply == "550 SPAM", said
