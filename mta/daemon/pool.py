"""A pool of threads that accept connections for themselves, grown and shrunk by need.

One of the waiting threads, the leader, waits for a connection; it takes it, makes another thread
the leader, and serves it. So a connection wakes one thread here, and (EPOLLEXCLUSIVE) one worker.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

IDLE_SECONDS = 30.0  # a spare thread that nobody needed for so long ends
STACK = 512 * 1024


@dataclass(slots=True)
class Listener:
    """A listening socket and who serves its connections; ``serve`` closes what it is given."""

    sock: socket.socket
    serve: Callable[[socket.socket], None]


@dataclass(slots=True)
class Pool:
    listeners: list[Listener]
    min_spare: int
    maximum: int
    on_crash: Callable[[BaseException], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _leader: threading.Lock = field(default_factory=threading.Lock)
    _idle: int = 0
    _threads: int = 0
    _stopping: bool = False
    _done: threading.Event = field(default_factory=threading.Event)
    _epoll: select.epoll = field(default_factory=select.epoll)
    _by_fd: dict[int, Listener] = field(default_factory=dict)
    _wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def start(self) -> None:
        """Register the listeners and start the spare threads."""
        threading.stack_size(STACK)
        for listener in self.listeners:
            listener.sock.setblocking(False)
            self._by_fd[listener.sock.fileno()] = listener
            self._epoll.register(listener.sock.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)
        self._epoll.register(self._wake[0].fileno(), select.EPOLLIN)
        with self._lock:
            for _ in range(self.min_spare):
                self._start_thread()

    def _start_thread(self) -> None:
        self._threads += 1
        self._idle += 1
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Accept nothing more; sessions under way go on. ``wait`` tells when they have ended."""
        self._stopping = True
        for listener in self.listeners:
            try:
                self._epoll.unregister(listener.sock.fileno())
            except (OSError, ValueError):
                continue
        self._wake[1].send(b"x")

    def wait(self, seconds: float) -> bool:
        """Wait for the last thread; False when the time is over first."""
        ended = self._done.wait(seconds)
        if ended:
            self._epoll.close()
            for end in self._wake:
                end.close()
        return ended

    @property
    def busy(self) -> int:
        """Threads with a session."""
        return self._threads - self._idle

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._leader.acquire(timeout=IDLE_SECONDS):
                    with self._lock:
                        if self._idle > self.min_spare:
                            return
                    continue
                try:
                    taken = self._lead()
                finally:
                    self._leader.release()
                if taken is not None:
                    self._serve(*taken)
        finally:
            with self._lock:
                self._idle -= 1
                self._threads -= 1
                if self._stopping and not self._threads:
                    self._done.set()

    def _lead(self) -> tuple[Listener, socket.socket] | None:
        """Wait until a connection could be taken; None on stopping or trouble."""
        while not self._stopping:
            for fd, _ in self._epoll.poll(-1, 1):
                listener = self._by_fd.get(fd)
                if listener is None or self._stopping:
                    return None
                try:
                    connection, _ = listener.sock.accept()
                except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                    continue
                except OSError as error:
                    if not self._stopping:
                        self.on_crash(error)
                        # Out of descriptors or memory: let sessions end before the next try.
                        self._done.wait(0.1)
                    return None
                with self._lock:
                    self._idle -= 1
                    if self._idle < self.min_spare and self._threads < self.maximum and not self._stopping:
                        self._start_thread()
                return listener, connection
        return None

    def _serve(self, listener: Listener, connection: socket.socket) -> None:
        try:
            connection.setblocking(True)
            listener.serve(connection)
        except Exception as error:
            self.on_crash(error)
        finally:
            connection.close()
            with self._lock:
                self._idle += 1
