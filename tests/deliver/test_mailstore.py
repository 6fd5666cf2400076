"""Mailstore: two files a message, beside what Exim writes (manual section 26.8)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deliver.world import World


def stored(root: Path, who: str) -> tuple[World, str, list[str]]:
    """Deliver one message to two recipients; the envelope and the message as written, and what else is there."""
    root.mkdir(mode=0o755)
    world = World(root, main="message_logs = false")
    conf = (root / "conf").read_text()
    conf = conf.replace(
        "  create_directory\n",
        "  batch_max = 10\n  mailstore_format\n  mailstore_prefix = sent by $sender_address\n"
        "  mailstore_suffix = ${if eq{a}{b}{}fail}\n",
        1,
    )
    conf = re.sub(r"  file = (\S+/mail)/\$\{lookup.*", r"  directory = \1", conf, count=1)
    (root / "conf").write_text(conf)
    world.runtime = world.start()
    message_id = world.put("x@host.test", "y@host.test")
    if who == "exim":
        subprocess.run(["chown", "-R", "nobody:nogroup", str(root)], check=True)
        shutil.chown(root / "conf", "root", "root")
        command = ["exim4", "-C", str(root / "conf"), "-M", message_id]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        world.deliver(message_id)
    found = sorted(path.suffix + ":" + path.read_text() for path in (root / "mail").iterdir())
    return world, message_id, [text.replace(message_id, "ID") for text in found]


def test_two_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    world, message_id, found = stored(tmp_path / "ours", "ours")
    assert found[0] == ".env:sent by s@hold.test\ns@hold.test\nx@host.test\ny@host.test\n"
    assert found[1].endswith("\n\nline one\nline two\n")
    assert [path.suffix for path in sorted((tmp_path / "ours" / "mail").iterdir())] == [".env", ".msg"]
    assert world.log(message_id)[-1] == "Completed"


@pytest.mark.oracle
def test_as_exim(tmp_path: Path) -> None:
    if shutil.which("exim4") is None or os.geteuid() != 0:
        pytest.skip("exim4 is missing, or not called by root")
    found = [stored(tmp_path / who, who)[2] for who in ("exim", "ours")]
    assert found[1] == found[0]
