"""One local delivery: ``run_local(...)`` in a process of its own under the recipient's ids, or right here.

As root we fork, or ask the local delivery agent (agent.py) where one was given; any other user delivers as itself.
The two ends speak wire.py's records over a socket pair: intents (acknowledged once synced), then the outcomes.
"""

from __future__ import annotations

import codecs
import os
import socket
import struct
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from mta.config.runtime import Runtime
from mta.deliver import handing_in, wire
from mta.deliver.body import open_body
from mta.deliver.identity import become
from mta.errors import Deferred, ExpansionFailed, MtaError
from mta.mail.outcome import Outcome, Status
from mta.mail.recipient import Recipient
from mta.scope.scope import Scope
from mta.transport import generic
from mta.transport.base import Batch, Transport

_IDS = struct.Struct("!iiI")
_CODECS = ("latin-1", "ascii", "utf-8", "idna")
MAX_GROUPS = 65536
AGENT = "local_agent"  # services.state: the AgentClient of a process that gave its rights up

IDLE = 5.0  # seconds that a process waits for another delivery to its user

Intend = Callable[[str], None]
Key = tuple[int, int, tuple[int, ...]]  # uid, gid, groups


class Agent(Protocol):
    def take(self, key: Key) -> tuple[socket.socket, bool]:
        """A stream to a process that is, or is to become, this user; whether it is a fresh one."""
        ...

    def give(self, key: Key, sock: socket.socket) -> None:
        """Put a stream back for the next delivery to the same user."""
        ...


def run_local(runtime: Runtime, request: wire.LocalRequest, body_fd: int, intend: Intend) -> list[Outcome]:
    """The outcomes, one for each recipient; whatever breaks is a deferral. ``body_fd``: the -D file."""
    agent: Agent | None = runtime.services.state.get(AGENT)
    try:
        if agent is not None:
            if (request.uid, request.gid) == (os.geteuid(), os.getegid()):
                return execute(runtime, request, body_fd, intend)  # as ourselves: nobody's help is needed
            return _through_agent(runtime, agent, request, body_fd, intend)
        if os.geteuid() == 0 and request.uid != 0:
            return _forked(runtime, request, body_fd, intend)
    except (OSError, wire.WireError) as error:
        text = f"local delivery process failed: {error}"
        return [Outcome(recipient, Status.DEFERRED, text, errno=-1) for recipient in request.recipients]
    return execute(runtime, request, body_fd, intend)


def _forked(runtime: Runtime, request: wire.LocalRequest, body_fd: int, intend: Intend) -> list[Outcome]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            runtime.after_fork()
            serve(runtime, theirs)
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    try:
        return converse(runtime, ours, request, body_fd, intend)
    finally:
        os.waitpid(pid, 0)


def _through_agent(
    runtime: Runtime, agent: Agent, request: wire.LocalRequest, body_fd: int, intend: Intend
) -> list[Outcome]:
    """Deliver in a process of the user's that may have done so before; one that has just ended is replaced."""
    key = (request.uid, request.gid, request.groups)
    while True:
        sock, fresh = agent.take(key)
        try:
            _greet(sock, request, body_fd)
            break
        except (OSError, wire.WireError):
            sock.close()
            if fresh:
                raise
    try:
        found = _talk(runtime, sock, request, intend)
    except BaseException:
        sock.close()
        raise
    agent.give(key, sock)
    return found


def converse(
    runtime: Runtime, sock: socket.socket, request: wire.LocalRequest, body_fd: int, intend: Intend
) -> list[Outcome]:
    """The asking end of one delivery; closes the stream."""
    with sock:
        _greet(sock, request, body_fd)
        return _talk(runtime, sock, request, intend)


def _greet(sock: socket.socket, request: wire.LocalRequest, body_fd: int) -> None:
    """Send the ids in front, and go on only when the other end has given its rights up and says so."""
    head = _IDS.pack(request.uid, request.gid, len(request.groups))
    head += b"".join(struct.pack("!i", group) for group in request.groups)
    socket.send_fds(sock, [head], [body_fd])
    record = wire.receive_record(sock)
    if "ready" not in record:
        raise wire.WireError(str(record.get("error", "bad answer")))


def _talk(runtime: Runtime, sock: socket.socket, request: wire.LocalRequest, intend: Intend) -> list[Outcome]:
    wire.send_record(sock, wire.request_record(request))
    while True:
        record = wire.receive_record(sock)
        if "submit" in record:
            wire.send_record(sock, _handed_in(runtime, record["submit"]))
            continue
        if "intent" in record:
            try:
                intend(str(record["intent"]))
                wire.send_record(sock, {"ok": True})
            except MtaError as error:
                wire.send_record(sock, {"ok": False, "error": str(error)})
            continue
        answers = record.get("outcomes")
        if not isinstance(answers, list) or len(answers) != len(request.recipients):
            raise wire.WireError(str(record.get("error", "bad answer")))
        return [wire.outcome_of(one, who) for one, who in zip(answers, request.recipients, strict=True)]


def _handed_in(runtime: Runtime, asked: Any) -> dict[str, Any]:
    """Put what a transport in the child hands in into the spool; the answer for the child."""
    try:
        sender, recipients, head, body = asked
        return {"id": handing_in.submit(runtime, str(sender), [str(one) for one in recipients], str(head), str(body))}
    except (MtaError, ValueError, TypeError, OSError) as error:
        return {"error": str(error)}


