"""``-bh`` and ``-bhc``: an SMTP session as if from a host, on the standard streams; nothing is stored."""

from __future__ import annotations

import ipaddress

from mta.cli.call import Call


def run(call: Call) -> int:
    """The flag's value is an IP address, with a port behind a dot if one matters."""
    from mta.net.sockets import split_port

    address = call.arguments.value
    host = split_port(address, "-bh")[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        call.error(f"mta: {address} is not an IP address")
        return 1
    if call.config().main.commandline_checks_require_admin and not call.is_admin():
        call.error("mta: permission denied")
        return 1
    from mta.receive import hosttest

    if call.arguments.mode == "bhc":
        call.runtime().services.state["callouts"] = True  # they are left out otherwise when a host is tested
    return hosttest.run(call.runtime(), address, call.stdin.fileno(), call.stdout.fileno(), call.error)
