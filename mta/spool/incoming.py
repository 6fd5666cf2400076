"""A message being received: body written as it comes, then ``commit`` (durable) or ``abandon``.

The data file is locked from its creation, so that a queue run never takes a half received message.
"""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from mta.errors import SpoolError
from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.spool import codec
from mta.spool.files import try_lock
from mta.spool.layout import DATA, HEADER, TEMPORARY

if TYPE_CHECKING:
    from mta.spool.store import Spool

_BUFFER = 1 << 16


class Incoming:
    """``id`` is the message's; ``size`` the bytes of the body so far. A context manager: left without commit, all goes.

    Methods raise SpoolError when the disk refuses; the files are gone then.
    """

    __slots__ = ("_buffer", "_committed", "_fd", "_folder", "_spool", "id", "size")

    def __init__(self, spool: Spool, message_id: str, folder: str) -> None:
        self.id = message_id
        self.size = 0
        self._committed = False
        self._spool = spool
        self._folder = folder
        path = os.path.join(folder, message_id + DATA)
        self._fd = spool.calls.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            if spool.owner:
                os.fchown(self._fd, *spool.owner)
            if not try_lock(self._fd):
                raise SpoolError(f"a new data file was locked by another: {path}")
        except BaseException:
            self.abandon()
            raise
        self._buffer = bytearray(f"{message_id}{DATA}\n".encode())

    def write(self, data: bytes) -> None:
        """More of the body; lines end with LF."""
        self.size += len(data)
        self._buffer += data
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        try:
            self._spool.calls.write(self._fd, self._buffer)
        except OSError as error:
            self.abandon()
            raise SpoolError(f"cannot write the data file of {self.id}: {error.strerror}") from error
        self._buffer.clear()

    def read_body(self, start: int, size: int) -> bytes:
        """Bytes of the body so far, as Scope.body gives them: a negative start counts from the end."""
        self._flush()
        skip = len(self.id) + 3
        if start < 0:
            start = max(self.size + start, 0)
        return os.pread(self._fd, size, skip + start)

    def commit(self, message: Message, peer: Peer, *, keep_lock: bool = False) -> None:
        """Put the message on the queue; when this returns it is on stable storage.

        The header file gets its name before the syncs, so that the folder's change goes with the same journal
        transaction of the file system as the files; if a crash lets it become visible half written, its own length
        and CRC tell (codec.LENGTH_LINE), and nobody had been promised anything.
        """
        self._flush()
        message.id = self.id
        calls, folder = self._spool.calls, self._folder
        temporary = os.path.join(folder, TEMPORARY + self.id)
        header_fd = -1
        try:
            header = codec.encode(message, peer, self.size + len(self.id) + 3)
            header_fd = calls.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            if self._spool.owner:
                os.fchown(header_fd, *self._spool.owner)
            calls.write(header_fd, header)
            calls.rename(temporary, os.path.join(folder, self.id + HEADER))
            calls.fdatasync(self._fd)
            calls.fdatasync(header_fd)
            self._spool.sync_folder(folder)
        except (OSError, SpoolError) as error:
            self.abandon()
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SpoolError(f"cannot write the header file of {self.id}: {reason}") from error
        finally:
            if header_fd >= 0:
                os.close(header_fd)
        self._committed = True
        if not keep_lock:
            self.release()

    def release(self) -> None:
        """Give the lock up; after ``commit(keep_lock=True)``."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """Remove all traces; harmless after commit."""
        if self._fd >= 0 and not self._committed:
            for name in (TEMPORARY + self.id, self.id + HEADER, self.id + DATA):
                with suppress(OSError):
                    os.unlink(os.path.join(self._folder, name))
        self.release()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.abandon()
