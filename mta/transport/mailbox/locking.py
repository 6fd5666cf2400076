"""Locks of mailbox files: the lock file that NFS respects, fcntl and flock (manual section 26.3).

fcntl locks are taken as open file description locks where the system has them: they hold between our own
threads and conflict with every other program's fcntl locks.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mta.transport.mailbox.errors import MailboxError
from mta.transport.outcomes import LOCK_FAILED

_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", None)
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """Times in seconds; ``retries`` counts attempts, at least one."""

    use_lockfile: bool = True
    use_fcntl: bool = True
    use_flock: bool = False
    interval: float = 3.0
    retries: int = 10
    lockfile_mode: int = 0o600
    lockfile_timeout: float = 1800.0
    fcntl_timeout: float = 0.0
    flock_timeout: float = 0.0

    def attempts(self) -> int:
        """How often the open file is tried: fewer times where each try may block for its own time-out."""
        longest = max(self.fcntl_timeout if self.use_fcntl else 0.0, self.flock_timeout if self.use_flock else 0.0)
        tries = max(1, self.retries)
        if longest <= 0:
            return tries
        return max(1, -int(-(tries * self.interval) // longest))


def lock_file_name(path: str) -> str:
    return f"{path}.lock"


def take_lock_file(path: str, policy: LockPolicy, host: str) -> str:
    """Make ``path.lock`` by linking a hitching post to it; the name, for unlinking afterwards."""
    name = lock_file_name(path)
    moment = int(time.time())
    hitch = f"{name}.{host}.{moment:08x}.{os.getpid():08x}{threading.get_ident() & 0xFFFF:04x}"
    for attempt in range(max(1, policy.retries)):
        if attempt:
            time.sleep(policy.interval)
        try:
            fd = os.open(hitch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, policy.lockfile_mode)
        except OSError as error:
            raise MailboxError(
                f"creating lock file hitching post {hitch} (euid={os.geteuid()} egid={os.getegid()})", error.errno or -1
            ) from None
        os.close(fd)
        try:
            if _link_is_ours(hitch, name):
                return name
        finally:
            os.unlink(hitch)
        _remove_stale(name, policy.lockfile_timeout)
    raise MailboxError(f"failed to lock mailbox {path} (lock file)", LOCK_FAILED)


def drop_lock_file(name: str) -> None:
    """Remove our lock file; somebody who thought it stale may have done so."""
    try:
        os.unlink(name)
    except FileNotFoundError:
        return


def _link_is_ours(hitch: str, name: str) -> bool:
    try:
        os.link(hitch, name, follow_symlinks=False)
        return True
    except OSError:
        # Over NFS the link may have been made although the answer was lost: the count knows.
        return os.stat(hitch).st_nlink == 2


def _remove_stale(name: str, timeout: float) -> None:
    try:
        if time.time() - os.lstat(name).st_ctime > timeout:
            os.unlink(name)
    except FileNotFoundError:
        return
    except OSError:
        return  # not ours to remove: the retries run out and say so


def lock_open_file(fd: int, policy: LockPolicy) -> bool:
    """Take the locks of an open file; closing it lets go of them."""
    if policy.use_fcntl and not _within(policy.fcntl_timeout, lambda: _fcntl(fd)):
        return False
    return not policy.use_flock or _within(policy.flock_timeout, lambda: _flock(fd))


def _within(timeout: float, attempt: Callable[[], bool]) -> bool:
    # A blocking call with an alarm is not for threads: poll until the time is over.
    deadline = time.monotonic() + timeout
    while True:
        if attempt():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)


def _fcntl(fd: int) -> bool:
    try:
        if _OFD_SETLK is not None:
            fcntl.fcntl(fd, _OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EINTR):
            return False
        raise
    return True


def _flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
