"""udpsend: one UDP packet; the argument is a list of server, port and content."""

from __future__ import annotations

import socket
from typing import Any

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.text.ascii import strict_int, to_bytes
from mta.text.lists import split_list

MAX_PACKET = 65000


@modifier("udpsend")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        parts = split_list(argument)
        parts += [""] * (3 - len(parts))
        host, port_text, content = parts[:3]
        if not host:
            return run.error('missing destination host in "udpsend" modifier')
        if not port_text:
            return run.error('missing destination port in "udpsend" modifier')
        port = strict_int(port_text)
        if port is None:
            return run.error('bad destination port in "udpsend" modifier')
        run.trace(f"udpsend [{host}]:{port} {content}")
        try:
            found = socket.getaddrinfo(host, port % 65536, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            return run.defer('DNS lookup failed in "udpsend" modifier')
        return _send(run, found[0], to_bytes(content)[:MAX_PACKET])

    return act


def _send(run: Run, target: tuple[Any, ...], packet: bytes) -> Result:
    family, kind, protocol, _, address = target
    try:
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(5)
            sock.sendto(packet, address)
    except OSError as error:
        run.trace(f"udpsend failed: {error.strerror}")
    return Result.OK
