"""TCP_NODELAY of listeners (tcp_nodelay), SO_KEEPALIVE of sessions (smtp_accept_keepalive)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from mta.net.sockets import Endpoint, listen
from mta.receive.connection import serve
from tests.receive.conftest import make_runtime

__all__ = ["make_runtime"]


@pytest.mark.parametrize("wanted", [True, False])
def test_tcp_nodelay_goes_over_to_connections(wanted: bool) -> None:
    with listen(Endpoint("127.0.0.1", 0), no_delay=wanted) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            assert bool(server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is wanted


@pytest.mark.parametrize("wanted", [True, False])
def test_smtp_accept_keepalive(make_runtime: Callable[..., Any], wanted: bool) -> None:
    runtime = make_runtime(f"smtp_accept_keepalive = {wanted}\nrecipients_max = 1")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        server, peer = listener.accept()
        client.sendall(b"QUIT\r\n")
        seen: list[int] = []
        serve(
            runtime,
            server,
            peer,
            listener.getsockname(),
            counts=None,
            on_accepted=lambda _id: None,
            doing=lambda _text: seen.append(server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)),
        )
        assert all(bool(value) is wanted for value in seen)
