"""The saslauthd condition against a small daemon that speaks as Cyrus's does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.cli.modes.expand import expand_once
from mta.expand.conditions import saslauthd
from tests.expand.scopes import empty_scope

USERS = {(b"jo", b"pw:1", b"", b""), (b"jo", b"pw", b"smtp", b"here")}


def _field(connection: socket.socket) -> bytes:
    size = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
    return connection.recv(size, socket.MSG_WAITALL) if size else b""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = str(tmp_path / "mux")
    monkeypatch.setattr(saslauthd, "SOCKET", path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                user = tuple(_field(connection) for _ in range(4))
                if user[0] != b"gone":
                    answer = b"OK" if user in USERS else b"NO authentication failed"
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("{{jo}{pw:1}}", "yes"),
        ("{{jo}{wrong}}", "no"),
        ("{{jo}{pw}{smtp}{here}}", "yes"),
        ("{{jo}{pw}{smtp}}", "no"),
        ("{ {${lc:JO}} {pw:1} }", "yes"),
        ("{{gone}{x}}", "Failed: no answer from the saslauthd daemon at SOCKET: the connection was closed"),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_answers(arguments: str, answer: str) -> None:
    got = expand_once(empty_scope(), f"${{if saslauthd{arguments}{{yes}}{{no}}}}")
    assert got.replace(saslauthd.SOCKET, "SOCKET") == answer


def test_a_daemon_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saslauthd, "SOCKET", f"{tmp_path}/mux")
    got = expand_once(empty_scope(), "${if saslauthd{{a}{b}}{yes}{no}}")
    assert got == f"Failed: cannot connect to saslauthd daemon at {tmp_path}/mux: No such file or directory"
