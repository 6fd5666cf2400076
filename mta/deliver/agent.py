"""The local delivery agent: the one process that keeps root's rights, for deliveries under the recipients' ids.

``LocalAgent.loop`` takes streams handed over a socket pair and forks a child for each; it reads nothing else and
parses nothing. ``AgentClient.connect`` is what delivery workers call (``services.state["local_agent"]``).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mta.config.runtime import Runtime
from mta.deliver.as_user import serve_file, use_agent_for_files
from mta.deliver.child import AGENT, IDLE, Key, serve
from mta.deliver.filter_child import serve_filter, use_agent_for_filters
from mta.deliver.identity import become
from mta.deliver.preload import DELIVERING, preload
from mta.system.readiness import any_readable
from mta.system.users import find_user, groups_of

DELIVERY, FILE, FILTER = b"D", b"F", b"U"  # what a child is for
MAX_CHILDREN = 200
_POLL = 0.5


@dataclass(slots=True)
class AgentWires:
    """Made by the master before it forks: every worker may use ``client``, the agent owns ``server``."""

    server: socket.socket
    client: socket.socket


def make_agent_wires() -> AgentWires:
    """A packet pair; each request is one packet that carries a stream's end. The agent ends when all clients have."""
    server, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return AgentWires(server, client)


@dataclass(slots=True)
class AgentClient:
    """For processes that gave their rights up; threads may share it. ``idle``: users' processes that wait, by key."""

    sock: socket.socket
    idle: dict[Key, list[tuple[float, socket.socket]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: Key) -> tuple[socket.socket, bool]:
        """A process of this user's that waits, or a fresh one; whether it is fresh."""
        with self.lock:
            waiting = self.idle.get(key)
            if waiting:
                since, sock = waiting.pop()
                if time.monotonic() - since < IDLE - 1:
                    return sock, False
                sock.close()
        return self.connect(), True

    def give(self, key: Key, sock: socket.socket) -> None:
        """Keep a process for the next delivery to its user; those that waited too long go."""
        now = time.monotonic()
        with self.lock:
            self.idle.setdefault(key, []).append((now, sock))
            for other in list(self.idle):
                kept = [(since, one) for since, one in self.idle[other] if now - since < IDLE]
                for since, one in self.idle[other]:
                    if now - since >= IDLE:
                        one.close()
                if kept:
                    self.idle[other] = kept
                else:
                    del self.idle[other]

    def connect(self, errand: bytes = DELIVERY) -> socket.socket:
        """A stream whose other end is a fresh child of the agent. OSError when there is no agent."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self.sock, [errand], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours


def use_agent(runtime: Runtime, wires: AgentWires) -> None:
    """Make a worker's local deliveries go through the agent."""
    client = AgentClient(wires.client)
    runtime.services.state[AGENT] = client
    use_agent_for_files(runtime, partial(client.connect, FILE))
    use_agent_for_filters(runtime, partial(client.connect, FILTER))


def give_up_root(runtime: Runtime) -> None:
    """Make this process the mta user's, leaving an agent of its own behind for local deliveries.

    For command-line calls by root, before they deliver: no process of root talks to other hosts. Must be called while
    the process has one thread; does nothing when not root, without an exim_user, or when it was done before.
    """
    site = runtime.config.site
    if os.geteuid() != 0 or site.uid <= 0 or AGENT in runtime.services.state:
        return
    preload(DELIVERING)
    if not runtime.config.main.deliver_drop_privilege:
        _leave_agent(runtime)
    user = find_user(str(site.uid))
    groups = groups_of(user.name, site.gid) if user is not None else [site.gid]
    become(site.uid, site.gid, tuple(groups))


def _leave_agent(runtime: Runtime) -> None:
    """Fork the agent, which keeps the rights that this process is about to give up."""
    wires = make_agent_wires()
    if os.fork() == 0:
        wires.client.close()
        code = 1
        try:
            runtime.after_fork()
            code = LocalAgent(runtime, wires.server).loop()
        finally:
            os._exit(code)
    wires.server.close()
    use_agent(runtime, wires)


@dataclass(slots=True)
class LocalAgent:
    """``stopping`` is asked between requests; children under way are waited for at the end."""

    runtime: Runtime
    sock: socket.socket
    stopping: Callable[[], bool] = lambda: False
    _delivering: set[int] = field(default_factory=set)
    _waiting: deque[socket.socket] = field(default_factory=deque)  # deliveries over local_delivery_processes

    def loop(self) -> int:
        """Until ``stopping`` or until every client is gone."""
        children: set[int] = set()
        while not self.stopping():
            self._reap(children)
            while self._waiting and len(self._delivering) < self._most():
                self._start(children, DELIVERY, self._waiting.popleft())
            busy = len(children) >= MAX_CHILDREN
            ready = any_readable([] if busy else [self.sock], 0.01 if busy or self._waiting else _POLL)
            if ready and not self._accept(children):
                break
        for stream in self._waiting:
            stream.close()
        for pid in children:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        return 0

    def _accept(self, children: set[int]) -> bool:
        data, fds, _, _ = socket.recv_fds(self.sock, 16, 1)
        if not data and not fds:
            return False
        if len(fds) != 1:
            return True
        stream = socket.socket(fileno=fds[0])
        if data in (FILE, FILTER) or len(self._delivering) < self._most():
            self._start(children, data, stream)
        else:
            self._waiting.append(stream)
        return True

    def _most(self) -> int:
        return self.runtime.config.main.local_delivery_processes or MAX_CHILDREN

    def _start(self, children: set[int], data: bytes, stream: socket.socket) -> None:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self.sock.close()
                self.runtime.after_fork()
                if data == FILE:
                    serve_file(stream)
                elif data == FILTER:
                    serve_filter(self.runtime, stream)
                else:
                    serve(self.runtime, stream)
                code = 0
            finally:
                os._exit(code)
        stream.close()
        children.add(pid)
        if data not in (FILE, FILTER):
            self._delivering.add(pid)

    def _reap(self, children: set[int]) -> None:
        for pid in list(children):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done = pid
            if done:
                children.discard(pid)
                self._delivering.discard(pid)
