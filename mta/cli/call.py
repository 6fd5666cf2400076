"""One call of the command: its arguments, who calls, the standard streams; configuration and runtime when asked for.

Every mode is ``run(call: Call) -> int``, the exit code.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from errno import EPERM
from typing import TYPE_CHECKING, BinaryIO

from mta.cli.arguments import Arguments

if TYPE_CHECKING:
    from mta.cli.debug import Tracer
    from mta.config.config import Config
    from mta.config.runtime import Runtime

# What systemd gives a service (sd_notify, sd_listen_fds, watchdog).
SERVICE_VARIABLES = frozenset(
    {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID"}
)
OWN_VARIABLES = frozenset({"MTA_SPEEDUPS"})
TRACED = frozenset(
    {"be", "bem", "bt", "bv", "bvs", "bh", "bhc", "brw", "brt", "q"}
)  # modes with debugging output; -M... too
LOGS_WARNING = frozenset({"bd", "q", "bm", "bs", "bS"})  # modes that write the main log anyway


@dataclass(slots=True)
class Call:
    """``uid`` and ``gid`` are the real ones: a set-uid wrapper may stand between the caller and us."""

    arguments: Arguments
    program: str = "mta"
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    stdin: BinaryIO = field(default_factory=lambda: sys.stdin.buffer)
    stdout: BinaryIO = field(default_factory=lambda: sys.stdout.buffer)
    stderr: BinaryIO = field(default_factory=lambda: sys.stderr.buffer)
    own_process: bool = False  # the process is the command's alone: its environment may be changed
    _config: Config | None = None
    _runtime: Runtime | None = None
    _trace: Tracer | None = None

    def write(self, text: str) -> None:
        """Byte text to the standard output, as it is."""
        self.stdout.write(text.encode("latin-1"))

    def error(self, text: str) -> None:
        """One line to the standard error; what was written before comes first."""
        self.stdout.flush()
        self.stderr.write(text.encode("latin-1", "replace") + b"\n")
        self.stderr.flush()

    def config(self) -> Config:
        """The configuration of ``-C`` and ``-D``, loaded once; raises ConfigError or ConfigErrors."""
        if self._config is None:
            from mta.config.load import load

            if self.arguments.debug is not None:
                self._start_debugging()
            self._config = load(self.arguments.config_file, self.arguments.macros)
            self.override(self._config)
            if self.own_process:
                self._clean_environment(self._config)
        return self._config

    def override(self, config: Config) -> None:
        """What the command line says in the place of main options: -os, -L."""
        from mta.expand.compiler import compile_text
        from mta.text.units import format_time

        arguments = self.arguments
        if arguments.smtp_timeout is not None:
            config.main.smtp_receive_timeout = compile_text(format_time(arguments.smtp_timeout))
        if arguments.syslog_tag is not None:
            if not self.is_admin():
                raise PermissionError(EPERM, "permission denied")
            config.main.syslog_processname = arguments.syslog_tag
            config.main.log_file_path = compile_text("syslog")

    def _start_debugging(self) -> None:
        """-d: who may see it (manual 5.4) is known only later; see ``tracer``."""
        from mta.cli.debug import Tracer, selected

        chosen = selected(self.arguments.debug or "")
        if self.arguments.mode not in TRACED and not self.arguments.mode.startswith("M"):
            self.error(f"mta: there is no debugging output in the mode -{self.arguments.mode}")
            return
        if "expand" in chosen:
            from mta.expand.tracing import TracingParser, grammar

            grammar.set(TracingParser)
        self._trace = Tracer(chosen, self.error)

    def _clean_environment(self, config: Config) -> None:
        """keep_environment and add_environment; a daemon's service manager may go on talking to it."""
        from mta.config.environment import cleaned

        daemon = self.arguments.mode in ("bd", "q")
        byte_text = {name.decode("latin-1"): value.decode("latin-1") for name, value in os.environb.items()}
        found = cleaned(config.main, byte_text, OWN_VARIABLES | (SERVICE_VARIABLES if daemon else frozenset()))
        for name in byte_text.keys() - found.variables.keys():
            del os.environb[name.encode("latin-1")]
        for name, value in found.variables.items():
            os.environb[name.encode("latin-1")] = value.encode("latin-1")
        if found.warning and self.arguments.mode == "bV":
            self.error(found.warning)
        if found.warning and self.arguments.mode in LOGS_WARNING:
            self.runtime().log.main(found.warning)

    def runtime(self) -> Runtime:
        """The services of this process for the configuration."""
        if self._runtime is None:
            from mta.config.runtime import Runtime

            self._runtime = Runtime.start(self.config())
            if self._trace is not None and not self.is_admin():
                raise PermissionError(EPERM, "debugging permission denied")
            self._runtime.trace = self._trace
        return self._runtime

    def groups(self) -> set[int]:
        """The caller's groups."""
        return {self.gid, *os.getgroups()}

    def is_admin(self) -> bool:
        """Root, the mta user, members of its group or of admin_groups (manual section 5.2)."""
        site = self.config().site
        if self.uid in (0, site.uid):
            return True
        return bool(self.groups() & {site.gid, *site.options.admin_groups})

    def is_trusted(self) -> bool:
        """Root, the mta user, trusted_users, members of trusted_groups."""
        site = self.config().site
        if self.uid in (0, site.uid, *site.options.trusted_users):
            return True
        return bool(self.groups() & set(site.options.trusted_groups))

    def may_use_config(self) -> bool:
        """Whether the process may keep rights that the caller lacks, in spite of -C or -D."""
        return self.uid == 0 or os.geteuid() == self.uid
