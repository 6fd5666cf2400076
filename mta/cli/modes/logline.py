"""``-z``: write a line to the main log."""

from __future__ import annotations

from mta.cli.call import Call


def run(call: Call) -> int:
    """For admin users."""
    if not call.is_admin():
        call.error("mta: permission denied")
        return 1
    call.runtime().log.main(call.arguments.log_line or "")
    return 0
