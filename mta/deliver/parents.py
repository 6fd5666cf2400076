"""Bounces and the messages they are about: neither lost nor sent twice when a crash comes between the two.

Before a bounce is committed its id and the addresses it covers are in the parent's journal as an intent. Whoever
takes up the parent and finds the bounce in the spool knows that those addresses are done; a bounce is not delivered
while its parent has not taken note of it.
"""

from __future__ import annotations

from mta.config.runtime import Runtime
from mta.deliver.spooling import PARENT
from mta.errors import SpoolError
from mta.mail.ids import is_message_id
from mta.spool.locked import Locked

_WORD = "report "


def intent(bounce_id: str, addresses: list[str]) -> str:
    """The journal's text for a bounce about to be committed; tabs part the addresses."""
    return _WORD + "\t".join([bounce_id, *addresses])


def resolve(runtime: Runtime, locked: Locked) -> None:
    """To be called when a message is taken up. SpoolError when its parent must be seen to first and cannot be."""
    _settle_intents(runtime, locked)
    parent = locked.message.extra.get(PARENT, "")
    if not is_message_id(parent) or not runtime.spool.exists(parent):
        return
    other = runtime.spool.lock(parent)
    if other is None:
        if runtime.spool.exists(parent):
            raise SpoolError(f"message {parent}, which this one is about, is being handled")
        return
    with other:
        _settle_intents(runtime, other)


def _settle_intents(runtime: Runtime, locked: Locked) -> None:
    """Journal the addresses of bounces that got into the spool."""
    for text in locked.intents:
        if not text.startswith(_WORD):
            continue
        bounce, *addresses = text[len(_WORD) :].split("\t")
        missing = [one for one in addresses if one not in locked.message.delivered]
        if missing and runtime.spool.exists(bounce):
            locked.journal(missing)
