"""sd_notify and inherited listeners, against a real datagram socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from mta.daemon.systemd import inherited_listeners, notify, watchdog_interval


def test_notify_reaches_the_manager(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.settimeout(5)
        notify("READY=1", {"NOTIFY_SOCKET": path})
        assert server.recv(100) == b"READY=1"


def test_notify_without_a_manager_does_nothing() -> None:
    notify("READY=1", {})
    notify("READY=1", {"NOTIFY_SOCKET": "/nonexistent/socket"})


def test_listeners_for_another_process_are_not_taken() -> None:
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    assert inherited_listeners(environ) == []
    assert environ == {}


def test_watchdog() -> None:
    assert watchdog_interval({"WATCHDOG_USEC": "60000000"}) == 30.0
    assert watchdog_interval({}) == 0.0
