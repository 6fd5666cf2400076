"""A message under its lock: journal, intents, the rewritten header file, removal.

Order is everything here: an address is in the synced journal before its delivery counts, the header file
that includes it is durable before the journal goes, and the header file goes first when the message ends.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from mta.errors import SpoolError
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.spool import codec
from mta.spool.files import read_all
from mta.spool.layout import DATA, HEADER, JOURNAL, TEMPORARY
from mta.spool.options import one_line

if TYPE_CHECKING:
    from mta.spool.store import Spool

_KEEP_SIZE = 1
_ROOM = 4096


class Locked:
    """``message`` and ``peer`` are as the header file and a left-over journal say; change them and ``save``.

    ``intents``: what a delivery that was cut short had meant to do (``intend``), in order.
    """

    __slots__ = ("_fd", "_folder", "_journal_fd", "_lock", "_named", "_spool", "intents", "message", "peer")

    def __init__(self, spool: Spool, message: Message, peer: Peer, folder: str, fd: int) -> None:
        self.message = message
        self.peer = peer
        self.intents: list[str] = []
        self._spool = spool
        self._folder = folder
        self._fd = fd
        self._journal_fd = -1
        self._named = True  # the journal's folder entry is on stable storage
        self._lock = threading.Lock()
        self._take_journal()

    @property
    def id(self) -> str:
        return self.message.id

    def _path(self, suffix: str) -> str:
        return os.path.join(self._folder, self.message.id + suffix)

    def _take_journal(self) -> None:
        """A journal that a crash left behind: its addresses are done with."""
        try:
            fd = self._spool.calls.open(self._path(JOURNAL), os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SpoolError(f"cannot read the journal of {self.message.id}: {error.strerror}") from error
        content = read_all(fd).decode("latin-1")
        whole, _, torn = content.rpartition("\n")
        for line in whole.split("\n"):
            if line.startswith("# "):
                self.intents.append(line[2:])
            elif line:
                self.message.delivered.add(line)
        if torn:
            os.ftruncate(fd, len(content) - len(torn))
        self._journal_fd = fd

    def open_body(self) -> BinaryIO:
        """A handle of its own at the first byte of the body; lines end with LF. The caller closes it."""
        handle = open(self._path(DATA), "rb")  # noqa: SIM115 - handed out
        handle.seek(len(self.message.id) + 3)
        if "-spool_file_wireformat" not in self.message.extra:
            return handle
        with handle:  # written by Exim for BDAT: CRLF line ends
            return io.BytesIO(handle.read().replace(b"\r\n", b"\n"))

    def body(self, start: int, size: int) -> bytes:
        """Bytes of the body, as Scope.body gives them: a negative start counts from the end."""
        skip = len(self.message.id) + 3
        if start < 0:
            start = max(self.message.body_size + start, 0)
        return os.pread(self._fd, size, skip + start)

    def reserve(self) -> None:
        """Make sure that the journal has room, before anything is delivered; SpoolError when the disk is full."""
        with self._lock:
            fd = self._open_journal()
        if not _allocate(fd, _ROOM):
            raise SpoolError(f"no room for the journal of {self.message.id}")

    def journal(self, addresses: Iterable[str]) -> None:
        """These addresses are done with: on stable storage when this returns."""
        wanted = list(addresses)
        self._append([one_line(address) for address in wanted])
        self.message.delivered.update(wanted)

    def intend(self, text: str) -> None:
        """Something is about to happen that a retry must know of: on stable storage when this returns."""
        self._append(["# " + one_line(text)])

    def _append(self, lines: list[str]) -> None:
        if not lines:
            return
        try:
            with self._lock:
                fd = self._open_journal()
                self._spool.calls.write(fd, ("\n".join(lines) + "\n").encode("latin-1"))
                self._spool.calls.fdatasync(fd)
                if not self._named:  # its entry in the folder must last as well, from its first line on
                    self._spool.sync_folder(self._folder)
                    self._named = True
        except OSError as error:
            raise SpoolError(f"cannot write the journal of {self.message.id}: {error.strerror}") from error

    def _open_journal(self) -> int:
        if self._journal_fd < 0:
            try:
                fd = self._spool.calls.open(self._path(JOURNAL), os.O_RDWR | os.O_APPEND | os.O_CREAT)
                if self._spool.owner:
                    os.fchown(fd, *self._spool.owner)
            except OSError as error:
                raise SpoolError(f"cannot create the journal of {self.message.id}: {error.strerror}") from error
            self._journal_fd = fd
            self._named = False
        return self._journal_fd

    def save(self) -> None:
        """Rewrite the header file, durably; then the journal is not needed any more and goes."""
        calls = self._spool.calls
        temporary = os.path.join(self._folder, TEMPORARY + self.message.id)
        try:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            fd = calls.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                if self._spool.owner:
                    os.fchown(fd, *self._spool.owner)
                calls.write(fd, codec.encode(self.message, self.peer))
                calls.fdatasync(fd)
            finally:
                os.close(fd)
            calls.rename(temporary, self._path(HEADER))
            if self._journal_fd >= 0 or os.path.exists(self._path(JOURNAL)):
                self._spool.sync_folder(self._folder)
                self._drop_journal()
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            raise SpoolError(f"cannot rewrite the header file of {self.message.id}: {error.strerror}") from error

    def _drop_journal(self) -> None:
        with suppress(FileNotFoundError):
            self._spool.calls.unlink(self._path(JOURNAL))
        if self._journal_fd >= 0:
            os.close(self._journal_fd)
            self._journal_fd = -1

    def remove(self, *, durable: bool = True, keep_msglog: bool = False) -> None:
        """The message is over: header file, data file, journal, message log, in this order; the lock goes too.

        ``durable``: the header file's end is on stable storage before the journal goes and before this returns, so
        that a delivery whose addresses are the last ones need not be journalled first.
        """
        calls = self._spool.calls
        try:
            calls.unlink(self._path(HEADER))
            if durable:
                self._spool.sync_folder(self._folder)
            with suppress(FileNotFoundError):
                calls.unlink(self._path(DATA))
            self._drop_journal()
            if not keep_msglog:
                with suppress(FileNotFoundError):
                    os.unlink(self._spool.layout.msglog_path(self.message.id))
        except OSError as error:
            raise SpoolError(f"cannot remove {self.message.id}: {error.strerror}") from error
        finally:
            self.release()

    def release(self) -> None:
        """Give the lock up; what was not saved is in the journal."""
        if self._journal_fd >= 0:
            os.close(self._journal_fd)
            self._journal_fd = -1
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Locked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


@lru_cache(maxsize=1)
def _fallocate() -> Callable[[int, int, int, int], int]:
    """The C library's function, which Python does not offer; the errno or 0. Loaded when first used."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def fallocate(fd: int, mode: int, start: int, size: int) -> int:
        done = libc.fallocate(fd, mode, ctypes.c_int64(start), ctypes.c_int64(size))
        return ctypes.get_errno() if done else 0

    return fallocate


def _allocate(fd: int, size: int) -> bool:
    """fallocate past the end without changing the size; True where the file system does not know how."""
    end = os.fstat(fd).st_size
    return _fallocate()(fd, _KEEP_SIZE, end, size) not in (errno.ENOSPC, errno.EDQUOT)
