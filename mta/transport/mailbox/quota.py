"""Mailbox quotas: option values, sizes of folders, the maildirsize file of Maildir++ (manual sections 26.2 to 26.7)."""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass

from mta.errors import ExpansionFailed, ForcedFail
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text.ascii import is_digits, strip
from mta.text.patterns import Pattern
from mta.transport.mailbox.errors import MailboxError
from mta.transport.outcomes import QUOTA, UNKNOWN

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MAX_DEPTH = 64
MAILDIRSIZE_LIMIT = 5120  # Maildir++: a longer file is made anew
MAILDIRSIZE_AGE = 15 * 60


@dataclass(slots=True)
class Limit:
    """One quota; ``value`` 0 means none. ``check`` is false with /no_check: counted, not enforced."""

    value: int = 0
    check: bool = True


def read_limit(option: Expansion | None, scope: Scope, transport: str, *, percent_of: int = -1) -> Limit:
    """The value of quota, quota_filecount, quota_warn_threshold, mailbox_size. Raises MailboxError when malformed."""
    if option is None:
        return Limit()
    try:
        text = option(scope)
    except ForcedFail:
        return Limit()
    except ExpansionFailed as error:
        raise MailboxError(
            f'Expansion of "{option.source}" in {transport} transport failed: {error.message}', UNKNOWN, panic=True
        ) from None
    number, *modifiers = strip(text).split("/")
    value = _parse(strip(number), percent_of)
    known = all(strip(modifier) == "no_check" for modifier in modifiers)
    if value is None or not known:
        raise MailboxError(
            f'Malformed value "{text}" (expansion of "{option.source}") in {transport} transport', UNKNOWN, panic=True
        )
    return Limit(value, check=not modifiers)


def _parse(text: str, percent_of: int) -> int | None:
    if text.endswith("%") and percent_of >= 0:
        value = _parse(text[:-1], -1)
        return None if value is None else value * percent_of // 100
    unit = _UNITS.get(text[-1:].upper(), 1)
    digits = text[:-1] if unit > 1 else text
    whole, dot, part = digits.partition(".")
    if not is_digits(whole or "0") or (dot and part and not is_digits(part)) or not (whole or part) or len(digits) > 18:
        return None
    return int(float(f"{whole or 0}.{part or 0}") * unit) if dot else int(whole) * unit


@dataclass(slots=True)
class Usage:
    size: int = 0
    files: int = 0


def folder_usage(folder: str, size_pattern: Pattern | None, *, deep: bool = True, depth: int = 0) -> Usage:
    """Sizes and number of the files in a tree; a name that the pattern matches tells its size itself."""
    usage = Usage()
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return usage
    for entry in entries:
        found = size_pattern.search(entry.name) if size_pattern is not None else None
        if found is not None and len(found) > 1 and is_digits(found[1]):
            usage.size += int(found[1])
            usage.files += 1
            continue
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(info.st_mode):
            usage.size += info.st_size // max(1, info.st_nlink)
            usage.files += 1
        elif stat.S_ISDIR(info.st_mode) and deep and depth < _MAX_DEPTH:
            inner = folder_usage(entry.path, size_pattern, depth=depth + 1)
            usage.size += inner.size
            usage.files += inner.files
    return usage


