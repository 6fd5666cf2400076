"""A running MTA on loopback: mta or Debian's Exim, with a configuration of the caller's, in a folder of its own.

``with running("mta", CONFIG, folder) as server:`` The text may use @DIR@ and @PORT@. The server is
ready when its banner has come; on leaving it is told to stop and waited for.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from tests.peers import programs
from tests.peers.nsd import free_port

Kind = Literal["mta", "exim"]


@dataclass(slots=True)
class Server:
    kind: Kind
    folder: Path
    config: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def command(self, *arguments: str) -> list[str]:
        """A command line of this MTA on this configuration."""
        return [*base_command(self.kind), "-C", str(self.config), *arguments]

    def run(self, *arguments: str, input: str = "", check: bool = True) -> str:
        """Run it and give its standard output."""
        done = subprocess.run(
            self.command(*arguments), input=input.encode(), capture_output=True, check=False, timeout=60
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: exit {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode("latin-1")

    def queue_ids(self) -> list[str]:
        """Ids of the messages in the spool, by their -H files."""
        return sorted(path.name[:-2] for path in (self.spool / "input").rglob("*-H"))

    def log(self, name: str = "mainlog") -> str:
        """A log file's text, "" when it is not there yet."""
        path = self.folder / "log" / name
        return path.read_text("latin-1") if path.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """The daemon and everything below it."""
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_seconds(self) -> float:
        """User and system time of the daemon, its living children and those it has waited for."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
            if process.pid == self.process.pid:
                total += times.children_user + times.children_system
        return total


def base_command(kind: Kind) -> list[str]:
    """How to call an MTA."""
    if kind == "mta":
        return programs.mta()
    path = programs.exim()
    assert path is not None
    return [path]


def wait_until(condition, seconds: float = 20.0, what: str = "") -> None:  # type: ignore[no-untyped-def]
    """Poll a condition of another process until it holds; AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)


def banner_came(port: int) -> bool:
    """Whether an SMTP server greets on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            greeted = sock.recv(1000).startswith(b"220")
            sock.sendall(b"QUIT\r\n")
            sock.recv(1000)
            return greeted
    except OSError:
        return False


def prepare(kind: Kind, config: str, folder: Path, port: int) -> Path:
    """The folder with spool, log and configuration, owned as the MTA wants it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("spool", "log", "mail"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "configure"
    path.write_text(config.replace("@DIR@", str(folder)).replace("@PORT@", str(port)))
    path.chmod(0o644)
    if os.getuid() == 0:
        user = pwd.getpwnam(programs.exim_user())
        for name in ("spool", "log", "mail"):
            shutil.chown(folder / name, user.pw_uid, user.pw_gid)
        folder.chmod(0o755)
    return path


@contextmanager
def running(
    kind: Kind, config: str, folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """Start, wait for the banner, give the server, stop it."""
    port = free_port()
    path = prepare(kind, config, folder, port)
    command = [*base_command(kind), "-C", str(path), *(arguments or ("-bdf",)), "-oX", f"127.0.0.1.{port}"]
    output = (folder / "output").open("wb")
    process = subprocess.Popen(
        command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment, cwd=str(folder)
    )
    output.close()
    server = Server(kind, folder, path, port, process)
    try:
        wait_until(lambda: process.poll() is not None or banner_came(port), 30, "a banner")
        if process.poll() is not None:
            raise AssertionError(f"{command} ended: {(folder / 'output').read_text('latin-1')}")
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """TERM, and KILL for what is left of what we started."""
    below = server.processes()
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
    for process in below:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
        except psutil.NoSuchProcess:
            continue
