"""Delivery in mailstore form: an envelope (.env) and a message (.msg) under one base name (manual section 26.8).

The base name is made from message id and recipient, so that a second delivery after a crash finds the first one:
the .env file is there only when both files are whole and synced.
"""

from __future__ import annotations

import hashlib
import os

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.scope.expansion import Expansion
from mta.transport import bsmtp, content, outcomes
from mta.transport.mailbox import folder as folders
from mta.transport.mailbox import maildir, paths, quota
from mta.transport.mailbox.errors import MailboxError
from mta.transport.mailbox.job import Job


def into_mailstore(job: Job, folder: str) -> None:
    """Deliver as a pair of files. Raises MailboxError."""
    options, batch = job.options, job.batch
    if options.create_directory and not os.path.isdir(folder):
        maildir.check_directory_creation(folder, options.create_file, batch.home)
        paths.make_directories(folder, options.directory_mode, folder)
    name = base_name(job)
    base = f"{folder}/{name}"
    if os.path.lexists(f"{base}.env"):
        return  # an earlier attempt ended between its last rename and our journal
    _, usage, threshold = folders.check_folder_quota(job, folder, f"{base}.msg", None)
    job.scope.vars["mailstore_basename"] = name
    envelope = _envelope(job).encode("latin-1")
    batch.before_effect(f"mailstore {base}")
    message = content.compose(job.transport, batch, job.scope)
    try:
        _write(f"{base}.tmp", options.mode, [envelope])
        added = _write(f"{base}.msg", options.mode, job.pieces(message, single_file=False))
        paths.sync_directory(folder)
        os.rename(f"{base}.tmp", f"{base}.env")
        paths.sync_directory(folder)
    except OSError as error:
        for suffix in (".tmp", ".msg"):
            if os.path.lexists(base + suffix):
                os.unlink(base + suffix)
        raise quota.write_error(error, folder, None) from None
    finally:
        message.close()
    job.warn(usage.size, usage.size + added, threshold)


def base_name(job: Job) -> str:
    """The same for each attempt at this delivery, and for no other."""
    who = "\n".join(one.unique or one.address for one in job.batch.recipients)
    return f"{job.batch.message.id}-{hashlib.sha256(who.encode('latin-1')).hexdigest()[:12]}"


def _write(path: str, mode: int, pieces: object) -> int:
    fd = maildir.create_file(path, mode, path)
    try:
        return maildir.write_file(fd, pieces)  # type: ignore[arg-type]
    finally:
        os.close(fd)


def _envelope(job: Job) -> str:
    options, batch = job.options, job.batch
    lines = [bsmtp.one_line(batch.return_path)]
    lines += [
        bsmtp.one_line(bsmtp.envelope_address(one, affixes=job.transport.options.rcpt_include_affixes))
        for one in batch.recipients
    ]
    text = _expanded(job, options.mailstore_prefix, "prefix") + "".join(f"{line}\n" for line in lines)
    return text + _expanded(job, options.mailstore_suffix, "suffix")


def _expanded(job: Job, option: Expansion | None, which: str) -> str:
    """Text before or behind the envelope, ended by a newline; "" when it is unset or forced to fail."""
    if option is None:
        return ""
    try:
        text = option(job.scope)
    except ForcedFail:
        return ""
    except (ExpansionFailed, Deferred) as error:
        raise MailboxError(
            f'Expansion of "{option.source}" (mailstore {which} for {job.transport.name} transport) failed: {error}',
            outcomes.UNKNOWN,
            panic=True,
        ) from None
    return text if text.endswith("\n") else text + "\n"
