"""The spool: ``Spool.begin() -> Incoming``, ``lock(id) -> Locked | None``, ``ids()``, ``read(id)``.

Durable in the POSIX sense: ``commit`` returns after data file, header file and folder entry are synced.
layout.STATES says what is found after a crash and what becomes of it. Threads may share one Spool.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO

from mta.errors import SpoolError
from mta.mail.ids import MessageIds, is_message_id
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.spool import codec
from mta.spool.files import FileCalls, FolderSync, read_all, try_lock
from mta.spool.incoming import Incoming
from mta.spool.layout import DATA, HEADER, JOURNAL, TEMPORARY, Layout
from mta.spool.locked import Locked

LEFTOVER_AGE = 3600.0  # seconds that an unlocked leftover must be old before it is swept


class Spool:
    """One spool directory. ``owner`` (uid, gid): whose the files are to be when we are root."""

    def __init__(
        self,
        directory: str,
        *,
        split: bool = False,
        ids: MessageIds | None = None,
        queue_name: str = "",
        owner: tuple[int, int] | None = None,
        calls: FileCalls | None = None,
    ) -> None:
        self.layout = Layout(directory, split, queue_name)
        self.new_id = ids or MessageIds()
        self.owner = owner if owner is not None and os.geteuid() == 0 else None
        self.calls = calls or FileCalls()
        self.sync_folder = FolderSync(self.calls)
        self._made: set[str] = set()

    def after_fork(self) -> None:
        """To be called in a new process before its first use of the spool."""
        self.sync_folder.after_fork()

    def make_folder(self, path: str) -> None:
        """The folder and what is missing above it, mode 0750, its entry synced; made once."""
        if path in self._made:
            return
        if not os.path.isdir(path):
            parent = os.path.dirname(path)
            if parent != path and not os.path.isdir(parent):
                self.make_folder(parent)
            try:
                os.mkdir(path, 0o750)
                if self.owner:
                    os.chown(path, *self.owner)
            except FileExistsError:
                pass
            except OSError as error:
                raise SpoolError(f"cannot create {path}: {error.strerror}") from error
            with suppress(OSError):
                self.sync_folder(parent)
        self._made.add(path)

    def begin(self, message_id: str | None = None) -> Incoming:
        """A new message under a new id (or the given one: FileExistsError when it is taken)."""
        for _ in range(20):
            chosen = message_id or self.new_id()
            folder = self.layout.folder_for(chosen)
            self.make_folder(folder)
            if message_id is None and os.path.lexists(os.path.join(folder, chosen + HEADER)):
                continue
            try:
                return Incoming(self, chosen, folder)
            except FileExistsError:
                if message_id is not None:
                    raise
            except OSError as error:
                raise SpoolError(f"cannot create a spool file in {folder}: {error.strerror}") from error
        raise SpoolError("no free message id was found")

    def find(self, message_id: str) -> str | None:
        """The folder that has the message's header file."""
        for folder in self.layout.folders_of(message_id):
            if os.path.exists(os.path.join(folder, message_id + HEADER)):
                return folder
        return None

    def exists(self, message_id: str) -> bool:
        return is_message_id(message_id) and self.find(message_id) is not None

    def lock(self, message_id: str) -> Locked | None:
        """The message under an exclusive lock and loaded; None when it is gone or somebody else has it.

        A damaged message is set aside and SpoolError(damaged=True) raised.
        """
        if not is_message_id(message_id):
            return None
        folder = self.find(message_id)
        if folder is None:
            return None
        data_path = os.path.join(folder, message_id + DATA)
        try:
            fd = self.calls.open(data_path, os.O_RDWR)
        except FileNotFoundError:
            if not os.path.exists(os.path.join(folder, message_id + HEADER)):
                return None  # removed meanwhile
            self._set_aside(message_id, folder, "the data file is missing")
        except OSError as error:
            raise SpoolError(f"cannot open {data_path}: {error.strerror}") from error
        try:
            return self._locked(message_id, folder, fd)
        except BaseException:
            with suppress(OSError):
                os.close(fd)
            raise

    def _locked(self, message_id: str, folder: str, fd: int) -> Locked | None:
        header_path = os.path.join(folder, message_id + HEADER)
        if not try_lock(fd) or os.fstat(fd).st_nlink == 0:
            os.close(fd)
            return None
        try:
            header = _read_file(header_path)
        except FileNotFoundError:
            os.close(fd)
            return None  # a reception or a removal was cut short; sweep() sees to it
        except OSError as error:
            raise SpoolError(f"cannot read {header_path}: {error.strerror}") from error
        try:
            message, peer = codec.decode(header, message_id)
            self._check_data(message, fd, header)
        except SpoolError as error:
            self._set_aside(message_id, folder, error.message)
        message.queue_name = self.layout.queue_name
        return Locked(self, message, peer, folder, fd)

    def _check_data(self, message: Message, fd: int, header: bytes) -> None:
        first = f"{message.id}{DATA}\n".encode()
        if os.pread(fd, len(first), 0) != first:
            raise SpoolError("the first line of the data file is not its name", damaged=True)
        size = os.fstat(fd).st_size
        promised = codec.data_size_of(header) if message.deliver_first_time else None
        if promised is not None and size < promised:
            raise SpoolError("the data file is incomplete", damaged=True)
        message.body_size = size - len(first)
        message.message_size = message.body_size + sum(len(line.text) for line in message.headers) + 1
        message.message_linecount = message.body_linecount + sum(line.text.count("\n") for line in message.headers)

    def _set_aside(self, message_id: str, folder: str, reason: str) -> None:
        """Move a damaged message out of the queue and say so; always raises."""
        corrupt = self.layout.corrupt
        self.make_folder(corrupt)
        for suffix in (HEADER, DATA, JOURNAL):
            with suppress(FileNotFoundError):
                self.calls.rename(os.path.join(folder, message_id + suffix), os.path.join(corrupt, message_id + suffix))
        raise SpoolError(f"message {message_id} is damaged ({reason}); its files are in {corrupt} now", damaged=True)

    def read(self, message_id: str) -> tuple[Message, Peer]:
        """Message and peer for a listing, without a lock; FileNotFoundError when there is none."""
        folder = self.find(message_id) if is_message_id(message_id) else None
        if folder is None:
            raise FileNotFoundError(message_id)
        message, peer = codec.decode(_read_file(os.path.join(folder, message_id + HEADER)), message_id)
        with suppress(FileNotFoundError):
            message.body_size = os.stat(os.path.join(folder, message_id + DATA)).st_size - len(message_id) - 3
        message.message_size = message.body_size + sum(len(line.text) for line in message.headers) + 1
        with suppress(FileNotFoundError):
            journal = _read_file(os.path.join(folder, message_id + JOURNAL))
            message.delivered.update(journal_addresses(journal))
        message.queue_name = self.layout.queue_name
        return message, peer

    def ids(self, *, start: str = "", stop: str = "") -> Iterator[str]:
        """Ids of all messages on the queue, in no order; ``start`` and ``stop`` bound them, both included."""
        for folder in self.layout.input_folders():
            yield from self.ids_in(folder, start=start, stop=stop)

    def ids_in(self, folder: str, *, start: str = "", stop: str = "") -> Iterator[str]:
        """The same for one of ``layout.input_folders()``."""
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return
        for name in names:
            if name.endswith(HEADER):
                found = name[: -len(HEADER)]
                if is_message_id(found) and found >= start and (not stop or found <= stop):
                    yield found

    def count(self) -> int:
        """How many messages are on the queue."""
        return sum(1 for _ in self.ids())

    def sweep(self, *, age: float = LEFTOVER_AGE, now: Callable[[], float] = time.time) -> list[str]:
        """Remove unlocked leftovers of crashes that are ``age`` seconds old (layout.STATES); the paths removed."""
        removed: list[str] = []
        limit = now() - age
        for folder in self.layout.input_folders():
            try:
                names = set(os.listdir(folder))
            except FileNotFoundError:
                continue
            for name in sorted(names):
                if self._is_leftover(folder, name, names, limit):
                    with suppress(FileNotFoundError):
                        self.calls.unlink(os.path.join(folder, name))
                        removed.append(os.path.join(folder, name))
        return removed

    def sweep_damaged(self, age: float, now: Callable[[], float] = time.time) -> list[str]:
        """Remove what was set aside as damaged more than ``age`` seconds ago (keep_malformed); the paths removed."""
        removed: list[str] = []
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.layout.corrupt)):
                path = os.path.join(self.layout.corrupt, name)
                with suppress(FileNotFoundError):
                    # the change of the name, not of the contents, is when it was set aside
                    if now() - os.lstat(path).st_ctime >= age:
                        self.calls.unlink(path)
                        removed.append(path)
        return removed

    def _is_leftover(self, folder: str, name: str, names: set[str], limit: float) -> bool:
        path = os.path.join(folder, name)
        try:
            if os.lstat(path).st_mtime > limit:
                return False
        except FileNotFoundError:
            return False
        if name.startswith(TEMPORARY):
            return is_message_id(name[len(TEMPORARY) :])
        message_id, suffix = name[:-2], name[-2:]
        if not is_message_id(message_id) or message_id + HEADER in names:
            return False
        if suffix == JOURNAL:
            return message_id + DATA not in names
        return suffix == DATA and self._orphan(path, os.path.join(folder, message_id + HEADER))

    def _orphan(self, path: str, header: str) -> bool:
        try:
            fd = self.calls.open(path, os.O_RDWR)
        except OSError:
            return False
        try:
            return try_lock(fd) and not os.path.exists(header)
        finally:
            os.close(fd)

    def open_body(self, message_id: str) -> BinaryIO:
        """The body without a lock, at its first byte; for listings and views."""
        folder = self.find(message_id)
        if folder is None:
            raise FileNotFoundError(message_id)
        handle = open(os.path.join(folder, message_id + DATA), "rb")  # noqa: SIM115 - the caller closes it
        handle.seek(len(message_id) + 3)
        return handle


def journal_addresses(journal: bytes) -> list[str]:
    """The addresses of a journal; its last line counts only when it is whole, intents are not among them."""
    lines = journal.decode("latin-1").split("\n")[:-1]
    return [line for line in lines if line and not line.startswith("# ")]


def _read_file(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return read_all(fd)
    finally:
        os.close(fd)
