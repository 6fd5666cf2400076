"""What an Exim filter may touch while it runs, and nothing else: the interpreter's only ways out.

``show`` and ``trace`` are for filter tests (-bf, -v); ``write_log`` is None where logfile and logwrite are off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class World:
    """``write_log(path, mode, text)`` appends to a user's log and returns what went wrong or ""; with the user's
    rights only. ``system``: headers commands change the message at once, errors_to may be anybody."""

    show: Callable[[str], None] | None = None
    trace: Callable[[str], None] | None = None
    write_log: Callable[[str, int, str], str] | None = None
    log_forbidden: bool = False  # forbid_filter_logwrite
    prepend_home: bool = True
    system: bool = False
    qualify: Callable[[str], str] | None = None  # an unqualified local part made whole

    @property
    def testing(self) -> bool:
        return self.show is not None
