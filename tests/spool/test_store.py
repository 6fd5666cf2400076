"""The spool: reception, locks, journal, removal, damage, leftovers."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mta.errors import SpoolError
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.store import Spool


def put(spool: Spool, body: bytes = b"line one\nline two\n", **facts: object) -> str:
    message = Message(sender="s@x.test", originator_login="u", originator_uid=1, originator_gid=1, **facts)  # type: ignore[arg-type]
    message.received_time = 1795396903.5
    message.recipients = message.recipients or [EnvelopeRecipient("a@x.test"), EnvelopeRecipient("b@x.test")]
    message.headers.add("Subject: hi")
    message.body_linecount = body.count(b"\n")
    with spool.begin() as incoming:
        incoming.write(body)
        incoming.commit(message, Peer(received_protocol="local"))
    return incoming.id


@pytest.mark.parametrize("split", [False, True])
def test_a_message_goes_through(tmp_path: Path, split: bool) -> None:
    spool = Spool(str(tmp_path), split=split)
    message_id = put(spool)
    folder = tmp_path / "input" / message_id[5] if split else tmp_path / "input"
    assert sorted(os.listdir(folder)) == [f"{message_id}-D", f"{message_id}-H"]
    assert (folder / f"{message_id}-D").read_bytes() == f"{message_id}-D\nline one\nline two\n".encode()
    assert list(spool.ids()) == [message_id]
    assert spool.read(message_id)[0].body_size == 18
    locked = spool.lock(message_id)
    assert locked is not None
    with locked.open_body() as body:
        assert body.read() == b"line one\nline two\n"
    assert locked.body(5, 3) == b"one"
    assert locked.body(-4, 4) == b"two\n"
    assert locked.message.message_size == 18 + len("Subject: hi\n") + 1
    locked.remove()
    assert os.listdir(folder) == []
    assert spool.lock(message_id) is None


def test_abandoned_messages_leave_nothing(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    with spool.begin() as incoming:
        incoming.write(b"x" * 200000)
    assert os.listdir(tmp_path / "input") == []


def test_one_lock_at_a_time(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    message_id = put(spool)
    found = []
    locked = spool.lock(message_id)
    assert locked is not None
    thread = threading.Thread(target=lambda: found.append(spool.lock(message_id)))
    thread.start()
    thread.join()
    assert found == [None]
    locked.release()
    again = spool.lock(message_id)
    assert again is not None
    again.release()


def test_exims_fcntl_lock_conflicts(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    message_id = put(spool)
    code = (
        "import fcntl,sys\nf=open(sys.argv[1],'r+b')\n"
        "try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 19); print('got', flush=True)\n"
        "except OSError: print('refused', flush=True)\n"
        "sys.stdin.read()"
    )
    path = str(tmp_path / "input" / f"{message_id}-D")
    with spool.lock(message_id):  # type: ignore[union-attr]
        done = subprocess.run([sys.executable, "-c", code, path], input=b"", stdout=subprocess.PIPE, check=True)
        assert done.stdout == b"refused\n"
    child = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"got\n"
    assert spool.lock(message_id) is None
    child.communicate()
    assert fcntl.F_OFD_SETLK


def test_a_message_under_reception_is_not_taken(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    with spool.begin() as incoming:
        assert spool.lock(incoming.id) is None
        incoming.commit(Message(originator_uid=1, originator_gid=1), Peer(), keep_lock=True)
        assert spool.lock(incoming.id) is None
    assert spool.exists(incoming.id)
    with spool.lock(incoming.id) as locked:  # type: ignore[union-attr]
        assert locked.id == incoming.id


def test_the_journal_survives(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    message_id = put(spool)
    locked = spool.lock(message_id)
    assert locked is not None
    locked.reserve()
    locked.intend("mbox /m 10")
    locked.journal(["a@x.test"])
    locked.release()
    with open(tmp_path / "input" / f"{message_id}-J", "ab") as journal:
        journal.write(b"torn@x")  # a crash in the middle of a write
    assert spool.read(message_id)[0].delivered == {"a@x.test"}
    locked = spool.lock(message_id)
    assert locked is not None
    assert locked.message.delivered == {"a@x.test"}
    assert locked.intents == ["mbox /m 10"]
    locked.journal(["b@x.test"])
    assert b"torn" not in (tmp_path / "input" / f"{message_id}-J").read_bytes()
    locked.message.frozen, locked.message.frozen_at = True, 5.0
    locked.save()
    locked.release()
    assert not (tmp_path / "input" / f"{message_id}-J").exists()
    message = spool.read(message_id)[0]
    assert message.delivered == {"a@x.test", "b@x.test"}
    assert message.frozen


@pytest.mark.parametrize(
    "harm",
    [
        lambda path, i: (path / f"{i}-H").write_bytes(b""),
        lambda path, i: (path / f"{i}-H").write_bytes((path / f"{i}-H").read_bytes()[:-5]),
        lambda path, i: (path / f"{i}-D").write_bytes(b"zzz"),
        lambda path, i: os.truncate(path / f"{i}-D", 25),
        lambda path, i: (path / f"{i}-D").unlink(),
    ],
)
def test_damage_is_set_aside(tmp_path: Path, harm) -> None:  # type: ignore[no-untyped-def]
    spool = Spool(str(tmp_path))
    message_id, other = put(spool), put(spool)
    harm(tmp_path / "input", message_id)
    with pytest.raises(SpoolError) as caught:
        spool.lock(message_id)
    assert caught.value.damaged
    assert message_id in caught.value.message
    assert list(spool.ids()) == [other]
    assert f"{message_id}-H" in os.listdir(tmp_path / "corrupt")
    assert spool.lock(message_id) is None


@pytest.mark.parametrize("name", ["../../../etc/x", "1xVIlm-000335-1x/..", "", "1xVIlm-000335-1", "1xVIlm-000335-1x\n"])
def test_ids_that_are_none(tmp_path: Path, name: str) -> None:
    spool = Spool(str(tmp_path))
    assert spool.lock(name) is None
    assert not spool.exists(name)
    with pytest.raises(FileNotFoundError):
        spool.read(name)


def test_leftovers_are_swept(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    kept, gone = put(spool), put(spool)
    folder = tmp_path / "input"
    (folder / f"{gone}-H").unlink()
    (folder / f"{gone}-J").write_bytes(b"x\n")
    (folder / f"hdr.{kept}").write_bytes(b"x")
    incoming = spool.begin()
    assert spool.sweep() == []  # too young
    removed = {os.path.basename(path) for path in spool.sweep(age=-10)}
    assert removed >= {f"{gone}-D", f"hdr.{kept}"}
    spool.sweep(age=-10)
    assert sorted(os.listdir(folder)) == sorted([f"{kept}-D", f"{kept}-H", f"{incoming.id}-D"])
    incoming.abandon()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    message_id = put(spool)
    path = tmp_path / "input" / f"{message_id}-D"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SpoolError):
        spool.lock(message_id)


def test_concurrent_receptions(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), split=True)
    made: list[str] = []

    def many() -> None:
        for _ in range(10):
            made.append(put(spool))

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 80
    assert sorted(spool.ids()) == sorted(made)


def test_messages_of_the_other_layout_are_found(tmp_path: Path) -> None:
    message_id = put(Spool(str(tmp_path), split=True))
    assert Spool(str(tmp_path)).exists(message_id)
    assert list(Spool(str(tmp_path)).ids()) == [message_id]
