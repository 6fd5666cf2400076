"""Relaying beside Debian's Exim: from smtp-source through the MTA to smtp-sink, until the spool is empty.

python -m bench.relay [--count N] [--rounds N] [--size BYTES] [--clients N]
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.rounds import interleave, measure, report
from tests.peers import programs
from tests.peers.load import Load, send, sink
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
remote_max_parallel = 10
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = 127.0.0.1
begin routers
sink:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = {port}
  allow_localhost
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
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="mta-bench-") as folder:
        Path(folder).chmod(0o755)
        port = stack.enter_context(sink())
        config = CONFIG.format(user=programs.exim_user(), port=port)
        kinds: list[Kind] = ["mta", "exim"] if programs.exim() else ["mta"]
        servers = {
            kind: stack.enter_context(running(kind, config, Path(folder) / kind, "-bdf", "-q5s")) for kind in kinds
        }

        def run(server: Server) -> tuple[float, float]:
            before = server.log().count(" Completed")

            def work() -> None:
                send(load, server.port)
                wait_until(lambda: not server.queue_ids(), 300, "an empty spool")

            figures = measure(work, server.cpu_seconds, load.count)
            wait_until(lambda: server.log().count(" Completed") - before == load.count, 30, "every message completed")
            return figures

        figures = interleave(given.rounds, {kind: lambda s=s: run(s) for kind, s in servers.items()})
        report(f"relay: {load.size} bytes, {load.clients} clients, to smtp-sink", figures, kinds[-1])


if __name__ == "__main__":
    main()
