"""A real PostgreSQL on loopback with a data folder of its own: password authentication, a socket in its folder.

``with postgres() as server:``; ``server.psql(sql)`` runs statements as its superuser. Skips, by name, where it
is missing.
"""

from __future__ import annotations

import glob
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import account, daemon, own_folder, program, run_as
from tests.peers.nsd import free_port

PASSWORD = "pg-secret"


@dataclass(slots=True)
class Postgres:
    port: int
    folder: Path
    bin: Path

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{self.port}"

    def item(self, database: str = "postgres") -> str:
        """What pgsql_servers would hold, with the colon as it is after splitting."""
        return f"127.0.0.1:{self.port}/{database}/postgres/{PASSWORD}"

    def psql(self, sql: str) -> str:
        """Statements as the superuser; what psql printed, without decoration."""
        command = [
            str(self.bin / "psql"),
            "-X",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        done = subprocess.run(
            [*command, "-p", str(self.port), "-U", "postgres", "postgres"],
            input=sql.encode(),
            capture_output=True,
            env={"PGPASSWORD": PASSWORD},
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("latin-1")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Make a cluster of databases and run the server."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    binaries = Path(program("initdb", "postgresql", *folders)).parent
    user = account("postgres")
    with own_folder("postgres", user) as folder:
        data, secret = folder / "data", folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o644)
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
        run_as(user, [*initdb, "--locale=C", "--no-sync", "--no-instructions", f"--pwfile={secret}"], folder)
        port = free_port()
        server = Postgres(port, folder, binaries)
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        settings = ["fsync=off", "log_statement=all", "password_encryption=scram-sha-256", "shared_buffers=16MB"]
        for setting in settings:
            command += ["-c", setting]
        ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        with daemon(
            command,
            folder,
            lambda: subprocess.run(ready, check=False).returncode == 0,
            user=user,
            stop=signal.SIGINT,  # does not wait for clients
        ):
            yield server
