"""Reception beside Debian's Exim: messages queued a second, with the same configuration for both.

python -m bench.receive [--count N] [--rounds N] [--size BYTES] [--clients N] [--reuse]
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
from tests.peers.servers import Kind, Server, running

CONFIG = """\
spool_directory = @DIR@/spool
log_file_path = @DIR@/log/%slog
primary_hostname = bench.example
exim_user = {user}
tls_advertise_hosts =
keep_environment =
queue_only
smtp_accept_max = 100
smtp_accept_queue = 0
smtp_connect_backlog = 128
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = 127.0.0.1
begin routers
all:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
begin retry
* * F,1h,15m
"""


def empty(server: Server) -> None:
    """Take the round's messages out of the spool."""
    for path in (server.spool / "input").rglob("*-[DHJ]"):
        path.unlink()
    shutil.rmtree(server.spool / "msglog", ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--reuse", action="store_true", help="many messages a connection")
    given = parser.parse_args()
    load = Load(given.count, given.size, given.clients, given.reuse)
    config = CONFIG.format(user=programs.exim_user())
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="mta-bench-") as folder:
        Path(folder).chmod(0o755)
        kinds: list[Kind] = ["mta", "exim"] if programs.exim() else ["mta"]
        servers = {kind: stack.enter_context(running(kind, config, Path(folder) / kind)) for kind in kinds}

        def run(server: Server) -> tuple[float, float]:
            figures = measure(lambda: send(load, server.port), server.cpu_seconds, load.count)
            queued = len(server.queue_ids())
            if queued != load.count:
                raise SystemExit(f"{server.kind} lost mail: {queued} of {load.count} in the spool")
            empty(server)
            return figures

        figures = interleave(given.rounds, {kind: lambda s=s: run(s) for kind, s in servers.items()})
        what = "many messages" if load.reuse else "one message"
        report(f"receive: {what} a connection, {load.size} bytes, {load.clients} clients", figures, kinds[-1])


if __name__ == "__main__":
    main()
