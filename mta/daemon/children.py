"""Forking a child of the master, and what every child does first: drop ids, die with the master, own its signals."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import setproctitle

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


@dataclass(slots=True)
class Ids:
    """Whom a child becomes; uid -1 leaves everything as it is."""

    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] = ()


def drop(ids: Ids) -> None:
    """Become ``ids`` for good, and never gain rights again. Only root can; others are what they are already."""
    if ids.uid >= 0 and os.geteuid() == 0:
        os.setgroups(list(ids.groups) or [ids.gid])
        os.setresgid(ids.gid, ids.gid, ids.gid)
        os.setresuid(ids.uid, ids.uid, ids.uid)
        _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """No worker survives its master: the kernel sends SIGTERM when it is gone (Linux, prctl(2))."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)


def fork_child(title: str, run: Callable[[], int], ids: Ids, *, close: Callable[[], None] = lambda: None) -> int:
    """Fork; the child runs ``run`` and exits with its value. The parent gets the pid.

    ``close`` drops what belongs to the parent only. An exception in the child is a traceback on
    stderr and exit 70, never a return into the parent's code.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN if number != signal.SIGCHLD else signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        close()
        gc.freeze()
        drop(ids)
        die_with_parent(parent)
        setproctitle.setproctitle(f"mta: {title}")
        status = run()
    except BaseException:  # the last frame of a process: whatever it was must be seen
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
