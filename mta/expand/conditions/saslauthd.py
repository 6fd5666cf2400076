"""``saslauthd{{user}{password}{service}{realm}}``: ask Cyrus's daemon over its Unix socket (manual 11.7).

A request is four strings, the answer one, each behind its length in two bytes; "OK" starts a good answer.
"""

from __future__ import annotations

import os
import socket

from mta.errors import ExpansionFailed
from mta.expand.base import Closure, conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser

SOCKET = "/var/run/saslauthd/mux"
_TIMEOUT = 60.0  # the daemon may wait for a slow directory, and delays what is wrong
_LONGEST = 0xFFFF


@conditions.register("saslauthd")
def parse(parser: Parser, name: str) -> Condition:
    parser.condition_bracket(name, 0)
    parser.pos += 1
    parts: list[Closure] = []
    while parser.skip_space() == "{":
        parts.append(parser.braced().run)
    if len(parts) < 2 or not parser.take("}"):
        parser.fail(f"too few arguments or bracketing error for {name}")
    if len(parts) > 4:
        parser.fail(f"Too many arguments for '{name}' (max is 4)")
    return Condition(lambda scope: _ask(SOCKET, [part(scope) for part in parts]))


def _ask(path: str, parts: list[str]) -> bool:
    texts = [part.encode("latin-1") for part in [*parts, "", ""][:4]]
    if any(len(text) > _LONGEST for text in texts):
        raise ExpansionFailed("an argument for saslauthd is too long")
    request = b"".join(len(text).to_bytes(2, "big") + text for text in texts)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(_TIMEOUT)
        try:
            connection.connect(path)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ExpansionFailed(f"cannot connect to saslauthd daemon at {path}: {reason}") from None
        try:
            connection.sendall(request)
            size = int.from_bytes(_exactly(connection, 2), "big")
            return _exactly(connection, size).startswith(b"OK")
        except (OSError, EOFError) as error:
            raise ExpansionFailed(f"no answer from the saslauthd daemon at {path}: {error}") from None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError("the connection was closed")
        data += piece
    return data
