"""Under whom a local delivery runs: ``identity(...)`` (manual chapter 23), and giving rights up.

The transport's user and group, then the router's, then the mta user.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from mta.config.runtime import Runtime
from mta.errors import Deferred, ExpansionFailed
from mta.mail.recipient import Recipient
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.system import users
from mta.system.users import groups_of
from mta.transport.base import Transport


class Identity(NamedTuple):
    """``groups`` are all supplementary groups to take."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    current_directory: str


class Refused(Exception):
    """The delivery must not run under this user; the text is for the log."""


def identity(runtime: Runtime, transport: Transport, recipient: Recipient, scope: Scope) -> Identity:
    """Raises Refused, ExpansionFailed or Deferred."""
    options = transport.options
    site = runtime.config.site
    uid, gid, login = recipient.uid, recipient.gid, recipient.user
    initgroups = recipient.initgroups
    if options.user is not None:
        name = options.user(scope)
        user = users.account(runtime.config.main, name)
        if user is None and not (name.isascii() and name.isdigit()):
            raise Refused(
                f'Failed to find user "{name}" from expanded string "{options.user.source}" for the '
                f"{transport.name} transport"
            )
        uid, gid = (user.uid, user.gid) if user is not None else (int(name), -1)
        login = user.name if user is not None else ""
        initgroups = options.initgroups
    elif getattr(transport.driver, "pipe_as_creator", False):
        uid, gid, login = scope.message.originator_uid, scope.message.originator_gid, ""
    if options.group is not None:
        name = options.group(scope)
        found = users.group(runtime.config.main, name)
        if found is None:
            raise Refused(
                f'Failed to find group "{name}" from expanded string "{options.group.source}" for the '
                f"{transport.name} transport"
            )
        gid = found
    if runtime.config.main.deliver_drop_privilege:
        uid, gid, initgroups = site.uid, site.gid, False
    if uid < 0:
        uid = site.uid if site.uid >= 0 else os.geteuid()
        gid = gid if gid >= 0 else site.gid
    if gid < 0:
        raise Refused(f"User set without group for {transport.name} transport")
    if os.geteuid() == 0 or site.uid > 0:
        if uid in runtime.config.main.never_users:
            raise Refused(f"User {uid} set for {transport.name} transport is on the never_users list")
        if uid == 0 and site.uid > 0:
            raise Refused(f"User 0 set for {transport.name} transport is on the fixed_never_users list")
    groups = tuple(groups_of(login, gid)) if initgroups and login else (gid,)
    home = _directory(options.home_directory, scope) or recipient.home
    current = _directory(options.current_directory, scope) or recipient.current_directory
    return Identity(uid, gid, groups, home, current)


def _directory(text: Expansion | None, scope: Scope) -> str:
    if text is None:
        return ""
    try:
        return text(scope)
    except (ExpansionFailed, Deferred) as error:
        raise Refused(f'home or current directory "{text.source}" failed to expand: {error}') from None


def become(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    """Take the ids for good. Only in a process of one thread that serves one delivery."""
    if os.geteuid() != 0:
        return
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getuid() != uid or os.geteuid() != uid or os.getgid() != gid:
        raise OSError("ids did not change")
