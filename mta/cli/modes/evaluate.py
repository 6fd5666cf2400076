"""``-be``, ``-bem``: scope and streams for ``modes.expand``; with ``-Mset``, the scope of a message on the spool."""

from __future__ import annotations

import io

from mta.cli.call import Call
from mta.cli.modes import expand
from mta.errors import MtaError
from mta.scope.scope import Scope
from mta.text.ascii import from_bytes, to_bytes


def run(call: Call) -> int:
    """The arguments, or the lines of the standard input, expanded."""
    streams = {"encoding": "latin-1", "newline": ""}
    stdin = io.TextIOWrapper(call.stdin, **streams)  # type: ignore[arg-type]
    stdout = io.TextIOWrapper(call.stdout, **streams)  # type: ignore[arg-type]
    try:
        return expand.run(lambda: make_scope(call), call.arguments.words, stdin, stdout, expand.editing())
    finally:
        # the wrappers must not close the streams, which outlive this mode
        stdout.flush()
        stdin.detach()
        stdout.detach()


def make_scope(call: Call) -> Scope:
    """A scope without message or peer, with those of -Mset (for admin users only), or with -bem's message."""
    runtime = call.runtime()
    if call.arguments.mode == "bem":
        return _scope_of_file(call)
    scope = runtime.scope()
    message_id = call.arguments.message_variables
    if message_id is not None:
        if not call.is_admin():
            raise PermissionError("permission denied")
        scope.message, scope.peer = runtime.spool.read(message_id)
    return scope


def _scope_of_file(call: Call) -> Scope:
    from mta.cli.modes.filter_message import MAX_MESSAGE, message_scope
    from mta.receive.caller import caller_of

    path, runtime = call.arguments.value, call.runtime()
    try:
        with open(to_bytes(path), "rb") as file:
            text = from_bytes(file.read(MAX_MESSAGE)).replace("\r\n", "\n")
    except OSError as error:
        raise MtaError(f"failed to open {path}: {error.strerror}") from None
    caller = caller_of(runtime, call.uid, call.gid, call.groups(), None)
    return message_scope(call, text, f"{caller.login}@{runtime.config.main.qualify_domain}", caller)
