"""What is to be done when a message's transaction is over, whatever became of it: files removed, connections closed.

``at_end(message, call)`` adds, ``end(message)`` does them, the last one first; a call must not raise.
"""

from __future__ import annotations

from collections.abc import Callable

from mta.mail.message import Message

_KEY = "endings"


def at_end(message: Message, call: Callable[[], None]) -> None:
    """Have ``call`` made when the message is done with."""
    message.acl_memory.setdefault(_KEY, []).append(call)


def end(message: Message) -> None:
    """The transaction is over."""
    for call in reversed(message.acl_memory.pop(_KEY, ())):
        call()
