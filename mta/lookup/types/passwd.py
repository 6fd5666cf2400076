"""passwd: the system's user data, as an lsearch of /etc/passwd would give them."""

from __future__ import annotations

import pwd

from mta.lookup.base import LookupType, lookups
from mta.scope.scope import Scope


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """``*:uid:gid:gecos:home:shell`` of a login."""
    try:
        # The account database speaks UTF-8 or plain bytes; byte text goes in and out as bytes.
        login = key.encode("latin-1").decode("utf-8", "surrogateescape")
        user = pwd.getpwnam(login)
    except (KeyError, ValueError):
        return None
    text = f"*:{user.pw_uid}:{user.pw_gid}:{user.pw_gecos}:{user.pw_dir}:{user.pw_shell}"
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


lookups.register("passwd")(LookupType("passwd", "query", find))
