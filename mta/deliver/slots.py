"""max_parallel of transports (manual chapter 24): slots that all processes share, as locked files under the spool's db.

A slot is free again when its holder closes it or dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from mta.config.runtime import Runtime
from mta.scope.scope import Scope
from mta.text.units import parse_size
from mta.transport.base import Transport

FULL = "concurrency limit reached for transport"


@contextmanager
def slot(runtime: Runtime, transport: Transport, scope: Scope) -> Iterator[bool]:
    """Whether one more delivery by this transport may run now; it may until the block is left.

    ExpansionFailed and Deferred of the option come through. Where the files cannot be made there is no limit.
    """
    option = transport.options.max_parallel
    limit = (parse_size(option(scope).strip(" \t")) or 0) if option is not None else 0
    if limit <= 0:
        yield True
        return
    folder = os.path.join(runtime.spool_directory, "db", "max_parallel")
    held = _take(folder, transport.name, limit)
    try:
        yield held is not None
    finally:
        if held is not None and held >= 0:
            os.close(held)


def _take(folder: str, name: str, limit: int) -> int | None:
    """A locked descriptor, -1 where nothing can be locked, None when all slots are taken."""
    try:
        os.makedirs(folder, 0o750, exist_ok=True)
        for number in range(limit):
            fd = os.open(f"{folder}/{name}.{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                os.close(fd)
    except OSError:
        return -1
    return None
