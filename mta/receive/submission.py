"""Local messages through the daemon's Unix socket, for callers who may not write the spool.

The kernel says who calls (SO_PEERCRED); nothing that the client sends about itself is believed. On the wire: four
bytes of length and the order as JSON, then the message or SMTP session as it is; for a message the daemon answers
with one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import socket
import struct
from collections.abc import Callable
from typing import Any

from mta.receive.caller import Caller, Order, caller_of
from mta.receive.link import BLOCK
from mta.receive.local import receive_local
from mta.receive.plan import Runtime
from mta.system.readiness import any_readable

LONGEST_ORDER = 1 << 22  # bytes of JSON: the recipients of a long command line
TIMEOUT = 300.0  # seconds of silence that a client may keep
_CREDENTIALS = struct.Struct("iII")
_EX_TEMPFAIL = 75


def connect(path: str) -> socket.socket | None:
    """A connection to the daemon; None when there is no daemon."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        return None
    return sock


def submit(sock: socket.socket, order: Order, input_fd: int, output_fd: int, say: Callable[[str], None]) -> int:
    """The client's side: hand everything over, give back the exit code. Closes the socket."""
    with sock:
        data = json.dumps(dataclasses.asdict(order)).encode("ascii")
        try:
            sock.sendall(struct.pack("!I", len(data)) + data)
            if order.mode == "bs":
                _pump(sock, input_fd, output_fd)
                return 0
            _copy(sock, input_fd)
            answer = _read_all(sock)
        except OSError as error:
            say(f"lost the daemon: {error.strerror}")
            return _EX_TEMPFAIL
    try:
        reply = json.loads(answer)
        for line in reply["say"]:
            say(str(line))
        return int(reply["code"])
    except (ValueError, KeyError, TypeError):
        say("lost the daemon before its answer")
        return _EX_TEMPFAIL


def _copy(sock: socket.socket, input_fd: int) -> None:
    while data := os.read(input_fd, BLOCK):
        try:
            sock.sendall(data)
        except BrokenPipeError:
            break  # a dot ended the message: the answer is on its way
    sock.shutdown(socket.SHUT_WR)


def _pump(sock: socket.socket, input_fd: int, output_fd: int) -> None:
    """Both directions of an interactive session."""
    waiting = [sock.fileno(), input_fd]
    while True:
        ready = any_readable(waiting, None)
        if sock.fileno() in ready:
            data = sock.recv(BLOCK)
            if not data:
                return
            while data:
                data = data[os.write(output_fd, data) :]
        if input_fd in ready:
            data = os.read(input_fd, BLOCK)
            if data:
                sock.sendall(data)
            else:
                waiting.remove(input_fd)
                sock.shutdown(socket.SHUT_WR)


def _read_all(sock: socket.socket) -> bytes:
    out = b""
    while len(out) < LONGEST_ORDER and (data := sock.recv(BLOCK)):
        out += data
    return out


def serve_submission(runtime: Runtime, sock: socket.socket, *, on_accepted: Callable[[str], None]) -> None:
    """The daemon's side of one connection. Closes the socket; raises nothing but bugs."""
    with sock:
        sock.settimeout(TIMEOUT)
        try:
            caller = peer_of(runtime, sock)
            order = _read_order(sock)
            if order is None:
                return
            if order.full_name is not None:
                caller.name = caller_of(runtime, caller.uid, caller.gid, set(), order.full_name).name
            # the descriptor's reads wait by themselves from here on
            sock.setblocking(True)
            _set_timeouts(sock)
            said: list[str] = []
            code = receive_local(
                runtime, caller, order, sock.fileno(), sock.fileno(), on_accepted=on_accepted, say=said.append
            )
            if order.mode != "bs":
                sock.sendall(json.dumps({"code": code, "say": said}).encode("ascii"))
        except OSError as error:
            runtime.log.main(f"local submission lost: {error.strerror or error}")


def peer_of(runtime: Runtime, sock: socket.socket) -> Caller:
    """Who is at the other end of a Unix socket, by the kernel's word, with the groups of the user database."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, gid = _CREDENTIALS.unpack(packed)
    groups = {gid}
    try:
        groups |= set(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except (KeyError, OSError):
        pass
    return caller_of(runtime, uid, gid, groups)


def _set_timeouts(sock: socket.socket) -> None:
    packed = struct.pack("ll", int(TIMEOUT), 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, packed)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, packed)


def _read_order(sock: socket.socket) -> Order | None:
    """The order, or None for anything that is none."""
    head = _exactly(sock, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    data = _exactly(sock, size) if size <= LONGEST_ORDER else None
    if data is None:
        return None
    try:
        raw = json.loads(data)
    except ValueError:
        return None
    return order_from(raw)


def order_from(raw: Any) -> Order | None:
    """An Order of decoded JSON; None when a field is not what it should be."""
    if not isinstance(raw, dict):
        return None
    blank = Order()
    for entry in dataclasses.fields(Order):
        if entry.name not in raw:
            continue
        value, usual = raw[entry.name], getattr(blank, entry.name)
        if not _fits(entry.name, value, usual):
            return None
        setattr(blank, entry.name, value)
    return blank if blank.mode in ("bm", "bs", "bS") else None


def _fits(name: str, value: Any, usual: Any) -> bool:
    if name == "recipients":
        return isinstance(value, list) and all(_is_text(item) for item in value)
    if isinstance(usual, bool):
        return isinstance(value, bool)
    if name == "receive_timeout":
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return _is_text(value) or (usual is None and value is None)


def _is_text(value: Any) -> bool:
    """Byte text without controls: these go into headers, logs and spool files."""
    return isinstance(value, str) and all(" " <= char <= "\xff" and char != "\x7f" for char in value)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    out = bytearray()
    while len(out) < size:
        data = sock.recv(min(size - len(out), BLOCK))
        if not data:
            return None
        out += data
    return bytes(out)
