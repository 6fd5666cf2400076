"""The same message through Exim and through mta: what is in the mailbox and on the wire, byte for byte."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta.mail.host import Host
from mta.scope.scope import Scope
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.transport.building import make_batch, make_transport

EXIM = shutil.which("exim4")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(EXIM is None, reason="exim4 is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="exim4 -C delivers for root only"),
]
HEADER = (
    "From: a@b.ex\nTo: c@d.ex\nSubject: hi\nX-Gone: yes\nMessage-Id: <orig@id>\nDate: Mon, 23 Nov 2026 01:26:11 +0000\n"
)
BODY = b"body one\nFrom here\n>From there\n.\n.dot\n\nFrom\nlast\n"
DATES = re.compile(rb"\w{3},? ?\d* \w{3} \d\d(\d\d)? [\d:]{8}( \d{4}| [+-]\d{4})")

CONFIG = """
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
primary_hostname = mx.test.ex
qualify_domain = test.ex
keep_environment =
received_header_text =
begin routers
local:
  driver = accept
  domains = test.ex
  transport = out
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
{transport}
begin retry
"""


def exim(folder: Path, options: dict[str, str], driver: str, address: str) -> None:
    """Deliver by Exim through one transport."""
    for name in ("spool", "log"):
        (folder / name).mkdir()
        shutil.chown(folder / name, "Debian-exim")
    lines = [f"  driver = {driver}", *(f"  {name} = {value}" for name, value in options.items())]
    config = folder / "conf"
    config.write_text(CONFIG.format(dir=folder, transport="\n".join(lines)))
    assert EXIM is not None
    message = HEADER.encode() + b"\n" + BODY
    command = [EXIM, "-C", str(config)]
    subprocess.run([*command, "-i", "-odq", "-f", "sender@src.ex", address], input=message, check=True, timeout=60)
    subprocess.run([*command, "-qff"], check=True, timeout=60)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest keeps its own closed."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


FILES = [
    {},
    {"return_path_add": "true", "envelope_to_add": "true", "delivery_date_add": "true"},
    {"headers_add": r"X-A: 1\nX-B: 2", "headers_remove": "x-gone : To"},
    {"headers_only": "true"},
    {"body_only": "true"},
    {"use_bsmtp": "true"},
    {"use_bsmtp": "true", "use_crlf": "true"},
    {"use_crlf": "true"},
    {"message_prefix": r'"<$return_path>\n"', "message_suffix": "", "check_string": ".", "escape_string": ".."},
    {"transport_filter": "/bin/sed s/body/BODY/"},
]


@pytest.mark.parametrize("options", FILES)
def test_mbox(scope: Scope, open_folder: Path, options: dict[str, str]) -> None:
    (open_folder / "mail").mkdir()
    (open_folder / "mail").chmod(0o777)
    exim(open_folder, {"file": f"{open_folder}/mail/theirs", "user": "nobody", **options}, "appendfile", "u@test.ex")
    ours = {name: value.strip('"').replace(r"\n", "\n") for name, value in options.items()}
    transport = make_transport("appendfile", file=f"{open_folder}/mail/ours", **ours)
    transport.driver.deliver(transport, make_batch("u@test.ex", header=HEADER, body=BODY), scope)
    theirs = (open_folder / "mail/theirs").read_bytes()
    assert DATES.sub(b"DATE", (open_folder / "mail/ours").read_bytes()) == DATES.sub(b"DATE", theirs)


@pytest.mark.parametrize("extensions", [(), ("PIPELINING", "SIZE"), ("PIPELINING", "CHUNKING")])
def test_smtp(scope: Scope, open_folder: Path, extensions: tuple[str, ...]) -> None:
    found = []
    for ours in (False, True):
        with ScriptedServer(Script(extensions=extensions)) as server:
            options = {"port": str(server.port), "allow_localhost": "true", "return_path_add": "true"}
            if ours:
                transport = make_transport("smtp", **options)
                hosts = [Host("127.0.0.1", "127.0.0.1")]
                transport.driver.deliver(transport, make_batch("u@r.ex", header=HEADER, body=BODY, hosts=hosts), scope)
            else:
                exim(open_folder, options, "smtp", "u@r.ex")
            commands = [re.sub(r"\d+", "N", command) for command in server.commands if command != "QUIT"]
            found.append((commands, server.messages[0].data))
    assert found[0] == found[1]
