"""One function a log line (manual chapter 53), giving its text without time stamp and message id.

``selectors`` is what selectors.parse_selectors gave. Text of peers is escaped by the writer; what stands in
quotes is escaped here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from mta.log.selectors import Selectors
from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.outcome import Outcome
from mta.mail.peer import Peer, TlsInfo
from mta.mail.recipient import Recipient
from mta.text.ascii import lower
from mta.text.units import format_time

MAX_PARENTS = 100


def printing(text: str, *, top_bit: bool = False) -> str:
    """Non-printing characters as escapes; with ``top_bit`` (print_topbitchars) codes from 128 on stay."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_printing(char, top_bit) for char in text)


def _printing(char: str, top_bit: bool) -> str:
    code = ord(char)
    if 32 <= code < 127 or (top_bit and code > 127):
        return "\\\\" if char == "\\" else char
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\v": "\\v", "\f": "\\f"}.get(char) or f"\\{code:03o}"


def elapsed(seconds: float, selectors: Selectors) -> str:
    """A time taken: ``1m5s``, or ``0.304s`` with millisec while it is under a minute."""
    seconds = max(seconds, 0.0)
    if "millisec" in selectors and seconds < 60:
        return f"{seconds:.3f}s"
    return format_time(seconds)


def peer_host(peer: Peer, selectors: Selectors) -> str:
    """``name (helo) [address]``, with the port when incoming_port is on: Exim's $sender_fullhost."""
    address = f"[{peer.address}]"
    if "incoming_port" in selectors and peer.port:
        address += f":{peer.port}"
    helo = printing(peer.helo_name)
    if helo == f"[{peer.address}]" or (peer.host_name and lower(helo) == lower(peer.host_name)):
        helo = ""
    return " ".join(part for part in (peer.host_name, f"({helo})" if helo else "", address) if part)


def _interface(peer: Peer, selectors: Selectors) -> str:
    if "incoming_interface" in selectors and peer.interface_address:
        return f" I=[{peer.interface_address}]:{peer.interface_port}"
    return ""


def peer_id(peer: Peer, selectors: Selectors) -> str:
    """`` H=... I=... U=...``: the fields that say who is there, each with a space before it."""
    out = ""
    if peer.address:
        out += f" H={peer_host(peer, selectors)}" + _interface(peer, selectors)
    if peer.ident:
        out += f" U={printing(peer.ident)}"
    return out


def tls_fields(tls: TlsInfo, selectors: Selectors, *, certificate: bool = True) -> str:
    """`` X= CV= DN= SNI=``."""
    if not tls.cipher:
        return ""
    out = ""
    if "tls_cipher" in selectors:
        out += f" X={tls.cipher}"
        if "tls_resumption" in selectors and tls.resumed:
            out += "*"
    if "tls_certificate_verified" in selectors and certificate:
        by = "dane" if tls.dane == "yes" else "sts" if tls.sts else "yes"
        verified = by if tls.certificate_verified else "no"
        out += f" CV={verified}"
    if "tls_peerdn" in selectors and tls.peer_dn:
        out += f' DN="{printing(tls.peer_dn)}"'
    if "tls_sni" in selectors and tls.sni:
        out += f' SNI="{printing(tls.sni)}"'
    return out


def _auth(peer: Peer, selectors: Selectors) -> str:
    if not peer.authenticator or not peer.address:
        return ""
    out = f" A={peer.authenticator}"
    if peer.authenticated_id:
        out += f":{printing(peer.authenticated_id)}"
        if "smtp_mailauth" in selectors and peer.authenticated_sender:
            out += f":{printing(peer.authenticated_sender)}"
    return out


