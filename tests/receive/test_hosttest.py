"""-bh beside Debian's Exim: the same configuration and input, replies and narrative compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.receive.hosttest import run
from tests.oracle.test_bh_sessions import narrative

CONFIG = """
primary_hostname = mx.test
spool_directory = {0}
log_file_path = {0}/%slog
tls_advertise_hosts =
pipelining_connect_advertise_hosts =
acl_smtp_helo = helo
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = data
prdr_enable
smtp_accept_max_nonmail = 100
smtp_max_synprot_errors = 100
message_size_limit = 50000
begin acl
helo:
  deny condition = ${{if eq{{$sender_helo_name}}{{bad}}}}
       log_message = logged
  accept
mail:
  deny senders = code@b
       message = 571 5.7.1 with code
  discard senders = disc@b
  accept
rcpt:
  deny message = no way
       local_parts = bad
  defer message = later
       local_parts = defer
  warn local_parts = w
       log_message = warned
  accept
data:
  deny senders = data@b
    message = data says no
  accept
"""
OURS_LEFT_OUT = "pipelining_connect_advertise_hosts =\n"
BODY = "DATA\r\nfoo: x\r\n\r\nbody\r\n.\r\n"
SESSIONS = [
    "EHLO bad\r\nEHLO foo\r\nMAIL FROM:<code@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad@d>\r\n"
    f"RCPT TO:<defer@d>\r\nRCPT TO:<w@d>\r\n{BODY}QUIT\r\n",
    "HELO\r\nRCPT TO:<a@b>\r\nDATA\r\nMAIL\r\nMAIL FROM:\r\nMAIL FROM:<a@b> FOO\r\nHELO foo\r\n"
    "MAIL FROM:<a@b> SIZE=1\r\nEHLO foo\r\nMAIL FROM:<a@b> BODY=FOO\r\nMAIL FROM:<a@b> SIZE=99999\r\n",
    f"EHLO a\r\nMAIL FROM:<disc@b>\r\nRCPT TO:<a@b>\r\n{BODY}MAIL FROM:<data@b>\r\nRCPT TO:<a@b>\r\n{BODY}QUIT\r\n",
    "EHLO a\r\nMAIL FROM:<a>\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<>\r\nRCPT TO:<@x:a@b>\r\nRCPT TO:a@b c\r\n"
    "RCPT TO:<a@b>x\r\nRCPT TO:<a@b.>\r\nRCPT TO:\r\nNOOP\r\nRSET x\r\nFOO\r\nVRFY a@b\r\nEXPN a\r\nQUIT\r\n",
]


def plain(text: str) -> list[str]:
    """Lines without what differs by its nature: ids, times, versions, folders, a log line's id."""
    text = re.sub(r"[A-Za-z0-9]{6}-[A-Za-z0-9]{6}-[A-Za-z0-9]{2}", "ID", text).replace("\r", "")
    text = re.sub(r"ESMTP (Exim|mta) .*", "ESMTP", text)
    text = re.sub(r"\([^ ]*configure (\d+)\)", r"(configure \1)", text).replace("LOG: ID H=", "LOG: H=")
    lines = [line for line in text.split("\n") if "pipelining_connect" not in line]
    return narrative(lines)


@pytest.mark.oracle
@pytest.mark.parametrize("said", SESSIONS, ids=range(len(SESSIONS)))
def test_beside_exim(said: str) -> None:
    if shutil.which("exim4") is None or os.geteuid() != 0:
        pytest.skip("needs exim4 and root")
    folder = Path(tempfile.mkdtemp(prefix="hosttest"))
    try:
        compare(folder, said)
    finally:
        shutil.rmtree(folder)


def compare(folder: Path, said: str) -> None:
    folder.chmod(0o777)
    path = folder / "configure"
    path.write_text(CONFIG.format(folder))
    path.chmod(0o644)
    theirs = subprocess.run(
        ["exim4", "-C", str(path), "-bh", "192.0.2.1"], input=said.encode(), capture_output=True, check=False
    )
    # an empty line keeps the numbers of lines as they are
    path.write_text(CONFIG.format(folder).replace(OURS_LEFT_OUT, "\n"))
    replies, told = ours(path, said)
    assert plain(replies) == plain(theirs.stdout.decode("latin-1"))
    assert plain(told) == plain(theirs.stderr.decode("latin-1"))


def ours(path: Path, said: str) -> tuple[str, str]:
    told: list[str] = []
    runtime: Any = Runtime.start(load(str(path)))
    reader, writer = os.pipe()
    os.write(writer, said.encode())
    os.close(writer)
    with tempfile.TemporaryFile() as output:
        run(runtime, "192.0.2.1", reader, output.fileno(), told.append)
        os.close(reader)
        output.seek(0)
        return output.read().decode("latin-1"), "".join(f"{line}\n" for line in told)


def test_nothing_is_stored(make_runtime: Callable[..., Any], tmp_path: Path) -> None:
    runtime = make_runtime()
    said = tmp_path / "said"
    said.write_text("EHLO a\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx: y\n\nhi\n.\nQUIT\n")
    told: list[str] = []
    with said.open("rb") as source, (tmp_path / "out").open("wb") as target:
        assert run(runtime, "192.0.2.9.25", source.fileno(), target.fileno(), told.append) == 0
    output = (tmp_path / "out").read_text()
    assert output.startswith("\n**** SMTP testing session as if from host 192.0.2.9\n")
    assert "250 OK id=" in output
    assert "**** SMTP testing: that is not a real message id!" in output
    assert '>>> using ACL "rcpt"' in told
    assert not (Path(runtime.spool_directory) / "input").exists()
