"""The master: binds, loads, forks, supervises, reloads. Single-threaded; parses nothing from the network.

HUP: a new configuration in a new generation of children, the old ones end with their sessions.
TERM, INT: stop accepting, finish sessions within a deadline. USR1: write what everybody does.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import setproctitle

from mta.daemon import systemd
from mta.daemon.children import fork_child
from mta.daemon.generation import Generation, child_ids
from mta.daemon.listeners import Bound, bind, described
from mta.daemon.signals import Signals, make_signals
from mta.deliver.preload import preload
from mta.errors import ConfigError

GRACE = 75.0  # seconds for sessions and deliveries to end after TERM
RESTART_PAUSE = 1.0  # a child that died young is not started again at once


@dataclass(slots=True)
class DaemonOptions:
    """What the command line said: -bd/-bdf, -q<time>, -oX, -oP, -tls-on-connect."""

    foreground: bool = False
    listen: bool = True
    queue_interval: float = 0.0
    override_interfaces: str = ""
    pid_file: str = ""
    tls_on_connect: bool = False
    no_socket: bool = False  # -oY: no socket for local submissions


@dataclass(slots=True)
class Child:
    role: str  # key of Generation.roles
    index: int
    generation: Generation
    started: float


@dataclass(slots=True)
class Master:
    """``load`` reads the configuration again; ``log`` writes to the main log under the configuration in force."""

    options: DaemonOptions
    load: Callable[[], Generation]
    generation: Generation
    bound: list[Bound]
    signals: Signals
    children: dict[int, Child] = field(default_factory=dict)
    restarts: list[tuple[float, str, int, Generation]] = field(default_factory=list)
    killed: bool = False

    def run(self) -> int:
        """Until stopped. The exit code of the daemon."""
        preload()
        self.signals.install(signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        setproctitle.setproctitle("mta: master")
        self._start_generation()
        self.generation.announce(self.options, described(self.bound))
        self._write_pid_file()
        systemd.notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=listening on {described(self.bound)}")
        watchdog = systemd.watchdog_interval()
        deadline = float("inf")
        with selectors.DefaultSelector() as selector:
            selector.register(self.signals.wake, selectors.EVENT_READ)
            while True:
                selector.select(self._pause(watchdog, deadline))
                self.signals.drain()
                self._reap()
                if watchdog:
                    systemd.notify("WATCHDOG=1")
                if self.signals.stopping and deadline == float("inf"):
                    deadline = time.monotonic() + GRACE
                    self._stop_all()
                if self.signals.stopping:
                    if not self.children:
                        return self._finish()
                    if time.monotonic() > deadline:
                        self._kill_all()
                    continue
                if self.signals.take(signal.SIGHUP):
                    self._reload()
                if self.signals.take(signal.SIGUSR1):
                    self.generation.write_process_log(self.children_pids())
                self._restart_due()

    def children_pids(self) -> dict[int, str]:
        return {pid: f"{child.role} {child.index}" for pid, child in self.children.items()}

    def _pause(self, watchdog: float, deadline: float) -> float | None:
        now = time.monotonic()
        times = [when - now for when, *_ in self.restarts]
        if watchdog:
            times.append(watchdog)
        if deadline != float("inf"):
            times.append(max(0.05, deadline - now))
        return max(0.0, min(times)) if times else None

    def _start_generation(self) -> None:
        for role, count in self.generation.plan(self.options):
            for index in range(count):
                self._start(role, index, self.generation)

    def _start(self, role: str, index: int, generation: Generation) -> None:
        listeners = [bound.sock for bound in self.bound]
        pid = fork_child(
            f"{role.replace('_', ' ')} {index}",
            lambda: generation.run_role(role, index, self.bound, self.options),
            child_ids(role, generation),
            close=lambda: generation.close_in_child(role, index, listeners),
        )
        self.children[pid] = Child(role, index, generation, time.monotonic())

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is None:
                continue
            child.generation.child_ended(child.role, child.index)
            if self.signals.stopping or child.generation is not self.generation:
                continue
            code = os.waitstatus_to_exitcode(status)
            how = f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
            self.generation.log(f"{child.role.replace('_', ' ')} {child.index} (pid {pid}) {how}: starting another")
            young = time.monotonic() - child.started < RESTART_PAUSE
            when = time.monotonic() + (RESTART_PAUSE if young else 0.0)
            self.restarts.append((when, child.role, child.index, child.generation))

    def _restart_due(self) -> None:
        now = time.monotonic()
        due = [entry for entry in self.restarts if entry[0] <= now]
        self.restarts = [entry for entry in self.restarts if entry[0] > now]
        for _, role, index, generation in due:
            if generation is self.generation:
                self._start(role, index, generation)

    def _reload(self) -> None:
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            fresh = self.load()
            bound = bind(fresh, self.options, keep=self.bound)
        except (ConfigError, OSError) as error:
            self.generation.log(f"configuration not reloaded, the old one stays in force: {error}")
            self.generation.panic(f"configuration not reloaded: {error}")
            systemd.notify("READY=1")
            return
        old = [pid for pid, child in self.children.items() if child.generation is self.generation]
        kept = {id(entry.sock) for entry in bound}
        for entry in self.bound:
            if id(entry.sock) not in kept:
                entry.sock.close()
        fresh.adopt(self.generation)
        self.bound, self.generation = bound, fresh
        self.restarts.clear()
        self._start_generation()
        self.generation.log(f"pid {os.getpid()}: SIGHUP received: configuration read again")
        for pid in old:
            _signal(pid, signal.SIGTERM)
        systemd.notify("READY=1")

    def _stop_all(self) -> None:
        systemd.notify("STOPPING=1")
        for entry in self.bound:
            entry.sock.close()
        for pid in self.children:
            _signal(pid, signal.SIGTERM)

    def _kill_all(self) -> None:
        for pid in self.children:
            _signal(pid, signal.SIGKILL)

    def _write_pid_file(self) -> None:
        path = self.options.pid_file or self.generation.pid_file()
        if not path:
            return
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            self.generation.log(f"could not write pid file {path}: {error.strerror}")

    def _finish(self) -> int:
        path = self.options.pid_file or self.generation.pid_file()
        try:
            with open(path, encoding="ascii") as file:
                ours = file.read().strip() == str(os.getpid())
            if ours:
                os.unlink(path)
        except (OSError, UnicodeError):
            return 0
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def start(options: DaemonOptions, load: Callable[[], Generation]) -> int:
    """Load, bind, go into the background unless told not to, and run. Returns the exit code."""
    generation = load()
    inherited = systemd.inherited_listeners()
    bound = bind(generation, options, inherited=inherited) if options.listen else []
    if not options.foreground:
        _into_background()
    return Master(options, load, generation, bound, make_signals()).run()


def _into_background() -> None:
    """Leave the terminal and the caller's session (daemon(7)); errors until here were on the caller's stderr."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdin = sys.stdout = sys.stderr = open(os.devnull, "r+", encoding="ascii")  # noqa: SIM115