def received(
    message: Message,
    peer: Peer,
    selectors: Selectors,
    *,
    bounce_of: str = "",
    message_id: str = "",
    message_id_created: bool = False,
    subject: str = "",
    raw_sender: str | None = None,
    raw_recipients: Iterable[str] = (),
    dkim_domain: str = "",
    arc_passed: bool = False,
    fake_reject: bool = False,
    pipelining: str = "",
    chunking: bool = False,
) -> str:
    """``<= sender ...``; see ``received_msglog`` for the message log's form.

    ``bounce_of``: the id of the message that a bounce made here is about. ``message_id``: of the Message-ID field,
    without brackets. ``subject``: decoded. ``pipelining``: "L" and its marks, "" for none.
    """
    out = f"{'(=' if fake_reject else '<='} {message.sender or '<>'}"
    if bounce_of:
        out += f" R={bounce_of}"
    out += peer_id(peer, selectors)
    if peer.received_protocol:
        out += f" P={peer.received_protocol}"
    if "pipelining" in selectors and pipelining:
        out += f" {pipelining}"
    out += tls_fields(peer.tls, selectors) + _auth(peer, selectors)
    if message.prdr_requested:
        out += " PRDR"
    if "proxy" in selectors and peer.proxy_session:
        out += f" PRX={peer.proxy_local_address}"
    if chunking:
        out += " K"
    out += f" S={message.message_size}"
    if "8bitmime" in selectors:
        out += f" M8S={message.body_8bit}"
    if "receive_time" in selectors:
        out += f" RT={elapsed(message.received_complete - message.received_time, selectors)}"
    if "dkim" in selectors and dkim_domain:
        out += f" DKIM={printing(dkim_domain)}"
    if arc_passed:
        out += " ARC"
    if message_id and (("msg_id" in selectors and not message_id_created) or "msg_id_created" in selectors):
        out += f" id{'*' if message_id_created else ''}={printing(message_id)}"
    if "subject" in selectors and subject:
        out += ' T="' + printing(subject).replace('"', '\\"') + '"'
    if message.queue_name:
        out += f" Q={message.queue_name}"
    if "received_sender" in selectors:
        out += f" from <{message.sender if raw_sender is None else raw_sender}>"
    if "received_recipients" in selectors:
        names = list(raw_recipients) or [r.address for r in message.recipients]
        out += " for" + "".join(f" {name}" for name in names)
    return out


def received_msglog(line: str) -> str:
    """The same line as the message log has it."""
    text = line.removeprefix("<= ").removeprefix("(= ")
    return "Received from " + text.partition(" from <")[0].partition(" for ")[0]


def address_text(recipient: Recipient, selectors: Selectors, *, local: bool = False, success: bool = False) -> str:
    """``final (parent) <original>`` of log lines (manual section 53.7).

    A local delivery shows the local part alone, for a ``success``; parents between need all_parents, but for the
    one of a pipe, file or reply.
    """
    shown = _caseless(recipient)
    if recipient.kind == "address" and local and success and recipient.local_part:
        shown = f"{recipient.prefix}{recipient.local_part}{recipient.suffix}"
    top = recipient.top
    chain = _parents(recipient)
    between = chain[:-1] if "all_parents" in selectors else []
    out = shown
    if between:
        out += f" ({', '.join(parent.address for parent in between)})"
    if shown != top.address:
        out += f" <{top.address}>"
    return out


def _caseless(recipient: Recipient) -> str:
    """The address as routing saw it: the local part in lower case unless the router is caseful."""
    if recipient.kind != "address" or not recipient.router or lower(recipient.local_part) != recipient.local_part:
        return recipient.address
    local_part, at, domain = recipient.address.rpartition("@")
    return f"{lower(local_part)}{at}{lower(domain)}"


def _parents(recipient: Recipient) -> list[Recipient]:
    """Ancestors, the nearest first, without repeats of the same address."""
    found: list[Recipient] = []
    last, parent = recipient.address, recipient.parent
    while parent is not None and len(found) < MAX_PARENTS:
        if parent.address != last:
            found.append(parent)
        last, parent = parent.address, parent.parent
    return found


