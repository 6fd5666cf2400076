"""One message through a whole reception, with ACLs for its content; a scanner that answers anything."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.receive.caller import Caller, Order
from mta.receive.local import receive_local

CONFIG = """
primary_hostname = me.test
spool_directory = @DIR@/spool
log_file_path = @DIR@/spool/log/%slog
tls_advertise_hosts =
keep_environment =
message_logs = no
acl_smtp_rcpt = accept
acl_smtp_mime = mime
acl_smtp_data = data
@MAIN@
begin acl
mime:
 @MIME@
 accept
data:
 @DATA@
 accept
begin routers
r:
  driver = redirect
  data = :blackhole:
"""
_ID = re.compile(r"\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}\b")
FROM = "From: a@b\nSubject: x\n"


@dataclass
class Said:
    """``reply``: to the message; ``log``: the main log's lines, ids as ID, without "<=" lines."""

    reply: str
    log: list[str]
    panic: list[str]
    scan: list[str] = field(default_factory=list)
    runtime: Runtime | None = None


Send = Callable[..., Said]


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """``send(message, mime=..., data=..., main=...)``; several recipients with ``to``."""
    tmp_path.chmod(0o755)
    (tmp_path / "spool").mkdir()

    def run(
        message: str, *, mime: str = "", data: str = "", main: str = "", to: tuple[str, ...] = ("x@me.test",)
    ) -> Said:
        text = CONFIG.replace("@DIR@", str(tmp_path)).replace("@MAIN@", main)
        text = text.replace("@MIME@", mime.replace("\n", "\n ")).replace("@DATA@", data.replace("\n", "\n "))
        path = tmp_path / "configure"
        path.write_text(text, encoding="latin-1")
        runtime = Runtime.start(load(str(path)))
        given, said = tmp_path / "in", tmp_path / "out"
        rcpt = "".join(f"RCPT TO:<{one}>\n" for one in to)
        dialogue = f"EHLO cl.test\nMAIL FROM:<s@snd.test>\n{rcpt}DATA\n{message}.\nQUIT\n"
        given.write_bytes(dialogue.replace("\n", "\r\n").encode("latin-1"))
        with given.open("rb") as source, said.open("wb") as sink:
            caller = Caller(0, 0, "root", "root", trusted=True)
            order = Order(mode="bs", host_address="10.1.2.3", queue_only=True)
            receive_local(runtime, caller, order, source.fileno(), sink.fileno())
        answer = said.read_bytes().decode("latin-1").partition("\r\n354 ")[2].partition("\r\n")[2]
        reply = _ID.sub("ID", answer.partition("221 ")[0].rstrip("\r\n").replace("\r\n", "\n"))
        folder = tmp_path / "spool" / "scan"
        left = sorted(_ID.sub("ID", str(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file())
        return Said(reply, _log(tmp_path, "main"), _log(tmp_path, "panic"), left, runtime)

    return run


def _log(folder: Path, kind: str) -> list[str]:
    path = folder / "spool" / "log" / f"{kind}log"
    if not path.exists():
        return []
    lines = [_ID.sub("ID", line[20:]) for line in path.read_text("latin-1").split("\n") if line]
    path.unlink()
    return [line for line in lines if " <= " not in line and not line.startswith("SMTP connection")]


class Scanner:
    """A server of one answer: takes what comes until the client has said all, answers, closes."""

    def __init__(self, answer: bytes | None, path: str = "") -> None:
        self.answer = answer
        self.got: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listener.bind(path or ("127.0.0.1", 0))
        self._listener.listen(10)
        self.port = 0 if path else self._listener.getsockname()[1]
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.got.append(self._read(connection))
                if self.answer is None:
                    self.stopped.wait(10)
                else:
                    connection.sendall(self.answer)

    def _read(self, connection: socket.socket) -> bytes:
        data = b""
        while part := connection.recv(65536):
            data += part
            if data.endswith((b"\0\0\0\0", b".eml\n")) or (data.startswith(b"/") and data.endswith(b"\n")):
                break
        return data

    def close(self) -> None:
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def scanner() -> Iterator[Callable[..., Scanner]]:
    made: list[Scanner] = []

    def start(answer: bytes | None, path: str = "") -> Scanner:
        made.append(Scanner(answer, path))
        return made[-1]

    yield start
    for one in made:
        one.close()
