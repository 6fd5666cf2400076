"""``-bm``, ``-t``, ``-bs``, ``-bS``: messages that a process of this machine hands in.

Who may write the spool does so; anybody else's message goes to the daemon through its Unix socket.
"""

from __future__ import annotations

import os
import socket

from mta.cli.arguments import Arguments
from mta.cli.call import Call
from mta.config.runtime import Runtime, settled
from mta.receive.caller import Order, caller_of


def run(call: Call) -> int:
    """The exit code of the submission; deliveries that wait for nobody go on in a process of their own."""
    from mta.receive.local import receive_local

    runtime, arguments = call.runtime(), call.arguments
    if arguments.full_name is not None and "\n" in arguments.full_name:
        call.error("mta: -F option contains a newline")
        return 1
    if bad_reference(arguments):
        call.error(f"mta: -oMm must be a valid message ID: {arguments.message_reference}")
        return 1
    order = order_of(arguments)
    handed_in = remote_peer(call) if order.mode == "bs" else None
    arrivals = Arrivals(call)
    if handed_in is not None:
        return serve_socket(runtime, handed_in, arrivals)

    def say(line: str) -> None:
        call.error(f"mta: {line}")

    if not may_write(runtime.spool.layout.input):
        from mta.receive.submission import connect, submit

        scope = runtime.scope()
        sock = connect(settled(runtime.config.main.submission_socket, "submission_socket", scope))
        if sock is not None:
            return submit(sock, order, call.stdin.fileno(), call.stdout.fileno(), say)
    caller = caller_of(runtime, call.uid, call.gid, call.groups(), arguments.full_name)
    return receive_local(
        runtime, caller, order, call.stdin.fileno(), call.stdout.fileno(), on_accepted=arrivals.accepted, say=say
    )


def bad_reference(arguments: Arguments) -> bool:
    """Whether -oMm names what can be no message."""
    from mta.mail.ids import is_message_id

    return arguments.message_reference is not None and not is_message_id(arguments.message_reference)


def order_of(arguments: Arguments) -> Order:
    """What the command line says, as the receive room wants it."""
    return Order(
        mode=arguments.mode,
        recipients=arguments.words,
        extract=arguments.extract,
        dot_ends=arguments.dot_ends,
        sender=arguments.sender,
        full_name=arguments.full_name,
        errors=arguments.errors,
        host_address=arguments.host_address,
        authenticator=arguments.authenticator,
        authenticated_id=arguments.authenticated_id,
        authenticated_sender=arguments.authenticated_sender,
        interface_address=arguments.interface_address,
        protocol=arguments.protocol,
        host_name=arguments.host_name,
        ident=arguments.ident,
        local_error=arguments.local_error,
        message_reference=arguments.message_reference,
        suppress_fixups=arguments.suppress_fixups,
        unqualified=arguments.unqualified,
        no_delivery=arguments.no_delivery,
        queue_only=arguments.delivery == "q",
        receive_timeout=arguments.receive_timeout,
    )


def may_write(path: str) -> bool:
    """Whether we may make files in a folder, or make the folder itself."""
    while path and not os.path.isdir(path):
        path = os.path.dirname(path)
    return os.access(path or ".", os.W_OK | os.X_OK, effective_ids=True)


def remote_peer(call: Call) -> socket.socket | None:
    """The connection that inetd gave us as standard input, or None."""
    try:
        sock = socket.socket(fileno=os.dup(call.stdin.fileno()))
    except OSError:
        return None
    try:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.getpeername()
            return sock
    except OSError:
        pass
    sock.close()
    return None


def serve_socket(runtime: Runtime, sock: socket.socket, arrivals: Arrivals) -> int:
    """One SMTP session with a host of the network."""
    from mta.receive.connection import serve

    peer, local = sock.getpeername(), sock.getsockname()
    serve(runtime, sock, (peer[0], peer[1]), (local[0], local[1]), on_accepted=arrivals.accepted)
    return 0


class Arrivals:
    """What becomes of the messages of one call: -od and the queue_only options decide (manual chapters 5 and 14)."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._count = 0

    def accepted(self, message_id: str) -> None:
        """Deliver now, in the background, or leave it for a queue run."""
        self._count += 1
        how = self._how()
        if how == "q":
            return
        if how in ("i", "f"):
            self._deliver(message_id, how)
        elif os.fork() == 0:
            self._background(message_id, how)

    def _how(self) -> str:
        main, wish = self._call.config().main, self._call.arguments.delivery
        limit = main.smtp_accept_queue_per_connection
        if self._call.arguments.mode in ("bs", "bS") and 0 < limit < self._count:
            return "q"
        if wish and (main.queue_only_override or wish.startswith("q")):
            return wish
        if main.queue_only or (main.queue_only_load is not None and os.getloadavg()[0] > main.queue_only_load):
            return "q"
        if main.queue_only_file is not None:
            from mta.daemon.immediate import queue_only_file_is_there

            if queue_only_file_is_there(main.queue_only_file):
                return "q"
        return wish or "b"

    def _background(self, message_id: str, how: str) -> None:
        """In a child: leave the caller's session, whose streams must not be held open."""
        code = 1
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            self._call.runtime().after_fork()
            self._deliver(message_id, how)
            code = 0
        finally:
            os._exit(code)

    def _deliver(self, message_id: str, how: str) -> None:
        from mta.deliver.agent import give_up_root
        from mta.deliver.message import DeliverOptions, deliver_message
        from mta.transport.remote.pool import close_idle

        give_up_root(self._call.runtime())
        options = DeliverOptions(no_delivery=self._call.arguments.no_delivery, queue_smtp=how == "qs")
        deliver_message(self._call.runtime(), message_id, options)
        close_idle(self._call.runtime().services)
