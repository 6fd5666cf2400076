"""What becomes of local submissions: a message from standard input to a mailbox, and when delivery waits."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mta.cli.arguments import Arguments
from mta.cli.modes import submit

CONFIG = """\
primary_hostname = h.example
spool_directory = DIR/spool
log_file_path = DIR/%slog
never_users =
local_interfaces = 127.0.0.1
begin routers
hold:
  driver = accept
  local_parts = joe
  transport = box
begin transports
box:
  driver = appendfile
  file = DIR/box/joe
  user = USER
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that other users reach, which pytest's own are not while another run of it starts."""
    with tempfile.TemporaryDirectory(prefix="mta-submit-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def mta(tmp_path: Path, *argv: str, given: str = "") -> subprocess.CompletedProcess[str]:
    box = tmp_path / "box"
    box.mkdir(exist_ok=True)
    box.chmod(0o1777)
    user = "mail" if os.geteuid() == 0 else str(os.geteuid())
    config = tmp_path / "mta.conf"
    config.write_text(CONFIG.replace("DIR", str(tmp_path)).replace("USER", user))
    command = [sys.executable, "-m", "mta", "-C", str(config), *argv]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


def test_a_message_is_delivered_while_the_caller_waits(tmp_path: Path) -> None:
    done = mta(tmp_path, "-odi", "joe", given="Subject: hello\n\nbody\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (tmp_path / "box/joe").read_text()
    assert "Subject: hello\n" in text
    assert text.endswith("\nbody\n\n")
    assert " => joe <joe@h.example>" in (tmp_path / "mainlog").read_text()


def test_a_message_waits_for_a_queue_run(tmp_path: Path) -> None:
    assert mta(tmp_path, "-odq", "-t", given="To: joe@h.example\nSubject: later\n\nbody\n").returncode == 0
    assert mta(tmp_path, "-bpc").stdout == "1\n"
    assert not (tmp_path / "box/joe").exists()
    assert mta(tmp_path, "-q").returncode == 0
    assert mta(tmp_path, "-bpc").stdout == "0\n"
    assert "Subject: later" in (tmp_path / "box/joe").read_text()


def test_smtp_on_standard_input(tmp_path: Path) -> None:
    session = "EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<joe@h.example>\r\nQUIT\r\n"
    done = mta(tmp_path, "-bs", given=session)
    assert done.stdout.startswith("220 h.example ESMTP ")
    assert "221 h.example closing connection" in done.stdout


DECISIONS = [
    ({}, {}, "b"),
    ({"delivery": "i"}, {}, "i"),
    ({"delivery": "q"}, {}, "q"),
    ({"delivery": "qs"}, {}, "qs"),
    ({}, {"queue_only": True}, "q"),
    ({"delivery": "i"}, {"queue_only": True}, "i"),
    ({"delivery": "i"}, {"queue_only": True, "queue_only_override": False}, "q"),
    ({"delivery": "q"}, {"queue_only_override": False}, "q"),
    ({}, {"queue_only_load": 0.0}, "q"),
    ({}, {"queue_only_load": 1e9}, "b"),
    ({}, {"queue_only_file": "/dev/null"}, "q"),
    ({}, {"queue_only_file": "/nonexistent/x"}, "b"),
    ({"mode": "bs"}, {"smtp_accept_queue_per_connection": 1}, "q"),
    ({"mode": "bm"}, {"smtp_accept_queue_per_connection": 1}, "b"),
]


@pytest.mark.parametrize(("given", "options", "how"), DECISIONS)
def test_when_to_deliver(
    given: dict[str, str], options: dict[str, object], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = {
        "queue_only": False,
        "queue_only_override": True,
        "queue_only_load": None,
        "queue_only_file": None,
        "smtp_accept_queue_per_connection": 10,
        **options,
    }
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 1.0, 1.0))
    call = SimpleNamespace(
        arguments=Arguments(**{"mode": "bm", **given}),
        config=lambda: SimpleNamespace(main=SimpleNamespace(**main)),
    )
    arrivals = submit.Arrivals(call)  # type: ignore[arg-type]
    arrivals._count = 2
    assert arrivals._how() == how


def test_who_may_write(tmp_path: Path) -> None:
    assert submit.may_write(f"{tmp_path}/not/there/yet")
    if os.geteuid() != 0:
        assert not submit.may_write("/nonexistent/x")
