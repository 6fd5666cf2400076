"""Invariant: whatever a client sends, however cut, each reply is well formed, the session ends, nothing panics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.errors import PeerGone
from mta.mail.peer import Peer
from mta.receive.connection import converse, open_session
from mta.smtp.client import ReplyReader

CONFIG = """
primary_hostname = mx.test
spool_directory = {0}
log_file_path = {0}/log/%slog
tls_advertise_hosts =
acl_smtp_rcpt = rcpt
prdr_enable
smtp_max_synprot_errors = 50
smtp_max_unknown_commands = 50
begin acl
rcpt:
  accept
"""
PARTS = st.lists(
    st.sampled_from([
        b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<a@b> PRDR\r\n", b"RCPT TO:<c@d>\r\n",
        b"DATA\r\n", b"BDAT 5\r\n", b"BDAT 5 LAST\r\n", b"BDAT 0 LAST\r\n", b"abcde", b"A: b\r\n", b"\r\n.\r\n",
        b".\r\n",
        b"\n.\n", b"\r", b"\n", b"\0", b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n", b"VRFY a@b\r\n", b"AUTH PLAIN x\r\n",
        b"STARTTLS\r\n", b"\xff\xfe", b"x" * 2000,
    ]),
    max_size=20,
)  # fmt: skip


class Pieces:
    """A link that gives what it holds."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.said = b""

    def recv(self, _size: int = 0) -> bytes:
        if not self.pieces:
            raise PeerGone("connection-lost")
        return self.pieces.pop(0)

    def send(self, data: bytes) -> None:
        self.said += data

    def readable(self) -> bool:
        return False

    def set_timeout(self, _seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


@given(PARTS, st.integers(1, 50))
@settings(max_examples=150, deadline=None)
def test_sessions(tmp_path_factory: Any, parts: list[bytes], step: int) -> None:
    runtime = kept(tmp_path_factory)
    data = b"".join(parts)
    panics: list[str] = []
    lines: list[str] = []
    log = SimpleNamespace(
        folder="/tmp",
        selectors=runtime.log.selectors, main=lambda line, _id="": lines.append(line),
        reject=lambda *_: None, panic=lambda line, _id="": panics.append(line),
    )  # fmt: skip
    link = Pieces([data[i : i + step] for i in range(0, len(data), step)])
    fake: Any = SimpleNamespace(
        config=runtime.config, spool=runtime.spool, log=log, services=runtime.services, scope=runtime.scope,
        spool_directory=runtime.spool_directory,
    )  # fmt: skip
    accepted: list[str] = []
    peer = Peer(address="192.0.2.1", enforce_sync=False)
    converse(open_session(fake, link, peer, accepted.append))
    assert panics == []
    replies = ReplyReader().feed(link.said)
    assert replies[0].code == 220
    assert replies[-1].code in (221, 421, 500, 501, 503, 554)
    assert len(accepted) == sum(
        reply.text.startswith("OK id=") or "message accepted" in reply.text for reply in replies
    )
    assert all("\n" not in line for line in lines)


_KEPT: dict[str, Runtime] = {}


def kept(factory: Any) -> Runtime:
    if "runtime" not in _KEPT:
        folder = factory.mktemp("session")
        path = folder / "configure"
        path.write_text(CONFIG.format(folder))
        _KEPT["runtime"] = Runtime.start(load(str(path)))
    return _KEPT["runtime"]
