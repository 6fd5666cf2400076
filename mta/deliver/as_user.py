"""Looking at files with a recipient's rights, from a process that has given its own up: .forward files, require_files.

A request goes to a fresh child of the local delivery agent, which becomes the user before it touches the path.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from mta.deliver import wire
from mta.deliver.identity import become
from mta.route.redirect_file import FileText, read_directly
from mta.system import users

if TYPE_CHECKING:
    from mta.config.runtime import Runtime

TIMEOUT = 60.0


def use_agent_for_files(runtime: Runtime, connect: Callable[[], socket.socket]) -> None:
    """Give the routers a way to read (``read_file_as``) and to stat (``probe_file``) through the agent."""

    def ask(what: str, path: str, uid: int, gid: int) -> dict[str, object]:
        with connect() as sock:
            sock.settimeout(TIMEOUT)
            wire.send_record(sock, {"what": what, "path": path, "uid": uid, "gid": gid})
            return wire.receive_record(sock)

    def read(path: str, uid: int, gid: int) -> FileText:
        direct = read_directly(path, uid, gid)
        if direct.errno not in _DENIED:
            return direct
        try:
            said = ask("read", path, uid, gid)
            return FileText(
                str(said["text"]), _int(said["mode"]), _int(said["uid"]), _int(said["gid"]), _int(said["errno"])
            )
        except (OSError, wire.WireError, KeyError):
            return direct

    def probe(path: str, uid: int, gid: int) -> int:
        try:
            return _int(ask("probe", path, uid, gid)["errno"])
        except (OSError, wire.WireError, KeyError):
            return 13

    runtime.services.state["read_file_as"] = read
    runtime.services.state["probe_file"] = probe


_DENIED = (1, 13)  # EPERM, EACCES


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise wire.WireError("a number expected")
    return value


def serve_file(sock: socket.socket) -> None:
    """The answering end, in a process of its own that ends after it. Without a user, root may only stat."""
    with sock:
        request = wire.receive_record(sock)
        path, uid, gid = str(request["path"]), _int(request["uid"]), _int(request["gid"])
        if uid > 0:
            user = users.find_user(str(uid))
            group = gid if gid >= 0 else (user.gid if user is not None else uid)
            become(uid, group, tuple(users.groups_of(user.name, group)) if user is not None else (group,))
        if request["what"] == "read" and uid > 0:
            found = read_directly(path, uid, gid)
            wire.send_record(
                sock,
                {"text": found.text, "mode": found.mode, "uid": found.uid, "gid": found.gid, "errno": found.errno},
            )
            return
        wire.send_record(sock, {"errno": _stat_errno(path) if request["what"] == "probe" else 1})


def _stat_errno(path: str) -> int:
    try:
        os.stat(path.encode("latin-1"))
    except OSError as error:
        return error.errno or 5
    except ValueError:
        return 22
    return 0
