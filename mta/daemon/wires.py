"""The sockets between the daemon's processes and the few messages that go over them.

Arrivals are datagrams from any worker to the queue manager; each delivery worker has a
sequenced-packet pair with the manager. A message is a letter and words, ASCII, at most 200 bytes.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import NamedTuple

MAX_PACKET = 256


class Order(NamedTuple):
    """Manager to worker: deliver this message. ``flags``: "n" new arrival, "q" queue run, "f" forced."""

    message_id: str
    flags: str


class Report(NamedTuple):
    """Worker to manager: done with it. ``due`` is when it may be tried again, 0 for gone or at once."""

    message_id: str
    left: bool  # the message is still in the spool
    due: float


@dataclass(slots=True)
class Wires:
    """All the sockets, made by the master before it forks; a restarted child finds them as they were."""

    arrivals: tuple[socket.socket, socket.socket]  # (manager's end, workers' end)
    orders: list[tuple[socket.socket, socket.socket]]  # one a delivery worker: (manager's end, worker's end)


def make_wires(delivery_workers: int) -> Wires:
    """Fresh sockets; the arrivals queue is large enough for a burst while the manager is busy."""
    arrivals = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in arrivals:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(delivery_workers)]
    return Wires(arrivals, pairs)


def announce(sock: socket.socket, message_id: str, *, deliver: bool) -> bool:
    """Tell the manager of a new message; False when its queue is full (the spool has it, a later run finds it)."""
    try:
        sock.send(f"{'N' if deliver else 'Q'} {message_id}".encode("ascii"), socket.MSG_DONTWAIT)
    except (BlockingIOError, ConnectionError, OSError):
        return False
    return True


def encode_order(order: Order) -> bytes:
    return f"D {order.message_id} {order.flags}".encode("ascii")


def decode_order(packet: bytes) -> Order | None:
    words = packet.decode("ascii", "replace").split(" ")
    return Order(words[1], words[2]) if len(words) == 3 and words[0] == "D" else None


def encode_report(report: Report) -> bytes:
    return f"R {report.message_id} {int(report.left)} {report.due:.0f}".encode("ascii")


def encode_hello(capacity: int) -> bytes:
    """A delivery worker's first words: how many deliveries it runs at once."""
    return f"H {capacity}".encode("ascii")
