"""``${readsocket{name}{request}{options}{eol}{fail}}`` (manual 11.5): ask a server over a Unix or TCP socket."""

from __future__ import annotations

import os
import socket
import ssl
import time

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import MAX_RESULT, Node, insert, isolated, like
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.lists import split_list
from mta.text.units import parse_time

_TIMEOUT = 5.0
_MOST_KEPT, _LONGEST_KEPT = 500, 65536  # sockets and requests each; characters of an answer


@items.register("readsocket")
def parse(parser: Parser, name: str) -> Node:
    arguments: list[Node] = []
    while parser.skip_space() == "{" and len(arguments) < 5:
        arguments.append(parser.braced())
    if len(arguments) < 2:
        parser.fail(f"Not enough arguments for '{name}' (min is 2)")
    if not parser.take("}"):
        parser.fail("missing '}' closing readsocket")
    where, request = isolated(arguments[0]), isolated(arguments[1])
    options = arguments[2].run if len(arguments) > 2 else None
    ending = arguments[3].run if len(arguments) > 3 else None
    fallback = arguments[4].run if len(arguments) > 4 else None

    def run(scope: Scope) -> str:
        if "readsocket" in scope.forbidden:
            raise ExpansionFailed("socket insertions are not permitted")
        try:
            text = _answer(scope, where(scope), request(scope), _options(options(scope) if options else ""))
        except ExpansionFailed:
            if fallback is None:
                raise
            return fallback(scope)
        if ending is not None:
            text = like(text.replace("\n", ending(scope)), text)
        return insert(scope, text)

    return Node(run)


def _options(text: str) -> dict[str, str]:
    words = split_list(text)
    found = {"timeout": words[0]} if words else {}
    for word in words[1:]:
        key, _, value = word.partition("=")
        found[key.strip()] = value.strip()
    return found


def _answer(scope: Scope, where: str, request: str, options: dict[str, str]) -> str:
    """From the process's cache with ``cache=yes``; without it, what is kept of this socket is forgotten."""
    cache: dict[str, dict[str, str]] = scope.services.state.setdefault("expand.readsocket", {})
    if options.get("cache") != "yes":
        cache.pop(where, None)
        return _ask(scope, where, request, options)
    kept = cache.get(where, {}).get(request)
    if kept is None:
        kept = _ask(scope, where, request, options)
        if len(cache) >= _MOST_KEPT or len(cache.get(where, ())) >= _MOST_KEPT:
            cache.clear()
        if len(kept) <= _LONGEST_KEPT:
            cache.setdefault(where, {})[request] = kept
    return kept


def _ask(scope: Scope, where: str, request: str, options: dict[str, str]) -> str:
    if where.__class__ is Tainted:
        scope.services.log_panic(f"attempt to use tainted socket name '{where}'")
        raise ExpansionFailed(f"attempt to use tainted socket name '{where}'")
    timeout = parse_time(options.get("timeout", "")) or _TIMEOUT
    deadline = time.monotonic() + timeout
    connection = _connect(where, timeout)
    try:
        connection.settimeout(timeout)
        if options.get("tls") == "yes":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = context.wrap_socket(connection)
        connection.sendall(request.encode("latin-1"))
        if options.get("shutdown") != "no" and options.get("tls") != "yes":
            connection.shutdown(socket.SHUT_WR)
        return Tainted(_read(connection, deadline).decode("latin-1"))
    except TimeoutError:
        raise ExpansionFailed("socket read timed out") from None
    except OSError as error:
        raise ExpansionFailed(f"request write to socket failed: {error.strerror or error}") from None
    finally:
        connection.close()


def _connect(where: str, timeout: float) -> socket.socket:
    if not where.startswith("inet:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(where.encode("latin-1"))
        except OSError as error:
            connection.close()
            # an empty name has another error in Exim, whose address ends with a NUL
            reason = os.strerror(error.errno) if error.errno and where else "Connection refused"
            raise ExpansionFailed(f"failed to connect to socket {where}: {reason}") from None
        return connection
    host, colon, port = where[5:].rpartition(":")
    if not colon:
        raise ExpansionFailed(f"missing port number in {where}")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return socket.create_connection((bare, int(port) if port.isdigit() else socket.getservbyname(port)), timeout)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ExpansionFailed(f"failed to connect to any address for {host}: {reason}") from None


def _read(connection: socket.socket, deadline: float) -> bytes:
    out = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(65536)
        if not piece:
            return bytes(out)
        out += piece
        if len(out) > MAX_RESULT:
            raise ExpansionFailed("socket gave too much data")
