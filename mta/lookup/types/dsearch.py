"""dsearch: is there such a name in a directory? Its answer is the directory's own word, hence untainted."""

from __future__ import annotations

import os
import stat

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import encoded, reason
from mta.scope.scope import Scope


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The name (``ret=full``: the path) of an entry; ``filter=`` file, dir or subdir chooses among kinds."""
    if "/" in key:
        raise Deferred(f"key for dsearch lookup contains a slash: {key}")
    try:
        if not stat.S_ISDIR(os.stat(encoded(file)).st_mode):
            raise NotADirectoryError(20, "Not a directory")
    except (OSError, ValueError) as error:
        raise ExpansionFailed(f"failed to open {file} for directory search: {reason(error)}") from None
    path = f"{file}/{key}"
    try:
        mode = os.lstat(encoded(path)).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise Deferred(f"{path}: lstat failed: {reason(error)}") from None
    if not all(_passes(option, key, mode) for option in options):
        return None
    return path if "ret=full" in options else "".join(key)


def _passes(option: str, key: str, mode: int) -> bool:
    if option == "filter=file":
        return stat.S_ISREG(mode)
    if option == "filter=dir":
        return stat.S_ISDIR(mode)
    if option == "filter=subdir":
        return stat.S_ISDIR(mode) and key not in (".", "..")
    return True


lookups.register("dsearch")(LookupType("dsearch", "single", find, absolute_file=False))
