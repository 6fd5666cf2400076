"""message, log_message, endpass: modifiers that say how the statement ends; ``run`` looks at them itself."""

from __future__ import annotations

from mta.acl.statements import Act, Clause, modifier


@modifier("message")
@modifier("log_message")
@modifier("endpass", needs_value=False)
def make(_clause: Clause) -> Act | None:
    return None
