"""One loaded configuration and the children that run it. A reload makes a new one and retires the old.

The roles: smtp workers, the queue manager, delivery workers, and, when the master is root, the
local delivery agent, the only child that keeps root's rights.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mta import EXIM_VERSION
from mta.config.config import Config
from mta.config.runtime import Runtime
from mta.daemon import places
from mta.daemon.children import Ids
from mta.daemon.scoreboard import Scoreboard
from mta.daemon.wires import Wires, make_wires
from mta.deliver.agent import AgentWires, make_agent_wires
from mta.system import users
from mta.text.units import format_time

if TYPE_CHECKING:
    from mta.daemon.listeners import Bound
    from mta.daemon.master import DaemonOptions
    from mta.tls.contexts import Contexts

SMTP, QUEUE, DELIVERY, AGENT = "smtp_worker", "queue_manager", "delivery_worker", "local_agent"
DEFAULT_THREADS = 200  # sessions a worker may have when smtp_accept_max is 0


@dataclass(slots=True)
class Generation:
    config: Config
    scoreboard: Scoreboard
    wires: Wires
    agent: AgentWires | None
    smtp_workers: int
    delivery_workers: int
    contexts: Contexts | None = None  # of TLS: made before the fork where workers must share ticket keys
    manager_died: bool = False  # the next queue manager starts with a look at the whole spool
    _runtime: Runtime | None = field(default=None)

    def plan(self, options: DaemonOptions) -> list[tuple[str, int]]:
        """Which children, and how many of each, in the order to start them."""
        roles = [(DELIVERY, self.delivery_workers), (QUEUE, 1)]
        if self.agent is not None:
            roles.insert(0, (AGENT, 1))
        if options.listen:
            roles.append((SMTP, self.smtp_workers))
        return roles

    def run_role(self, role: str, index: int, bound: list[Bound], options: DaemonOptions) -> int:
        """The life of one child; called in the child. Imports are here so that each loads what it runs."""
        if role == SMTP:
            from mta.daemon.smtp_worker import run_smtp_worker

            return run_smtp_worker(self, index, bound)
        from mta.daemon import backstage

        if role == QUEUE:
            return backstage.run_queue_manager(self, options.queue_interval)
        if role == DELIVERY:
            return backstage.run_delivery_worker(self, index)
        return backstage.run_local_agent(self)

    def close_in_child(self, role: str, index: int, listeners: list[socket.socket]) -> None:
        """Close what a child has no business with."""
        if role != SMTP:
            for sock in listeners:
                sock.close()

    def arrivals_socket(self) -> socket.socket:
        """Where new messages are announced to the queue manager."""
        return self.wires.arrivals[1]

    def child_ended(self, role: str, index: int) -> None:
        """Clean up after a child, in the master."""
        if role == SMTP:
            self.scoreboard.clear(index)
        if role == QUEUE:
            self.manager_died = True

    def adopt(self, old: Generation) -> None:
        """Take over where messages are announced, so that the old workers' last ones reach the new manager."""
        for end in self.wires.arrivals:
            end.close()
        self.wires.arrivals = old.wires.arrivals

    def runtime(self) -> Runtime:
        """The master's own logs; each child makes its own runtime after the fork."""
        if self._runtime is None:
            self._runtime = Runtime.start(self.config)
        return self._runtime

    def log(self, line: str) -> None:
        self.runtime().log.main(line)

    def panic(self, line: str) -> None:
        self.runtime().log.panic(line)

    def announce(self, options: DaemonOptions, listening: str) -> None:
        """Exim's first line of a daemon."""
        interval = options.queue_interval
        runs = f"-q{format_time(interval)}" if interval else "no queue runs"
        where = f", listening for {listening}" if options.listen else ""
        self.log(f"exim {EXIM_VERSION} daemon started: pid={os.getpid()}, {runs}{where}")

    def pid_file(self) -> str:
        """Where the pid goes: pid_file_path, or exim-daemon.pid in the spool directory."""
        return places.pid_file(self.runtime())

    def submission_path(self) -> str:
        """The Unix socket for other users' submissions, "" for none."""
        return places.submission_socket(self.runtime())

    def write_process_log(self, children: dict[int, str]) -> None:
        """What exiwhat reads: one line a process and a session (manual chapter 54)."""
        path = places.process_log(self.runtime())
        lines = [f"{os.getpid():5d} daemon"]
        lines += [f"{pid:5d} {what}" for pid, what in sorted(children.items())]
        for view in self.scoreboard.busy():
            since = time.strftime("%H:%M:%S", time.localtime(view.since))
            lines.append(f"{view.pid:5d} handling incoming connection from [{view.address}] since {since} {view.doing}")
        try:
            with open(path, "w", encoding="latin-1") as file:
                file.write("\n".join(lines) + "\n")
        except OSError as error:
            self.log(f"could not write {path}: {error.strerror}")


def child_ids(role: str, generation: Generation) -> Ids:
    """Whom a child of this role becomes: exim_user for all but the local delivery agent."""
    site = generation.config.site
    if role == AGENT or os.geteuid() != 0 or site.uid <= 0:
        return Ids()
    user = users.find_user(str(site.uid))
    groups = users.groups_of(user.name, site.gid) if user is not None else [site.gid]
    return Ids(site.uid, site.gid, tuple(groups))


def make_generation(config: Config) -> Generation:
    """Everything that must exist before the fork."""
    main = config.main
    cores = os.cpu_count() or 1
    workers = main.smtp_workers or cores
    sessions = main.smtp_threads_max or (main.smtp_accept_max + 4 if main.smtp_accept_max else DEFAULT_THREADS)
    delivery = main.delivery_workers or cores
    needs_agent = os.geteuid() == 0 and config.site.uid > 0 and not main.deliver_drop_privilege
    agent = make_agent_wires() if needs_agent else None
    return Generation(
        config=config,
        scoreboard=Scoreboard(workers, sessions),
        wires=make_wires(delivery),
        agent=agent,
        smtp_workers=workers,
        delivery_workers=delivery,
        contexts=_shared_contexts(config),
    )


def _shared_contexts(config: Config) -> Contexts | None:
    if config.main.tls_resumption_hosts is None:
        return None
    from mta.tls.server import ServerTls

    return ServerTls(config).prepare(Runtime.start(config).scope())
