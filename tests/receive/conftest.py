"""A real runtime on a temporary spool, and a client at the other end of a socket pair."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.receive.connection import serve

MAIN = """
primary_hostname = mx.test
spool_directory = {spool}
log_file_path = {spool}/log/%slog
tls_advertise_hosts =
smtp_receive_timeout = 5s
rfc1413_hosts =
"""
ROUTERS = """
begin routers
r:
  driver = accept
  transport = t
begin transports
t:
  driver = appendfile
  file = /dev/null
"""


class Client:
    """Speaks to ``serve`` in a thread; ``exchange`` sends and reads what comes back."""

    def __init__(self, runtime: Runtime, **options: Any) -> None:
        self.sock, server = socket.socketpair()
        self.sock.settimeout(5)
        self.accepted: list[str] = []
        arguments = {"on_accepted": self.accepted.append, **options}
        self.thread = threading.Thread(
            target=serve, args=(runtime, server, ("192.0.2.1", 1025), ("192.0.2.2", 25)), kwargs=arguments
        )
        self.thread.start()
        self.buffer = b""

    def line(self) -> str:
        """The next line of the server's; "" at its end."""
        while b"\r\n" not in self.buffer:
            data = self.sock.recv(4096)
            if not data:
                return self.buffer.decode("latin-1")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def reply(self) -> list[str]:
        """A whole reply."""
        out = [self.line()]
        while out[-1][3:4] == "-":
            out.append(self.line())
        return out

    def say(self, data: bytes | str) -> list[str]:
        """Send a line (CRLF added to text) and read a reply."""
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1") + b"\r\n")
        return self.reply()

    def close(self) -> None:
        self.sock.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def make_runtime(tmp_path: Path) -> Callable[..., Runtime]:
    def make(main: str = "", acl: str = "rcpt: accept", sections: str = "") -> Runtime:
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        given = {line.partition("=")[0].strip() for line in main.splitlines()}
        usual = [line for line in MAIN.format(spool=spool).splitlines() if line.partition("=")[0].strip() not in given]
        text = "\n".join([*usual, main])
        if "acl_smtp_rcpt" not in main and "rcpt:" in acl:
            text += "\nacl_smtp_rcpt = rcpt\n"
        acl = re.sub(r"(?m)^(\w+): +", r"\1:\n  ", acl)
        path = tmp_path / "configure"
        path.write_text(f"{text}\nbegin acl\n{acl}\n{ROUTERS}{sections}", encoding="latin-1")
        return Runtime.start(load(str(path)))

    return make


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def open_client(runtime: Runtime, **options: Any) -> Client:
        made.append(Client(runtime, **options))
        return made[-1]

    yield open_client
    for client in made:
        client.close()


def log_lines(runtime: Runtime, kind: str = "main") -> list[str]:
    """Lines of a log without their time stamps."""
    path = Path(runtime.spool_directory) / "log" / f"{kind}log"
    return [line[20:] for line in path.read_text("latin-1").splitlines()] if path.exists() else []


def body_of(runtime: Runtime, message_id: str) -> bytes:
    """A stored body."""
    with runtime.spool.open_body(message_id) as file:
        return file.read()
