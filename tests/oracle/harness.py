"""Both MTAs on one configuration: the same arguments and input, outputs made comparable.

``with both(config) as pair`` writes the file; ``Pair.run`` gives (ours, Exim's). Tests skip, by name,
where Debian's Exim is missing.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import programs

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ID = re.compile(r"\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}\b")
_PID = re.compile(r"\bpid=\d+")


@dataclass(frozen=True, slots=True)
class Said:
    """What a program said; text is byte text."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Pair:
    config: Path
    folder: Path

    def mta(self, *arguments: str, input: str = "") -> Said:
        return self._call([*programs.mta(), "-C", str(self.config), *arguments], input)

    def exim(self, *arguments: str, input: str = "") -> Said:
        path = programs.exim()
        assert path is not None
        return self._call([path, "-C", str(self.config), *arguments], input)

    def run(self, *arguments: str, input: str = "") -> tuple[Said, Said]:
        """(ours, Exim's)."""
        return self.mta(*arguments, input=input), self.exim(*arguments, input=input)

    def _call(self, command: list[str], input: str) -> Said:
        done = subprocess.run(
            [word.encode("latin-1") for word in command],
            input=input.encode("latin-1"),
            capture_output=True,
            timeout=60,
            check=False,
            cwd=str(programs.ROOT),
            env={**os.environ, "LC_ALL": "C"},
        )
        return Said(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


@contextmanager
def both(config: str) -> Iterator[Pair]:
    """The configuration in a folder that Exim's user can reach (@DIR@ in its text); skips without the oracle."""
    with tempfile.TemporaryDirectory(prefix="mta-oracle-") as name:
        yield _prepare(config, Path(name))


def _prepare(config: str, folder: Path) -> Pair:
    if programs.exim() is None:
        pytest.skip("needs exim4 (Debian's exim4-daemon-heavy)")
    if os.getuid() != 0:
        pytest.skip("needs root: exim4 -C keeps its rights for root only")
    folder.chmod(0o755)
    user = pwd.getpwnam(programs.exim_user())
    for name in ("spool", "log"):
        (folder / name).mkdir(exist_ok=True)
        shutil.chown(folder / name, user.pw_uid, user.pw_gid)
    path = folder / "configure"
    head = f"spool_directory = {folder}/spool\nlog_file_path = {folder}/log/%slog\nprimary_hostname = oracle.example\n"
    head += f"exim_user = {user.pw_name}\nkeep_environment =\ntls_advertise_hosts =\n"
    path.write_text(head + config.replace("@DIR@", str(folder)), "latin-1")
    path.chmod(0o644)
    return Pair(path, folder)


def plain(text: str) -> str:
    """Times, ids and process numbers taken out."""
    text = _TIME.sub("TIME", text)
    text = _ID.sub("ID", text)
    return _PID.sub("pid=PID", text)
