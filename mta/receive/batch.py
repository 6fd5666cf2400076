"""-bS: SMTP commands from a file, without replies (manual section 49.11). The first error ends the batch.

No SMTP ACL runs; acl_not_smtp does, for each message.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import PeerGone
from mta.mail.peer import Peer
from mta.receive import reception, transaction
from mta.receive.connection import open_session
from mta.receive.link import BLOCK, PipeLink
from mta.receive.plan import Runtime
from mta.smtp.states import Phase


class Failed(Exception):
    """A reply that is an error; ``str()`` is the reply."""


class BatchLink:
    """Reads like the link underneath; what is written is looked at only for errors."""

    __slots__ = ("_under",)

    def __init__(self, under: PipeLink) -> None:
        self._under = under

    def recv(self, size: int = BLOCK) -> bytes:
        return self._under.recv(size)

    def send(self, data: bytes) -> None:
        for line in data.decode("latin-1").split("\r\n"):
            if line[:1] in ("4", "5"):
                raise Failed(line)

    def readable(self) -> bool:
        return False

    def set_timeout(self, seconds: float) -> None:
        self._under.set_timeout(seconds)

    def close(self) -> None:
        """Nothing of ours to close."""


def receive_batch(
    runtime: Runtime, peer: Peer, link: PipeLink, *, on_accepted: Callable[[str], None], say: Callable[[str], None]
) -> int:
    """Exit code 0; 1 after an error behind at least one accepted message; 2 after one with none accepted."""
    peer.enforce_sync = False
    session = open_session(runtime, BatchLink(link), peer, on_accepted)
    session.fixed_protocol = True
    session.protocol.require_helo = False
    session.protocol.phase = Phase.START
    session.new_message()
    line_number, started = 0, 0
    try:
        while not session.done:
            line = session.reader.next()
            if line is None:
                session.reader.feed(link.recv())
                continue
            line_number += 1
            if line[:4].upper() == b"MAIL":
                started = line_number
            reception.obey(session, line)
            session.flush()
            line_number += session.data_lines
            session.data_lines = 0
    except PeerGone:
        session.accepted.clear()
    except Failed as failed:
        count = session.peer.transactions
        report(say, str(failed), started, line_number, session.peer.smtp_command, count)
        return 1 if count else 2
    finally:
        transaction.abandon(session)
    return 0


def report(say: Callable[[str], None], reply: str, started: int, line: int, command: str, count: int) -> None:
    """What standard error gets of a failed batch."""
    done = {0: "No previous messages were processed.", 1: "1 previous message was successfully processed."}
    say(
        "An error was detected while processing a file of BSMTP input.\nThe error message was:\n\n"
        f"  {reply}\n\nThe SMTP transaction started in line {started}.\nThe error was detected in line {line}.\n"
        f"The SMTP command at fault was:\n\n   {command}\n\n"
        f"{done.get(count, f'{count} previous messages were successfully processed.')}\n"
        "The rest of the batch was abandoned."
    )
