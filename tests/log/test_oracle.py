"""exigrep and eximstats read our main log."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mta.log import lines
from mta.log.selectors import DEFAULT
from mta.log.writers import Log, LogOptions
from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.outcome import Outcome, Status
from mta.mail.peer import Peer
from mta.mail.recipient import Recipient

ID = "1xVIlm-000335-1x"


@pytest.mark.oracle
def test_exims_programs(tmp_path: Path) -> None:
    for program in ("exigrep", "eximstats"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    log = Log(LogOptions(path=f"{tmp_path}/%slog"))
    peer = Peer(address="192.0.2.5", helo_name="cl.test", received_protocol="esmtp")
    log.main(lines.received(Message(sender="s@x.test", message_size=500), peer, DEFAULT), ID)
    remote = Outcome(
        Recipient("a@y.test", router="r", transport="t"), Status.DELIVERED, host=Host("mx.y.test", "192.0.2.9")
    )
    log.main(lines.delivered(remote, DEFAULT, sender="s@x.test", return_path="s@x.test", local=False), ID)
    bad = Outcome(Recipient("b@y.test", router="r", transport="t"), Status.FAILED, "no")
    log.main(lines.failed(bad, DEFAULT, sender="s@x.test", return_path="s@x.test"), ID)
    log.main(lines.completed(DEFAULT), ID)
    path = str(tmp_path / "mainlog")
    found = subprocess.run(["exigrep", "a@y.test", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert found.count(ID) == 4
    stats = subprocess.run(["eximstats", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    received = next(line for line in stats.split("\n") if line.startswith("  Received"))
    assert received.split()[1:3] == ["500", "1"]
    delivered = next(line for line in stats.split("\n") if line.startswith("  Delivered"))
    assert delivered.split()[1:3] == ["500", "1"]
    assert "mx.y.test" in stats
