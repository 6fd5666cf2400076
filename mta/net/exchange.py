"""One DNS question to one server: UDP with a fresh port each time, TCP when the answer was cut.

``ask`` returns the server's message or raises NoAnswer; it never waits longer than its time-out.
"""

from __future__ import annotations

import socket
import struct
import time

import dns.exception
import dns.flags
import dns.message
from dns.message import Message

MAXIMUM = 65_535


class NoAnswer(Exception):
    """This server gave no usable answer; ``str()`` says why. Caught in resolver.py."""


def ask(question: Message, server: tuple[str, int], timeout: float) -> Message:
    """The answer to ``question``: matching id, question and sender, or NoAnswer after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    try:
        answer = _by_udp(question, family, server, deadline)
        if answer is None:
            answer = _by_tcp(question, family, server, deadline)
        return answer
    except OSError as error:
        raise NoAnswer(f"{server[0]}: {'timed out' if isinstance(error, TimeoutError) else error}") from None


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _by_udp(question: Message, family: int, server: tuple[str, int], deadline: float) -> Message | None:
    """The answer, or None when it must be asked for by TCP."""
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        # A connected socket takes datagrams of this server only, and learns of a closed port at once.
        sock.connect(server)
        sock.settimeout(_remaining(deadline))
        sock.send(question.to_wire())
        while True:
            sock.settimeout(_remaining(deadline))
            answer = _parse(sock.recv(MAXIMUM), question)
            if answer is not None:
                return None if answer.flags & dns.flags.TC else answer


def _by_tcp(question: Message, family: int, server: tuple[str, int], deadline: float) -> Message:
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(_remaining(deadline))
        sock.connect(server)
        wire = question.to_wire()
        sock.settimeout(_remaining(deadline))
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        (size,) = struct.unpack("!H", _exactly(sock, 2, deadline))
        answer = _parse(_exactly(sock, size, deadline), question)
    if answer is None:
        raise NoAnswer(f"{server[0]}: an answer that does not fit the question")
    return answer


def _exactly(sock: socket.socket, size: int, deadline: float) -> bytes:
    got = bytearray()
    while len(got) < size:
        sock.settimeout(_remaining(deadline))
        piece = sock.recv(size - len(got))
        if not piece:
            raise ConnectionResetError("connection closed in the middle of an answer")
        got += piece
    return bytes(got)


def _parse(wire: bytes, question: Message) -> Message | None:
    """The message, or None for anything that is no answer to this question (forged, late or broken)."""
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, IndexError, struct.error):
        if len(wire) >= 12 and wire[:2] == struct.pack("!H", question.id):
            # The right id: the server's own broken answer. TCP or the next server may do better.
            raise NoAnswer("an answer that cannot be read") from None
        return None
    return answer if question.is_response(answer) else None
