"""New messages that transports hand in while they deliver: autoreplies, quota warnings (``submit_message``).

A transport in a child under a user's ids has its parent do it; the parent puts the message into
the spool and remembers its id for who delivers it next.
"""

from __future__ import annotations

import re
from functools import partial

from mta.config.runtime import Runtime
from mta.deliver.spooling import Generated, put, reserve

SUBMIT, NEW = "submit_message", "new_messages"  # keys of services.state
MAX_TEXT = 64 << 20
_LINE = re.compile(r"[^\n]*\n(?:[ \t][^\n]*\n)*")


def prepare(runtime: Runtime) -> None:
    """Give the transports of this process a way to hand messages in; done once."""
    state = runtime.services.state
    state.setdefault(NEW, [])
    state.setdefault(SUBMIT, partial(submit, runtime))


def submit(runtime: Runtime, sender: str, recipients: list[str], head: str, body: str) -> str:
    """Put a message into the spool; its id. ``head`` is whole header lines. SpoolError when the disk refuses."""
    if len(head) + len(body) > MAX_TEXT:
        raise ValueError("the message handed in is too large")
    text = head if head.endswith("\n") else head + "\n"
    body = body if body.endswith("\n") or not body else body + "\n"
    lines = [line for line in _LINE.findall(text) if not line.startswith("Date:")]  # the spool adds its own
    what = Generated(recipients, lines, [body.encode("latin-1")], sender=sender)
    with reserve(runtime) as incoming:
        made = put(runtime, incoming, what)
    runtime.services.state[NEW].append(made)
    return made


def take_new(runtime: Runtime) -> list[str]:
    """Ids handed in since the last call, each given out once over all threads."""
    new: list[str] = runtime.services.state.get(NEW, [])
    taken = []
    while new:
        try:
            taken.append(new.pop(0))
        except IndexError:
            break  # another thread was quicker
    return taken
