"""The pipe transport (manual chapter 29): a message on the standard input of a command.

The command runs as the recipient's user, in a process group of its own, without a shell unless use_shell says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed
from mta.mail.outcome import Outcome
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import strip
from mta.text.lists import split_list
from mta.transport import child, content, framing, outcomes
from mta.transport.base import Batch, Transport
from mta.transport.command import BadCommand, command_line, split_arguments
from mta.transport.generic import enter

if TYPE_CHECKING:
    from mta.transport.drivers.pipe import Pipe

# What Exim says of the codes of sysexits.h, and of a shell's.
_MEANINGS = {
    64: "usage or syntax error",
    65: "error in input data",
    66: "input data missing",
    67: "user nonexistent",
    68: "host nonexistent",
    69: "service or program unavailable",
    70: "internal software error",
    71: "internal operating system error",
    72: "system file missing",
    73: "can't create output file",
    74: "input/output error",
    75: "temporary error",
    76: "protocol error",
    77: "permission denied",
    78: "configuration error",
    127: "unable to exec or command does not exist",
}


def deliver(options: Pipe, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
    """One delivery by a command."""
    enter(batch, scope)
    return _Delivery(options, transport, batch, scope).run()


@dataclass(slots=True)
class _Delivery:
    """One delivery under way."""

    options: Pipe
    transport: Transport
    batch: Batch
    scope: Scope
    text: str = ""  # the command as it was written

    def run(self) -> list[Outcome]:
        options, batch, transport = self.options, self.batch, self.transport
        try:
            command = self.command()
            environment = self.environment()
        except BadCommand as error:
            if error.failed:
                return outcomes.failed(batch, str(error))
            if str(error).startswith("Expansion"):
                return outcomes.misconfigured(batch, str(error))
            return outcomes.deferred(batch, transport, str(error))
        try:
            message = content.compose(transport, batch, self.scope)
        except content.ContentFailed as error:
            return self.not_composed(error)
        try:
            pieces = self.pieces(message)
            batch.before_effect(f"pipe {command[0]}")
            finished = child.run(
                command,
                pieces,
                environment=environment,
                directory=batch.current_directory or batch.home,
                umask=options.umask,
                timeout=options.timeout,
                max_output=options.max_output,
            )
        except framing.BadFrame as error:
            return outcomes.misconfigured(batch, error.message)
        finally:
            message.close()
        if finished.input_error is not None:
            raise finished.input_error
        return self.judge(command, finished)

    def not_composed(self, error: content.ContentFailed) -> list[Outcome]:
        message = error.at("")
        message = message[:1].upper() + message[1:]
        if error.timeout and not self.options.timeout_defer:
            return outcomes.failed(self.batch, message)
        return outcomes.misconfigured(self.batch, message, error.errno)

    def pieces(self, message: content.Content) -> Iterator[bytes]:
        return framing.framed(
            self.options, self.transport, self.batch, self.scope, message, from_line=True, escape_from=False
        )

    # -- the command

    def command(self) -> list[str]:
        """The argument vector, allowed and found."""
        options, first, name = self.options, self.batch.recipients[0], self.transport.name
        what = f"{name} transport"
        redirected = first.kind == "pipe" and not options.force_command
        text = strip(first.address[1:]) if redirected else options.command or ""
        expand = not redirected or first.allow_expand or first.pipe_expandn is not None
        if not text:
            raise BadCommand(f"no command specified for {what}")
        self.text = text
        if options.use_shell:
            return self.shell_command(text, what, expand)
        addresses = [recipient.address for recipient in self.batch.recipients]
        with self.scope.saved("captures"):
            if first.pipe_expandn is not None:
                self.scope.captures = list(first.pipe_expandn)
                self.scope.vars["thisaddress"] = Tainted(first.data.get("thisaddress", ""))
            command = command_line(
                text, self.scope, what, addresses, expand=expand, address_pipe=self.redirected_arguments
            )
        return self.permitted(command, what)

    def redirected_arguments(self) -> list[str]:
        first = self.batch.recipients[0]
        return split_arguments(first.address[1:]) if first.kind == "pipe" else []

    def shell_command(self, text: str, what: str, expand: bool) -> list[str]:
        if expand:
            try:
                value = expand_with_taint(self.scope.services.compile_text(text), self.scope)
            except ExpansionFailed as error:
                raise BadCommand(
                    f'Expansion of "{text}" from command "{text}" in {what} failed: {error.message}'
                ) from None
            if isinstance(value, Tainted):
                raise BadCommand(f"Tainted arg 2 for {what} command: '{value}'", failed=True)
            text = value
        return ["/bin/sh", "-c", text]

    def permitted(self, command: list[str], what: str) -> list[str]:
        """allow_commands and restrict_to_path; a name without slashes is looked for on the path."""
        options, name = self.options, command[0]
        allowed: list[str] = []
        if options.allow_commands is not None:
            try:
                allowed = split_list(options.allow_commands(self.scope))
            except ExpansionFailed as error:
                raise BadCommand(
                    f'failed to expand string "{options.allow_commands.source}" for {what}: {error.message}'
                ) from None
        if name not in allowed:
            if options.restrict_to_path:
                if "/" in name:
                    raise BadCommand(
                        f'"/" found in "{name}" (command for {what}) - failed for security reasons', failed=True
                    )
            elif options.allow_commands is not None:
                raise BadCommand(f'"{name}" command not permitted by {what}', failed=True)
        if "/" in name:
            return command
        for folder in self.path().split(":"):
            candidate = f"{folder}/{name}"
            if folder and os.path.isfile(candidate):
                return [candidate, *command[1:]]
        raise BadCommand(f'"{name}" command not found for {what}', failed=True)

    def path(self) -> str:
        if self.options.path is None:
            return ""
        try:
            return self.options.path(self.scope)
        except ExpansionFailed as error:
            raise BadCommand(
                f'failed to expand string "{self.options.path.source}" for {self.transport.name} transport: '
                f"{error.message}"
            ) from None

    def environment(self) -> dict[str, str]:
        """Manual section 29.4."""
        batch, site = self.batch, self.scope.site.options
        first = batch.recipients[0]
        person = first if first.kind == "address" else first.parent or first
        single = len(batch.recipients) == 1
        local = person.local_part if single else ""
        found = {
            "LOCAL_PART": local,
            "LOGNAME": local,
            "USER": local,
            "LOCAL_PART_PREFIX": person.prefix if single else "",
            "LOCAL_PART_SUFFIX": person.suffix if single else "",
            "DOMAIN": person.domain,
            "HOME": batch.home,
            "MESSAGE_ID": batch.message.id,
            "PATH": self.path(),
            "RECIPIENT": person.address,
            "QUALIFY_DOMAIN": getattr(site, "qualify_domain", "") or site.primary_hostname,
            "SENDER": batch.message.sender,
            "SHELL": "/bin/sh",
        }
        hosts = batch.hosts or first.hosts
        if hosts:
            found["HOST"] = hosts[0].name
        zone = getattr(site, "timezone", None)
        if zone:
            found["TZ"] = str(zone)
        if self.options.environment is not None:
            try:
                items = split_list(self.options.environment(self.scope))
            except ExpansionFailed as error:
                raise BadCommand(
                    f'failed to expand string "{self.options.environment.source}" for {self.transport.name} transport: '
                    f"{error.message}"
                ) from None
            for item in items:
                name, _, value = item.partition("=")
                if name:
                    found[name] = value
        return {name: value.replace("\0", "") for name, value in found.items()}

    # -- the result

    def judge(self, command: list[str], finished: child.Finished) -> list[Outcome]:
        options, batch, transport, name = self.options, self.batch, self.transport, self.transport.name
        if finished.timed_out:
            message = "pipe delivery process timed out"
            if options.timeout_defer:
                return self.with_output(outcomes.deferred(batch, transport, message), finished, "defer")
            return self.with_output(outcomes.failed(batch, message), finished, "fail")
        if finished.exec_failed and options.freeze_exec_fail:
            message = f'pipe process failed to exec "{self.text}"'
            return outcomes.deferred(batch, transport, message, freeze=True)
        code = 0 if options.ignore_status else finished.code
        returned = options.return_output and bool(finished.output) and bool(batch.message.sender)
        if code < 0:
            word = _signal_word(-code)
            message = (
                f'Child process of {name} transport (running command "{self.text}") was terminated by '
                f"signal {-code} ({word})"
            )
            if options.freeze_signal:
                return outcomes.deferred(batch, transport, message, freeze=True)
            return self.with_output(outcomes.failed(batch, message), finished, "fail")
        if code:
            meaning = _meaning(code)
            hint = f" (could mean {meaning})" if meaning else ""
            message = f"Child process of {name} transport returned {code}{hint} from command: {command[0]}"
            if self.is_temporary(code) and not returned:
                return self.with_output(outcomes.deferred(batch, transport, message), finished, "defer")
            return self.with_output(outcomes.failed(batch, message), finished, "fail")
        if returned:
            return self.with_output(outcomes.failed(batch, "return message generated"), finished, "fail")
        return self.with_output(outcomes.delivered(batch, transport), finished, "")

    def is_temporary(self, code: int) -> bool:
        listed = split_list(self.options.temp_errors)
        return listed == ["*"] or str(code) in listed

    def with_output(self, found: list[Outcome], finished: child.Finished, kind: str) -> list[Outcome]:
        """Log the first line of the output, give it back to the sender, as the options say."""
        options = self.options
        if not finished.output:
            return found
        text = finished.output.decode("latin-1")
        if (
            options.log_output
            or (options.log_fail_output and kind == "fail")
            or (options.log_defer_output and kind == "defer")
        ):
            line = "".join(char if char >= " " else "?" for char in strip(text.partition("\n")[0]))
            for outcome in found:
                self.scope.services.log_main(
                    f"{self.batch.message.id} <{outcome.recipient.address}>: {self.transport.name} transport output: "
                    f"{line}"
                )
        wanted = options.return_output or (options.return_fail_output and kind == "fail")
        if wanted and self.batch.message.sender:
            for outcome in found:
                outcome.special = text
        return found


def _meaning(code: int) -> str:
    if code in _MEANINGS:
        return _MEANINGS[code]
    if code > 128:
        return f"shell command ended by signal {code - 128} ({_signal_word(code - 128)})"
    return ""


def _signal_word(number: int) -> str:
    try:
        return signal.strsignal(number) or f"Unknown signal {number}"
    except ValueError:
        return f"Unknown signal {number}"
