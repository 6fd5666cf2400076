"""``-M`` and its kin: actions on messages of the queue by id, in Exim's words (manual chapter 5).

``act(runtime, action, ids, args, out, who)`` for others; ``action`` is the flag without its hyphen.
"""

from __future__ import annotations

import pwd
import time
from collections.abc import Callable

from mta.cli.call import Call
from mta.config.runtime import Runtime
from mta.deliver.agent import give_up_root
from mta.deliver.message import DeliverOptions, deliver_message
from mta.errors import SpoolError
from mta.mail.address import AddressError, parse_address
from mta.mail.ids import is_message_id
from mta.mail.message import EnvelopeRecipient
from mta.spool.layout import HEADER
from mta.spool.locked import Locked

Out = Callable[[str], None]
Change = Callable[[Runtime, Locked, list[str], str], str]


class NotDone(Exception):
    """A change that cannot be made; the text goes to the caller."""


def run(call: Call) -> int:
    """One action; ids are words, except where one id is followed by addresses."""
    action, words = call.arguments.mode, call.arguments.words
    ids, args = (words[:1], words[1:]) if action in ("Mes", "Mar", "Mmd") else (words, [])
    if not ids:
        call.error(f"mta: no message ids given after -{action} option")
        return 1
    for one in ids:
        if not is_message_id(one):
            call.error(f"mta: malformed message id {one} after -{action} option")
            return 1
    if not call.is_admin():
        call.error("mta: permission denied")
        return 1
    if action in ("Mes", "Mar", "Mmd") and not args:
        call.error(f"mta: one or more addresses expected after -{action} {ids[0]}")
        return 1
    if action in ("M", "Mc", "Mg"):
        give_up_root(call.runtime())
    try:
        who = pwd.getpwuid(call.uid).pw_name
    except KeyError:
        who = str(call.uid)
    return act(call.runtime(), action, ids, args, call.write, who, raw=call.stdout.write)


def act(
    runtime: Runtime,
    action: str,
    ids: list[str],
    args: list[str],
    out: Out,
    who: str = "root",
    raw: Callable[[bytes], object] | None = None,
) -> int:
    """Do it for each id; the exit code. ``raw`` takes bodies, byte for byte."""
    code = 0
    for message_id in ids:
        if action in ("M", "Mc", "Mg"):
            done = _deliver(runtime, action, message_id, who)
        elif action == "Mrm":
            done = _remove(runtime, message_id, out, who)
        elif action in _SHOW:
            done = _show(runtime, action, message_id, out, raw)
        else:
            done = _change(runtime, action, message_id, args, out, who)
        code = code if done else 1
    return code


def _deliver(runtime: Runtime, action: str, message_id: str, who: str) -> bool:
    if not runtime.spool.exists(message_id):
        runtime.log.main(f"Spool file {message_id}-D not found", message_id)
        return True
    options = {
        "M": DeliverOptions(forced=True, thaw=True),
        "Mc": DeliverOptions(queue_run=True),
        "Mg": DeliverOptions(forced=True, thaw=True, give_up=f"cancelled by {who}"),
    }[action]
    deliver_message(runtime, message_id, options)
    return True


def _lock(runtime: Runtime, message_id: str, out: Out) -> Locked | None:
    if not runtime.spool.exists(message_id):
        out(f"Spool data file for {message_id} does not exist\n")
        return None
    try:
        locked = runtime.spool.lock(message_id)
    except SpoolError as error:
        runtime.log.panic(error.message)
        out(f"Spool read error for {message_id}{HEADER}: {error.message}\n")
        return None
    if locked is None:
        out(f"Message {message_id} is locked\n")
    return locked


def _remove(runtime: Runtime, message_id: str, out: Out, who: str) -> bool:
    if not runtime.spool.exists(message_id):
        out(f"Spool data file for {message_id} does not exist\nContinuing, to ensure all files removed\n")
        out(f"Spool read error for {message_id}{HEADER}: No such file or directory\n")
        out("Continuing to ensure all files removed\n")
        out(f"Message {message_id} has been removed or did not exist\n")
        return False
    locked = _lock(runtime, message_id, out)
    if locked is None:
        return False
    with locked:
        locked.remove()
    out(f"Message {message_id} has been removed\n")
    runtime.log.main(f"removed by {who}", message_id)
    runtime.log.main("Completed", message_id)
    return True


