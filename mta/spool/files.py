"""The system calls that make a spool durable: locks, syncs shared between threads, safe opening.

``FileCalls`` is the set of calls that store.py makes; tests put one in that fails or dies at any of them.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from dataclasses import dataclass, field

_LOCK = struct.Struct("hhqqi4x")  # struct flock of a 64-bit Linux


class FileCalls:
    """The plain calls."""

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        """All of ``data``; OSError when the disk is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def close(self, fd: int) -> None:
        os.close(fd)


def try_lock(fd: int) -> bool:
    """Lock the whole file for this open handle: other handles of this process and Exim's fcntl locks are kept out."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


@dataclass(slots=True)
class _Folder:
    fd: int
    condition: threading.Condition = field(default_factory=threading.Condition)
    started: int = 0  # syncs begun
    done: int = 0  # of these, ended
    busy: bool = False
    failed: dict[int, OSError] = field(default_factory=dict)


class FolderSync:
    """fsync of folders, one at a time a folder: whoever comes while one runs shares the next one with all others.

    A sync that was begun before the caller's change may have missed it, so only one begun after counts.
    """

    def __init__(self, calls: FileCalls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._folders: dict[str, _Folder] = {}

    def __call__(self, path: str) -> None:
        """Return when every change made in the folder before the call is on stable storage; OSError when not."""
        with self._lock:
            folder = self._folders.get(path)
            if folder is None:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                folder = self._folders[path] = _Folder(fd)
        with folder.condition:
            wanted = folder.started + 1
            while folder.done < wanted:
                if folder.busy:
                    folder.condition.wait()
                else:
                    self._run(folder)
            if wanted in folder.failed:
                raise OSError(folder.failed[wanted].errno, f"cannot sync {path}: {folder.failed[wanted].strerror}")

    def _run(self, folder: _Folder) -> None:
        """One sync, entered and left with the condition held."""
        folder.busy = True
        folder.started += 1
        number = folder.started
        folder.failed = {at: error for at, error in folder.failed.items() if at > number - 16}
        folder.condition.release()
        error: OSError | None = None
        try:
            self._calls.fsync(folder.fd)
        except OSError as caught:
            error = caught
        finally:
            folder.condition.acquire()
            if error is not None:
                folder.failed[number] = error
            folder.done = number
            folder.busy = False
            folder.condition.notify_all()

    def after_fork(self) -> None:
        """Forget handles and locks that another thread of the parent may have held."""
        self._lock = threading.Lock()
        self._folders = {}


def read_all(fd: int) -> bytes:
    """The whole file of a handle, from its start."""
    size = os.fstat(fd).st_size
    pieces: list[bytes] = []
    position = 0
    while True:
        piece = os.pread(fd, max(size - position, 65536), position)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        position += len(piece)
