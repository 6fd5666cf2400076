"""The hyphen lines of ``-H`` files (manual section 57.1): the table of them, in the order that Exim writes.

``--`` marks text that a peer chose; what we read with that mark is Tainted again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import NamedTuple

from mta.mail.message import Message
from mta.mail.peer import Peer
from mta.text.ascii import strict_int
from mta.text.taint import Tainted

_BREAKS = str.maketrans({"\n": " ", "\r": " ", "\0": " "})


def one_line(text: str) -> str:
    """Text that cannot start a line of its own in the file."""
    return text.translate(_BREAKS) if "\n" in text or "\r" in text or "\0" in text else text


class SpoolOption(NamedTuple):
    """One line: its word, its value when it is to be written (None: no line), what reading it does.

    ``tainted``: written with the mark for every message from the network; otherwise the value's own taint decides.
    """

    word: str
    value: Callable[[Message, Peer], str | None]
    read: Callable[[Message, Peer, str], None]
    tainted: bool = False


def write_options(message: Message, peer: Peer) -> str:
    """All hyphen lines of a message."""
    out: list[str] = []
    for entry in OPTIONS:
        if entry.word == "aclc":
            out += _acl_lines("aclc", peer.acl_c)
            out += _acl_lines("aclm", message.acl_m)
            continue
        value = entry.value(message, peer)
        if value is not None:
            hyphens = "--" if isinstance(value, Tainted) or (entry.tainted and peer.address) else "-"
            out.append(f"{hyphens}{entry.word} {one_line(value)}\n" if value else f"{hyphens}{entry.word}\n")
    out += [f"{name} {one_line(value)}\n" if value else f"{name}\n" for name, value in message.extra.items()]
    return "".join(out)


def _acl_lines(word: str, variables: dict[str, str]) -> list[str]:
    return [
        f"{'--' if isinstance(value, Tainted) else '-'}{word} {one_line(name)} {len(value)}\n{value}\n"
        for name, value in variables.items()
    ]


def set_acl_variable(message: Message, peer: Peer, word: str, name: str, value: str) -> None:
    """``word`` is aclc, aclm, or the obsolete acl whose numbers from 10 on are the message's."""
    if word == "acl":
        number = strict_int(name, maximum=19)
        if number is None:
            return
        word, name = ("aclc", name) if number < 10 else ("aclm", str(number - 10))
    (peer.acl_c if word == "aclc" else message.acl_m)[name] = value


def read_option(message: Message, peer: Peer, word: str, value: str) -> bool:
    """Act on one line; False for a word that the table lacks."""
    entry = _BY_WORD.get(word)
    if entry is None:
        return False
    entry.read(message, peer, value)
    return True


def _text(holder: str, name: str) -> tuple[Callable[[Message, Peer], str | None], Callable[[Message, Peer, str], None]]:
    def value(message: Message, peer: Peer) -> str | None:
        return getattr(_holder(holder, message, peer), name) or None

    def read(message: Message, peer: Peer, text: str) -> None:
        setattr(_holder(holder, message, peer), name, text)

    return value, read


def _flag(holder: str, name: str) -> tuple[Callable[[Message, Peer], str | None], Callable[[Message, Peer, str], None]]:
    def value(message: Message, peer: Peer) -> str | None:
        return "" if getattr(_holder(holder, message, peer), name) else None

    def read(message: Message, peer: Peer, _text: str) -> None:
        setattr(_holder(holder, message, peer), name, True)

    return value, read


def _number(
    holder: str, name: str, *, zero: bool = False
) -> tuple[Callable[[Message, Peer], str | None], Callable[[Message, Peer, str], None]]:
    def value(message: Message, peer: Peer) -> str | None:
        number = getattr(_holder(holder, message, peer), name)
        return str(number) if number or zero else None

    def read(message: Message, peer: Peer, text: str) -> None:
        setattr(_holder(holder, message, peer), name, strict_int(text, maximum=1 << 50) or 0)

    return value, read


