"""opendkim-testmsg as a verifier, with the name server that a test gives it: in network and mount spaces of its own,
so that port 53 and /etc/resolv.conf are free. Skips, by name, where a program or the right is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.nsd import write_configuration

PROGRAMS = {"opendkim-testmsg": "opendkim-tools", "nsd": "nsd", "unshare": "util-linux", "ip": "iproute2"}
SCRIPT = """
ip link set lo up
mount --bind "$1/resolv.conf" /etc/resolv.conf
nsd -d -c "$1/nsd.conf" >/dev/null 2>&1 &
server=$!
for try in $(seq 200); do
  grep -q "nsd started" "$1/nsd.log" 2>/dev/null && break
  read -t 0.05 unused </dev/zero || true
done
status=0
for message in "$1"/*.eml; do
  if opendkim-testmsg < "$message" 2>>"$1/said"; then echo "pass $(basename "$message")"
  else echo "fail $(basename "$message")"; fi
done
kill $server
"""


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {PROGRAMS[name]})")
    return found


def verify(messages: dict[str, bytes], zones: dict[str, str], folder: Path) -> dict[str, str]:
    """``pass`` or ``fail`` for each message by name, with the zones served on 127.0.0.1 port 53."""
    for name in PROGRAMS:
        program(name)
    if subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare may not make network and mount spaces here")
    write_configuration(zones, folder, 53)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    for name, data in messages.items():
        (folder / f"{name}.eml").write_bytes(data)
    ran = subprocess.run(
        ["unshare", "-n", "-m", "bash", "-c", SCRIPT, "opendkim", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    answers = [line.split() for line in ran.stdout.splitlines()]
    assert len(answers) == len(messages), ran.stderr
    return {name.removesuffix(".eml"): word for word, name in answers}
