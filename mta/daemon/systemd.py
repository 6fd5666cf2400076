"""systemd's two protocols: readiness messages and inherited listeners (sd_notify(3), sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

FIRST_FD = 3


def notify(text: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Send e.g. ``READY=1`` to the manager that started us; nothing happens when there is none."""
    path = environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.sendall(text.encode())
        except OSError:
            # A manager that is gone is no reason to stop the mail.
            return


def inherited_listeners(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The stream sockets that the manager passed to this process; the variables are taken out of the environment."""
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        if sock.type == socket.SOCK_STREAM and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setblocking(False)
            found.append(sock)
    return found


def watchdog_interval(environ: MutableMapping[str, str] = os.environ) -> float:
    """Seconds between ``WATCHDOG=1`` messages (half of what the manager allows), 0 when it wants none."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(usec) / 2_000_000
