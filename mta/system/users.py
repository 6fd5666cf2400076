"""Users and groups of the machine, through getpwnam() and getgrnam(), so that NIS, LDAP and kin work.

Names are looked up afresh each time: nscd and sssd do the caching where it matters.
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class User(NamedTuple):
    """One account; ``home`` and ``gecos`` as byte text."""

    name: str
    uid: int
    gid: int
    home: str
    gecos: str
    shell: str


def find_user(name: str) -> User | None:
    """The account of this login, or of this number when the text is one; None when there is none."""
    try:
        if name.isascii() and name.isdigit():
            found = pwd.getpwuid(int(name))
        else:
            found = pwd.getpwnam(name)
    except (KeyError, ValueError, OverflowError, UnicodeError):
        return None
    return User(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir, found.pw_gecos, found.pw_shell)


def find_group(name: str) -> int | None:
    """The gid of a group's name, or the number itself; None when there is no such group."""
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError, UnicodeError):
        return None


class LookupOptions(Protocol):
    """The main options about looking accounts up."""

    finduser_retries: int
    max_username_length: int


def account(options: LookupOptions, name: str) -> User | None:
    """``find_user`` as finduser_retries and max_username_length have it: tried again, names too long refused."""
    if 0 < options.max_username_length < len(name):
        return None
    return _patiently(lambda: find_user(name), options.finduser_retries)


def group(options: LookupOptions, name: str) -> int | None:
    """``find_group`` as finduser_retries has it."""
    return _patiently(lambda: find_group(name), options.finduser_retries)


def _patiently(find: Callable[[], T | None], retries: int) -> T | None:
    found = find()
    while found is None and retries > 0:
        time.sleep(1.0)
        retries -= 1
        found = find()
    return found


def groups_of(name: str, gid: int) -> list[int]:
    """All groups of a login, ``gid`` among them, as initgroups() would set them."""
    try:
        return os.getgrouplist(name, gid)
    except (KeyError, UnicodeError):
        return [gid]


def may_read(path: str, uid: int, gid: int) -> bool:
    """A rough check of mode bits along a path: x on its folders, r on its end (manual chapter 15, require_files)."""
    parts = path.split("/")[1:]
    current = ""
    for number, part in enumerate(parts):
        current = f"{current}/{part}"
        info = os.stat(current.encode("latin-1"))
        last = number == len(parts) - 1
        wanted = 4 if last else 1
        if info.st_uid == uid:
            wanted <<= 6
        elif info.st_gid == gid:
            wanted <<= 3
        if uid != 0 and not info.st_mode & wanted:
            return False
    return True
