"""A real clamd on loopback with one signature of our own: the EICAR test string. Nothing is fetched.

``with clamd() as server:``; skips, by name, where clamd is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import daemon, own_folder, program
from tests.peers.nsd import free_port

# in two halves, so that this file is no virus
EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Mta.Test.Eicar.UNOFFICIAL"
CONFIG = """\
DatabaseDirectory {folder}/db
TemporaryDirectory {folder}
LocalSocket {folder}/clamd.sock
LocalSocketMode 666
TCPSocket {port}
TCPAddr 127.0.0.1
Foreground yes
MaxThreads 2
ConcurrentDatabaseReload no
SelfCheck 0
StreamMaxLength 2M
{user}
"""


@dataclass(slots=True)
class Clamd:
    port: int
    socket: Path


@contextmanager
def clamd() -> Iterator[Clamd]:
    """One daemon; as root when we are, so that it may read the files it is pointed at."""
    path = program("clamd", "clamav-daemon")
    with own_folder("clamd", None) as folder:
        server = Clamd(free_port(), folder / "clamd.sock")
        (folder / "db").mkdir()
        signature = EICAR.encode().hex()
        (folder / "db" / "mta.ndb").write_text(f"Mta.Test.Eicar:0:*:{signature}\n")
        config = folder / "clamd.conf"
        config.write_text(CONFIG.format(folder=folder, port=server.port, user="User root" if _root() else ""))
        with daemon([path, f"--config-file={config}"], folder, lambda: _answers(server.port)):
            yield server


def _root() -> bool:
    import os

    return os.getuid() == 0


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"nPING\n")
            return sock.recv(100) == b"PONG\n"
    except OSError:
        return False
