"""Appendfile into a single file: folders, lock file, checks, quota, append."""

from __future__ import annotations

import os
import time

from mta.transport import content
from mta.transport.mailbox import locking, mbox, paths, quota
from mta.transport.mailbox.job import Job


def append(job: Job, path: str) -> None:
    """Deliver into an mbox file, a FIFO or a file of another format. Raises MailboxError."""
    options, batch = job.options, job.batch
    limit, files, threshold = job.limits()
    if options.create_directory:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            paths.check_creation(path, options.create_file, batch.home)
            paths.make_directories(folder, options.directory_mode, path)
    policy = _lock_policy(job)
    message = content.compose(job.transport, batch, job.scope)
    lock_file = ""
    try:
        if options.use_lockfile:
            lock_file = locking.take_lock_file(path, policy, job.scope.site.options.primary_hostname)
        mailbox = mbox.open_mailbox(_file_rules(job, path), policy, time.sleep)
        try:
            last_read = mailbox.atime
            usage = quota.Usage(mailbox.size)
            job.override_usage(usage)
            kind = quota.over_quota(
                usage, batch.message.message_size, limit, files, inclusive=options.quota_is_inclusive
            )
            if kind is not None:
                raise quota.quota_error(kind, path, last_read)
            try:
                added = mbox.append(
                    mailbox, path, job.pieces(message, single_file=True), batch.intents, batch.before_effect
                )
            except OSError as error:
                raise quota.write_error(error, path, last_read) from None
        finally:
            os.close(mailbox.fd)
    finally:
        message.close()
        if lock_file:
            locking.drop_lock_file(lock_file)
    job.warn(usage.size, usage.size + added, threshold)


def _lock_policy(job: Job) -> locking.LockPolicy:
    options = job.options
    use_fcntl = options.use_fcntl_lock if options.use_fcntl_lock is not None else not options.use_flock_lock
    return locking.LockPolicy(
        options.use_lockfile,
        use_fcntl,
        options.use_flock_lock,
        options.lock_interval,
        options.lock_retries,
        options.lockfile_mode,
        options.lockfile_timeout,
        options.lock_fcntl_timeout,
        options.lock_flock_timeout,
    )


def _file_rules(job: Job, path: str) -> mbox.FileRules:
    options, batch = job.options, job.batch
    forced = batch.recipients[0].file_mode
    return mbox.FileRules(
        path,
        forced or options.mode,
        options.mode_fail_narrower,
        batch.uid,
        batch.gid,
        options.check_owner,
        options.check_group,
        options.allow_symlink,
        options.allow_fifo,
        options.file_must_exist,
        options.create_file,
        batch.home,
        bool(forced),
    )
