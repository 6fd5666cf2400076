"""The appendfile transport's options (manual chapter 26): mbox files, Maildirs, new files in a directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.transport.base import Batch, Transport, transports

_FOLDERS = r"^(?:cur|new|\..*)$"


@transports.register("appendfile")
@dataclass(slots=True, eq=False, repr=False)
class Appendfile:
    """Options of chapter 26. The MBX format is not implemented; its options are not declared."""

    local: ClassVar[bool] = True
    allow_fifo: bool = option("bool", False)
    allow_symlink: bool = option("bool", False)
    batch_id: Expansion | None = option("expanded")
    batch_max: int = option("int", 1)
    check_group: bool = option("bool", False)
    check_owner: bool = option("bool", True)
    check_string: str | None = option("string")
    create_directory: bool = option("bool", True)
    create_file: str = option("string", "anywhere")
    directory: Expansion | None = option("expanded")
    directory_file: Expansion | None = option("expanded")
    directory_mode: int = option("octal", 0o700)
    escape_string: str | None = option("string")
    file: Expansion | None = option("expanded")
    file_format: str | None = option("string")
    file_must_exist: bool = option("bool", False)
    lock_fcntl_timeout: float = option("time", 0.0)
    lock_flock_timeout: float = option("time", 0.0)
    lock_interval: float = option("time", 3.0)
    lock_retries: int = option("int", 10)
    lockfile_mode: int = option("octal", 0o600)
    lockfile_timeout: float = option("time", 1800.0)
    mailbox_filecount: Expansion | None = option("expanded")
    mailbox_size: Expansion | None = option("expanded")
    maildir_format: bool = option("bool", False)
    maildir_quota_directory_regex: str = option("string", _FOLDERS)
    maildir_retries: int = option("int", 10)
    maildir_tag: Expansion | None = option("expanded")
    maildir_use_size_file: Expansion | None = option("bool_expanded")
    mailstore_format: bool = option("bool", False)
    mailstore_prefix: Expansion | None = option("expanded")
    mailstore_suffix: Expansion | None = option("expanded")
    maildirfolder_create_regex: str | None = option("string")
    message_prefix: Expansion | None = option("expanded_or_empty")
    message_suffix: Expansion | None = option("expanded_or_empty")
    mode: int = option("octal", 0o600)
    mode_fail_narrower: bool = option("bool", True)
    quota: Expansion | None = option("expanded")
    quota_directory: Expansion | None = option("expanded")
    quota_filecount: Expansion | None = option("expanded")
    quota_is_inclusive: bool = option("bool", True)
    quota_size_regex: str | None = option("string")
    quota_warn_message: Expansion | None = option("expanded")
    quota_warn_threshold: Expansion | None = option("expanded")
    use_bsmtp: bool = option("bool", False)
    use_crlf: bool = option("bool", False)
    use_fcntl_lock: bool | None = option("bool")
    use_flock_lock: bool = option("bool", False)
    use_lockfile: bool = option("bool", True)

    def check_options(self, transport: Transport) -> str | None:
        """What is wrong with the options taken together, or None."""
        if self.file is not None and self.directory is not None:
            return f"Exim configuration error for {transport.name} transport: only one of file or directory may be set"
        if self.maildir_format and self.mailstore_format:
            return (
                f"Exim configuration error for {transport.name} transport: "
                "only one of maildir and mailstore may be specified"
            )
        if self.create_file not in ("anywhere", "belowhome", "inhome") and not self.create_file.startswith("/"):
            return f'invalid value given for "create_file" for the {transport.name} transport: "{self.create_file}"'
        if not self.use_lockfile and not self.use_flock_lock and self.use_fcntl_lock is False:
            return f"no locking configured for {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        from mta.transport.mailbox.delivery import deliver

        return deliver(self, transport, batch, scope)
