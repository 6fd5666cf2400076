"""How the database servers of the tests are started: a folder of their own in /tmp, another user when we are root.

``with daemon(command, folder, ready, user=...):`` runs a foreground server until the block is left.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def program(name: str, package: str, *folders: str) -> str:
    """The path of a server's program; skips, naming the Debian package, where it is missing."""
    found = shutil.which(name, path=":".join([*folders, "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]))
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found


def account(*names: str) -> str | None:
    """The first of the accounts that exists, for a server that must not be root's; None when we are not root."""
    if os.getuid() != 0:
        return None
    for name in (*names, "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@contextmanager
def own_folder(name: str, user: str | None) -> Iterator[Path]:
    """A new folder under /tmp, short enough for sockets and reachable for ``user``; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"mta-{name}-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        if user is not None:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def run_as(user: str | None, command: Sequence[str], folder: Path) -> None:
    """Run a command that prepares a server; AssertionError with what it said when it fails."""
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, cwd=folder, env=environment, timeout=60, **_identity(user))  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}{done.stdout.decode()}"


@contextmanager
def daemon(
    command: Sequence[str],
    folder: Path,
    ready: Callable[[], bool],
    *,
    user: str | None = None,
    stop: int = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground; the block begins when ``ready`` says so; ``stop`` ends it."""
    log = folder / "output"
    environment = {**os.environ, "HOME": str(folder)}
    with log.open("wb") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            **_identity(user),
        )
    try:
        deadline = time.monotonic() + 30
        while not ready():
            assert process.poll() is None, f"{command[0]} ended: {log.read_text('latin-1')}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer: {log.read_text('latin-1')}"
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
