"""A body behind an open file handle that several readers share: ``open_body(fd, skip)`` gives each its own position."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class _Reader(io.RawIOBase):
    """Reads with pread, so that the handle's position is nobody's; does not close it."""

    def __init__(self, fd: int, skip: int) -> None:
        self._fd = fd
        self._skip = skip
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        if base is None:
            base = os.fstat(self._fd).st_size - self._skip
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._fd, len(buffer), self._skip + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_body(fd: int, skip: int) -> BinaryIO:
    """A buffered reader at the first byte of the body; ``skip`` bytes of the file come before it."""
    return io.BufferedReader(_Reader(fd, skip))
