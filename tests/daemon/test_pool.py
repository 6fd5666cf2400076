"""The pool of accepting threads: grows with need, ends when told."""

from __future__ import annotations

import socket
import threading

from mta.daemon.pool import Listener, Pool


def test_more_clients_than_spare_threads_are_all_served_at_once() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    together = threading.Barrier(6, timeout=10)  # five sessions and this test
    crashes: list[BaseException] = []

    def serve(connection: socket.socket) -> None:
        together.wait()
        connection.sendall(b"served")

    pool = Pool([Listener(server, serve)], min_spare=1, maximum=10, on_crash=crashes.append)
    pool.start()
    clients = [socket.create_connection(server.getsockname()) for _ in range(5)]
    together.wait()
    assert [client.recv(100) for client in clients] == [b"served"] * 5
    for client in clients:
        client.close()
    pool.stop()
    assert pool.wait(10)
    server.close()
    assert crashes == []


def test_a_crash_in_a_session_is_reported_and_the_pool_goes_on() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    crashes: list[BaseException] = []

    def serve(connection: socket.socket) -> None:
        if connection.recv(1) == b"x":
            raise RuntimeError("a bug")
        connection.sendall(b"ok")

    pool = Pool([Listener(server, serve)], min_spare=1, maximum=2, on_crash=crashes.append)
    pool.start()
    with socket.create_connection(server.getsockname()) as bad:
        bad.sendall(b"x")
        assert bad.recv(1) == b""
    with socket.create_connection(server.getsockname()) as good:
        good.sendall(b"y")
        assert good.recv(2) == b"ok"
    pool.stop()
    assert pool.wait(10)
    server.close()
    assert [str(error) for error in crashes] == ["a bug"]
