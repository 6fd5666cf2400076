"""RFC 1413: what a host says of its user, and that nothing it says or leaves unsaid can hold a session up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mta.mail.peer import Peer
from mta.receive.ident import ask, name_in
from tests.receive.conftest import log_lines


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"1025 , 25 : USERID : UNIX :ann", "ann"),
        (b"1025,25:USERID:OTHER, x:  ann smith ", "ann smith"),
        (b"1025 , 25 : USERID : UNIX :a:b", "a:b"),
        (b"1025 , 26 : USERID : UNIX :ann", ""),
        (b"1025 , 25 : ERROR : NO-USER", ""),
        (b"1025 , 25 : USERID : UNIX", ""),
        (b"1025 , 25 : USERID : UNIX :\x01\xe9" + b"x" * 200, "??" + "x" * 125),
        (b"", ""),
        (b"99999999 , 25 : USERID : UNIX :ann", ""),
    ],
)
def test_names(line: bytes, name: str) -> None:
    assert name_in(line, 1025, 25) == name


@pytest.fixture
def server() -> Any:
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


def test_the_ports_are_asked_for(server: socket.socket) -> None:
    asked: list[bytes] = []

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(100))
            connection.sendall(b"1025 , 25 : USER")
            connection.sendall(b"ID : UNIX : bob\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    peer = Peer(address="127.0.0.1", port=1025, interface_address="127.0.0.1", interface_port=25)
    assert ask(peer, 5.0, server.getsockname()[1]) == "bob"
    thread.join()
    assert asked == [b"1025 , 25\r\n"]


def test_silence_costs_the_time_out_only(server: socket.socket) -> None:
    peer = Peer(address="127.0.0.1", port=1025, interface_address="127.0.0.1", interface_port=25)
    started = time.monotonic()
    assert ask(peer, 0.1, server.getsockname()[1]) == ""
    assert time.monotonic() - started < 2


def test_the_session_shows_the_name(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mta.receive.ident.ask", lambda peer, timeout: f"u{timeout:.0f}")
    runtime = make_runtime(
        "rfc1413_hosts = 192.0.2.1\nrfc1413_query_timeout = 7s\nacl_smtp_mail = mail",
        "rcpt: accept\nmail: accept logwrite = <$sender_ident>",
    )
    client = connect(runtime)
    client.reply()
    client.say("HELO x")
    client.say("MAIL FROM:<a@b.c>")
    assert "<u7>" in log_lines(runtime)


def test_no_calls_without_a_time_out(
    make_runtime: Callable[..., Any], connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mta.receive.ident.ask", lambda *_: 1 / 0)
    client = connect(make_runtime("rfc1413_hosts = *"))
    assert client.reply()[0].startswith("220 ")
