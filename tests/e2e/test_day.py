"""A server's day: mail in, to mailboxes and onwards, bounces, reload, stop."""

from __future__ import annotations

import re
import signal
import smtplib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.configs import RELAY
from tests.peers.servers import Server, running, wait_until


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mta-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with running("mta", RELAY.replace("SINKPORT", "1"), folder, "-bdf", "-q1h") as made:
        yield made


def send(server: Server, recipients: list[str], text: str = "Subject: hello\r\n\r\nIt works.\r\n") -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.sendmail("sender@e2e.example", recipients, text)


def mailbox(server: Server, name: str) -> list[Path]:
    return sorted((server.folder / "mail" / name / "new").glob("*"))


def test_a_message_reaches_its_mailboxes_once(server: Server) -> None:
    send(server, ["ann@e2e.example", "bob@e2e.example", "ann@E2E.Example"])
    wait_until(lambda: mailbox(server, "ann") and mailbox(server, "bob"))
    wait_until(lambda: not server.queue_ids())
    (found,) = mailbox(server, "ann")
    text = found.read_text()
    assert text.endswith("\n\nIt works.\n")
    assert re.search(r"^Received: from .*\n\tby e2e\.example with esmtp", text, re.MULTILINE)
    log = server.log()
    assert " <= sender@e2e.example H=" in log
    assert " => ann <ann@e2e.example> R=people T=maildir" in log
    wait_until(lambda: server.log().count(" Completed") == 1)


def test_an_unknown_recipient_is_refused_or_bounced(server: Server) -> None:
    send(server, ["nobody@e2e.example", "ann@e2e.example"])
    wait_until(lambda: mailbox(server, "sender"))
    (bounce,) = mailbox(server, "sender")
    text = bounce.read_text()
    assert "From: Mail Delivery System <Mailer-Daemon@e2e.example>" in text
    assert "no such person" in text
    assert "message/delivery-status" in text
    wait_until(lambda: not server.queue_ids())
    assert "** nobody@e2e.example R=refuse: no such person" in server.log()


def test_an_autoreply_is_handed_in_and_delivered(server: Server) -> None:
    send(server, ["robot@e2e.example"])
    wait_until(lambda: mailbox(server, "sender"))
    (answer,) = mailbox(server, "sender")
    text = answer.read_text()
    assert "\nSubject: I am a robot\n" in text
    assert "You said: hello" in text
    assert text.count("\nDate: ") == 1
    wait_until(lambda: server.log().count(" Completed") == 2)


def test_a_dead_next_hop_defers(server: Server) -> None:
    send(server, ["user@sink.example"])
    wait_until(lambda: " == user@sink.example R=sink T=smtp" in server.log())
    assert len(server.queue_ids()) == 1
    assert "Connection refused" in server.log()
    assert server.run("-bpc").strip() == "1"
    assert "<sender@e2e.example>" in server.run("-bp")


def test_a_killed_worker_is_replaced(server: Server) -> None:
    before = {p.pid for p in server.processes()[1:]}
    for process in server.processes()[1:]:
        process.kill()
    wait_until(lambda: len({p.pid for p in server.processes()[1:]} - before) >= len(before))
    wait_until(lambda: delivered_to_ann(server), 30, "a delivery after the kill")
    assert "killed by signal 9: starting another" in server.log()


def delivered_to_ann(server: Server) -> bool:
    try:
        send(server, ["ann@e2e.example"])
    except OSError:
        return False
    wait_until(lambda: mailbox(server, "ann"))
    return True


def test_hup_takes_the_new_configuration_and_keeps_the_old_when_it_is_broken(server: Server) -> None:
    text = server.config.read_text()
    server.config.write_text(text.replace("local_parts = ann : bob", "local_parts = ann : bob : carl"))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP received" in server.log())
    send(server, ["carl@e2e.example"])
    wait_until(lambda: mailbox(server, "carl"))
    server.config.write_text("no such option = 1\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "the old one stays in force" in server.log())
    send(server, ["bob@e2e.example"])
    wait_until(lambda: mailbox(server, "bob"))


def test_no_worker_survives_its_master(server: Server) -> None:
    below = server.processes()[1:]
    assert below
    server.process.kill()
    server.process.wait()
    _, alive = psutil.wait_procs(below, timeout=20)
    assert alive == []


def test_term_ends_everything_and_removes_the_pid_file(folder: Path) -> None:
    config = RELAY.replace("SINKPORT", "1") + "\n"
    with running("mta", config, folder, "-bdf", "-oP", str(folder / "spool/pid")) as server:
        assert (folder / "spool/pid").read_text().strip() == str(server.process.pid)
        below = server.processes()[1:]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        _, alive = psutil.wait_procs(below, timeout=5)
        assert alive == []
        assert not (folder / "spool/pid").exists()
