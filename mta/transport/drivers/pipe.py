"""The pipe transport's options (manual chapter 29); ``transport.piping`` does the work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.transport.base import Batch, Transport, transports


@transports.register("pipe")
@dataclass(slots=True, eq=False, repr=False)
class Pipe:
    """Options of chapter 29."""

    local: ClassVar[bool] = True
    allow_commands: Expansion | None = option("string_list_expanded")
    batch_id: Expansion | None = option("expanded")
    batch_max: int = option("int", 1)
    check_string: str | None = option("string")
    command: str | None = option("string")  # split into arguments before it is expanded
    environment: Expansion | None = option("expanded")
    escape_string: str | None = option("string")
    force_command: bool = option("bool", False)
    freeze_exec_fail: bool = option("bool", False)
    freeze_signal: bool = option("bool", False)
    ignore_status: bool = option("bool", False)
    log_defer_output: bool = option("bool", False)
    log_fail_output: bool = option("bool", False)
    log_output: bool = option("bool", False)
    max_output: int = option("int", 20480)
    message_prefix: Expansion | None = option("expanded_or_empty")
    message_suffix: Expansion | None = option("expanded_or_empty")
    path: Expansion | None = option("expanded", "/bin:/usr/bin")
    pipe_as_creator: bool = option("bool", False)
    restrict_to_path: bool = option("bool", False)
    return_fail_output: bool = option("bool", False)
    return_output: bool = option("bool", False)
    temp_errors: str = option("string", "75:73")
    timeout: float = option("time", 3600.0)
    timeout_defer: bool = option("bool", False)
    umask: int = option("octal", 0o022)
    use_bsmtp: bool = option("bool", False)
    use_crlf: bool = option("bool", False)
    use_shell: bool = option("bool", False)

    def check_options(self, transport: Transport) -> str | None:
        """What is wrong with the options taken together, or None."""
        if self.return_fail_output and self.return_output:
            return f"Exim configuration error for {transport.name} transport: both return_output and return_fail_output"
        if self.log_fail_output and self.log_output:
            return f"Exim configuration error for {transport.name} transport: both log_output and log_fail_output"
        if self.use_shell and (self.allow_commands is not None or self.restrict_to_path):
            return f"{transport.name} transport: allow_commands and restrict_to_path cannot be used with use_shell"
        if not re.fullmatch(r"[0-9: \t]*|\s*\*\s*", self.temp_errors):
            return f"temp_errors must be a list of numbers or an asterisk for {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        from mta.transport.piping import deliver

        return deliver(self, transport, batch, scope)
