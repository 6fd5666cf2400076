"""Operators on lists and files: listcount, listnamed, stat. (``expand`` is the parser's own.)"""

from __future__ import annotations

import os
import stat as stat_bits

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.scope.scope import Scope
from mta.text.lists import split_list

_KINDS = {
    "d": ("domain", "domain"),
    "h": ("host", "host"),
    "a": ("address", "address"),
    "l": ("local_part", "localpart"),
}


_MODE = 0o77777  # a regular file's mode has four digits


@operator("listcount")
def listcount(_scope: Scope, text: str, _argument: str | None) -> str:
    return str(len(split_list(text)))


@operator("listnamed", pure=False)
def listnamed(scope: Scope, text: str, argument: str | None) -> str:
    """The text of a named list; ``_d _h _a _l`` choose the kind, without one they are tried in that order."""
    name = text.removeprefix("+")
    lists = scope.site.lists
    argument = argument and argument[0]  # what follows the letter does not count
    if argument and argument not in _KINDS:
        raise ExpansionFailed('bad suffix on "list" operator')
    for kind in argument or "dhal":
        found = getattr(lists, _KINDS[kind][0]).get(name)
        if found is not None:
            source: str = found.source
            return source
    if argument:
        raise ExpansionFailed(f'"{name}" is not a {_KINDS[argument][1]} named list')
    raise ExpansionFailed(f'"{name}" is not a named list' if argument is None else 'bad suffix on "list" operator')


@operator("stat", pure=False)
def stat(scope: Scope, text: str, _argument: str | None) -> str:
    """``name=value`` pairs about a file; links are followed."""
    if "existstest" in scope.forbidden:
        raise ExpansionFailed("Use of the stat() expansion is not permitted")
    try:
        found = os.stat(text.encode("latin-1"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "Invalid argument"
        raise ExpansionFailed(f"stat({text}) failed: {reason}") from None
    return (
        f"mode={found.st_mode & _MODE:04o} smode={stat_bits.filemode(found.st_mode)} inode={found.st_ino} "
        f"device={found.st_dev} links={found.st_nlink} uid={found.st_uid} gid={found.st_gid} size={found.st_size} "
        f"atime={int(found.st_atime)} mtime={int(found.st_mtime)} ctime={int(found.st_ctime)}"
    )
