"""Load on loopback: Postfix's smtp-source as clients, smtp-sink as the next hop. Bounded in count and time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.peers import programs
from tests.peers.nsd import free_port
from tests.peers.servers import banner_came, wait_until


@dataclass(frozen=True, slots=True)
class Load:
    """``count`` messages of ``size`` bytes from ``clients`` at once; ``reuse``: many messages a connection."""

    count: int = 1000
    size: int = 1024
    clients: int = 10
    reuse: bool = False
    sender: str = "sender@source.example"
    recipient: str = "user@sink.example"


def send(load: Load, port: int, seconds: float = 300) -> None:
    """Run smtp-source to its end; AssertionError with what it said when the server refused something."""
    tool = programs.postfix_tool("smtp-source")
    assert tool is not None
    command = [tool, "-s", str(load.clients), "-l", str(load.size), "-m", str(load.count)]
    if load.reuse:
        command.append("-d")
    command += ["-f", load.sender, "-t", load.recipient, f"127.0.0.1:{port}"]
    done = subprocess.run(
        command, env=programs.postfix_environment(), capture_output=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise AssertionError(f"smtp-source: {done.stderr.decode()}")


@contextmanager
def sink(*options: str) -> Iterator[int]:
    """smtp-sink on a free port, which is given."""
    tool = programs.postfix_tool("smtp-sink")
    assert tool is not None
    port = free_port()
    process = subprocess.Popen(
        [tool, *options, "-u", programs.exim_user(), f"127.0.0.1:{port}", "1000"],
        env=programs.postfix_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: banner_came(port), 20, "smtp-sink")
        yield port
    finally:
        process.terminate()
        process.wait()