def _remote_host(host: Host | None, outcome: Outcome, selectors: Selectors) -> str:
    """`` H=name [address]:port* I=[..]:port``."""
    if host is None:
        return ""
    out = f" H={host.name} [{host.address}]" if host.address else f" H={host.name}"
    if "outgoing_port" in selectors and outcome.host_port:
        out += f":{outcome.host_port}"
    if outcome.continued:
        out += "*"
    if {"incoming_interface", "outgoing_interface"} <= selectors and outcome.local_address:
        out += f" I=[{outcome.local_address}]"
        if "outgoing_port" in selectors and outcome.local_port:
            out += f":{outcome.local_port}"
    return out


def _return_path(outcome: Outcome, sender: str, return_path: str, selectors: Selectors) -> str:
    out = f" F=<{sender}>" if "sender_on_delivery" in selectors else ""
    if "return_path_on_delivery" in selectors and outcome.recipient.transport:
        out += f" P=<{return_path}>"
    return out


def _route(recipient: Recipient, *, transport: bool = True) -> str:
    out = f" R={recipient.router}" if recipient.router else ""
    return out + (f" T={recipient.transport}" if transport and recipient.transport else "")


def delivered(
    outcome: Outcome,
    selectors: Selectors,
    *,
    sender: str,
    return_path: str,
    local: bool,
    as_local: bool = True,
    first: bool = True,
    suppressed: bool = False,
    cutthrough: bool = False,
    queued_for: float = 0.0,
) -> str:
    """``=>``, ``->`` (further recipients of one delivery), ``>>`` or ``*>``. ``queued_for`` in seconds."""
    recipient = outcome.recipient
    flag = "*>" if suppressed else ">>" if cutthrough else "=>" if first else "->"
    out = f"{flag} {address_text(recipient, selectors, local=local and as_local, success=True)}"
    out += _return_path(outcome, sender, return_path, selectors) + _route(recipient)
    if "delivery_size" in selectors:
        out += f" S={outcome.bytes_sent}"
    if not local:
        out += _remote_host(outcome.host, outcome, selectors)
        if "pipelining" in selectors and outcome.pipelining:
            out += " L"
        if outcome.tls is not None:
            out += tls_fields(outcome.tls, selectors)
        if outcome.authenticator:
            out += f" A={outcome.authenticator}"
            if outcome.authenticated_id:
                out += f":{printing(outcome.authenticated_id)}"
        out += " PRDR" if outcome.prdr else ""
        out += " K" if outcome.chunking else ""
    if "smtp_confirmation" in selectors and outcome.response and not local:
        out += ' C="' + printing(outcome.response).replace('"', '\\"') + '"'
    if outcome.shadow:
        out += f" ST={outcome.shadow}"
    if "queue_time" in selectors:
        out += f" QT={elapsed(queued_for, selectors)}"
    if "deliver_time" in selectors:
        out += f" DT={elapsed(outcome.transport_time, selectors)}"
    return out


def discarded(recipient: Recipient, what: str = ":blackhole:") -> str:
    """``=> :blackhole: <address> R=router`` and its kin (manual section 53.8)."""
    return f"=> {what} <{recipient.top.address}> R={recipient.router}"


def deferred(outcome: Outcome, selectors: Selectors) -> str:
    """``== address R= T= defer (errno): text``."""
    recipient = outcome.recipient
    number = outcome.errno or (-1 if outcome.host is None else 0)
    out = f"== {address_text(recipient, selectors)}{_route(recipient)} defer ({number})"
    if outcome.errno > 0:
        out += f": {os.strerror(outcome.errno)}"
    if outcome.host is not None and outcome.message:
        out += _remote_host(outcome.host, outcome, selectors)
    if "deliver_time" in selectors:
        out += f" DT={elapsed(outcome.transport_time, selectors)}"
    if outcome.message:
        out += f": {outcome.message}"
    return out


