"""The message and the envelope of a filter test: read from the standard input, made up where nothing is said."""

from __future__ import annotations

import time

from mta.cli.call import Call
from mta.mail.headers import Headers
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.mail.recipient import Recipient
from mta.receive.caller import Caller, caller_of
from mta.receive.header_lines import split_header, without_from_line
from mta.scope.scope import Scope
from mta.system.users import find_user
from mta.text.ascii import lower, strip
from mta.text.patterns import pattern

MAX_MESSAGE = 1 << 28


def read_message(call: Call) -> Scope:
    """A scope with the message and the recipient; tells what the envelope is."""
    runtime = call.runtime()
    options = runtime.config.main
    caller = caller_of(runtime, call.uid, call.gid, call.groups(), None)
    text = call.stdin.read(MAX_MESSAGE).decode("latin-1").replace("\r\n", "\n")
    sender = _sender(call, options.qualify_domain)
    from_line = pattern(options.uucp_from_pattern).search(text) if text.startswith("From ") else None
    if from_line is not None:
        if sender is None and len(from_line) > 1:
            sender = from_line[1]
            call.write('Sender taken from "From " line\n')
        text = without_from_line(options.uucp_from_pattern, text)
    if sender is None:
        sender = f"{caller.login}@{options.qualify_domain}"
    scope = message_scope(call, text, sender, caller)
    message = scope.message
    if not message.headers.lines:
        call.write("Warning: no message headers read\n")
    scope.vars["return_path"] = _return_path(call, message)
    scope.recipient = _recipient(call, caller, options.qualify_recipient)
    message.recipients = [EnvelopeRecipient(scope.recipient.address)]
    _tell(call, scope)
    return scope


def message_scope(call: Call, text: str, sender: str, caller: Caller) -> Scope:
    """A scope with a message of this text, as if ``caller`` had submitted it."""
    message, body = _message(text, sender, caller)
    scope = call.runtime().scope(peer=_peer(caller), message=message)
    data = body.encode("latin-1")
    scope.body = lambda start, size: (
        data[start : start + size] if start >= 0 else data[max(len(data) + start, 0) :][:size]
    )
    return scope


def _sender(call: Call, domain: str) -> str | None:
    given = call.arguments.sender
    if not given:
        return given
    bare = strip(given).removeprefix("<").removesuffix(">")
    return bare if "@" in bare or not bare else f"{bare}@{domain}"


def _message(text: str, sender: str, caller: Caller) -> tuple[Message, str]:
    lines, _end, start = split_header(text)
    body = text[start:]
    now = time.time()
    message = Message(sender=sender, received_time=now, received_complete=now, headers=Headers(lines))
    message.body_size = len(body)
    message.body_linecount = body.count("\n")
    message.body_zerocount = body.count("\0")
    message.message_size = len(text)
    message.message_linecount = text.count("\n")
    message.originator_login, message.originator_uid, message.originator_gid = caller.login, caller.uid, caller.gid
    message.sender_local = True
    return message, body


def _peer(caller: Caller) -> Peer:
    return Peer(ident=caller.login, received_protocol="local", is_local=True)


def _return_path(call: Call, message: Message) -> str:
    """The Return-path: field's address, which is then taken out; otherwise the sender."""
    found = message.headers.named("return-path")
    if not found:
        call.write("Return-path copied from sender\n")
        return message.sender
    value = strip(found[0].value)
    if value.startswith("<") and value.endswith(">"):
        value = value[1:-1]
    message.headers.remove("return-path")
    call.write('Return-path taken from "Return-path:" header line\n')
    return value


def _recipient(call: Call, caller: Caller, domain: str) -> Recipient:
    arguments = call.arguments
    local_part = caller.login if arguments.filter_local_part is None else arguments.filter_local_part
    domain = lower(domain if arguments.filter_domain is None else arguments.filter_domain)
    whole = f"{arguments.filter_prefix}{local_part}{arguments.filter_suffix}"
    user = find_user(str(caller.uid))
    return Recipient(
        address=f"{whole}@{domain}",
        local_part=local_part,
        cc_local_part=local_part,
        domain=domain,
        prefix=arguments.filter_prefix,
        suffix=arguments.filter_suffix,
        unique=f"{whole}@{domain}",
        home=user.home if user is not None else "",
        user=caller.login,
        uid=caller.uid,
        gid=caller.gid,
    )


def _tell(call: Call, scope: Scope) -> None:
    recipient, sender = scope.recipient, scope.message.sender
    assert recipient is not None
    path = scope.vars["return_path"]
    if path != sender:
        call.write(f"Return-path = {path or '<>'}\n")
    call.write(f"Sender      = {sender or '<>'}\n")
    call.write(f"Recipient   = {recipient.address}\n")
    if recipient.prefix:
        call.write(f"Prefix    = {recipient.prefix}\n")
    if recipient.suffix:
        call.write(f"Suffix    = {recipient.suffix}\n")
