"""Reading redirection files and included lists, with the guards of manual chapter 22.10."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.mail.recipient import Recipient
from mta.route.base import Declined, RouteDeferred, Router
from mta.scope.scope import Scope

if TYPE_CHECKING:
    from mta.route.drivers.redirect import Redirect

MAX_FILE = 1 << 20


@dataclass(slots=True)
class FileText:
    """A file as read: its text (byte text) and what fstat said of it; ``errno`` set when it could not be opened."""

    text: str = ""
    mode: int = 0
    uid: int = -1
    gid: int = -1
    errno: int = 0


FileReader = Callable[[str, int, int], FileText]


def read_directly(path: str, uid: int, gid: int) -> FileText:
    """Open and read with this process's own rights; the ids are for readers that can change theirs."""
    try:
        handle = os.open(path.encode("latin-1"), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:
        return FileText(errno=errno.EINVAL)
    except OSError as error:
        return FileText(errno=error.errno or errno.EIO)
    with os.fdopen(handle, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            return FileText(errno=errno.EISDIR if stat.S_ISDIR(info.st_mode) else errno.EINVAL, mode=info.st_mode)
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        return FileText(errno=errno.EFBIG)
    return FileText(data.decode("latin-1"), info.st_mode, info.st_uid, info.st_gid)


def read_as(scope: Scope, path: str, recipient: Recipient) -> FileText:
    """Read a file as the recipient's user where the process has a way to, else with its own rights."""
    reader: FileReader = scope.services.state.get("read_file_as", read_directly)
    return reader(path, recipient.uid, recipient.gid)


def log_line(scope: Scope, text: str) -> None:
    """A line in the main log, with the id of the message that is being routed."""
    scope.services.log_main(f"{scope.message.id} {text}" if scope.message.id else text)


def file_data(
    driver: Redirect, path: str, router: Router, recipient: Recipient, scope: Scope
) -> str | RouteDeferred | Declined:
    """The text of the ``file`` option's file, or the answer that stands in its place."""
    found = read_as(scope, path, recipient)
    if found.errno == errno.ENOENT:
        if not driver.ignore_enotdir and not _folder_is_there(path):
            return RouteDeferred(f"failed to stat {os.path.dirname(path)} (parent of {path})")
        return Declined(f"{path} does not exist")
    if found.errno == errno.ENOTDIR and driver.ignore_enotdir:
        return Declined(f"{path}: not a directory, ignored")
    if found.errno == errno.EACCES and driver.ignore_eacces:
        return Declined(f"{path}: permission denied, ignored")
    if found.errno:
        return RouteDeferred(f"failed to open {path}: {os.strerror(found.errno)}")
    wrong = _wrong_file(driver, path, router, recipient, found)
    if wrong:
        return RouteDeferred(wrong)
    return found.text if found.text.strip() else Declined(f"{path} is empty")


def _folder_is_there(path: str) -> bool:
    try:
        os.stat(os.path.dirname(path).encode("latin-1"))
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _wrong_file(driver: Redirect, path: str, router: Router, recipient: Recipient, found: FileText) -> str:
    mode = stat.S_IMODE(found.mode)
    if mode & driver.modemask:
        return f"bad mode (0{mode:o}) for {path}: 0{mode & driver.modemask:o} bit(s) unexpected"
    local = router.options.check_local_user
    check_owner = driver.check_owner if driver.check_owner is not None else (local or bool(driver.owners))
    if check_owner:
        allowed = set(driver.owners) | ({recipient.local_user_uid} if local else set())
        if found.uid not in allowed:
            return f"bad owner for {path}: uid={found.uid}"
    check_group = driver.check_group
    if check_group is None:
        check_group = (local and not driver.modemask & 0o020) or bool(driver.owngroups)
    if check_group:
        allowed = set(driver.owngroups) | ({recipient.local_user_gid} if local else set())
        if found.gid not in allowed:
            return f"bad group for {path}: gid={found.gid}"
    return ""
