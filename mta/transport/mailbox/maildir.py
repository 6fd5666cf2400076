"""Delivery into new files: Maildir, and plain files in a directory (manual sections 26.4, 26.5, 26.9).

A Maildir file is named from message id and recipient, so that a second delivery after a crash finds the first
one and takes it as done. The file is synced, then its name in ``new`` is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable

from mta.mail.ids import id_time, is_message_id
from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.paths import check_creation, make_directories, sync_directory
from mta.transport.outcomes import NOT_DIRECTORY, UNKNOWN

PARTS = ("tmp", "new", "cur")


def unique_name(message_id: str, recipient: str, host: str) -> str:
    """``<seconds>.M<id>R<hash of the recipient>.<host>``: the same for each attempt at this delivery."""
    digest = hashlib.sha256(recipient.encode("latin-1")).hexdigest()[:12]
    seconds = id_time(message_id) if is_message_id(message_id) else 0
    safe_host = host.replace("/", "\\057").replace(":", "\\072")
    return f"{seconds}.M{message_id}R{digest}.{safe_host}"


def ensure_maildir(folder: str, *, create: bool, rule: str, home: str, mode: int) -> None:
    """Make the folder and its ``tmp``, ``new`` and ``cur`` where they are missing."""
    try:
        found = os.stat(folder)
    except FileNotFoundError as error:
        if not create:
            raise MailboxError(f"stat() error for {folder}: {os.strerror(errno.ENOENT)}", errno.ENOENT) from error
        check_directory_creation(folder, rule, home)
        make_directories(folder, mode, folder)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        raise MailboxError(f"stat() error for {folder}: {text}", error.errno or UNKNOWN) from None
    else:
        if not stat.S_ISDIR(found.st_mode):
            raise MailboxError(f"{folder} is not a directory", NOT_DIRECTORY)
    for part in PARTS:
        path = f"{folder}/{part}"
        if os.path.isdir(path):
            continue
        if not create:
            raise MailboxError(f"stat() error for {path}: {os.strerror(errno.ENOENT)}", errno.ENOENT)
        make_directories(path, mode, path)


def check_directory_creation(folder: str, rule: str, home: str) -> None:
    """create_file for folders; the words differ from those for a single file."""
    try:
        check_creation(folder, rule, home)
    except MailboxError as error:
        raise MailboxError(
            f"tried to create file in {folder}, but file creation outside the home directory is not permitted",
            error.errno,
        ) from None


def ensure_maildirfolder(folder: str, mode: int) -> None:
    """The marker of a Maildir++ sub-folder."""
    path = f"{folder}/maildirfolder"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode))
    except OSError as error:
        raise MailboxError(
            f"appendfile: failed to create maildirfolder file in {folder} directory", error.errno or -1
        ) from None


def find_delivered(folder: str, name: str, *, thorough: bool) -> str | None:
    """The path of an earlier delivery of the same name; ``thorough`` looks where readers move mail, too."""
    exact = f"{folder}/new/{name}"
    if os.path.lexists(exact):
        return exact
    if thorough:
        for part in ("new", "cur"):
            for entry in os.listdir(f"{folder}/{part}"):
                if entry == name or (entry.startswith(name) and not entry[len(name)].isalnum()):
                    return f"{folder}/{part}/{entry}"
    return None


def create_file(path: str, mode: int, shown: str) -> int:
    """A new file of our own; one of the same name was left by a delivery that died."""
    for _ in range(2):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        except FileExistsError:
            os.unlink(path)
            continue
        except OSError as error:
            raise MailboxError(f"while creating file {shown}", error.errno or UNKNOWN) from None
        os.fchmod(fd, mode)
        return fd
    raise MailboxError(f"while creating file {shown}", errno.EEXIST)


def write_file(fd: int, pieces: Iterable[bytes]) -> int:
    """Write and sync; bytes written. OSError comes through."""
    total = 0
    for piece in pieces:
        view = memoryview(piece)
        while view:
            done = os.write(fd, view)
            total += done
            view = view[done:]
    os.fsync(fd)
    return total


def move_into_new(folder: str, temporary: str, name: str, tag: str) -> str:
    """Rename from ``tmp`` to ``new`` and sync the name; a tag that makes it too long is dropped. The final path."""
    target = f"{folder}/new/{name}{tag}"
    try:
        os.lstat(target)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            target = f"{folder}/new/{name}"
    try:
        os.rename(temporary, target)
        sync_directory(f"{folder}/new")
    except OSError as error:
        raise MailboxError(f"while renaming {temporary} as {target}", error.errno or UNKNOWN) from None
    return target


def deliver_plain(
    folder: str,
    mode: int,
    host: str,
    pieces: Iterable[bytes],
    final_name: Callable[[int], str],
    wrote: Callable[[int], None],
) -> str:
    """A single new file: written as ``temp.<pid>.<host>``, renamed to what directory_file gives for its inode."""
    temporary = f"{folder}/temp.{os.getpid()}.{host}"
    fd = create_file(temporary, mode, temporary)
    try:
        try:
            wrote(write_file(fd, pieces))
            inode = os.fstat(fd).st_ino
        finally:
            os.close(fd)
        target = f"{folder}/{final_name(inode)}"
        os.rename(temporary, target)
        sync_directory(folder)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    return target


def tag_text(expanded: str) -> str:
    """maildir_tag as it is added to the name: printing characters, a colon before a letter or digit."""
    kept = "".join(char for char in expanded if 32 < ord(char) < 127 and char != "/")
    if kept[:1].isalnum():
        kept = ":" + kept
    return kept