def _holder(holder: str, message: Message, peer: Peer) -> object:
    return message if holder == "message" else peer.tls if holder == "tls" else peer


def _received_usec(message: Message, _peer: Peer) -> str | None:
    return f".{round((message.received_time % 1) * 1e6) % 1000000:06d}"


def _read_usec(message: Message, _peer: Peer, text: str) -> None:
    digits = strict_int(text.removeprefix("."), maximum=999999)
    message.received_time = int(message.received_time) + (digits or 0) / 1e6


def _received_complete(message: Message, _peer: Peer) -> str | None:
    return f"{message.received_complete:.6f}" if message.received_complete else None


def _read_complete(message: Message, _peer: Peer, text: str) -> None:
    seconds, _, fraction = text.partition(".")
    whole, part = strict_int(seconds, maximum=1 << 40), strict_int(fraction, maximum=999999)
    if whole is not None:
        message.received_complete = whole + (part or 0) / 1e6


def _endpoint(address: str, port: int) -> str | None:
    if not address:
        return None
    text = f"[{address}]:{port}"
    return Tainted(text) if isinstance(address, Tainted) else text


def split_endpoint(text: str) -> tuple[str, int]:
    """``[address]:port``, or the older ``address.port``."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        address, _, port = text.rpartition(".")
        if strict_int(port, maximum=65535) is None or (address.count(".") < 3 and ":" not in address):
            address, port = text, "0"
    return (Tainted(address) if isinstance(text, Tainted) else address), strict_int(port, maximum=65535) or 0


def _read_host(_message: Message, peer: Peer, text: str) -> None:
    peer.address, peer.port = split_endpoint(text)


def _read_interface(_message: Message, peer: Peer, text: str) -> None:
    peer.interface_address, peer.interface_port = split_endpoint(text)


def _frozen(message: Message, _peer: Peer) -> str | None:
    return str(int(message.frozen_at)) if message.frozen else None


def _read_frozen(message: Message, _peer: Peer, text: str) -> None:
    message.frozen, message.frozen_at = True, float(strict_int(text, maximum=1 << 40) or 0)


def _certificate(name: str) -> Callable[[Message, Peer], str | None]:
    def value(_message: Message, peer: Peer) -> str | None:
        der: bytes = getattr(peer.tls, name)
        return pem_line(der) if der else None

    return value


def pem_line(der: bytes) -> str:
    """A certificate as one line, the newlines of its PEM form escaped."""
    text = base64.b64encode(der).decode("ascii")
    body = "\\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\\n{body}\\n-----END CERTIFICATE-----\\n"


def _read_certificate(name: str) -> Callable[[Message, Peer, str], None]:
    def read(_message: Message, peer: Peer, text: str) -> None:
        parts = text.split("\\n")
        try:
            setattr(peer.tls, name, base64.b64decode("".join(p for p in parts if not p.startswith("-----"))))
        except (binascii.Error, ValueError):
            return  # a fact for log lines and expansions; the message does not hang on it

    return read


def _resumption(_message: Message, peer: Peer) -> str | None:
    if not peer.tls.cipher:
        return "A"
    return "F" if peer.tls.resumed else "B"


def _read_resumption(_message: Message, peer: Peer, text: str) -> None:
    peer.tls.resumed = text == "F"


def _read_8bit(message: Message, _peer: Peer, text: str) -> None:
    message.body_8bit = strict_int(text, maximum=8) or 0


def _spam(name: str) -> tuple[Callable[[Message, Peer], str | None], Callable[[Message, Peer, str], None]]:
    def value(message: Message, _peer: Peer) -> str | None:
        return message.spam.get(name)

    def read(message: Message, _peer: Peer, text: str) -> None:
        message.spam[name] = text

    return value, read


def _nothing(_message: Message, _peer: Peer) -> str | None:
    return None


OPTIONS = (
    SpoolOption("received_time_usec", _received_usec, _read_usec),
    SpoolOption("received_time_complete", _received_complete, _read_complete),
    SpoolOption("helo_name", *_text("peer", "helo_name"), tainted=True),
    SpoolOption("host_address", lambda _m, p: _endpoint(p.address, p.port), _read_host),
    SpoolOption("host_name", *_text("peer", "host_name"), tainted=True),
    SpoolOption("host_auth", *_text("peer", "authenticator")),
    SpoolOption("host_auth_pubname", *_text("peer", "authenticator_public_name")),
    SpoolOption("interface_address", lambda _m, p: _endpoint(p.interface_address, p.interface_port), _read_interface),
    SpoolOption("active_hostname", *_text("peer", "active_hostname")),
    SpoolOption("ident", *_text("peer", "ident")),
    SpoolOption("received_protocol", *_text("peer", "received_protocol")),
    SpoolOption("aclc", _nothing, lambda _m, _p, _t: None),  # and aclm, written here
    SpoolOption("body_linecount", *_number("message", "body_linecount", zero=True)),
    SpoolOption("max_received_linelength", *_number("message", "max_received_linelength", zero=True)),
    SpoolOption("body_zerocount", *_number("message", "body_zerocount")),
    SpoolOption("auth_id", *_text("peer", "authenticated_id"), tainted=True),
    SpoolOption("auth_sender", *_text("peer", "authenticated_sender"), tainted=True),
    SpoolOption("allow_unqualified_recipient", *_flag("message", "allow_unqualified_recipient")),
    SpoolOption("allow_unqualified_sender", *_flag("message", "allow_unqualified_sender")),
    SpoolOption("deliver_firsttime", *_flag("message", "deliver_first_time")),
    SpoolOption("frozen", _frozen, _read_frozen),
    SpoolOption("N", *_flag("message", "dont_deliver")),
    SpoolOption("host_lookup_deferred", *_flag("peer", "host_lookup_deferred")),
    SpoolOption("host_lookup_failed", *_flag("peer", "host_lookup_failed")),
    SpoolOption("local", *_flag("message", "sender_local")),
    SpoolOption("localerror", *_flag("message", "local_error")),
    SpoolOption("local_scan", *_text("message", "local_scan_data")),
    SpoolOption("manual_thaw", *_flag("message", "manual_thaw")),
    SpoolOption("sender_set_untrusted", *_flag("message", "sender_set_untrusted")),
    SpoolOption("spam_bar", *_spam("spam_bar")),
    SpoolOption("spam_score", *_spam("spam_score")),
    SpoolOption("spam_score_int", *_spam("spam_score_int")),
    SpoolOption("tls_certificate_verified", *_flag("tls", "certificate_verified")),
    SpoolOption("tls_cipher", *_text("tls", "cipher")),
    SpoolOption("tls_peercert", _certificate("peer_certificate"), _read_certificate("peer_certificate"), tainted=True),
    SpoolOption("tls_peerdn", *_text("tls", "peer_dn"), tainted=True),
    SpoolOption("tls_sni", *_text("tls", "sni"), tainted=True),
    SpoolOption("tls_ourcert", _certificate("our_certificate"), _read_certificate("our_certificate")),
    SpoolOption("tls_ocsp", *_number("tls", "ocsp")),
    SpoolOption("tls_resumption", _resumption, _read_resumption),
    SpoolOption("tls_ver", *_text("tls", "version")),
    SpoolOption("smtputf8", *_flag("message", "smtputf8")),
    SpoolOption("dsn_envid", *_text("message", "dsn_envid")),
    SpoolOption("dsn_ret", *_number("message", "dsn_ret")),
    SpoolOption("mta_body_8bit", lambda m, _p: str(m.body_8bit) if m.body_8bit else None, _read_8bit),
)
_BY_WORD = {entry.word: entry for entry in OPTIONS}