def maildir_usage(maildir: str, folders: Pattern, size_pattern: Pattern | None) -> Usage:
    """What Maildir++ counts: messages in ``cur`` and ``new`` of the folders that the pattern admits."""
    usage = Usage()
    try:
        entries = [entry.name for entry in os.scandir(maildir) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return usage
    for name in entries:
        if not folders.matches(name):
            continue
        below = [name] if name in ("cur", "new") else [f"{name}/cur", f"{name}/new"]
        for folder in below:
            inner = folder_usage(f"{maildir}/{folder}", size_pattern, deep=False)
            usage.size += inner.size
            usage.files += inner.files
    return usage


def over_quota(usage: Usage, adding: int, quota: Limit, files: Limit, *, inclusive: bool) -> str | None:
    """ "" when the size quota is exceeded, "filecount " when the number is, None when neither."""
    extra = 1 if inclusive else 0
    if quota.value and quota.check and usage.size + adding * extra > quota.value:
        return ""
    if files.value and files.check and usage.files + extra > files.value:
        return "filecount "
    return None


def quota_error(kind: str, path: str, last_read: float | None) -> MailboxError:
    """The deferral for a full mailbox; ``last_read`` is when its owner last looked, for ``quota_<time>`` rules."""
    age = "" if last_read is None else str(max(0, int(time.time() - last_read)))
    message = f"mailbox is full (MTA-imposed {kind}quota exceeded while writing to {path})"
    return MailboxError(message, QUOTA, error="quota", detail=age)


def write_error(error: OSError, path: str, last_read: float | None) -> MailboxError:
    """A failed write: full partitions and system quotas count as quota errors (manual chapter 32)."""
    age = "" if last_read is None else str(max(0, int(time.time() - last_read)))
    if error.errno == errno.EDQUOT:
        return MailboxError(
            f"mailbox is full (quota exceeded while writing to file {path})", error.errno, error="quota", detail=age
        )
    if error.errno == errno.ENOSPC:
        return MailboxError(f"while writing to {path}", error.errno, error="quota", detail=age)
    return MailboxError(f"while writing to {path}", error.errno or UNKNOWN)


class MaildirSize:
    """The ``maildirsize`` file: first line the quota, then lines of (bytes, files) to be added up.

    Single appends to a file opened O_APPEND, so that several programs may write it (Maildir++ rules).
    """

    __slots__ = ("folders", "path", "quota", "root", "size_pattern")

    def __init__(self, root: str, quota: str, folders: Pattern, size_pattern: Pattern | None) -> None:
        self.root = root
        self.path = f"{root}/maildirsize"
        self.quota = quota
        self.folders = folders
        self.size_pattern = size_pattern

    def usage(self) -> Usage:
        """The sum of the file; counted anew when it is missing, old, long, damaged or of another quota."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return self.recount()
        with os.fdopen(fd, "rb") as file:
            text = file.read(MAILDIRSIZE_LIMIT + 1)
        if len(text) > MAILDIRSIZE_LIMIT or not text.endswith(b"\n"):
            return self.recount()
        quota, *lines = text.decode("latin-1").split("\n")[:-1]
        if quota != self.quota:
            return self.recount()
        usage = Usage()
        for line in lines:
            words = line.split()
            if len(words) != 2 or not all(is_digits(word.removeprefix("-")) for word in words):
                return self.recount()
            usage.size += int(words[0])
            usage.files += int(words[1])
        return usage if usage.size >= 0 and usage.files >= 0 else self.recount()

    def is_fresh(self) -> bool:
        """Whether the file was counted less than a quarter of an hour ago (or holds just its first line)."""
        try:
            return time.time() - os.stat(self.path).st_mtime < MAILDIRSIZE_AGE
        except OSError:
            return False

    def recount(self) -> Usage:
        """Count the folders and write the file whole, under a temporary name first."""
        usage = maildir_usage(self.root, self.folders, self.size_pattern)
        temporary = f"{self.root}/tmp/maildirsize.{os.getpid()}.{time.monotonic_ns()}"
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(f"{self.quota}\n{usage.size} {usage.files}\n".encode("latin-1"))
            os.rename(temporary, self.path)
        except OSError as error:
            raise MailboxError(f"while writing to {self.path}", error.errno or UNKNOWN) from None
        return usage

    def add(self, size: int, files: int) -> None:
        """One delivery more; failing to note it costs a recount later, nothing else."""
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            os.write(fd, f"{size} {files}\n".encode("latin-1"))
        finally:
            os.close(fd)
