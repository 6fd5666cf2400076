"""The appendfile transport (manual chapter 26): mbox files, Maildirs, and single new files in a directory.

It runs as the recipient's user; it changes no ids, no umask, no working directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta.errors import ExpansionFailed
from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.lists import split_list
from mta.transport import content, outcomes
from mta.transport.base import Batch, Transport, transports
from mta.transport.generic import enter
from mta.transport.mailbox import folder, paths, single
from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.job import Job

_FOLDERS = r"^(?:cur|new|\..*)$"


@transports.register("appendfile")
@dataclass(slots=True)
class Appendfile:
    """Options of chapter 26. mailstore and MBX formats are not implemented; their options are not declared."""

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
        if self.create_file not in ("anywhere", "belowhome", "inhome") and not self.create_file.startswith("/"):
            return f'invalid value given for "create_file" for the {transport.name} transport: "{self.create_file}"'
        if not self.use_lockfile and not self.use_flock_lock and self.use_fcntl_lock is False:
            return f"no locking configured for {transport.name} transport"
        return None

    def deliver(self, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
        enter(batch, scope)
        try:
            return _run(Job(self, transport, batch, scope))
        except OSError as error:
            # Checks and clean-up that the system refused: nothing is known to be delivered.
            return outcomes.deferred(batch, transport, "while delivering to a mailbox", error.errno or outcomes.UNKNOWN)
        except MailboxError as error:
            if error.panic:
                return outcomes.misconfigured(batch, error.message, error.errno)
            return outcomes.deferred(
                batch,
                transport,
                error.message,
                error.errno,
                error=error.error,
                detail=error.detail,
                freeze=error.freeze,
            )


def _run(job: Job) -> list[Outcome]:
    path, is_directory = _target(job)
    if path == "/dev/null" and not is_directory:
        return outcomes.delivered(job.batch, job.transport)
    try:
        if not is_directory:
            other = _other_format(job, path)
            if other is not None:
                return other.driver.deliver(other, job.batch, job.scope)
            single.append(job, path)
        elif job.options.maildir_format:
            folder.into_maildir(job, path)
        else:
            folder.into_directory(job, path)
    except content.ContentFailed as error:
        return outcomes.misconfigured(job.batch, error.at(path), error.errno)
    shown = path + "/" if is_directory and not path.endswith("/") else path
    return outcomes.delivered(job.batch, job.transport, transport_file=shown)


def _target(job: Job) -> tuple[str, bool]:
    """The file or directory to write to, absolute and not of a peer's choosing."""
    options, name = job.options, job.transport.name
    first = job.batch.recipients[0]
    chosen = options.directory if options.directory is not None else options.file
    is_directory = options.directory is not None or options.maildir_format
    path: str
    if chosen is not None:
        try:
            path = expand_with_taint(chosen, job.scope)
        except ExpansionFailed as error:
            raise MailboxError(
                f'Expansion of "{chosen.source}" (file or directory name for {name} transport) failed: {error.message}',
                outcomes.UNKNOWN,
                panic=True,
            ) from None
    elif first.kind in ("file", "directory"):
        path = first.address
        is_directory = is_directory or path.endswith("/")
    else:
        raise MailboxError(
            f"Mandatory file or directory option missing from {name} transport", outcomes.UNKNOWN, panic=True
        )
    if isinstance(path, Tainted):
        path = _cleared(job, path)
    if "\0" in path or "\n" in path:
        raise MailboxError(f"appendfile: bad character in file or directory name for {name}", outcomes.BAD_NAME)
    if not path.startswith("/"):
        raise MailboxError(f'appendfile: file or directory name "{path}" is not absolute', outcomes.BAD_NAME)
    return (path.rstrip("/") or "/") if is_directory else path, is_directory


def _cleared(job: Job, path: str) -> str:
    """A tainted name is let through when create_file's belowhome check holds it in place."""
    rule = job.options.create_file
    base = job.batch.home if rule == "belowhome" else rule if rule.startswith("/") else ""
    if base and paths.is_below(path, base) and path.startswith(base.rstrip("/") + "/"):
        return str(path)
    raise MailboxError(
        f"Tainted '{path}' (file or directory name for {job.transport.name} transport) not permitted",
        outcomes.UNKNOWN,
        panic=True,
    )


def _other_format(job: Job, path: str) -> Transport | None:
    """The transport that file_format gives for what the file holds; None: this one."""
    text = job.options.file_format
    if text is None:
        return None
    words = split_list(text)
    try:
        with open(path, "rb") as file:
            start = file.read(1024).decode("latin-1")
    except OSError:
        return None
    if not start:
        return None
    for test, name in zip(words[::2], words[1::2], strict=False):
        if start.startswith(test):
            known: dict[str, Transport] = job.scope.services.state.get("transports", {})
            if name == job.transport.name:
                return None
            if name in known:
                return known[name]
            raise MailboxError(f"{name} transport (for file format) not found", outcomes.FILE_FORMAT)
    raise MailboxError("mailbox file format unrecognized", outcomes.FILE_FORMAT)