def serve(runtime: Runtime, sock: socket.socket) -> None:
    """The delivering end, in a process that is one user's alone and ends when it is not needed any more."""
    with sock:
        asked = _next_head(sock)
        if asked is None:
            return
        (uid, gid, groups), body_fd = asked
        if not permitted(runtime, uid, gid):
            wire.send_record(sock, {"error": f"delivery as user {uid} is not permitted"})
            return
        for name in _CODECS:  # afterwards our own library may not be readable
            codecs.lookup(name)
        become(uid, gid, groups)
        runtime.services.state[handing_in.SUBMIT] = partial(_submit, sock)
        while True:
            wire.send_record(sock, {"ready": True})
            _serve_one(runtime, sock, body_fd)
            os.close(body_fd)
            sock.settimeout(IDLE)
            try:
                again = _next_head(sock)
            except OSError:
                return
            sock.settimeout(None)
            if again is None or again[0] != (uid, gid, groups):
                return
            body_fd = again[1]


def _next_head(sock: socket.socket) -> tuple[Key, int] | None:
    """The ids and the body's handle in front of a request; None at the end, or for what makes no sense."""
    data, fds, _, _ = socket.recv_fds(sock, _IDS.size, 1)
    if len(data) != _IDS.size or len(fds) != 1:
        for fd in fds:
            os.close(fd)
        return None
    uid, gid, count = _IDS.unpack(data)
    if count > MAX_GROUPS:
        return None
    groups = struct.unpack(f"!{count}i", wire._exactly(sock, 4 * count)) if count else (gid,)
    return (uid, gid, tuple(groups)), fds[0]


def _submit(sock: socket.socket, *asked: Any) -> str:
    wire.send_record(sock, {"submit": asked})
    answer = wire.receive_record(sock)
    if "id" not in answer:
        raise Deferred(str(answer.get("error", "cannot hand a message in")))
    return str(answer["id"])


def _serve_one(runtime: Runtime, sock: socket.socket, body_fd: int) -> None:
    request = wire.request_of(wire.receive_record(sock))

    def intend(text: str) -> None:
        wire.send_record(sock, {"intent": text})
        answer = wire.receive_record(sock)
        if not answer.get("ok"):
            raise Deferred(str(answer.get("error", "cannot journal")))

    try:
        found = execute(runtime, request, body_fd, intend)
    except Exception:
        runtime.log.panic(f"{request.message.id} bug in {request.transport}: {traceback.format_exc()}")
        wire.send_record(sock, {"error": "internal error"})
        return
    wire.send_record(sock, {"outcomes": [wire.outcome_record(outcome) for outcome in found]})


def permitted(runtime: Runtime, uid: int, gid: int) -> bool:
    """Never root, never never_users, when we have the right to choose."""
    if os.geteuid() != 0:
        return True
    return uid > 0 and gid >= 0 and uid not in runtime.config.main.never_users


def execute(runtime: Runtime, request: wire.LocalRequest, body_fd: int, intend: Intend) -> list[Outcome]:
    """Call the transport in this process, and its shadow after a success."""
    transport = runtime.config.transports[request.transport]
    scope = runtime.scope(peer=request.peer, message=request.message)
    scope.vars.update(request.variables)
    scope.transport = transport.name
    skip = len(request.message.id) + 3
    scope.body = _body_reader(body_fd, skip, request.message.body_size)
    batch = Batch(
        message=request.message,
        recipients=request.recipients,
        return_path=request.return_path,
        open_body=lambda: open_body(body_fd, skip),
        uid=request.uid,
        gid=request.gid,
        home=request.home,
        current_directory=request.current_directory,
        before_effect=intend,
        intents=request.intents,
    )
    found = call(transport, batch, scope)
    shadow(runtime, transport, batch, scope, found)
    return found


def _body_reader(fd: int, skip: int, size: int) -> Callable[[int, int], bytes]:
    def read(start: int, wanted: int) -> bytes:
        return os.pread(fd, wanted, skip + (start if start >= 0 else max(size + start, 0)))

    return read


def call(transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
    """One call of a driver, timed; Deferred and ExpansionFailed become deferrals of all recipients."""
    started = time.monotonic()
    scope.recipient = batch.recipients[0]
    try:
        if scope.trace is not None:
            told = ", ".join(one.address for one in batch.recipients)
            scope.trace("transport", f"{transport.name} transport entered for {told}")
            if transport.options.debug_print is not None:
                scope.trace("transport", transport.options.debug_print(scope))
        refused = generic.too_big(transport, batch, scope)
        found = refused if refused is not None else transport.driver.deliver(transport, batch, scope)
    except (ExpansionFailed, Deferred) as error:
        found = _all(batch.recipients, str(error))
    taken = time.monotonic() - started
    if scope.trace is not None:
        for one in found:
            scope.trace("transport", f"  {one.recipient.address}: {one.status.name.lower()} {one.message}".rstrip())
    for outcome in found:
        outcome.transport_time = outcome.transport_time or taken
    return found


def _all(recipients: Sequence[Recipient], text: str) -> list[Outcome]:
    return [Outcome(recipient, Status.DEFERRED, text, errno=-1) for recipient in recipients]


def shadow(runtime: Runtime, transport: Transport, batch: Batch, scope: Scope, found: list[Outcome]) -> None:
    """shadow_transport: a copy of what was delivered, whose own fate only shows on the log line."""
    name = transport.options.shadow_transport
    if not name or any(outcome.status != Status.DELIVERED for outcome in found):
        return
    second = runtime.config.transports.get(name)
    if second is None or not second.local:
        return
    condition: Any = transport.options.shadow_condition
    try:
        if condition is not None and not condition(scope):
            return
        answers = call(second, batch, scope)
    except (ExpansionFailed, Deferred) as error:
        answers = _all(batch.recipients, str(error))
    for outcome, answer in zip(found, answers, strict=True):
        outcome.shadow = name if answer.status == Status.DELIVERED else f"{name} ({answer.message})"
