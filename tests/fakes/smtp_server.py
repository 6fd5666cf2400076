"""A scripted SMTP or LMTP server in a thread, for tests of clients.

``Script`` says what is answered to what; the server notes every command, every message and how the
commands came in (``reads``: what one recv() brought). Not for production: it trusts its client.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

Answer = str | Callable[["Session", str], str]
CLOSE = "<close>"  # an answer: close the connection without a word
SILENCE = "<silence>"  # an answer: say nothing, wait for the client to go


@dataclass(slots=True)
class Script:
    """Answers by command word. The first key that the command starts with (case ignored) wins, longest first;
    a list is used up one a command, its last entry again and again. Several lines are joined by LF."""

    banner: str = "220 sink.test ESMTP"
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME")
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    lmtp: bool = False
    after_data: Answer | list[Answer] = "250 OK id=1"
    tls: ssl.SSLContext | None = None  # makes STARTTLS work when it is among the extensions
    tls_on_connect: bool = False


@dataclass(slots=True)
class Delivered:
    """One message as it came: envelope commands' arguments and the data with CRLF and dot stuffing as sent."""

    mail: str
    recipients: list[str]
    data: bytes
    session: int


@dataclass
class Session:
    """One connection's state, handed to answers that are functions."""

    number: int
    server: ScriptedServer
    connection: socket.socket
    mail: str = ""
    recipients: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    buffer: bytes = b""
    chunks: bytes = b""
    closed: bool = False

    def read_line(self) -> str | None:
        while b"\n" not in self.buffer:
            if not self._fill():
                return None
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def read_exactly(self, size: int) -> bytes:
        while len(self.buffer) < size and self._fill():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_until_dot(self) -> bytes:
        while True:
            if self.buffer.startswith(b".\r\n"):
                self.buffer = self.buffer[3:]
                return b""
            at = self.buffer.find(b"\r\n.\r\n")
            if at >= 0:
                data, self.buffer = self.buffer[: at + 2], self.buffer[at + 5 :]
                return data
            if not self._fill():
                data, self.buffer = self.buffer, b""
                return data

    def _fill(self) -> bool:
        try:
            data = self.connection.recv(65536)
        except OSError:
            return False
        if data:
            self.server.reads.append(data)
        self.buffer += data
        return bool(data)

    def say(self, answer: str) -> None:
        if answer == CLOSE:
            self.closed = True
        elif answer == SILENCE:
            self.connection.recv(1)
            self.closed = True
        else:
            self.connection.sendall(answer.replace("\n", "\r\n").encode("latin-1") + b"\r\n")


class ScriptedServer:
    """``with ScriptedServer(Script(...)) as server:`` listens on ``server.address, server.port`` (or ``path``)."""

    def __init__(self, script: Script | None = None, *, path: str = "", address: str = "127.0.0.1") -> None:
        self.script = script or Script()
        self.address, self.path = address, path
        self.commands: list[str] = []
        self.messages: list[Delivered] = []
        self.reads: list[bytes] = []
        self.sessions = 0
        self.changed = threading.Condition()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self.port = 0
        else:
            self._listener = socket.create_server(
                (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
            )
            self.port = self._listener.getsockname()[1]
        self._listener.listen(50)

    def __enter__(self) -> ScriptedServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.changed:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(10)
        if self.path:
            os.unlink(self.path)

    def wait(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until ``condition()`` holds; looked at after each command."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def drop_connections(self) -> None:
        """Cut every connection that is open, as a server that goes down does."""
        with self.changed:
            connections, self._open = self._open, []
        for connection in connections:
            connection.shutdown(socket.SHUT_RDWR)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self.changed:
                self.sessions += 1
                number = self.sessions
                self._open.append(connection)
            self._start(self._serve, number, connection)

    def _serve(self, number: int, connection: socket.socket) -> None:
        session = Session(number, self, connection)
        try:
            self._converse(session)
        except OSError:
            pass  # the client went away: tests look at what was noted
        finally:
            session.connection.close()
            with self.changed:
                if connection in self._open:
                    self._open.remove(connection)
                self.changed.notify_all()

    def _converse(self, session: Session) -> None:
        if self.script.tls_on_connect:
            self._start_tls(session)
        session.say(self._answer("", self.script.banner, session, ""))
        while not session.closed:
            line = session.read_line()
            if line is None:
                return
            with self.changed:
                self.commands.append(line)
            self._obey(session, line)
            with self.changed:
                self.changed.notify_all()

    def _obey(self, session: Session, line: str) -> None:
        word = line.split(" ", 1)[0].upper()
        if word == "BDAT":
            self._bdat(session, line)
            return
        answer = self._find(session, line)
        if word == "MAIL":
            session.mail, session.recipients, session.accepted = line[5:], [], []
        elif word == "RCPT":
            session.recipients.append(line[5:])
            if answer[:1] == "2":
                session.accepted.append(line[5:])
        session.say(answer)
        if word == "QUIT":
            session.closed = True
        elif word == "STARTTLS" and answer[:1] == "2":
            self._start_tls(session)
        elif word == "DATA" and answer[:1] == "3" and not session.closed:
            self._finish(session, session.read_until_dot())

    def _bdat(self, session: Session, line: str) -> None:
        words = line.upper().split(" ")
        session.chunks += session.read_exactly(int(words[1]))
        answer = self._find(session, line)
        if words[-1] == "LAST" and not answer.startswith("5") and session.accepted:
            data, session.chunks = session.chunks, b""
            self._finish(session, data)
        else:
            session.say(answer)

    def _finish(self, session: Session, data: bytes) -> None:
        with self.changed:
            self.messages.append(Delivered(session.mail, list(session.recipients), data, session.number))
        for recipient in session.accepted if self.script.lmtp else [""]:
            session.say(self._answer("after_data", self.script.after_data, session, recipient))
            if session.closed:
                return

    def _find(self, session: Session, line: str) -> str:
        upper = line.upper()
        for key in sorted(self.script.answers, key=len, reverse=True):
            if upper.startswith(key.upper()):
                return self._answer(key, self.script.answers[key], session, line)
        word = upper.split(" ", 1)[0]
        if word in ("EHLO", "LHLO"):
            return "\n".join(["250-sink.test", *(f"250-{name}" for name in self.script.extensions), "250 HELP"])
        if word == "QUIT":
            return "221 bye"
        if word == "DATA":
            return "354 go on" if session.accepted else "503 no recipients"
        if word == "STARTTLS":
            return "220 go" if self.script.tls else "454 no TLS"
        return "250 ok" if word in ("HELO", "MAIL", "RCPT", "RSET", "NOOP", "BDAT") else "500 what?"

    def _answer(self, key: str, answer: Answer | list[Answer], session: Session, line: str) -> str:
        if isinstance(answer, list):
            with self.changed:
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, str) else answer(session, line)

    def _start_tls(self, session: Session) -> None:
        if self.script.tls is None:
            session.closed = True
            return
        with self.changed:
            self._open.remove(session.connection)
        session.connection = self.script.tls.wrap_socket(session.connection, server_side=True)
        session.buffer = b""
        with self.changed:
            self._open.append(session.connection)
