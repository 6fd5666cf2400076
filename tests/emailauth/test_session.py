"""Whole sessions of ``mta -bh`` and calls of ``-bt`` with SPF, DMARC and SRS configured; the DNS is a real nsd."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mta.emailauth.srs import encode
from tests.emailauth.worlds import DATA
from tests.peers.nsd import name_server

CONFIG = """primary_hostname = mx.receiver.test
spool_directory = {folder}/spool
log_file_path = {folder}/log_%s
keep_environment =
host_lookup =
dns_nameservers = {address}::{port}
acl_smtp_rcpt = r
acl_smtp_data = d
begin acl
r:
  warn spf = *
       logwrite = $spf_received
       logwrite = lookup ${{lookup {{$sender_address}} spf {{$sender_host_address}}}}
  accept
d:
  warn dmarc_status = !off
       logwrite = ${{authresults {{mx}}}}
  deny dmarc_status = reject
       message = Message from $dmarc_used_domain failed
  accept
"""
DMARC = '\n_dmarc.fail IN TXT "v=DMARC1; p=reject"\n'


def run(*words: str, talk: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mta", *words], input=talk, capture_output=True, text=True, check=False
    )


MESSAGE_ID = re.compile(r"^[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2} ")  # in front of what DATA's ACL logs


def test_spf_09_dmarc_05_a_session(tmp_path: Path) -> None:
    messages = "".join(
        f"MAIL FROM:<u@{domain}.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\nFrom: a@{domain}.test\r\n\r\nx\r\n.\r\n"
        for domain in ("pass", "fail")
    )
    with name_server({"test": (DATA / "spf_exim.zone").read_text() + DMARC}, tmp_path / "dns") as (address, port):
        config = tmp_path / "mta.conf"
        config.write_text(CONFIG.format(folder=tmp_path, address=address, port=port))
        said = run("-C", str(config), "-bh", "192.0.2.1", talk=f"EHLO helo.pass.test\r\n{messages}QUIT\r\n")
    logged = [MESSAGE_ID.sub("", line[5:]) for line in said.stderr.splitlines() if line.startswith("LOG: ")]
    assert "\n250 OK id=" in said.stdout
    assert "\n550 Message from fail.test failed\n" in said.stdout
    results = [line for line in logged if line.startswith(("Received-SPF", "lookup", "Authentication"))]
    assert [line.split(" (")[0] for line in results] == [
        "Received-SPF: pass",
        "lookup pass",
        r"Authentication-Results: mx;\n	spf=pass smtp.mailfrom=pass.test;\n	dmarc=none header.from=pass.test",
        "Received-SPF: fail",
        "lookup fail",
        r"Authentication-Results: mx;\n	spf=fail smtp.mailfrom=fail.test;\n	dmarc=fail header.from=fail.test",
    ]


# the manual's example (section 58.5), with hosts in place of the DNS
SRS = """primary_hostname = mx.receiver.test
spool_directory = {folder}/spool
log_file_path = {folder}/log_%s
keep_environment =
SRS_SECRET = some thing
domainlist my_domains = fwd.test
begin routers
  outbound:
    driver =    manualroute
    # if outbound, and forwarding has been done, use an alternate transport
    domains =   ! +my_domains
    transport = ${{if eq {{$local_part@$domain}} \\
                        {{$original_local_part@$original_domain}} \\
                     {{remote_smtp}} {{remote_forwarded_smtp}}}}
    route_list = * 127.0.0.1
    self = send
  inbound_srs:
    driver =    redirect
    senders =   :
    domains =   +my_domains
    # detect inbound bounces which are SRS'd, and decode them
    condition = ${{if inbound_srs {{$local_part}} {{SRS_SECRET}}}}
    data =      $srs_recipient
  inbound_srs_failure:
    driver =    redirect
    senders =   :
    domains =   +my_domains
    # detect inbound bounces which look SRS'd but are invalid
    condition = ${{if inbound_srs {{$local_part}} {{}}}}
    allow_fail
    data =      :fail: Invalid SRS recipient address
begin transports
  remote_smtp:
    driver = smtp
  remote_forwarded_smtp:
    driver =              smtp
    # modify the envelope from, for mails that we forward
    max_rcpt =            1
    return_path =         ${{srs_encode {{SRS_SECRET}} {{$return_path}} {{$original_domain}}}}
"""


def test_srs_07_the_manuals_routers(tmp_path: Path) -> None:
    import time

    config = tmp_path / "mta.conf"
    config.write_text(SRS.format(folder=tmp_path))
    good = encode("some thing", "User@Origin.ex", "fwd.test", now=time.time())
    assert "user@origin.ex\n    <-- " in run("-C", str(config), "-f", "", "-bt", good).stdout
    assert "transport = remote_forwarded_smtp" in run("-C", str(config), "-f", "", "-bt", good).stdout
    forged = run("-C", str(config), "-f", "", "-bt", good.replace("=origin", "=other").replace("=Origin", "=Other"))
    assert "Invalid SRS recipient address" in forged.stdout
