"""New messages that transports hand in while they deliver: autoreplies, quota warnings (``submit_message``).

A transport in a child under a user's ids has its parent do it; the parent puts the message into
the spool and remembers its id for who delivers it next.
"""

from __future__ import annotations

import re
from functools import partial

from mta.config.runtime import Runtime
from mta.deliver.spooling import Generated, put, reserve
from mta.errors import MtaError
from mta.mail.address import Address, parse_address_list
from mta.scope.scope import Scope

SUBMIT, NEW = "submit_message", "new_messages"  # keys of services.state
SYNTAX_ERRORS = "notify_syntax_errors"
MAX_TEXT = 64 << 20
_LINE = re.compile(r"[^\n]*\n(?:[ \t][^\n]*\n)*")


def prepare(runtime: Runtime) -> None:
    """Give the transports of this process a way to hand messages in; done once."""
    state = runtime.services.state
    state.setdefault(NEW, [])
    state.setdefault(SUBMIT, partial(submit, runtime))
    state.setdefault(SYNTAX_ERRORS, partial(tell_syntax_errors, runtime))


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


def tell_syntax_errors(runtime: Runtime, scope: Scope, to: str, heading: str, errors: list[str]) -> None:
    """A message about forward or filter files that a redirect router passed over (syntax_errors_to, manual 22.10)."""
    main = runtime.config.main
    people = [found.text for found in parse_address_list(to) if isinstance(found, Address)]
    try:
        head = f"From: {main.dsn_from(scope)}\n"
        if people and scope.recipient is not None:
            head += f"To: {', '.join(people)}\nSubject: error(s) in forwarding or filtering\n"
            head += "Auto-Submitted: auto-replied\n"
            body = heading + ("\n" if heading and not heading.endswith("\n") else "")
            body += f"\nThe following error(s) have been detected for {scope.recipient.address}:\n\n"
            submit(runtime, "", people, head, body + "".join(f"  {error}\n" for error in errors))
    except MtaError as error:
        runtime.log.main(f"cannot tell {to} of errors in a filter: {error}", scope.message.id)


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
