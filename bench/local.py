"""Maildir delivery beside Debian's Exim: from smtp-source through the MTA into a Maildir, until the spool is empty.

python -m bench.local [--count N] [--rounds N] [--size BYTES] [--clients N]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.rounds import interleave, measure, report
from tests.peers import programs
from tests.peers.load import Load, send
from tests.peers.servers import Kind, Server, running, wait_until

CONFIG = """\
spool_directory = @DIR@/spool
log_file_path = @DIR@/log/%slog
primary_hostname = bench.example
exim_user = {user}
tls_advertise_hosts =
keep_environment =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 128
queue_run_max = 10
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = 127.0.0.1
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = @DIR@/mail/user
  create_directory
  user = {user}
begin retry
* * F,1h,1s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--clients", type=int, default=10)
    given = parser.parse_args()
    load = Load(given.count, given.size, given.clients)
    config = CONFIG.format(user=programs.exim_user())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mta-bench-")))
        folder.chmod(0o755)
        kinds: list[Kind] = ["mta", "exim"] if programs.exim() else ["mta"]
        servers = {kind: stack.enter_context(running(kind, config, folder / kind, "-bdf", "-q5s")) for kind in kinds}

        def run(server: Server) -> tuple[float, float]:
            def work() -> None:
                send(load, server.port)
                wait_until(lambda: not server.queue_ids(), 300, "an empty spool")

            figures = measure(work, server.cpu_seconds, load.count)
            new = server.folder / "mail" / "user" / "new"
            found = len(list(new.iterdir()))
            if found != load.count:
                raise SystemExit(f"{server.kind}: {found} of {load.count} messages in the Maildir")
            shutil.rmtree(new.parent)
            return figures

        figures = interleave(given.rounds, {kind: lambda s=s: run(s) for kind, s in servers.items()})
        report(f"local: {load.size} bytes, {load.clients} clients, into a Maildir", figures, kinds[-1])


if __name__ == "__main__":
    main()
