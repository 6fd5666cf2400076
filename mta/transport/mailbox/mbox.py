"""Appending to a single file: the checks before the open and after it, and the append that is whole or undone.

Before the first byte the offset is journaled (RELIABILITY: intents), so that a retry after a crash finds what
the dead delivery left: a whole message is taken as delivered, a part of one is cut off.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.locking import LockPolicy, lock_open_file
from mta.transport.mailbox.paths import check_creation, sync_directory
from mta.transport.outcomes import BAD_MODE, BAD_OWNER, INODE_CHANGED, LOCK_FAILED, NOT_REGULAR_LINKS

_OPEN_TRIES = 10


@dataclass(frozen=True, slots=True)
class FileRules:
    """The options that say which file may be written. ``uid``/``gid``: the delivery's own; -1 the process's."""

    path: str
    mode: int = 0o600
    mode_fail_narrower: bool = True
    uid: int = -1
    gid: int = -1
    check_owner: bool = True
    check_group: bool = False
    allow_symlink: bool = False
    allow_fifo: bool = False
    file_must_exist: bool = False
    create_file: str = "anywhere"
    home: str = ""
    force_mode: bool = False  # a filter's save command named the mode


@dataclass(slots=True)
class OpenMailbox:
    fd: int
    size: int
    created: bool
    fifo: bool
    atime: float
    mtime_ns: int
    atime_ns: int


def open_mailbox(rules: FileRules, locks: LockPolicy, sleep: Callable[[float], None]) -> OpenMailbox:
    """Open and lock the file, going through the manual's checks in its order. Raises MailboxError."""
    attempts = locks.attempts()
    for attempt in range(attempts):
        if attempt:
            sleep(locks.interval)
        mailbox = _open_checked(rules)
        if mailbox.fifo:
            return mailbox
        try:
            locked = lock_open_file(mailbox.fd, locks)
            if locked:
                mailbox.size = os.fstat(mailbox.fd).st_size
                return mailbox
        except BaseException:
            os.close(mailbox.fd)
            raise
        os.close(mailbox.fd)
    raise MailboxError(f"failed to lock mailbox {rules.path} (fcntl/flock)", LOCK_FAILED)


def _open_checked(rules: FileRules) -> OpenMailbox:
    for _ in range(_OPEN_TRIES):
        try:
            found = os.lstat(rules.path)
        except FileNotFoundError:
            mailbox = _create(rules)
        except OSError as error:
            raise MailboxError(f"stat() error for mailbox {rules.path}", error.errno or -1) from None
        else:
            mailbox = _open_existing(rules, found)
        if mailbox is not None:
            return mailbox
    raise MailboxError(f"mailbox {rules.path} is being created and destroyed over and over", INODE_CHANGED, freeze=True)


def _create(rules: FileRules) -> OpenMailbox | None:
    path = rules.path
    if rules.file_must_exist:
        raise MailboxError(f"mailbox {path} does not exist, but file_must_exist is set", errno.ENOENT)
    check_creation(path, rules.create_file, rules.home)
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, rules.mode)
    except FileExistsError:
        return None
    except OSError as error:
        raise MailboxError(f"while creating mailbox {path}", error.errno or -1) from None
    try:
        os.fchmod(fd, rules.mode)
        sync_directory(os.path.dirname(path) or "/")
        info = os.fstat(fd)
    except BaseException:
        os.close(fd)
        raise
    return OpenMailbox(fd, 0, True, False, info.st_atime, info.st_mtime_ns, info.st_atime_ns)


def _open_existing(rules: FileRules, found: os.stat_result) -> OpenMailbox | None:
    path = rules.path
    if stat.S_ISLNK(found.st_mode):
        _check_owner(rules, found, f"{path} (symlink)")
        if not rules.allow_symlink:
            raise MailboxError(f"mailbox {path} is not a regular file", NOT_REGULAR_LINKS)
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return _create_through_link(rules)
    is_fifo = stat.S_ISFIFO(found.st_mode)
    if found.st_nlink > 1:
        raise MailboxError(f"mailbox {path} has too many links ({found.st_nlink})", NOT_REGULAR_LINKS)
    if not stat.S_ISREG(found.st_mode) and not (is_fifo and rules.allow_fifo):
        kinds = "a regular file or named pipe" if rules.allow_fifo else "a regular file"
        raise MailboxError(f"mailbox {path} is not {kinds}", NOT_REGULAR_LINKS)
    _check_owner(rules, found, path)
    mode = _check_mode(rules, found)
    flags = os.O_WRONLY | os.O_NONBLOCK if is_fifo else os.O_RDWR | os.O_APPEND
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | (0 if rules.allow_symlink else os.O_NOFOLLOW))
    except FileNotFoundError:
        return None
    except OSError as error:
        if is_fifo and error.errno in (errno.ENXIO, errno.EWOULDBLOCK):
            raise MailboxError(
                f"while opening named pipe {path} (could mean no process is reading it)", error.errno
            ) from None
        raise MailboxError(f"while opening mailbox {path}", error.errno or -1) from None
    info = os.fstat(fd)
    changed = (info.st_ino, info.st_dev, info.st_uid, info.st_gid) != (
        found.st_ino,
        found.st_dev,
        found.st_uid,
        found.st_gid,
    )
    if changed or stat.S_IFMT(info.st_mode) != stat.S_IFMT(found.st_mode) or stat.S_IMODE(info.st_mode) != mode:
        os.close(fd)
        raise MailboxError(f"opened mailbox {path} is not the file that was checked", INODE_CHANGED, freeze=True)
    if is_fifo:
        os.set_blocking(fd, True)
    return OpenMailbox(fd, info.st_size, False, is_fifo, info.st_atime, info.st_mtime_ns, info.st_atime_ns)


