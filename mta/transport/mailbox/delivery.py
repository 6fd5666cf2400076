"""One delivery by the appendfile transport: where to, and into which form (manual chapter 26).

It runs as the recipient's user; it changes no ids, no umask, no working directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed
from mta.mail.outcome import Outcome
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.lists import split_list
from mta.transport import content, outcomes
from mta.transport.base import Batch, Transport
from mta.transport.generic import enter
from mta.transport.mailbox import folder, mailstore, paths, single
from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.job import Job

if TYPE_CHECKING:
    from mta.transport.drivers.appendfile import Appendfile


def deliver(options: Appendfile, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
    """Append to a mailbox or write a file."""
    enter(batch, scope)
    try:
        return _run(Job(options, transport, batch, scope))
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
        elif job.options.mailstore_format:
            mailstore.into_mailstore(job, path)
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
    is_directory = options.directory is not None or options.maildir_format or options.mailstore_format
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
