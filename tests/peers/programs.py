"""Programs that tests and benches run beside mta, and where they are; None for one that is missing."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POSTFIX = ROOT / "tests" / ".peers"


def exim() -> str | None:
    """Debian's Exim 4.96, the oracle."""
    return shutil.which("exim4", path="/usr/sbin:/usr/bin")


def postfix_tool(name: str) -> str | None:
    """smtp-source, smtp-sink: from the unpacked package, or an installed one."""
    unpacked = POSTFIX / "usr" / "sbin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name, path="/usr/sbin:/usr/bin")


def postfix_environment() -> dict[str, str]:
    """The environment in which the unpacked tools find their libraries."""
    return {**os.environ, "LD_LIBRARY_PATH": str(POSTFIX / "usr" / "lib" / "postfix")}


def mta() -> list[str]:
    """The command of this checkout."""
    import sys

    return [sys.executable, "-m", "mta"]


def exim_user() -> str:
    """The account that Debian's Exim runs as."""
    for name in ("Debian-exim", "mail", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return pwd.getpwuid(os.getuid()).pw_name
