"""A real name server: nsd on a free loopback port with the zones that a test gives it.

``with name_server({"example.com": ZONE}, tmp_path) as (address, port):``; skips, by name, where nsd is missing.
It is authoritative only: it answers REFUSED for other zones and sets AA, never AD.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import pytest

SOA = "$TTL 300\n@ IN SOA ns.invalid. root.invalid. 1 3600 600 86400 60\n@ IN NS ns.invalid.\n"


def free_port() -> int:
    """A port that is free for UDP and TCP on 127.0.0.1 just now."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(port)


def write_configuration(zones: dict[str, str], folder: Path, port: int) -> Path:
    """nsd.conf and the zone files under ``folder``; a text without SOA gets one."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        "  hide-version: yes",
        "  server-count: 1",
        '  username: ""',
        '  chroot: ""',
        f"  zonesdir: {folder}",
        f"  database: {folder}/nsd.db",
        f"  pidfile: {folder}/nsd.pid",
        f"  zonelistfile: {folder}/zone.list",
        f"  xfrdfile: {folder}/xfrd.state",
        f"  xfrdir: {folder}",
        f"  logfile: {folder}/nsd.log",
        "remote-control:",
        "  control-enable: no",
    ]
    for name, text in zones.items():
        file = folder / f"{name.rstrip('.')}.zone"
        body = text if " SOA " in text else SOA + text
        file.write_text(f"$ORIGIN {name.rstrip('.')}.\n{body}\n")
        lines += ["zone:", f"  name: {name}", f"  zonefile: {file}"]
    configuration = folder / "nsd.conf"
    configuration.write_text("\n".join(lines) + "\n")
    return configuration


@contextmanager
def name_server(zones: dict[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """Run nsd while the block runs; gives (address, port)."""
    program = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nsd is not installed (Debian package nsd)")
    port = free_port()
    configuration = write_configuration(zones, folder / "nsd", port)
    with subprocess.Popen(
        [program, "-d", "-c", str(configuration)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _await_answer(next(iter(zones)), port, process, folder / "nsd" / "nsd.log")
            yield "127.0.0.1", port
        finally:
            process.terminate()
            process.wait(10)


def _await_answer(zone: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until it answers; a refused datagram comes back at once, so that pauses are short."""
    deadline = time.monotonic() + 20
    question = dns.message.make_query(zone, "SOA")
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect(("127.0.0.1", port))
            try:
                sock.send(question.to_wire())
                sock.recv(4096)
                return
            except TimeoutError:
                continue
            except OSError:
                process_died = process.poll() is not None
                if process_died:
                    break
                _pause()
    raise RuntimeError(f"nsd did not start: {log.read_text() if log.exists() else 'no log'}")


def _pause() -> None:
    time.sleep(0.02)
