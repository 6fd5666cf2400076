"""A running daemon with a real clamd and spamd and a callout to a next hop: what a client is told."""

from __future__ import annotations

import smtplib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.configs import HEAD
from tests.fakes.smtp_server import Script, ScriptedServer
from tests.peers.clamd import EICAR, NAME, clamd
from tests.peers.servers import Server, running
from tests.peers.spamd import spamd

CONFIG = (
    HEAD
    + """\
acl_smtp_rcpt = acl_rcpt
acl_smtp_mime = acl_mime
acl_smtp_data = acl_data
av_scanner = clamd:127.0.0.1 CLAMD
spamd_address = 127.0.0.1 SPAMD
queue_only
begin acl
acl_rcpt:
  require verify = recipient/callout=10s
  accept
acl_mime:
  deny message = no programs: $mime_filename
       condition = ${if match{$mime_filename}{\\N(?i)\\.exe$\\N}}
  accept
acl_data:
  deny message = infected: $malware_name
       malware = *
  deny message = spam: $spam_score
       spam = nobody
  accept
begin routers
sink:
  driver = manualroute
  route_list = * 127.0.0.1::SINK
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  allow_localhost
"""
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    script = Script(answers={"RCPT TO:<nobody": "550 who?"})
    with (
        tempfile.TemporaryDirectory(prefix="mta-scan-") as name,
        ScriptedServer(script) as sink,
        clamd() as virus,
        spamd() as spam,
    ):
        text = CONFIG.replace("CLAMD", str(virus.port)).replace("SPAMD", str(spam.port))
        with running("mta", text.replace("SINK", str(sink.port)), Path(name)) as made:
            yield made


def send(server: Server, text: str, to: str = "ann@sink.example") -> str:
    """The error text of the refusal, "" when the message was taken."""
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        try:
            client.sendmail("s@e2e.example", [to], text)
        except smtplib.SMTPRecipientsRefused as refused:
            return next(iter(refused.recipients.values()))[1].decode()
        except smtplib.SMTPDataError as refused:
            return bytes(refused.smtp_error).decode() if isinstance(refused.smtp_error, bytes) else refused.smtp_error
    return ""


CASES = [
    ("Subject: hello\n\nfine\n", ""),
    (f"Subject: hello\n\n{EICAR}\n", f"infected: {NAME}"),
    ("Subject: hello\n\nspam-word\n", "spam: 7.3"),
    ("Content-Type: a/x; name=X.EXE\n\nx\n", "no programs: X.EXE"),
]


@pytest.mark.parametrize(("text", "refusal"), CASES)
def test_content(server: Server, text: str, refusal: str) -> None:
    assert send(server, text.replace("\n", "\r\n")) == refusal
    assert list((server.spool / "scan").glob("*")) == []


def test_callout(server: Server) -> None:
    assert send(server, "Subject: x\r\n\r\nx\r\n", "nobody@sink.example") == "Callout verification failed:\n550 who?"
