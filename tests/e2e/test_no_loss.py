"""1,000 messages through mta to smtp-sink: none lost, nor when any process is killed at any moment."""

from __future__ import annotations

import random
import smtplib
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.configs import RELAY
from tests.fakes.counting_sink import CountingSink
from tests.peers import programs
from tests.peers.load import Load, send, sink
from tests.peers.servers import running, stop, wait_until

needs_postfix = pytest.mark.skipif(
    programs.postfix_tool("smtp-source") is None, reason="needs smtp-source and smtp-sink (Debian's postfix, unpacked)"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mta-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_postfix
@pytest.mark.slow
def test_a_thousand_messages_from_smtp_source_to_smtp_sink(folder: Path) -> None:
    with sink() as port, running("mta", RELAY.replace("SINKPORT", str(port)), folder, "-bdf", "-q2s") as server:
        send(Load(count=1000), server.port)
        wait_until(lambda: not server.queue_ids(), 90, "an empty spool")
        log = server.log()
        assert log.count(" <= ") == 1000
        assert log.count(" => ") == 1000
        wait_until(lambda: server.log().count(" Completed") == 1000)


class Client(threading.Thread):
    """Sends numbered messages, one a connection, and remembers which were acknowledged."""

    def __init__(self, name: int, port: int, count: int, acknowledged: set[str]) -> None:
        super().__init__()
        self.tag, self.port, self.count, self.acknowledged = name, port, count, acknowledged

    def run(self) -> None:
        for number in range(self.count):
            mark = f"mark-{self.tag}-{number}"
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
                    client.ehlo("client.example")
                    client.mail("sender@source.example")
                    client.rcpt("user@sink.example")
                    code, _ = client.data(f"Subject: {mark}\r\n\r\nbody\r\n")
                    if code == 250:
                        self.acknowledged.add(mark)
            except (OSError, smtplib.SMTPException):
                continue


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_when_processes_are_killed(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    with CountingSink() as next_hop:
        config = RELAY.replace("SINKPORT", str(next_hop.port))
        with running("mta", config, folder, "-bdf", "-q1s") as server:
            clients = [Client(n, server.port, 60, acknowledged) for n in range(4)]
            for client in clients:
                client.start()
            while alive := [client for client in clients if client.is_alive()]:
                children = server.processes()[1:]
                if children:
                    with suppress(psutil.NoSuchProcess):
                        chance.choice(children).kill()
                alive[0].join(0.4)
            server.process.kill()  # and the master
            server.process.wait()
            stop(server)
        spool = folder / "spool"
        again = config.replace("@DIR@/spool", str(spool))
        with running("mta", again, folder / "second", "-bdf", "-q1s"):
            wait_until(lambda: not list((spool / "input").rglob("*-H")), 60, "an empty spool")
        seen = Counter(next_hop.subjects)
    assert len(acknowledged) > 20
    lost = acknowledged - set(seen)
    assert not lost
    twice = sum(count - 1 for count in seen.values())
    assert twice < len(acknowledged) / 4  # only what was under way when a process died
