"""The PROXY protocol in front of a session, as PRX-05 to PRX-10 have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mta.receive.ratelimit import Brake, parse
from tests.receive.conftest import log_lines

V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def proxied(make_runtime: Callable[..., Any], main: str = "") -> Any:
    return make_runtime(
        f"acl_smtp_mail = mail\nhosts_proxy = 192.0.2.1\nlog_selector = +proxy\n{main}",
        "rcpt: accept\nmail: accept message = $sender_host_address $proxy_session",
    )


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 198.51.100.7 192.0.2.2 4000 25\r\n", "198.51.100.7"),
        (b"PROXY UNKNOWN\r\n", "192.0.2.1"),
        (V2_LOCAL, "192.0.2.1"),
    ],
)
def test_prx_09_10_the_address_is_the_client_s(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], header: bytes, address: str
) -> None:
    client = connect(proxied(make_runtime))
    client.sock.sendall(header[:5])
    client.sock.sendall(header[5:])
    assert client.reply()[0].startswith("220 ")
    client.say("HELO x")
    assert client.say("MAIL FROM:<a@b>")[0].startswith(f"250 {address} ")


def test_prx_07_a_failure_refuses_all_but_quit(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    runtime = proxied(make_runtime, "proxy_protocol_timeout = 1s")
    for header in (b"EHLO x\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY "):
        client = connect(runtime)
        client.sock.sendall(header)
        assert client.reply()[0].startswith("220 ")
        assert client.say("EHLO x") == ["503 Command refused, required Proxy negotiation failed"]
        assert client.say("QUIT") == ["221 mx.test closing connection"]
        assert client.line() == ""
    assert log_lines(runtime) == []  # PRX-14


def test_prx_08_talk_behind_the_header_is_talk_before_the_greeting(
    make_runtime: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    client = connect(proxied(make_runtime))
    client.sock.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.2 4000 25\r\nEHLO x\r\n")
    assert client.reply() == ["554 SMTP synchronization error"]


def test_prx_02_03_04_variables_and_the_log(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    acl = "rcpt: accept logwrite = " + " ".join(
        f"$proxy_{name}" for name in (
            "host_address", "host_port", "target_address", "target_port", "local_address", "external_port", "session"
        )
    )  # fmt: skip
    runtime = make_runtime("hosts_proxy = <; 192.0.2.1 ; 2001:db8::1\nlog_selector = +proxy +incoming_port", acl)
    client = connect(runtime)
    client.sock.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 26\r\n")
    client.reply()
    client.say("EHLO x")
    client.say("MAIL FROM:<a@b.c>")
    client.say("RCPT TO:<a@b.c>")
    client.say("DATA")
    client.say(b"Subject: x\r\n\r\n.\r\n")
    first, second = log_lines(runtime)
    assert first == "192.0.2.1 1025 192.0.2.9 26 192.0.2.1 26 yes"
    assert " H=(x) [198.51.100.7]:4000 P=esmtp PRX=192.0.2.1 S=" in second


def test_prx_05_the_connect_acl_can_tell(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    acl = (
        "rcpt: accept\nconn: deny condition = ${if and{{bool{$proxy_session}}{eq{$proxy_host_address}{}}}}\n"
        "  message = no header\n  accept"
    )
    runtime = make_runtime("hosts_proxy = *\nacl_smtp_connect = conn", acl)
    client = connect(runtime)
    client.sock.sendall(b"EHLO x\r\n")
    assert client.reply() == ["550 no header"]


def test_prx_06_silence_ends_at_the_time_out(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    client = connect(proxied(make_runtime, "proxy_protocol_timeout = 1s\nsmtp_banner = one\\ntwo"))
    assert client.reply() == ["220-one", "220 two"]
    assert client.say("NOOP") == ["503 Command refused, required Proxy negotiation failed"]


def test_prx_11_nothing_behind_the_header_is_read(make_runtime: Callable[..., Any]) -> None:
    import socket

    from mta.receive.link import SocketLink
    from mta.receive.proxy import _read

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 25\r\n\x16\x03\x01")
        assert _read(SocketLink(ours), 5.0).source == "198.51.100.7"
        assert ours.recv(10) == b"\x16\x03\x01"


def test_other_hosts_send_no_header(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    client = connect(make_runtime("hosts_proxy = 203.0.113.1"))
    assert client.reply()[0].startswith("220 ")
    assert client.say("EHLO x")[-1].startswith("250 ")


@pytest.mark.parametrize(
    ("count", "seconds"), [(0, 0.0), (2, 0.0), (3, 0.5), (4, 0.525), (5, 0.55125), (1000, 240.0), (10**9, 240.0)]
)
def test_brakes(count: int, seconds: float) -> None:
    assert parse("2,0.5s,1.05,4m") == Brake(2, 0.5, 1.05, 240.0)
    assert parse("2,0.5s,1.05,4m").delay(count) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "2,1s,0.5,4m", "2,x,1.5,4m", "a,1s,1.5,4m", "2,1s,nan,4m", "2,1s,inf,4m"])
def test_bad_brakes(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_smtp_ratelimit(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    waits: list[float] = []
    runtime = make_runtime("smtp_ratelimit_hosts = *\nsmtp_ratelimit_mail = 1,1s,2,1h\nsmtp_ratelimit_rcpt = 1,3s,2,1h")
    real = runtime.scope

    def scope(**arguments: Any) -> Any:
        made = real(**arguments)
        made.sleep = waits.append
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(runtime), "scope", lambda _self, **arguments: scope(**arguments))
        client = connect(runtime)
        client.reply()
        client.say("HELO x")
        for _ in range(3):
            client.say("MAIL FROM:<a@b.c>")
            client.say("RCPT TO:<a@b.c>")
            client.say("RCPT TO:<b@b.c>")
            client.say("RSET")
    assert waits == [3.0, 1.0, 3.0, 2.0, 3.0]
