"""Where the daemon's own files are, for the daemon and for who looks for it."""

from __future__ import annotations

from mta.config.runtime import Runtime, settled


def pid_file(runtime: Runtime) -> str:
    """pid_file_path, or exim-daemon.pid in the spool directory."""
    return expanded(runtime, "pid_file_path") or f"{runtime.spool_directory}/exim-daemon.pid"


def process_log(runtime: Runtime) -> str:
    """The file that exiwhat reads (manual chapter 54)."""
    return expanded(runtime, "process_log_path") or f"{runtime.spool_directory}/exim-process.info"


def submission_socket(runtime: Runtime) -> str:
    """The Unix socket for local submissions, "" when the option is empty."""
    return expanded(runtime, "submission_socket")


def expanded(runtime: Runtime, name: str) -> str:
    """A main option that is plain text or an expansion without a message."""
    value = getattr(runtime.config.main, name)
    if value is None or isinstance(value, str):
        return value or ""
    return settled(value, name, runtime.scope())
