"""``-be``: prepares scope and streams for ``modes.expand``; with ``-Mset``, the scope of a message on the spool."""

from __future__ import annotations

import io

from mta.cli.call import Call
from mta.cli.modes import expand
from mta.scope.scope import Scope


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
    """A scope without message or peer, or with those of -Mset (for admin users only)."""
    runtime = call.runtime()
    scope = runtime.scope()
    message_id = call.arguments.message_variables
    if message_id is not None:
        if not call.is_admin():
            raise PermissionError("permission denied")
        scope.message, scope.peer = runtime.spool.read(message_id)
    return scope