def _create_through_link(rules: FileRules) -> OpenMailbox:
    if rules.file_must_exist:
        raise MailboxError(f"mailbox {rules.path} does not exist, but file_must_exist is set", errno.ENOENT)
    check_creation(rules.path, rules.create_file, rules.home)
    try:
        fd = os.open(rules.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, rules.mode)
    except OSError as error:
        raise MailboxError(f"while creating mailbox {rules.path}", error.errno or -1) from None
    info = os.fstat(fd)
    return OpenMailbox(fd, info.st_size, True, False, info.st_atime, info.st_mtime_ns, info.st_atime_ns)


def _check_owner(rules: FileRules, found: os.stat_result, name: str) -> None:
    uid = rules.uid if rules.uid >= 0 else os.geteuid()
    gid = rules.gid if rules.gid >= 0 else os.getegid()
    if rules.check_owner and found.st_uid != uid:
        raise MailboxError(f"mailbox {name} has wrong uid ({found.st_uid} != {uid})", BAD_OWNER)
    if rules.check_group and found.st_gid != gid:
        raise MailboxError(f"mailbox {name} has wrong gid ({found.st_gid} != {gid})", BAD_OWNER)


def _check_mode(rules: FileRules, found: os.stat_result) -> int:
    """Reduce wider permissions; refuse narrower ones when told to. The mode that the file has afterwards."""
    mode = stat.S_IMODE(found.st_mode)
    if mode == rules.mode or stat.S_ISFIFO(found.st_mode):
        return mode
    if rules.force_mode or mode & ~rules.mode:
        wanted = rules.mode if rules.force_mode else mode & rules.mode
        try:
            os.chmod(rules.path, wanted)
        except OSError as error:
            raise MailboxError(f"attempting to chmod mailbox {rules.path}", error.errno or -1) from None
        mode = wanted
    if rules.mode & ~mode and rules.mode_fail_narrower:
        raise MailboxError(f"mailbox {rules.path} has the wrong mode {mode:o} ({rules.mode:o} expected)", BAD_MODE)
    return mode


def append(
    mailbox: OpenMailbox, path: str, pieces: Iterable[bytes], intents: tuple[str, ...], intend: Callable[[str], None]
) -> int:
    """Write ``pieces`` at the end and sync them; a failure puts the file back as it was. Bytes written."""
    if mailbox.fifo:
        return _write_all(mailbox.fd, pieces)
    started = _earlier_offset(mailbox, path, intents)
    if started is not None:
        whole = b"".join(pieces)
        pieces = [whole]
        left = os.pread(mailbox.fd, len(whole), started)
        if len(left) == len(whole) and _agrees(left, whole):
            return len(whole)
        if started + len(left) == mailbox.size and _agrees(left, whole):
            os.ftruncate(mailbox.fd, started)
            mailbox.size = started
    info = os.fstat(mailbox.fd)
    intend(f"mbox {info.st_dev}.{info.st_ino} {mailbox.size} {path}")
    try:
        written = _write_all(mailbox.fd, pieces)
        os.fsync(mailbox.fd)
    except BaseException:
        os.ftruncate(mailbox.fd, mailbox.size)
        os.utime(mailbox.fd, ns=(mailbox.atime_ns, mailbox.mtime_ns))
        raise
    return written


def _write_all(fd: int, pieces: Iterable[bytes]) -> int:
    total = 0
    for piece in pieces:
        view = memoryview(piece)
        while view:
            done = os.write(fd, view)
            total += done
            view = view[done:]
    return total


def _earlier_offset(mailbox: OpenMailbox, path: str, intents: tuple[str, ...]) -> int | None:
    info = os.fstat(mailbox.fd)
    for intent in reversed(intents):
        words = intent.split(" ", 3)
        if len(words) == 4 and words[0] == "mbox" and words[1] == f"{info.st_dev}.{info.st_ino}" and words[3] == path:
            offset = int(words[2])
            return offset if offset < mailbox.size else None
    return None


_DATES = re.compile(rb"\AFrom [^\n]* (\w{3} \w{3} \d\d [\d:]{8} \d{4})\n|^Delivery-date: ([^\n]*)\n", re.MULTILINE)


def _agrees(left: bytes, whole: bytes) -> bool:
    """Whether ``left`` is how ``whole`` begins, dates of delivery apart: all dates have one width."""
    head = whole.partition(b"\n\n")[0] + b"\n"
    mine, theirs = bytearray(whole[: len(left)]), bytearray(left)
    for found in _DATES.finditer(head):
        start, end = found.span(found.lastindex or 0)
        for text in (mine, theirs):
            text[start:end] = b"\0" * len(text[start:end])
    return mine == theirs
