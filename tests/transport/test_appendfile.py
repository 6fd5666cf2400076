"""The appendfile transport on a real file system; texts and numbers are the oracle's."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from pathlib import Path

import pytest

from mta.mail.outcome import Outcome, Status
from mta.scope.scope import Scope
from mta.transport.base import Batch, Transport, transports
from tests.transport.building import MESSAGE_ID, make_batch, make_recipient, make_transport

D, W, F = Status.DELIVERED, Status.DEFERRED, Status.FAILED
HEADER = b"From: a@b.ex\nTo: c@d.ex\nSubject: hi\nMessage-Id: <orig@id>\n"
NAME = re.compile(rf"1795397093\.M{MESSAGE_ID}R[0-9a-f]{{12}}\.mx\.test\.ex")


def put(transport: Transport, scope: Scope, batch: Batch | None = None) -> Outcome:
    (outcome,) = transport.driver.deliver(transport, batch or make_batch("u@test.ex"), scope)
    return outcome


def test_mbox_as_the_oracle_writes_it(scope: Scope, mail: Path) -> None:
    transport = make_transport(
        "appendfile",
        file=f"{mail}/box",
        return_path_add="true",
        envelope_to_add="true",
        delivery_date_add="true",
        headers_add="X-A: 1\nX-B: 2",
        headers_remove="X-Gone : ${if eq{1}{1}{Sub*}}",
    )
    batch = make_batch("u@test.ex", header=HEADER.decode() + "X-gone: yes\n")
    outcome = put(transport, scope, batch)
    assert (outcome.status, outcome.transport_file) == (D, f"{mail}/box")
    date = rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
    expected = (
        rb"From sender@src\.ex \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\n"
        rb"Return-path: <sender@src\.ex>\nEnvelope-to: u@test\.ex\nDelivery-date: " + date + rb"\n"
        rb"From: a@b\.ex\nTo: c@d\.ex\nMessage-Id: <orig@id>\nX-A: 1\nX-B: 2\n\n"
        rb"body one\n>From here\n\.dot\n\nlast\n\n"
    )
    assert re.fullmatch(expected, (mail / "box").read_bytes())
    assert stat.S_IMODE((mail / "box").stat().st_mode) == 0o600
    assert os.listdir(mail) == ["box"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"message_prefix": "", "message_suffix": ""}, HEADER + b"\nbody one\n>From here\n.dot\n\nlast\n"),
        (
            {"headers_only": "true", "message_prefix": "", "message_suffix": "END\n"},
            HEADER + b"\nEND\n",
        ),
        (
            {"body_only": "true", "message_prefix": "<$return_path>\n", "check_string": ".", "escape_string": "!."},
            b"<sender@src.ex>\nbody one\nFrom here\n!.dot\n\nlast\n\n",
        ),
        (
            {"use_bsmtp": "true", "use_crlf": "true", "message_prefix": "HELO x\n"},
            b"HELO x\nMAIL FROM:<sender@src.ex>\r\nRCPT TO:<u@test.ex>\r\nDATA\r\n"
            + HEADER.replace(b"\n", b"\r\n")
            + b"\r\nbody one\r\nFrom here\r\n..dot\r\n\r\nlast\r\n.\r\n",
        ),
    ],
)
def test_frames(scope: Scope, mail: Path, options: dict[str, str], expected: bytes) -> None:
    assert put(make_transport("appendfile", file=f"{mail}/box", **options), scope).status == D
    assert (mail / "box").read_bytes() == expected


def _symlink(mail: Path) -> None:
    (mail / "real").write_bytes(b"")
    (mail / "box").symlink_to(mail / "real")


def _hard_link(mail: Path) -> None:
    (mail / "box").write_bytes(b"")
    (mail / "box").chmod(0o600)
    (mail / "other").hardlink_to(mail / "box")


def _narrow(mail: Path) -> None:
    (mail / "box").write_bytes(b"")
    (mail / "box").chmod(0o400)


def _fifo(mail: Path) -> None:
    os.mkfifo(mail / "box", 0o600)


def _lock_file(mail: Path) -> None:
    (mail / "box.lock").write_bytes(b"")


def _other_format(mail: Path) -> None:
    (mail / "box").write_bytes(b"zzz\n")
    (mail / "box").chmod(0o600)


def _nothing(mail: Path) -> None:
    return None


@pytest.mark.parametrize(
    ("prepare", "options", "number", "message"),
    [
        (_symlink, {}, -4, "mailbox BOX is not a regular file"),
        (_hard_link, {}, -4, "mailbox BOX has too many links (2)"),
        (_narrow, {}, -7, "mailbox BOX has the wrong mode 400 (600 expected)"),
        (_fifo, {}, -4, "mailbox BOX is not a regular file"),
        (
            _fifo,
            {"allow_fifo": "true"},
            errno.ENXIO,
            "while opening named pipe BOX (could mean no process is reading it)",
        ),
        (_lock_file, {"lock_retries": "1"}, -9, "failed to lock mailbox BOX (lock file)"),
        (
            _nothing,
            {"file_must_exist": "true"},
            errno.ENOENT,
            "mailbox BOX does not exist, but file_must_exist is set",
        ),
        (_nothing, {"quota": "80"}, -22, "mailbox is full (MTA-imposed quota exceeded while writing to BOX)"),
        (
            _nothing,
            {"create_file": "/nowhere"},
            -34,
            "mailbox BOX does not exist, but creation outside the home directory is not permitted",
        ),
        (_other_format, {"file_format": "From : appendfile_t : XX : other"}, -33, "mailbox file format unrecognized"),
        (_nothing, {"quota": "foo"}, -1, 'Malformed value "foo" (expansion of "foo") in appendfile_t transport'),
        (
            _nothing,
            {"headers_add": "X: ${if bool{x}{a}}"},
            -25,
            'failed to expand headers_add or headers_remove while writing to BOX: unrecognised boolean value "x"',
        ),
        (
            _nothing,
            {"transport_filter": "/bin/false"},
            -24,
            "transport filter process failed (1) while writing to BOX",
        ),
        (
            _nothing,
            {"message_prefix": "${if bool{x}{a}}"},
            -1,
            None,
        ),
    ],
)
def test_deferred(
    scope: Scope, mail: Path, prepare: object, options: dict[str, str], number: int, message: str | None
) -> None:
    prepare(mail)  # type: ignore[operator]
    outcome = put(make_transport("appendfile", file=f"{mail}/box", **options), scope)
    assert (outcome.status, outcome.errno) == (W, number)
    if message is not None:
        assert outcome.message == message.replace("BOX", f"{mail}/box")
    panic = number in (-1, -24, -25)
    assert [fact.key for fact in outcome.retry] == ([] if panic else ["T:u@test.ex"])
    assert (outcome.log_extra == {"panic": "1"}) == panic


def test_wrong_owner(scope: Scope, mail: Path) -> None:
    (mail / "box").write_bytes(b"")
    batch = make_batch("u@test.ex", uid=os.geteuid() + 1)
    outcome = put(make_transport("appendfile", file=f"{mail}/box"), scope, batch)
    expected = f"mailbox {mail}/box has wrong uid ({os.geteuid()} != {os.geteuid() + 1})"
    assert (outcome.errno, outcome.message) == (-6, expected)


def test_tainted_names_are_refused(scope: Scope, mail: Path) -> None:
    from mta.scope.expansion import Tainted

    recipient = make_recipient("u@test.ex")
    recipient.local_part = Tainted("../etc/passwd")
    scope.recipient = recipient
    transport = make_transport("appendfile", file=f"{mail}/$local_part")
    outcome = put(transport, scope, make_batch(recipients=[recipient]))
    assert outcome.message == (
        f"Tainted '{mail}/../etc/passwd' (file or directory name for appendfile_t transport) not permitted"
    )
    transport = make_transport("appendfile", file=f"{mail}/$local_part", create_file=str(mail))
    assert put(transport, scope, make_batch(recipients=[recipient])).status == W
    recipient.local_part = Tainted("fine")
    assert put(transport, scope, make_batch(recipients=[recipient])).status == D
    assert (mail / "fine").exists()


@pytest.mark.parametrize(("address", "made"), [("/MAIL/x/file", "x/file"), ("/MAIL/y/", "y")])
def test_redirected_to_a_file(scope: Scope, mail: Path, address: str, made: str) -> None:
    address = address.replace("/MAIL", str(mail))
    recipient = make_recipient(address, kind="file", parent=make_recipient("u@test.ex"))
    outcome = put(make_transport("appendfile", envelope_to_add="true"), scope, make_batch(recipients=[recipient]))
    assert outcome.status == D
    found = mail / made
    text = (found if found.is_file() else next(found.iterdir())).read_bytes()
    assert b"Envelope-to: u@test.ex\n" in text


def test_relative_name_is_refused(scope: Scope) -> None:
    outcome = put(make_transport("appendfile", file="x/y"), scope)
    assert (outcome.errno, outcome.message) == (-21, 'appendfile: file or directory name "x/y" is not absolute')


def test_locked_by_another_program(scope: Scope, mail: Path) -> None:
    with open(mail / "box", "wb") as other:
        os.fchmod(other.fileno(), 0o600)
        fcntl.flock(other, fcntl.LOCK_EX)
        options = {"use_flock_lock": "true", "lock_retries": "1"}
        outcome = put(make_transport("appendfile", file=f"{mail}/box", **options), scope)
    assert (outcome.errno, outcome.message) == (-9, f"failed to lock mailbox {mail}/box (fcntl/flock)")
    assert not (mail / "box.lock").exists()


def test_wider_mode_is_reduced(scope: Scope, mail: Path) -> None:
    (mail / "box").write_bytes(b"")
    (mail / "box").chmod(0o666)
    assert put(make_transport("appendfile", file=f"{mail}/box"), scope).status == D
    assert stat.S_IMODE((mail / "box").stat().st_mode) == 0o600


def test_failed_append_is_undone(scope: Scope, mail: Path) -> None:
    (mail / "box").write_bytes(b"before\n")
    (mail / "box").chmod(0o600)
    batch = make_batch("u@test.ex")

    class Broken:
        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def read(self, _size: int) -> bytes:
            raise OSError(errno.ENOSPC, "no")

    batch.open_body = Broken  # type: ignore[assignment, return-value]
    outcome = put(make_transport("appendfile", file=f"{mail}/box"), scope, batch)
    assert (outcome.status, outcome.errno, outcome.error) == (W, errno.ENOSPC, "quota")
    assert (mail / "box").read_bytes() == b"before\n"


def test_mbox_delivery_is_not_repeated_after_a_crash(scope: Scope, mail: Path) -> None:
    transport = make_transport("appendfile", file=f"{mail}/box", delivery_date_add="true")
    (mail / "box").write_bytes(b"old\n\n")
    (mail / "box").chmod(0o600)
    intents: list[str] = []
    put(transport, scope, make_batch("u@test.ex", before_effect=intents.append))
    whole = (mail / "box").read_bytes()
    again = make_batch("u@test.ex", intents=tuple(intents))
    assert put(transport, scope, again).status == D
    assert (mail / "box").read_bytes() == whole
    for cut in (len(whole) - 1, len(whole) - 20, 7):
        (mail / "box").write_bytes(whole[:cut])
        assert put(transport, scope, again).status == D
        text = (mail / "box").read_bytes()
        assert text.count(b"From sender@src.ex") == 1
        assert len(text) == len(whole)


def test_maildir(scope: Scope, mail: Path) -> None:
    transport = make_transport(
        "appendfile", directory=f"{mail}/a/md", maildir_format="true", maildir_tag=",S=$message_size"
    )
    assert put(transport, scope).status == D
    (name,) = os.listdir(mail / "a/md/new")
    text = (mail / "a/md/new" / name).read_bytes()
    assert text == HEADER + b"\nbody one\nFrom here\n.dot\n\nlast\n"
    assert NAME.fullmatch(name.removesuffix(f",S={len(text)}"))
    assert os.listdir(mail / "a/md/tmp") == []
    assert stat.S_IMODE((mail / "a/md").stat().st_mode) == 0o700


@pytest.mark.parametrize("folder", ["new", "cur"])
def test_maildir_delivery_is_not_repeated(scope: Scope, mail: Path, folder: str) -> None:
    transport = make_transport("appendfile", directory=f"{mail}/md", maildir_format="true")
    intents: list[str] = []
    put(transport, scope, make_batch("u@test.ex", before_effect=intents.append))
    if folder == "cur":
        (name,) = os.listdir(mail / "md/new")
        (mail / "md/new" / name).rename(mail / "md/cur" / f"{name}:2,S")
    assert put(transport, scope, make_batch("u@test.ex", intents=tuple(intents))).status == D
    assert len(os.listdir(mail / "md/new")) + len(os.listdir(mail / "md/cur")) == 1
    put(transport, scope, make_batch("other@test.ex"))
    assert len(os.listdir(mail / "md/new")) + len(os.listdir(mail / "md/cur")) == 2


@pytest.mark.parametrize(
    ("options", "number", "message"),
    [
        (
            {"directory": "MAIL/no/a", "create_directory": "false"},
            2,
            "stat() error for MAIL/no/a: No such file or directory",
        ),
        ({"directory": "MAIL/file"}, -5, "MAIL/file is not a directory"),
        (
            {"directory": "MAIL/c/a", "create_file": "/nowhere"},
            -34,
            "tried to create file in MAIL/c/a, but file creation outside the home directory is not permitted",
        ),
        (
            {"directory": "MAIL/md", "quota": "80"},
            -22,
            "mailbox is full (MTA-imposed quota exceeded while writing to NAME)",
        ),
        (
            {"directory": "MAIL/md", "quota": "1G", "quota_filecount": "2"},
            -22,
            "mailbox is full (MTA-imposed filecount quota exceeded while writing to NAME)",
        ),
    ],
)
def test_maildir_deferred(scope: Scope, mail: Path, options: dict[str, str], number: int, message: str) -> None:
    (mail / "file").write_bytes(b"")
    for folder in ("new", "cur", "tmp"):
        (mail / "md" / folder).mkdir(parents=True)
    (mail / "md/new/1").write_bytes(b"x")
    (mail / "md/cur/2").write_bytes(b"x")
    options = {name: value.replace("MAIL", str(mail)) for name, value in options.items()}
    outcome = put(make_transport("appendfile", maildir_format="true", **options), scope)
    shown = NAME.sub("X", outcome.message)
    assert (outcome.errno, shown) == (number, message.replace("MAIL", str(mail)).replace("NAME", "tmp/X"))
    if number == -22:
        assert outcome.error == "quota"
        assert outcome.retry[0].detail.isdigit()


def test_maildirsize(scope: Scope, mail: Path) -> None:
    options = {"directory": f"{mail}/md", "maildir_format": "true", "maildir_use_size_file": "true", "quota": "10K"}
    transport = make_transport("appendfile", **options)
    put(transport, scope)
    assert (mail / "md/maildirsize").read_text() == "10240S,0C\n0 0\n89 1\n"
    put(transport, scope, make_batch("v@test.ex"))
    assert (mail / "md/maildirsize").read_text() == "10240S,0C\n0 0\n89 1\n89 1\n"
    transport = make_transport("appendfile", **{**options, "quota": "20K"})
    put(transport, scope, make_batch("w@test.ex"))
    assert (mail / "md/maildirsize").read_text() == "20480S,0C\n178 2\n89 1\n"


def test_quota_warning(scope: Scope, mail: Path) -> None:
    sent: list[tuple[object, ...]] = []
    scope.services.state["submit_message"] = lambda *parts: sent.append(parts)
    options = {"directory": f"{mail}/md", "maildir_format": "true", "quota": "1K", "quota_warn_threshold": "10%"}
    transport = make_transport("appendfile", **options)
    for name in ("a", "b", "c"):
        put(transport, scope, make_batch(f"{name}@test.ex"))
    ((sender, people, head, body),) = sent
    assert (sender, people) == ("", ["b@test.ex"])
    assert "From: Mail Delivery System <mailer-daemon@test.ex>\n" in str(head)
    assert "warning threshold" in str(body)


def test_maildirfolder(scope: Scope, mail: Path) -> None:
    transport = make_transport(
        "appendfile", directory=f"{mail}/md/.sub", maildir_format="true", maildirfolder_create_regex=r"/\.[^/]+$"
    )
    put(transport, scope)
    assert (mail / "md/.sub/maildirfolder").exists()


def test_plain_directory(scope: Scope, mail: Path) -> None:
    put(make_transport("appendfile", directory=f"{mail}/d"), scope)
    (name,) = os.listdir(mail / "d")
    assert re.fullmatch(r"q[0-9A-Za-z]{6}-\d+", name)
    put(make_transport("appendfile", directory=f"{mail}/e", directory_file="x-$inode"), scope)
    assert re.fullmatch(r"x-\d+", os.listdir(mail / "e")[0])


def test_mandatory_option(scope: Scope) -> None:
    assert "appendfile" in transports
    outcome = put(make_transport("appendfile"), scope)
    assert outcome.message == "Mandatory file or directory option missing from appendfile_t transport"


def test_folder_that_may_be_written_and_not_read(scope: Scope, mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's, a sticky spool folder of mode 1733."""
    opened = os.open

    def deny(path: str, flags: int, *rest: int, **more: int) -> int:
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, "no", path)
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", deny)
    assert put(make_transport("appendfile", file=f"{mail}/box"), scope).status == D


def test_lock_file_taken_away_meanwhile(scope: Scope, mail: Path) -> None:
    def steal(_intent: str) -> None:
        (mail / "box.lock").unlink()

    batch = make_batch("u@test.ex", before_effect=steal)
    assert put(make_transport("appendfile", file=f"{mail}/box"), scope, batch).status == D
