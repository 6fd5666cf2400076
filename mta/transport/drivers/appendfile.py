"""The appendfile transport (manual chapter 26): mbox files, Maildirs, and single new files in a directory.

It runs as the recipient's user; it changes no ids, no umask, no working directory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mta.errors import ExpansionFailed, ForcedFail
from mta.mail.ids import DIGITS
from mta.mail.outcome import Outcome
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.settings.options import option
from mta.text.lists import split_list
from mta.text.patterns import Pattern, pattern
from mta.transport import content, framing, outcomes
from mta.transport.base import Batch, Transport, transports
from mta.transport.generic import enter
from mta.transport.mailbox import locking, maildir, mbox, paths, quota
from mta.transport.mailbox.errors import MailboxError

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
    notify_comsat: bool = option("bool", False)
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
            return _Delivery(self, transport, batch, scope).run()
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


@dataclass(slots=True)
class _Delivery:
    """One delivery under way."""

    options: Appendfile
    transport: Transport
    batch: Batch
    scope: Scope

    def run(self) -> list[Outcome]:
        path, is_directory = self.target()
        if path == "/dev/null" and not is_directory:
            return outcomes.delivered(self.batch, self.transport)
        try:
            if not is_directory:
                other = self.other_format(path)
                if other is not None:
                    return other.driver.deliver(other, self.batch, self.scope)
                self.append(path)
            elif self.options.maildir_format:
                self.into_maildir(path)
            else:
                self.into_directory(path)
        except content.ContentFailed as error:
            return outcomes.misconfigured(self.batch, error.at(path), error.errno)
        shown = path + "/" if is_directory and not path.endswith("/") else path
        return outcomes.delivered(self.batch, self.transport, transport_file=shown)

    def target(self) -> tuple[str, bool]:
        """The file or directory to write to, absolute and not of a peer's choosing."""
        options, name = self.options, self.transport.name
        first = self.batch.recipients[0]
        chosen = options.directory if options.directory is not None else options.file
        is_directory = options.directory is not None or options.maildir_format
        path: str
        if chosen is not None:
            try:
                path = expand_with_taint(chosen, self.scope)
            except ExpansionFailed as error:
                raise MailboxError(
                    f'Expansion of "{chosen.source}" (file or directory name for {name} transport) failed: '
                    f"{error.message}",
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
            path = self.cleared(path)
        if "\0" in path or "\n" in path:
            raise MailboxError(f"appendfile: bad character in file or directory name for {name}", outcomes.BAD_NAME)
        if not path.startswith("/"):
            raise MailboxError(f'appendfile: file or directory name "{path}" is not absolute', outcomes.BAD_NAME)
        return (path.rstrip("/") or "/") if is_directory else path, is_directory

    def cleared(self, path: str) -> str:
        """A tainted name is let through when create_file's belowhome check holds it in place."""
        rule = self.options.create_file
        base = self.batch.home if rule == "belowhome" else rule if rule.startswith("/") else ""
        if base and paths.is_below(path, base) and path.startswith(base.rstrip("/") + "/"):
            return str(path)
        raise MailboxError(
            f"Tainted '{path}' (file or directory name for {self.transport.name} transport) not permitted",
            outcomes.UNKNOWN,
            panic=True,
        )

    def other_format(self, path: str) -> Transport | None:
        """The transport that file_format gives for what the file holds; None: this one."""
        text = self.options.file_format
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
                known: dict[str, Transport] = self.scope.services.state.get("transports", {})
                if name == self.transport.name:
                    return None
                if name in known:
                    return known[name]
                raise MailboxError(f"{name} transport (for file format) not found", outcomes.FILE_FORMAT)
        raise MailboxError("mailbox file format unrecognized", outcomes.FILE_FORMAT)

    def pieces(self, message: content.Content, *, single_file: bool) -> Iterator[bytes]:
        """Prefix, message, suffix as they are written."""
        try:
            return framing.framed(
                self.options,
                self.transport,
                self.batch,
                self.scope,
                message,
                from_line=single_file,
                escape_from=single_file,
            )
        except framing.BadFrame as error:
            raise MailboxError(error.message, outcomes.UNKNOWN, panic=True) from None

    # -- a single file

    def append(self, path: str) -> None:
        options, batch = self.options, self.batch
        limit, files, threshold = self.limits()
        if options.create_directory:
            folder = os.path.dirname(path)
            if not os.path.isdir(folder):
                paths.check_creation(path, options.create_file, batch.home)
                paths.make_directories(folder, options.directory_mode, path)
        policy = self.lock_policy()
        message = content.compose(self.transport, batch, self.scope)
        lock_file = ""
        try:
            if options.use_lockfile:
                lock_file = locking.take_lock_file(path, policy, self.scope.site.options.primary_hostname)
            mailbox = mbox.open_mailbox(self.file_rules(path), policy, time.sleep)
            try:
                last_read = mailbox.atime
                usage = quota.Usage(mailbox.size)
                self.override_usage(usage)
                kind = quota.over_quota(
                    usage, batch.message.message_size, limit, files, inclusive=options.quota_is_inclusive
                )
                if kind is not None:
                    raise quota.quota_error(kind, path, last_read)
                try:
                    added = mbox.append(
                        mailbox, path, self.pieces(message, single_file=True), batch.intents, batch.before_effect
                    )
                except OSError as error:
                    raise quota.write_error(error, path, last_read) from None
            finally:
                os.close(mailbox.fd)
        finally:
            message.close()
            if lock_file:
                os.unlink(lock_file)
        self.warn(usage.size, usage.size + added, threshold)

    def lock_policy(self) -> locking.LockPolicy:
        options = self.options
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

    def file_rules(self, path: str) -> mbox.FileRules:
        options, batch = self.options, self.batch
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

    # -- new files

    def into_maildir(self, folder: str) -> None:
        options, batch = self.options, self.batch
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
        host = self.scope.site.options.primary_hostname
        name = maildir.unique_name(batch.message.id, first.unique or first.address, host)
        if maildir.find_delivered(folder, name, thorough=bool(batch.intents)) is not None:
            return
        last_read = os.stat(f"{folder}/new").st_mtime
        size_file, usage, threshold = self.check_folder_quota(folder, f"tmp/{name}", last_read)
        batch.before_effect(f"maildir {folder} {name}")
        temporary = f"{folder}/tmp/{name}"
        message = content.compose(self.transport, batch, self.scope)
        try:
            fd = maildir.create_file(temporary, options.mode, temporary)
            try:
                try:
                    size = maildir.write_file(fd, self.pieces(message, single_file=False))
                finally:
                    os.close(fd)
                maildir.move_into_new(folder, temporary, name, self.tag(size))
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
        self.warn(usage.size, usage.size + size, threshold)

    def tag(self, size: int) -> str:
        """maildir_tag, expanded with $message_size as written."""
        if self.options.maildir_tag is None:
            return ""
        message = self.batch.message
        before, message.message_size = message.message_size, size
        try:
            return maildir.tag_text(self.options.maildir_tag(self.scope))
        except ForcedFail:
            return ""
        except ExpansionFailed as error:
            raise MailboxError(
                f'Expansion of "{self.options.maildir_tag.source}" (maildir_tag for {self.transport.name} transport) '
                f"failed: {error.message}",
                outcomes.UNKNOWN,
            ) from None
        finally:
            message.message_size = before

    def into_directory(self, folder: str) -> None:
        options, batch = self.options, self.batch
        if options.create_directory and not os.path.isdir(folder):
            maildir.check_directory_creation(folder, options.create_file, batch.home)
            paths.make_directories(folder, options.directory_mode, folder)
        host = self.scope.site.options.primary_hostname
        written = [0]
        _, usage, threshold = self.check_folder_quota(folder, f"{folder}/temp.{os.getpid()}.{host}", None)
        batch.before_effect(f"file {folder}")
        message = content.compose(self.transport, batch, self.scope)
        try:
            maildir.deliver_plain(
                folder,
                options.mode,
                host,
                self.pieces(message, single_file=False),
                self.file_name,
                lambda size: written.__setitem__(0, size),
            )
        except OSError as error:
            raise quota.write_error(error, folder, None) from None
        finally:
            message.close()
        self.warn(usage.size, usage.size + written[0], threshold)

    def file_name(self, inode: int) -> str:
        if self.options.directory_file is None:
            return f"q{_base62(int(time.time()))}-{inode}"
        self.scope.vars["inode"] = str(inode)
        try:
            name = expand_with_taint(self.options.directory_file, self.scope)
        except ExpansionFailed as error:
            raise MailboxError(
                f'Expansion of "{self.options.directory_file.source}" (directory_file for {self.transport.name} '
                f"transport) failed: {error.message}",
                outcomes.UNKNOWN,
                panic=True,
            ) from None
        if isinstance(name, Tainted) or "/" in name or not name or "\0" in name:
            raise MailboxError(f"bad file name '{name}' from directory_file", outcomes.BAD_NAME)
        return name

    # -- quotas

    def limits(self) -> tuple[quota.Limit, quota.Limit, int]:
        """quota, quota_filecount, and the warning threshold in bytes."""
        options, name = self.options, self.transport.name
        limit = quota.read_limit(options.quota, self.scope, name)
        files = quota.read_limit(options.quota_filecount, self.scope, name)
        threshold = 0
        warn = options.quota_warn_threshold
        if warn is not None:
            if warn.source.rstrip().endswith("%") and not limit.value:
                return limit, files, 0
            threshold = quota.read_limit(warn, self.scope, name, percent_of=limit.value).value
        return limit, files, threshold

    def override_usage(self, usage: quota.Usage) -> None:
        options, name = self.options, self.transport.name
        if options.mailbox_size is not None:
            usage.size = quota.read_limit(options.mailbox_size, self.scope, name).value
        if options.mailbox_filecount is not None:
            usage.files = quota.read_limit(options.mailbox_filecount, self.scope, name).value

    def check_folder_quota(
        self, folder: str, shown: str, last_read: float | None
    ) -> tuple[quota.MaildirSize | None, quota.Usage, int]:
        """Refuse what would not fit; the maildirsize file to add to, the usage before, the warning threshold."""
        options = self.options
        limit, files, threshold = self.limits()
        size_file = self.size_file(folder, limit, files)
        usage = quota.Usage()
        if limit.value or files.value or threshold or size_file is not None:
            usage = size_file.usage() if size_file is not None else self.counted(folder)
            self.override_usage(usage)
        adding = self.batch.message.message_size
        kind = quota.over_quota(usage, adding, limit, files, inclusive=options.quota_is_inclusive)
        if kind is not None and size_file is not None and not size_file.is_fresh():
            # Maildir++: before mail is refused for an old sum, count again.
            usage = size_file.recount()
            kind = quota.over_quota(usage, adding, limit, files, inclusive=options.quota_is_inclusive)
        if kind is not None:
            raise quota.quota_error(kind, shown, last_read)
        return size_file, usage, threshold

    def quota_root(self, folder: str) -> str:
        if self.options.quota_directory is not None:
            try:
                return self.options.quota_directory(self.scope)
            except ExpansionFailed as error:
                raise MailboxError(
                    f'Expansion of "{self.options.quota_directory.source}" (quota_directory for '
                    f"{self.transport.name} transport) failed: {error.message}",
                    outcomes.UNKNOWN,
                    panic=True,
                ) from None
        if self.options.maildir_format and os.path.exists(f"{folder}/maildirfolder"):
            return os.path.dirname(folder)
        return folder

    def size_regex(self) -> Pattern | None:
        return pattern(self.options.quota_size_regex) if self.options.quota_size_regex else None

    def counted(self, folder: str) -> quota.Usage:
        return quota.folder_usage(self.quota_root(folder), self.size_regex())

    def size_file(self, folder: str, limit: quota.Limit, files: quota.Limit) -> quota.MaildirSize | None:
        options = self.options
        if options.maildir_use_size_file is None or not options.maildir_format:
            return None
        try:
            wanted = options.maildir_use_size_file(self.scope)
        except ExpansionFailed as error:
            raise MailboxError(
                f'Expansion of "{options.maildir_use_size_file.source}" in {self.transport.name} transport failed: '
                f"{error.message}",
                outcomes.UNKNOWN,
                panic=True,
            ) from None
        if wanted not in ("true", "yes", "1"):
            return None
        folders = pattern(options.maildir_quota_directory_regex)
        root = self.quota_root(folder)
        below = folder[len(root) :].lstrip("/") or "new"
        if not folders.matches(below):
            return None
        return quota.MaildirSize(root, f"{limit.value}S,{files.value}C", folders, self.size_regex())

    def warn(self, before: int, after: int, threshold: int) -> None:
        """Send quota_warn_message when this delivery crossed the threshold."""
        if not threshold or not before <= threshold < after:
            return
        submit = self.scope.services.state.get("submit_message")
        if submit is None:
            return
        first = self.batch.recipients[0]
        if self.options.quota_warn_message is not None:
            try:
                text = self.options.quota_warn_message(self.scope)
            except ExpansionFailed:
                return
        else:
            text = (
                f"To: {first.local_part}@{first.domain}\nSubject: Your mailbox\n\n"
                "This message is automatically created by mail delivery software.\n\n"
                "The size of your mailbox has exceeded a warning threshold that is\nset by the system administrator.\n"
            )
        head, _, body = text.partition("\n\n")
        domain = getattr(self.scope.site.options, "qualify_domain", "") or self.scope.site.options.primary_hostname
        lines = head.split("\n")
        if not any(line.lower().startswith("from:") for line in lines):
            lines.append(f"From: Mail Delivery System <mailer-daemon@{domain}>")
        lines.append("Auto-Submitted: auto-replied")
        to = next((line[3:] for line in lines if line.lower().startswith("to:")), "")
        submit("", [address.strip() for address in to.split(",")], "\n".join(lines) + "\n", body)


def _base62(value: int) -> str:
    out = ""
    while value:
        value, digit = divmod(value, 62)
        out = DIGITS[digit] + out
    return out or "0"
