"""The recorded dialogues of Exim, line by line, against a session of ours: replies and log lines."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.mail.peer import Peer
from mta.receive.connection import converse, open_session
from mta.receive.link import SocketLink
from tests.acl.dialogs import FOLDER, Dialog, configuration, read

_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2} )?")


class Client:
    """Says a line, waits for the whole reply."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(20)
        self.sock = sock
        self.file = sock.makefile("rb")
        self.heard: list[str] = []

    def reply(self) -> str:
        """The code of the next reply; "" at the end."""
        while line := self._line():
            self.heard.append(line.rstrip(b"\r\n").decode("latin-1"))
            if line[3:4] != b"-":
                return line[:3].decode("latin-1")
        return ""

    def _line(self) -> bytes:
        try:
            return self.file.readline()
        except ConnectionError:
            return b""

    def say(self, line: str) -> None:
        self.sock.sendall(line.encode("latin-1") + b"\r\n")


def play(case: Dialog, runtime: Runtime) -> list[str]:
    """What the server says to the client of the case."""
    ours, theirs = socket.socketpair()
    session = open_session(runtime, SocketLink(ours), Peer(address="192.0.2.1", started=1.0), lambda _id: None)
    session.scope.host_checking = True
    thread = threading.Thread(target=lambda: (converse(session), ours.close()))
    thread.start()
    client = Client(theirs)
    in_data = False
    if client.reply().startswith("2"):
        for line in case.client:
            try:
                client.say(line)
            except OSError:
                break
            if in_data and line != ".":
                continue
            in_data = client.reply() == "354"
    thread.join()
    client.file.close()
    theirs.close()
    return client.heard


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.txt")), ids=lambda file: file.stem)
def test_dialog(file: Path, tmp_path: Path) -> None:
    case = read(file)
    configured = tmp_path / "conf"
    configured.write_text(configuration(case, tmp_path))
    runtime = Runtime.start(load(str(configured)))
    heard = play(case, runtime)
    assert _comparable(heard) == _comparable(case.server)
    assert _log(tmp_path) == [line for line in case.log if not re.match(r"\S* ?(<=|\(=)", line)]


def _comparable(lines: list[str]) -> list[str]:
    return [re.sub(r"^(250 OK) id=.*", r"\1", line) for line in lines]


def _log(folder: Path) -> list[str]:
    """The lines of all logs as -bh shows them: each once, without time and id, arrivals left out."""
    main, reject, panic = (_lines(folder / "log" / f"{name}log") for name in ("main", "reject", "panic"))
    return main + [line for line in reject + panic if line not in main]


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    lines = [line for line in file.read_text("latin-1").split("\n") if _STAMP.match(line)]
    return [text for line in lines if not (text := _STAMP.sub("", line)).startswith(("<=", "(="))]
