"""Memory of held connections: what the receiving processes use with none and with many sessions waiting.

python -m bench.memory [--connections N]
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.receive import CONFIG
from tests.peers import programs
from tests.peers.servers import Kind, Server, running


def used(server: Server) -> float:
    """Proportional set size of the daemon and all below it, MiB."""
    total = 0
    for process in server.processes():
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / (1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=500)
    given = parser.parse_args()
    config = CONFIG.format(user=programs.exim_user()).replace("smtp_accept_max = 100", "smtp_accept_max = 2000")
    kinds: list[Kind] = ["mta", "exim"] if programs.exim() else ["mta"]
    print(f"memory (PSS, all processes), {given.connections} connections held after the banner")
    for kind in kinds:
        with ExitStack() as clients:
            folder = Path(clients.enter_context(tempfile.TemporaryDirectory(prefix="mta-bench-")))
            folder.chmod(0o755)
            server = clients.enter_context(running(kind, config, folder / kind))
            before = used(server)
            for _ in range(given.connections):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
                client.recv(1000)
            after = used(server)
            each = (after - before) * 1024 / given.connections
            print(f"  {kind:<8} {before:7.1f} MiB idle  {after:7.1f} MiB with them  {each:6.1f} KiB a connection")


if __name__ == "__main__":
    main()
