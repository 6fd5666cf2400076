"""Real Redis servers on loopback: one with a password and a socket, or a cluster of two.

``with redis_server(password="x") as server:``; skips, by name, where redis-server is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import account, daemon, own_folder, program
from tests.peers.nsd import free_port


@dataclass(slots=True)
class RedisServer:
    port: int
    socket: Path
    password: str

    def call(self, *words: str | bytes, database: int = 0) -> bytes:
        """One command, the raw answer: what an administrator would do with redis-cli."""
        setup: list[tuple[str | bytes, ...]] = [("AUTH", self.password)] if self.password else []
        if database:
            setup.append(("SELECT", str(database)))
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            for command in (*setup, words):
                parts = [word if isinstance(word, bytes) else word.encode() for word in command]
                sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))
                answer = sock.recv(65536)
        return answer


@contextmanager
def redis_server(password: str = "", *arguments: str) -> Iterator[RedisServer]:
    """One server that keeps nothing on disk."""
    path = program("redis-server", "redis-server")
    user = account("redis")
    with own_folder("redis", user) as folder:
        port = free_port()
        server = RedisServer(port, folder / "redis.sock", password)
        command = [path, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        command += ["--appendonly", "no", "--unixsocket", str(server.socket), "--unixsocketperm", "777", *arguments]
        if password:
            command += ["--requirepass", password]
        with daemon(command, folder, lambda: _answers(server), user=user):
            yield server


def _answers(server: RedisServer) -> bool:
    try:
        return server.call("PING").startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def redis_cluster() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two servers in cluster mode, each with one half of the 16,384 slots."""
    with ExitStack() as stack:
        nodes = []
        for _ in range(2):
            # the bus port is chosen too: the default, port + 10000, may not exist
            bus = ("--cluster-port", str(free_port()))
            nodes.append(stack.enter_context(redis_server("", "--cluster-enabled", "yes", *bus)))
        first, second = nodes
        first.call("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        second.call("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        info = second.call("CONFIG", "GET", "cluster-port").split(b"\r\n")
        first.call("CLUSTER", "MEET", "127.0.0.1", str(second.port), info[-2].decode())
        _await_cluster(nodes)
        yield first, second


def _await_cluster(nodes: list[RedisServer]) -> None:
    import time

    deadline = time.monotonic() + 30
    while any(b"cluster_state:ok" not in node.call("CLUSTER", "INFO") for node in nodes):
        assert time.monotonic() < deadline, "the cluster does not form"
        time.sleep(0.05)