def failed(outcome: Outcome, selectors: Selectors, *, sender: str, return_path: str) -> str:
    """``** address R= T= H=: text``."""
    recipient = outcome.recipient
    out = f"** {address_text(recipient, selectors)}"
    out += _return_path(outcome, sender, return_path, selectors) + _route(recipient)
    if outcome.host is not None:
        out += _remote_host(outcome.host, outcome, selectors)
    if outcome.errno > 0:
        out += f": {os.strerror(outcome.errno)}"
    if outcome.message:
        out += f": {outcome.message}"
    if "deliver_time" in selectors:
        out += f" DT={elapsed(outcome.transport_time, selectors)}"
    return out


def completed(selectors: Selectors, queued_for: float = 0.0) -> str:
    """``Completed``."""
    if "queue_time_overall" in selectors:
        return f"Completed QT={elapsed(queued_for, selectors)}"
    return "Completed"


def msglog_form(line: str) -> str:
    """A delivery line as the message log has it: without its flag."""
    return line[3:] if line[:3] in ("=> ", "-> ", "== ", "** ", "*> ", ">> ") else line


def connection(peer: Peer, selectors: Selectors, count: int | None = None) -> str:
    """``SMTP connection from ... (TCP/IP connection count = n)``."""
    out = f"SMTP connection from {connection_name(peer, selectors)}"
    return out if count is None else f"{out} (TCP/IP connection count = {count})"


def connection_closed(
    peer: Peer, selectors: Selectors, how: str = "closed by QUIT", seconds: float | None = None
) -> str:
    """``SMTP connection from ... closed by QUIT``."""
    out = f"SMTP connection from {connection_name(peer, selectors)} {how}"
    return out if seconds is None else f"{out} D={elapsed(seconds, selectors)}"


def connection_name(peer: Peer, selectors: Selectors) -> str:
    """The host part of connection lines, or who calls locally."""
    if peer.address:
        out = peer_host(peer, selectors) + _interface(peer, selectors)
        return f"{out} U={printing(peer.ident)}" if peer.ident else out
    return f"{peer.caller_login or peer.ident} (local)" if peer.is_local else peer.ident


def rejected(peer: Peer, selectors: Selectors, what: str, reason: str, *, sender: str | None = None) -> str:
    """``H=... F=<sender> rejected RCPT <address>: reason``; ``what`` is e.g. ``RCPT <a@b>`` or ``after DATA``."""
    out = (peer_id(peer, selectors) + tls_fields(peer.tls, selectors) + _auth(peer, selectors)).lstrip(" ")
    if sender is not None:
        out += f"{' ' if out else ''}F=<{sender}>"
    out += f"{' ' if out else ''}rejected {what}"
    return f"{out}: {reason}" if reason else out


def incomplete_transaction(peer: Peer, selectors: Selectors, why: str, sender: str, recipients: Iterable[str]) -> str:
    """``H=... incomplete transaction (RSET) from <sender> for recipients``."""
    names = " ".join(recipients)
    out = f"{peer_id(peer, selectors).lstrip(' ')} incomplete transaction ({why}) from <{sender}>"
    return f"{out} for {names}" if names else out


def no_mail(peer: Peer, selectors: Selectors, seconds: float, commands: list[str]) -> str:
    """``no MAIL in SMTP connection from ... D= C=``: the last twenty commands."""
    out = f"no MAIL in SMTP connection from {connection_name(peer, selectors)} D={elapsed(seconds, selectors)}"
    out += _auth(peer, selectors) + tls_fields(peer.tls, selectors)
    if commands:
        out += f" C={'...' if len(commands) > 20 else ''}{','.join(commands[-20:])}"
    return out


def queue_run(start: bool, pid: int, options: str = "") -> str:
    """``Start queue run: pid=123 -qf`` and its end."""
    return f"{'Start' if start else 'End'} queue run: pid={pid}{' ' + options if options else ''}"
