"""The lmtp transport (manual chapter 28): LMTP over a Unix socket, or with a command on its standard input
and output."""

from __future__ import annotations

import errno
import os
import signal
import socket as sockets
import subprocess
from dataclasses import dataclass
from typing import ClassVar

from mta.errors import ExpansionFailed
from mta.mail.host import Host
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.smtp.extensions import parse_ehlo
from mta.transport import content, outcomes
from mta.transport.base import Batch, Transport, transports
from mta.transport.command import BadCommand, command_line
from mta.transport.generic import enter
from mta.transport.remote.connection import Connection, Lost, reply_text
from mta.transport.remote.conversation import Letter, transact
from mta.transport.remote.failures import Reach, Trouble

# The conversation is the smtp transport's; Exim's words for this transport differ.
_WORDS = (
    ("SMTP error from remote mail server after ", "LMTP error after "),
    ("LMTP error after DATA: ", "LMTP error after end of data: "),
    ("Remote host closed connection in response to ", "LMTP connection closed after "),
    ("SMTP timeout after ", "LMTP timeout after "),
    ("Malformed SMTP reply in response to ", "Malformed LMTP reply after "),
)


@transports.register("lmtp")
@dataclass(slots=True, eq=False, repr=False)
class Lmtp:
    """Options of chapter 28."""

    local: ClassVar[bool] = True
    batch_id: Expansion | None = option("expanded")
    batch_max: int = option("int", 1)
    command: str | None = option("string")  # split into arguments before it is expanded
    ignore_quota: bool = option("bool", False)
    socket: Expansion | None = option("expanded")
    timeout: float = option("time", 300.0)

    def check_options(self, transport: Transport) -> str | None:
        """What is wrong with the options taken together, or None."""
        if (self.socket is None) == (self.command is None):
            return f"one (and only one) of command or socket must be set for the {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        enter(batch, scope)
        try:
            message = content.compose(transport, batch, scope)
        except content.ContentFailed as error:
            return outcomes.misconfigured(batch, error.at(""), error.errno)
        process: subprocess.Popen[bytes] | None = None
        patience = 0.0
        try:
            stream, process = self._open(transport, batch, scope)
            connection = Connection(Host(""), 0, stream)
            try:
                found = self._converse(connection, transport, batch, scope, message)
                patience = _PATIENCE
                return found
            finally:
                connection.quit()
        except _NoServer as error:
            if error.failed:
                return outcomes.failed(batch, str(error))
            return outcomes.deferred(batch, transport, str(error), outcomes.UNKNOWN)
        finally:
            message.close()
            if process is not None:
                _reap(process, patience)

    def _open(
        self, transport: Transport, batch: Batch, scope: Scope
    ) -> tuple[sockets.socket, subprocess.Popen[bytes] | None]:
        if self.socket is not None:
            return self._connect(transport, self.socket, scope), None
        addresses = [recipient.address for recipient in batch.recipients]
        try:
            command = command_line(self.command or "", scope, f"{transport.name} transport", addresses)
        except BadCommand as error:
            raise _NoServer(str(error), failed=error.failed) from None
        ours, theirs = sockets.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(
                    [word.encode("latin-1") for word in command],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env={"PATH": "/bin:/usr/bin"},
                    cwd=batch.current_directory or None,
                    start_new_session=True,
                    close_fds=True,
                )
            except OSError as error:
                ours.close()
                text = os.strerror(error.errno or 0)
                raise _NoServer(f"Failed to create child process for {transport.name} transport: {text}") from None
        return ours, process

    def _connect(self, transport: Transport, option: Expansion, scope: Scope) -> sockets.socket:
        try:
            path = expand_with_taint(option, scope)
        except ExpansionFailed as error:
            raise _NoServer(
                f'Expansion of "{option.source}" (socket setting for {transport.name} transport) failed: '
                f"{error.message}"
            ) from None
        if isinstance(path, Tainted):
            raise _NoServer(f"Tainted '{path}' (socket for {transport.name} transport) not permitted")
        stream = sockets.socket(sockets.AF_UNIX)
        stream.settimeout(self.timeout or None)
        try:
            stream.connect(path.encode("latin-1"))
        except OSError as error:
            stream.close()
            text = os.strerror(error.errno or errno.ETIMEDOUT)
            raise _NoServer(f"Failed to connect to socket {path} for {transport.name} transport: {text}") from None
        stream.settimeout(None)
        return stream

    def _converse(
        self, connection: Connection, transport: Transport, batch: Batch, scope: Scope, message: content.Content
    ) -> list[Outcome]:
        hello = f"LHLO {scope.site.options.primary_hostname}"
        try:
            for word in ("", hello):
                reply = connection.command(word, self.timeout) if word else connection.reply(self.timeout, _BANNER)
                if reply.code // 100 != 2:
                    text = f"LMTP error after {word or _BANNER}: {reply_text(reply)}"
                    raise _NoServer(text, failed=reply.code // 100 == 5)
        except Lost as lost:
            raise _NoServer(_reworded(lost.message)) from None
        offered = parse_ehlo(reply)
        if "IGNOREQUOTA" in offered:
            connection.extensions.keywords["IGNOREQUOTA"] = ""
        letter = Letter(
            batch.message,
            batch.return_path,
            batch.recipients,
            message,
            0,
            self.timeout,
            self.timeout,
            self.timeout,
            lmtp=True,
            affixes=transport.options.rcpt_include_affixes,
            ignore_quota=self.ignore_quota,
        )
        batch.before_effect("lmtp")
        answers = transact(connection, letter)
        out = []
        for index, recipient in enumerate(batch.recipients):
            response = answers.responses.get(index)
            if response is not None:
                outcome = Outcome(recipient, Status.DELIVERED, response=response)
                outcome.retry.append(RetryFact(outcomes.local_retry_key(transport, recipient), False))
                out.append(outcome)
            else:
                out.append(self._undelivered(transport, batch, index, answers.troubles[index]))
        return out

    def _undelivered(self, transport: Transport, batch: Batch, index: int, trouble: Trouble) -> Outcome:
        recipient = batch.recipients[index]
        message = _reworded(trouble.message)
        if trouble.permanent:
            return Outcome(recipient, Status.FAILED, message, response=trouble.response)
        number = trouble.errno if trouble.code else outcomes.UNKNOWN
        outcome = Outcome(recipient, Status.DEFERRED, message, response=trouble.response, errno=number)
        outcome.more_errno = (trouble.code % 100) << 8
        outcome.error = trouble.error
        if trouble.reach != Reach.NOTHING:
            key = outcomes.local_retry_key(transport, recipient)
            outcome.retry.append(
                RetryFact(key, True, trouble.error, trouble.detail, message, number, outcome.more_errno)
            )
        return outcome


_BANNER = "initial connection"
_PATIENCE = 5.0  # seconds for a command to end after QUIT


class _NoServer(Exception):
    """No conversation came about, or it ended before MAIL."""

    def __init__(self, message: str, *, failed: bool = False) -> None:
        super().__init__(message)
        self.failed = failed


def _reworded(message: str) -> str:
    for theirs, ours in _WORDS:
        if message.startswith(theirs):
            return ours + message[len(theirs) :]
    return message


def _reap(process: subprocess.Popen[bytes], patience: float) -> None:
    """The command has been told to QUIT and sees the end of its input; what stays on is killed."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
