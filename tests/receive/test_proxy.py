"""The PROXY protocol in front of a session, as PRX-05 to PRX-10 have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mta.receive import proxy
from mta.receive.plan import plan_of
from tests.receive.conftest import log_lines

V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def proxied(make_runtime: Callable[..., Any]) -> Any:
    runtime = make_runtime(
        "acl_smtp_mail = mail", "rcpt: accept\nmail: accept message = $sender_host_address $proxy_session"
    )
    plan_of(runtime).lists["hosts_proxy"] = True
    return runtime


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


def test_prx_07_a_failure_refuses_all_but_quit(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "TIMEOUT", 0.1)
    runtime = proxied(make_runtime)
    for header in (b"EHLO x\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY "):
        client = connect(runtime)
        client.sock.sendall(header)
        assert client.reply()[0].startswith("220 ")
        assert client.say("EHLO x") == ["503 Command refused, required Proxy negotiation failed"]
        assert client.say("QUIT") == ["221 mx.test closing connection"]
        assert client.line() == ""
    assert any("proxy session for [192.0.2.1] failed" in line for line in log_lines(runtime))


def test_talk_behind_the_header_is_talk_before_the_greeting(
    make_runtime: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    client = connect(proxied(make_runtime))
    client.sock.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.2 4000 25\r\nEHLO x\r\n")
    assert client.reply() == ["554 SMTP synchronization error"]
