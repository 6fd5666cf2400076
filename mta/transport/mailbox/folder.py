"""Appendfile into a folder: a Maildir or single new files, with their quotas."""

from __future__ import annotations

import os
import time

from mta.errors import ExpansionFailed, ForcedFail
from mta.mail.ids import DIGITS
from mta.scope.expansion import Tainted, expand_with_taint
from mta.text.patterns import Pattern, pattern
from mta.transport import content, outcomes
from mta.transport.mailbox import maildir, paths, quota
from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.job import Job


def into_maildir(job: Job, folder: str) -> None:
    """Deliver into a Maildir, unless an earlier attempt at this delivery has. Raises MailboxError."""
    options, batch = job.options, job.batch
    maildir.ensure_maildir(
        folder,
        create=options.create_directory,
        rule=options.create_file,
        home=batch.home,
        mode=options.directory_mode,
    )
    if options.maildirfolder_create_regex and pattern(options.maildirfolder_create_regex).matches(folder):
        maildir.ensure_maildirfolder(folder, options.mode)
    first = batch.recipients[0]
    host = job.scope.site.options.primary_hostname
    name = maildir.unique_name(batch.message.id, first.unique or first.address, host)
    if maildir.find_delivered(folder, name, thorough=bool(batch.intents)) is not None:
        return
    last_read = os.stat(f"{folder}/new").st_mtime
    size_file, usage, threshold = check_folder_quota(job, folder, f"tmp/{name}", last_read)
    batch.before_effect(f"maildir {folder} {name}")
    temporary = f"{folder}/tmp/{name}"
    message = content.compose(job.transport, batch, job.scope)
    try:
        fd = maildir.create_file(temporary, options.mode, temporary)
        try:
            try:
                size = maildir.write_file(fd, job.pieces(message, single_file=False))
            finally:
                os.close(fd)
            maildir.move_into_new(folder, temporary, name, _tag(job, size))
        except BaseException:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise quota.write_error(error, f"tmp/{name}", last_read) from None
    finally:
        message.close()
    if size_file is not None:
        size_file.add(size, 1)
    job.warn(usage.size, usage.size + size, threshold)


def _tag(job: Job, size: int) -> str:
    """maildir_tag, expanded with $message_size as written."""
    if job.options.maildir_tag is None:
        return ""
    message = job.batch.message
    before, message.message_size = message.message_size, size
    try:
        return maildir.tag_text(job.options.maildir_tag(job.scope))
    except ForcedFail:
        return ""
    except ExpansionFailed as error:
        raise MailboxError(
            f'Expansion of "{job.options.maildir_tag.source}" (maildir_tag for {job.transport.name} transport) '
            f"failed: {error.message}",
            outcomes.UNKNOWN,
        ) from None
    finally:
        message.message_size = before


def into_directory(job: Job, folder: str) -> None:
    """Deliver as one new file named by directory_file. Raises MailboxError."""
    options, batch = job.options, job.batch
    if options.create_directory and not os.path.isdir(folder):
        maildir.check_directory_creation(folder, options.create_file, batch.home)
        paths.make_directories(folder, options.directory_mode, folder)
    host = job.scope.site.options.primary_hostname
    written = [0]
    _, usage, threshold = check_folder_quota(job, folder, f"{folder}/temp.{os.getpid()}.{host}", None)
    batch.before_effect(f"file {folder}")
    message = content.compose(job.transport, batch, job.scope)
    try:
        maildir.deliver_plain(
            folder,
            options.mode,
            host,
            job.pieces(message, single_file=False),
            lambda inode: _file_name(job, inode),
            lambda size: written.__setitem__(0, size),
        )
    except OSError as error:
        raise quota.write_error(error, folder, None) from None
    finally:
        message.close()
    job.warn(usage.size, usage.size + written[0], threshold)


def _file_name(job: Job, inode: int) -> str:
    if job.options.directory_file is None:
        return f"q{_base62(int(time.time()))}-{inode}"
    job.scope.vars["inode"] = str(inode)
    try:
        name = expand_with_taint(job.options.directory_file, job.scope)
    except ExpansionFailed as error:
        raise MailboxError(
            f'Expansion of "{job.options.directory_file.source}" (directory_file for {job.transport.name} '
            f"transport) failed: {error.message}",
            outcomes.UNKNOWN,
            panic=True,
        ) from None
    if isinstance(name, Tainted) or "/" in name or not name or "\0" in name:
        raise MailboxError(f"bad file name '{name}' from directory_file", outcomes.BAD_NAME)
    return name


def check_folder_quota(
    job: Job, folder: str, shown: str, last_read: float | None
) -> tuple[quota.MaildirSize | None, quota.Usage, int]:
    """Refuse what would not fit; the maildirsize file to add to, the usage before, the warning threshold."""
    options = job.options
    limit, files, threshold = job.limits()
    size_file = _size_file(job, folder, limit, files)
    usage = quota.Usage()
    if limit.value or files.value or threshold or size_file is not None:
        usage = size_file.usage() if size_file is not None else _counted(job, folder)
        job.override_usage(usage)
    adding = job.batch.message.message_size
    kind = quota.over_quota(usage, adding, limit, files, inclusive=options.quota_is_inclusive)
    if kind is not None and size_file is not None and not size_file.is_fresh():
        # Maildir++: before mail is refused for an old sum, count again.
        usage = size_file.recount()
        kind = quota.over_quota(usage, adding, limit, files, inclusive=options.quota_is_inclusive)
    if kind is not None:
        raise quota.quota_error(kind, shown, last_read)
    return size_file, usage, threshold


def _quota_root(job: Job, folder: str) -> str:
    if job.options.quota_directory is not None:
        try:
            return job.options.quota_directory(job.scope)
        except ExpansionFailed as error:
            raise MailboxError(
                f'Expansion of "{job.options.quota_directory.source}" (quota_directory for '
                f"{job.transport.name} transport) failed: {error.message}",
                outcomes.UNKNOWN,
                panic=True,
            ) from None
    if job.options.maildir_format and os.path.exists(f"{folder}/maildirfolder"):
        return os.path.dirname(folder)
    return folder


def _size_regex(job: Job) -> Pattern | None:
    return pattern(job.options.quota_size_regex) if job.options.quota_size_regex else None


def _counted(job: Job, folder: str) -> quota.Usage:
    return quota.folder_usage(_quota_root(job, folder), _size_regex(job))


def _size_file(job: Job, folder: str, limit: quota.Limit, files: quota.Limit) -> quota.MaildirSize | None:
    options = job.options
    if options.maildir_use_size_file is None or not options.maildir_format:
        return None
    try:
        wanted = options.maildir_use_size_file(job.scope)
    except ExpansionFailed as error:
        raise MailboxError(
            f'Expansion of "{options.maildir_use_size_file.source}" in {job.transport.name} transport failed: '
            f"{error.message}",
            outcomes.UNKNOWN,
            panic=True,
        ) from None
    if wanted not in ("true", "yes", "1"):
        return None
    folders = pattern(options.maildir_quota_directory_regex)
    root = _quota_root(job, folder)
    below = folder[len(root) :].lstrip("/") or "new"
    if not folders.matches(below):
        return None
    return quota.MaildirSize(root, f"{limit.value}S,{files.value}C", folders, _size_regex(job))


def _base62(value: int) -> str:
    out = ""
    while value:
        value, digit = divmod(value, 62)
        out = DIGITS[digit] + out
    return out or "0"
