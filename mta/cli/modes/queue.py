"""``-bp`` and its kin: the queue, laid out as Exim prints it. ``list_queue(runtime, kind, out)`` for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from mta.cli.call import Call
from mta.config.runtime import Runtime
from mta.errors import SpoolError
from mta.mail.ids import id_time
from mta.mail.message import Message

Out = Callable[[str], None]


def run(call: Call) -> int:
    """The flag says which list; ids may follow."""
    if call.arguments.mode != "bpc" and not call.is_admin() and call.config().main.queue_list_requires_admin:
        call.error("mta: permission denied")
        return 1
    list_queue(call.runtime(), call.arguments.mode, call.write, call.arguments.words)
    return 0


def list_queue(runtime: Runtime, kind: str, out: Out, ids: Iterable[str] = ()) -> None:
    """``kind``: bp, bpa, bpc, bpi, bpr, bpra, bpri, bpru or bpu (manual chapter 5)."""
    spool = runtime.spool
    if kind == "bpc":
        out(f"{spool.count()}\n")
        return
    wanted = list(ids)
    found = wanted if wanted else spool.ids()
    ordered = found if "r" in kind[2:] else sorted(found)
    letters = kind[2:].replace("r", "")
    now = time.time()
    for message_id in ordered:
        if letters == "i":
            out(f"{message_id}\n")
        else:
            _entry(runtime, message_id, letters, now, out, bool(wanted))


def _entry(runtime: Runtime, message_id: str, letters: str, now: float, out: Out, asked: bool) -> None:
    try:
        message, _ = runtime.spool.read(message_id)
    except FileNotFoundError:
        if asked:
            out(f"      {message_id}\n    *** spool read error: No such file or directory ***\n\n")
        return  # otherwise delivered meanwhile
    except (SpoolError, OSError):
        out(f"{age(now - id_time(message_id))} {'':>5} {message_id} *** spool format error ***\n\n")
        return
    out(first_line(message, now) + "\n")
    _recipients(message, letters, out)
    out("\n")


def first_line(message: Message, now: float) -> str:
    """``25m  2.9K 0t5C6f-0000c8-00 <alice@wonderland.fict.example> *** frozen ***``."""
    out = f"{age(now - message.received_time)} {size(message.message_size)} {message.id} <{message.sender}>"
    if message.sender_set_untrusted:
        out += f" ({message.originator_login})"
    return out + (" *** frozen ***" if message.frozen else "")


def _recipients(message: Message, letters: str, out: Out) -> None:
    for recipient in message.recipients:
        done = recipient.address in message.delivered
        if done and letters == "u":
            continue
        out(f"        {'D' if done else ' '} {recipient.address}\n")
    if letters == "a":
        known = {recipient.address for recipient in message.recipients}
        for address in sorted(message.delivered - known):
            out(f"       +D {address}\n")


def age(seconds: float) -> str:
    """Minutes below 90 of them, hours below 72 of them, then days; three places and the letter."""
    minutes = int(max(seconds, 0) // 60)
    if minutes <= 90:
        return f"{minutes:2d}m"
    hours = (minutes + 30) // 60
    if hours <= 72:
        return f"{hours:2d}h"
    return f"{(hours + 12) // 24:2d}d"


def size(count: int) -> str:
    """Bytes as ``-bp`` shows them in five places: ``309``, ``1.4K``, ``23K``, ``2.9M``."""
    if count < 1024:
        return f"{count:5d}"
    if count < 10 * 1024:
        return f"{count / 1024:4.1f}K"
    if count < 1024 * 1024:
        return f"{(count + 512) // 1024:4d}K"
    if count < 10 * 1024 * 1024:
        return f"{count / (1024 * 1024):4.1f}M"
    return f"{(count + 512 * 1024) // (1024 * 1024):4d}M"
