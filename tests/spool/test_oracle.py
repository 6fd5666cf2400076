"""Exim's own programs read our spool, and we read theirs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool.codec import decode, encode
from mta.spool.store import Spool
from mta.text.taint import Tainted

CONF = """primary_hostname = host.test
spool_directory = {spool}
log_file_path = {spool}/%slog
exim_user = root
exim_group = root
keep_environment =
qualify_domain = host.test
begin routers
r:
  driver = manualroute
  route_list = * 127.0.0.2::9
  transport = s
begin transports
s:
  driver = smtp
begin retry
* * F,2h,15m
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for program in ("exim4", "exipick", "exiqgrep"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    if os.geteuid() != 0:
        pytest.skip("exim4 -C needs root")
    tmp_path.chmod(0o755)
    path = tmp_path / "conf"
    path.write_text(CONF.format(spool=tmp_path / "spool"))
    path.chmod(0o644)
    return path


def run(*words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode("latin-1")


def rich(message_id: str = "") -> tuple[Message, Peer]:
    message = Message(id=message_id, sender="s@x.test", originator_login="root", originator_uid=0, originator_gid=0)
    message.received_time = message.received_complete = 1795396903.25
    message.recipients = [
        EnvelopeRecipient("a@x.test"),
        EnvelopeRecipient("b@x.test", notify=20, orcpt="rfc822;o@x.test"),
        EnvelopeRecipient("c@x.test", errors_to="e@x.test", parent=0),
        EnvelopeRecipient("d@x.test"),
    ]
    message.delivered = {"a@x.test", "d@x.test", "zz@x.test"}
    message.headers.add("Subject: hi\n there")
    message.headers.add("From: s@x.test")
    message.acl_m = {"_foo": Tainted("multi\nline"), "0": "x"}
    message.body_linecount = 2
    peer = Peer(
        address="192.0.2.5", port=4242, helo_name="cl.test", received_protocol="esmtps", interface_address="192.0.2.1"
    )
    peer.tls.cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256"
    return message, peer


@pytest.mark.oracle
def test_exims_programs_read_ours(conf: Path) -> None:
    spool = Spool(str(conf.parent / "spool"))
    message, peer = rich()
    with spool.begin() as incoming:
        incoming.write(b"one\ntwo\n")
        incoming.commit(message, peer)
    listed = run("exim4", "-C", str(conf), "-bp")
    assert f"{incoming.id} <s@x.test>" in listed
    assert "D a@x.test" in listed
    assert "D d@x.test" in listed
    assert "          b@x.test" in listed
    assert run("exim4", "-C", str(conf), "-Mvb", incoming.id) == f"{incoming.id}-D\none\ntwo\n"
    picked = run("exipick", "-C", str(conf), "--spool", str(conf.parent / "spool"), "-i", "$acl_m_foo =~ /line/")
    assert picked.strip() == incoming.id
    grepped = run("exiqgrep", "-C", str(conf), "-i", "-f", "s@x.test")
    assert grepped.strip() == incoming.id
    # Exim rewrites the file when it freezes the message; what we knew is still there
    run("exim4", "-C", str(conf), "-Mf", incoming.id)
    back, back_peer = spool.read(incoming.id)
    assert back.frozen
    assert (back.recipients, back.delivered, back.acl_m) == (message.recipients, message.delivered, message.acl_m)
    assert back.headers == message.headers
    assert (back_peer.helo_name, back_peer.tls.cipher) == (peer.helo_name, peer.tls.cipher)


@pytest.mark.oracle
def test_exims_files_come_out_the_same(conf: Path) -> None:
    text = b"From: a b <a@host.test>\nTo: x@two.test,\n y@two.test\nSubject: hi\n\nline one\nline two\n"
    for words in (["x@two.test"], ["-f", "r@x.test", "x@two.test", "y@two.test"], ["-f", "<>", "z@host.test"]):
        run("exim4", "-C", str(conf), "-odq", *words, stdin=text)
    spool = Spool(str(conf.parent / "spool"))
    found = list(spool.ids())
    assert len(found) == 3
    for message_id in found:
        data = (conf.parent / "spool" / "input" / f"{message_id}-H").read_bytes()
        assert encode(*decode(data, message_id)) == data
        with spool.lock(message_id) as locked:  # type: ignore[union-attr]
            assert locked.body(0, 100) == b"line one\nline two\n"