def _change(runtime: Runtime, action: str, message_id: str, args: list[str], out: Out, who: str) -> bool:
    locked = _lock(runtime, message_id, out)
    if locked is None:
        return False
    with locked:
        try:
            said = _CHANGES[action](runtime, locked, args, who)
            locked.save()
        except (NotDone, SpoolError) as error:
            out(f"Message {message_id} {error}\n")
            return False
    out(f"Message {message_id} {said}\n")
    return True


def _freeze(runtime: Runtime, locked: Locked, _args: list[str], who: str) -> str:
    message = locked.message
    if message.frozen:
        raise NotDone("is already frozen")
    message.frozen, message.frozen_at, message.manual_thaw = True, time.time(), False
    runtime.log.main(f"frozen by {who}", message.id)
    return "is now frozen"


def _thaw(runtime: Runtime, locked: Locked, _args: list[str], who: str) -> str:
    message = locked.message
    if not message.frozen:
        raise NotDone("is not frozen")
    message.frozen, message.manual_thaw = False, True
    runtime.log.main(f"unfrozen by {who}", message.id)
    return "is no longer frozen"


def _edit_sender(runtime: Runtime, locked: Locked, args: list[str], who: str) -> str:
    if len(args) != 1:
        raise NotDone("- error while editing sender:\n  only one sender address can be specified")
    address = "" if args[0] in ("", "<>") else _address(args[0], "editing sender")
    locked.message.sender = address
    runtime.log.main(f"sender address changed to <{address}> by {who}", locked.id)
    return "has been modified"


def _add_recipients(runtime: Runtime, locked: Locked, args: list[str], who: str) -> str:
    addresses = [_address(one, "adding recipient") for one in args]
    for address in addresses:
        locked.message.recipients.append(EnvelopeRecipient(address))
        runtime.log.main(f"recipient <{address}> added by {who}", locked.id)
    return "has been modified"


def _mark_delivered(runtime: Runtime, locked: Locked, args: list[str], who: str) -> str:
    known = {recipient.address for recipient in locked.message.recipients}
    for one in args:
        if one not in known:
            raise NotDone(f"- error while marking as delivered:\n  {one} is not a recipient: message not updated")
    _mark(runtime, locked, args, who)
    return "has been modified"


def _mark_all_delivered(runtime: Runtime, locked: Locked, _args: list[str], who: str) -> str:
    _mark(runtime, locked, [recipient.address for recipient in locked.message.recipients], who)
    return "has been modified\n"


def _mark(runtime: Runtime, locked: Locked, addresses: list[str], who: str) -> None:
    for address in addresses:
        locked.message.delivered.add(address)
        runtime.log.main(f"address <{address}> marked delivered by {who}", locked.id)


def _address(text: str, doing: str) -> str:
    """A whole address; NotDone with Exim's reason for anything else."""
    parsed = parse_address(text)
    if isinstance(parsed, AddressError):
        raise NotDone(f"- error while {doing}:\n  bad address {text}: {parsed.message}")
    found = parsed.text
    if "@" not in found:
        raise NotDone(f"- error while {doing}:\n  bad address {text}: domain missing")
    return found


_CHANGES: dict[str, Change] = {
    "Mf": _freeze,
    "Mt": _thaw,
    "Mes": _edit_sender,
    "Mar": _add_recipients,
    "Mmd": _mark_delivered,
    "Mmad": _mark_all_delivered,
}
_SHOW = {"Mvb": "-D", "Mvh": "-H", "Mvl": "", "Mvc": ""}


def _show(runtime: Runtime, action: str, message_id: str, out: Out, raw: Callable[[bytes], object] | None) -> bool:
    """The file as it is; -Mvc the message as it would be read."""
    write: Callable[[bytes], object] = raw or (lambda data: out(data.decode("latin-1")))
    if action == "Mvc":
        return _copy(runtime, message_id, out, write)
    suffix = _SHOW[action]
    if suffix:
        folder = runtime.spool.find(message_id) or runtime.spool.layout.input
        path, kind = f"{folder}/{message_id}{suffix}", "input"
    else:
        path, kind = runtime.spool.layout.msglog_path(message_id), "msglog"
    try:
        with open(path, "rb") as file:
            while data := file.read(65536):
                write(data)
    except OSError as error:
        out(f"Failed to open {kind} file for {message_id}{suffix}: {error.strerror}\n")
        return False
    return True


def _copy(runtime: Runtime, message_id: str, out: Out, write: Callable[[bytes], object]) -> bool:
    locked = _lock(runtime, message_id, out)
    if locked is None:
        return False
    with locked:
        write(locked.message.headers.text().encode("latin-1") + b"\n")
        with locked.open_body() as body:
            while data := body.read(65536):
                write(data)
    return True
