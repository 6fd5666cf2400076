"""What an operator does with a running daemon: status, Exim's own tools, systemd, the names it is called by."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.configs import RELAY
from tests.peers import programs
from tests.peers.nsd import free_port
from tests.peers.servers import Server, prepare, running, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mta-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with running("mta", RELAY.replace("SINKPORT", "1"), folder, "-bdf", "-q1h", "-oP", f"{folder}/spool/pid") as made:
        yield made


def mtactl(*arguments: str) -> str:
    command = [sys.executable, "-c", "from mta.ctl.main import entry; entry()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def queue_one(server: Server, recipient: str = "user@sink.example") -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.sendmail("sender@e2e.example", [recipient], "Subject: hello\r\n\r\nIt works.\r\n")


def test_status_shows_the_sessions(server: Server, folder: Path) -> None:
    (folder / "configure").write_text(f"pid_file_path = {folder}/spool/pid\n" + (folder / "configure").read_text())
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.ehlo("client.example")
        text = mtactl("status", "-C", str(folder / "configure"))
    assert "handling incoming connection from [127.0.0.1]" in text
    assert "smtp_worker 0" in text
    assert "queue_manager 0" in text


def test_the_queue_by_domain(server: Server, folder: Path) -> None:
    queue_one(server)
    wait_until(lambda: " == user@sink.example" in server.log())
    lines = mtactl("queue", "-C", str(folder / "configure")).splitlines()
    assert lines[1].split()[0] == "1"
    assert lines[1].endswith("  sink.example")


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("exipick", ["-i"], "{id}"),
        ("exiqgrep", ["-i", "-f", "sender@e2e"], "{id}"),
        ("exiqsumm", [], "sink.example"),
        ("exigrep", ["user@sink", "{log}"], "=="),
        ("eximstats", ["{log}"], "Received"),
    ],
)
def test_exims_tools_read_what_mta_wrote(
    server: Server, folder: Path, tool: str, arguments: list[str], expected: str
) -> None:
    path = shutil.which(tool, path="/usr/sbin:/usr/bin")
    if path is None:
        pytest.skip(f"needs {tool} (Debian's exim4-base)")
    queue_one(server)
    wait_until(lambda: " == user@sink.example" in server.log())
    (message_id,) = server.queue_ids()
    log = str(folder / "log/mainlog")
    given = [word.format(log=log) for word in arguments]
    if tool == "exipick":
        given += ["--spool", str(folder / "spool")]
    if tool == "exiqgrep":
        given += ["-C", str(folder / "configure"), "-E", str(wrapper(folder))]
    listing = server.run("-bp") if tool == "exiqsumm" else ""
    done = subprocess.run([path, *given], input=listing, capture_output=True, text=True, timeout=60, check=False)
    assert expected.format(id=message_id) in done.stdout, done.stderr


def wrapper(folder: Path) -> Path:
    """A program named as Exim's tools expect one."""
    path = folder / "exim"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m mta "$@"\n')
    path.chmod(0o755)
    return path


def test_sockets_from_systemd_are_taken_over(folder: Path) -> None:
    port = free_port()
    config = prepare("mta", RELAY.replace("SINKPORT", "1"), folder, 0)
    notify = folder / "notify"
    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        (folder / "output").open("wb") as output,
    ):
        manager.bind(str(notify))
        manager.settimeout(30)
        command = [*programs.mta(), "-C", str(config), "-bdf", "-oP", f"{folder}/spool/pid"]
        # systemd sets LISTEN_PID in the child, after the fork; a shell can do that too
        shell = 'exec 3<&"$1"; shift; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        process = subprocess.Popen(
            ["/bin/bash", "-c", shell, "bash", str(listener.fileno()), *command],
            pass_fds=[listener.fileno()],
            env={**os.environ, "NOTIFY_SOCKET": str(notify)},
            stdout=output,
            stderr=output,
        )
        try:
            assert b"READY=1" in manager.recv(1000)
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                assert client.noop()[0] == 250
        finally:
            process.terminate()
            assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [("mailq", [], "<sender@e2e.example>"), ("exim", ["-bpc"], "1"), ("sendmail", ["-bp"], "user@sink.example")],
)
def test_called_by_other_names(server: Server, folder: Path, name: str, arguments: list[str], said: str) -> None:
    queue_one(server)
    wait_until(lambda: " == user@sink.example" in server.log())
    code = "import sys; from mta.cli.main import entry; sys.argv[0] = sys.argv.pop(1); sys.exit(entry())"
    command = [sys.executable, "-c", code, f"/usr/sbin/{name}", "-C", str(folder / "configure"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert said in done.stdout


def test_fail2bans_filter_finds_the_offenders(folder: Path) -> None:
    tool = shutil.which("fail2ban-regex", path="/usr/bin:/usr/sbin")
    if tool is None:
        pytest.skip("needs fail2ban-regex (Debian's fail2ban)")
    authenticator = "driver = plaintext\npublic_name = PLAIN\nserver_condition = no\nserver_set_id = $auth2\n"
    config = RELAY.replace("SINKPORT", "1").replace(
        "  accept hosts = 127.0.0.1\n", "  deny message = relay not permitted\n"
    )
    config += f"begin authenticators\nplain:\n{authenticator}"
    with running("mta", config, folder) as server, smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.ehlo("client.example")
        client.mail("spammer@source.example")
        assert client.rcpt("user@elsewhere.example")[0] == 550
        client.rset()
        assert client.docmd("AUTH PLAIN AHVzZXIAcGFzcw==")[0] == 535
        log = str(folder / "log/mainlog")
        command = [tool, log, "/etc/fail2ban/filter.d/exim.conf"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "2 matched" in done.stdout
