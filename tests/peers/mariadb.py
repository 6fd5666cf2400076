"""A real MariaDB on loopback with a data folder of its own and a socket in its folder; root has a password.

``with mariadb() as server:``; ``server.sql(statements)`` runs them as root. Skips, by name, where it is missing.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import account, daemon, own_folder, program, run_as
from tests.peers.nsd import free_port

PASSWORD = "maria-secret"


@dataclass(slots=True)
class MariaDB:
    port: int
    folder: Path
    client: str

    @property
    def socket(self) -> Path:
        return self.folder / "m.sock"

    @property
    def log(self) -> Path:
        """The general log: every statement and connection."""
        return self.folder / "general.log"

    def item(self, database: str = "mail") -> str:
        """What mysql_servers would hold, with the colon as it is after splitting."""
        return f"127.0.0.1:{self.port}/{database}/mta/{PASSWORD}"

    def sql(self, statements: str) -> str:
        """Statements as root over the socket; the rows, fields between tabs."""
        command = [self.client, "--no-defaults", "-N", "-u", "root", "-S", str(self.socket)]
        done = subprocess.run(
            [*command, "--default-character-set=utf8mb4"],
            input=statements.encode(),
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("latin-1")


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Make the system tables and run the server."""
    server_path = program("mariadbd", "mariadb-server")
    install = program("mariadb-install-db", "mariadb-server")
    client = program("mariadb", "mariadb-client")
    user = account("mysql")
    with own_folder("mariadb", user) as folder:
        data = folder / "data"
        prepare = [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        run_as(user, [*prepare, "--skip-test-db", "--innodb-log-file-size=4M"], folder)
        port = free_port()
        server = MariaDB(port, folder, client)
        command = [server_path, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]
        command += [f"--socket={server.socket}", "--general-log=1", f"--general-log-file={server.log}"]
        command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"]
        command += ["--skip-name-resolve", f"--pid-file={folder}/pid"]
        with daemon(command, folder, lambda: _greets(port), user=user):
            server.sql(
                "CREATE DATABASE mail CHARACTER SET utf8mb4;"
                f"CREATE USER mta IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON mail.* TO mta;"
            )
            yield server


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            return bool(sock.recv(4))
    except OSError:
        return False
