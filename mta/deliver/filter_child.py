"""Users' filters that need their users' rights: run in a process under the ids of the address (manual 22.10).

``run_as_user`` asks a child of the local delivery agent, or forks one where this process is root and of one thread.
The two ends speak wire.py's records; what comes back is the filter's decisions, checked as a user's word is.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from mta.config.runtime import Runtime
from mta.deliver import wire
from mta.deliver.identity import become
from mta.deliver.preload import DELIVERING, preload
from mta.filter.actions import FilterError, Outcome
from mta.filter.job import Job, job_of, job_record, outcome_of, outcome_record, run_job
from mta.route.redirect_filter import RUN_AS_USER
from mta.scope.scope import Scope
from mta.system.users import find_user, groups_of

TIMEOUT = 120.0  # seconds for a whole run
MAX_CPU = 60  # seconds
MAX_BODY = 1 << 20
NO_ID = "000000-000000-00"  # for an address test, which has no message

Connect = Callable[[], socket.socket]


def use_agent_for_filters(runtime: Runtime, connect: Connect) -> None:
    """Give the redirect router of this process a way to run filters under their users."""
    runtime.services.state[RUN_AS_USER] = partial(run_as_user, connect)


def use_forks_for_filters(runtime: Runtime) -> None:
    """The same for a process of root with one thread and without an agent (-bt)."""
    if os.geteuid() == 0:
        runtime.services.state.setdefault(RUN_AS_USER, partial(run_as_user, partial(_fork, runtime)))


def _fork(runtime: Runtime) -> socket.socket:
    """A stream to a grandchild, so that nobody needs to wait for it."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            if os.fork() == 0:
                runtime.after_fork()
                preload(DELIVERING)  # the user may not be able to read our modules
                serve_filter(runtime, theirs)
        finally:
            os._exit(0)
    theirs.close()
    os.waitpid(pid, 0)
    return ours


def run_as_user(connect: Connect, job: Job, scope: Scope) -> Outcome:
    """FilterError, also when the process fails: the message then waits."""
    recipient = scope.recipient
    if recipient is None or recipient.uid <= 0:
        raise FilterError("the filter has no user to run as")
    visible = max(0, min(scope.site.options.message_body_visible, MAX_BODY))
    body = scope.body
    request = wire.LocalRequest(
        transport="",
        message=scope.message if scope.message.id else replace(scope.message, id=NO_ID),
        peer=scope.peer,
        recipients=[recipient],
        return_path=scope.message.sender,
        uid=recipient.uid,
        gid=recipient.gid,
        groups=(),
        variables={name: str(value) for name, value in scope.vars.items()},
    )
    record = wire.request_record(request)
    record["job"] = job_record(job)
    record["router"] = scope.router
    record["body"] = body(0, visible).decode("latin-1") if body is not None else ""
    record["body_end"] = body(-visible, visible).decode("latin-1") if body is not None and visible else ""
    try:
        with connect() as sock:
            sock.settimeout(TIMEOUT)
            wire.send_record(sock, record)
            answer = wire.receive_record(sock)
    except (OSError, wire.WireError) as error:
        raise FilterError(f"the filter's process failed: {error}") from None
    if "error" in answer:
        raise FilterError(str(answer["error"]))
    return outcome_of(answer)


def serve_filter(runtime: Runtime, sock: socket.socket) -> None:
    """The running end, in a process that does nothing else: the ids are taken before the filter is looked at."""
    with sock:
        record = wire.receive_record(sock)
        request = wire.request_of(record)
        if request.uid <= 0 or request.uid in runtime.config.main.never_users:
            wire.send_record(sock, {"error": f"filters are not run as user {request.uid}"})
            return
        user = find_user(str(request.uid))
        gid = request.gid if request.gid >= 0 else (user.gid if user is not None else request.uid)
        groups = groups_of(user.name, gid) if user is not None and request.recipients[0].initgroups else [gid]
        become(request.uid, gid, tuple(groups))
        if os.getuid() == 0:
            return
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU, MAX_CPU))
        wire.send_record(sock, _answer(runtime, request, record))


def _answer(runtime: Runtime, request: wire.LocalRequest, record: dict[str, Any]) -> dict[str, Any]:
    notes: list[str] = []
    services = runtime.services
    services.log_main = services.log_panic = services.log_reject = notes.append  # the logs are not the user's
    scope = runtime.scope(peer=request.peer, message=request.message)
    scope.recipient = request.recipients[0]
    scope.router = str(record["router"])
    scope.vars.update(request.variables)
    start, end = str(record["body"]).encode("latin-1"), str(record["body_end"]).encode("latin-1")
    scope.body = lambda place, size: start[place : place + size] if place >= 0 else end[-size:]
    try:
        outcome = run_job(job_of(record["job"]), scope)
    except FilterError as error:
        return {"error": error.message}
    outcome.notes += notes
    return outcome_record(outcome)
