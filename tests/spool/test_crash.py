"""The crash matrix: die at each system call of a message's life; what was promised is kept."""

import os
from pathlib import Path

import pytest

from mta.errors import SpoolError
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.files import FileCalls
from mta.spool.locked import Locked
from mta.spool.store import Spool


class Died(BaseException):
    """The process is gone: nothing after this runs, so handlers of Exception must not see it."""


class Dying(FileCalls):
    """Dies before (or half way through) call number ``at``; keeps the names of the calls made.

    ``disk_full``: from that call on, writes fail instead.
    """

    def __init__(self, at: int, *, disk_full: bool = False) -> None:
        self.at = at
        self.disk_full = disk_full
        self.made: list[str] = []

    def _step(self, name: str) -> None:
        self.made.append(name)
        if len(self.made) > self.at:
            if self.disk_full:
                if name in ("write", "open"):
                    raise OSError(28, "No space left on device")
                return
            raise Died(name)

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        self._step("open")
        return super().open(path, flags, mode)

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        try:
            self._step("write")
        except Died:
            os.write(fd, bytes(data)[: len(data) // 2])
            raise
        super().write(fd, data)

    def fdatasync(self, fd: int) -> None:
        self._step("fdatasync")

    def fsync(self, fd: int) -> None:
        self._step("fsync")

    def rename(self, old: str, new: str) -> None:
        self._step("rename")
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self._step("unlink")
        super().unlink(path)


def receive(spool: Spool) -> str:
    message = Message(sender="s@x.test", originator_login="u", originator_uid=1, originator_gid=1)
    message.recipients = [EnvelopeRecipient("a@x.test"), EnvelopeRecipient("b@x.test")]
    message.headers.add("Subject: hi")
    incoming = spool.begin()
    incoming.write(b"body\n" * 20000)
    incoming.commit(message, Peer())
    return incoming.id


def life(spool: Spool, promises: list[str]) -> None:
    """Receive; deliver a, save; deliver b, remove. Each promise is noted once it was given."""
    message_id = receive(spool)
    promises.append("accepted")
    locked = spool.lock(message_id)
    assert locked is not None
    locked.reserve()
    locked.journal(["a@x.test"])
    promises.append("a")
    locked.message.deliver_first_time = False
    locked.save()
    promises.append("saved")
    locked.journal(["b@x.test"])
    promises.append("b")
    locked.remove()
    promises.append("removed")


def forget_handles() -> None:
    """What the death of the process does: its open files are closed, its locks gone."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if "/input/" in os.readlink(f"/proc/self/fd/{name}"):
                os.close(int(name))
        except OSError:
            continue


def lock_or_none(spool: Spool, message_id: str) -> Locked | None:
    try:
        return spool.lock(message_id)
    except SpoolError:
        return None


def calls_of_a_life(path: Path) -> int:
    calls = Dying(10**6)
    life(Spool(str(path), calls=calls), [])
    return len(calls.made)


def test_death_at_every_call(tmp_path: Path) -> None:
    total = calls_of_a_life(tmp_path / "whole")
    assert total > 15
    for at in range(total):
        root = tmp_path / str(at)
        promises: list[str] = []
        dying = Dying(at)
        with pytest.raises(Died):
            life(Spool(str(root), calls=dying), promises)
        forget_handles()
        after = Spool(str(root))
        found = list(after.ids())
        step = (at, dying.made[-1], promises)
        if "accepted" in promises and "b" not in promises:
            assert len(found) == 1, step
        for message_id in found:
            locked = lock_or_none(after, message_id)
            if locked is None:
                assert "accepted" not in promises, step
                continue
            assert {"a@x.test"} <= locked.message.delivered or "a" not in promises, step
            assert {"b@x.test"} <= locked.message.delivered or "b" not in promises, step
            with locked.open_body() as body:
                assert body.read() == b"body\n" * 20000, step
            locked.remove()
        after.sweep(age=-10)
        after.sweep(age=-10)
        assert not (root / "input").exists() or os.listdir(root / "input") == [], step


def test_a_full_disk_at_every_call(tmp_path: Path) -> None:
    for at in range(calls_of_a_life(tmp_path / "whole")):
        root = tmp_path / str(at)
        promises: list[str] = []
        calls = Dying(at, disk_full=True)
        try:
            life(Spool(str(root), calls=calls), promises)
        except SpoolError:
            forget_handles()
        found = list(Spool(str(root)).ids())
        if "accepted" not in promises:
            assert found == []
            assert not (root / "input").exists() or os.listdir(root / "input") == []
        elif "b" not in promises:
            assert len(found) == 1
