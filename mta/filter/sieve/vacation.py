"""The vacation extension (RFC 5230): whether to answer, and the answer."""

from __future__ import annotations

import hashlib
import quopri

from mta.filter.sieve.truth import unfolded
from mta.mail.address import Address, parse_address_list
from mta.mail.recipient import Reply
from mta.scope.scope import Scope
from mta.text.ascii import lower, strip
from mta.text.encodings import encode_rfc2047

DAY = 86400.0
DEFAULT_SUBJECT = "Automated reply"
_LIST = ("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive")
_ROBOTS = frozenset({"mailer-daemon", "listserv", "majordomo", "server", "daemon", "root"})
_PERSONAL_FIELDS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")


def is_personal(scope: Scope, own: set[str]) -> bool:
    """Sections 4.5 and 4.6: no bounces, lists or robots, and one of the user's addresses (lower case) named in it."""
    message, named = scope.message, scope.message.headers.named
    sender = lower(message.sender)
    local_part = sender.rpartition("@")[0] or sender
    if not sender or sender in own or local_part in _ROBOTS:
        return False
    if local_part.startswith("owner-") or local_part.endswith("-request"):
        return False
    if any(named(name) for name in _LIST):
        return False
    if any(lower(strip(line.value)) != "no" for line in named("auto-submitted")):
        return False
    if any(lower(strip(line.value)) in ("bulk", "list", "junk") for line in named("precedence")):
        return False
    for name in _PERSONAL_FIELDS:
        for line in named(name):
            for found in parse_address_list(line.value, allow_domain_literals=True):
                if isinstance(found, Address) and lower(f"{found.local_part}@{found.domain}") in own:
                    return True
    return False


def once_name(handle: str | None, *parts: str) -> str:
    """The file that remembers who has been answered: by the handle, else by all that makes the answer."""
    seed = handle if handle is not None else "\0".join(parts)
    return hashlib.md5(seed.encode("latin-1"), usedforsecurity=False).hexdigest().upper()


def reply(
    scope: Scope, *, reason: str, subject: str | None, sender: str, mime: bool, days: int, once: str, folder: str
) -> Reply:
    """``mime``: the reason is a MIME entity; its header goes to ours, its body is the body."""
    if mime:
        headers, text = _entity(reason)
    else:
        headers = (
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable"
        )
        text = quopri.encodestring(reason.encode("latin-1")).decode("ascii")
    shown = " ".join((subject if subject is not None else DEFAULT_SUBJECT).split("\n"))
    return Reply(
        to=scope.message.sender,
        from_=sender,
        subject=encode_rfc2047(shown, "utf-8"),
        headers=headers,
        text=text,
        once=once,
        once_repeat=days * DAY,
        once_directory=folder,
    )


def _entity(reason: str) -> tuple[str, str]:
    """Header lines and body; what is no field of MIME's is left out, lest the reason choose recipients."""
    head, _, body = reason.partition("\n\n")
    kept: list[str] = []
    taking = False
    for line in head.split("\n"):
        if line[:1] in (" ", "\t"):
            if taking:
                kept[-1] += "\n" + line
            continue
        taking = lower(line).startswith(("content-", "mime-version:")) and ":" in line
        if taking:
            kept.append(line)
    if not any(lower(line).startswith("mime-version:") for line in kept):
        kept.insert(0, "MIME-Version: 1.0")
    return "\n".join(kept), body


def subject_of(scope: Scope) -> str:
    """The decoded subject of the message."""
    lines = scope.message.headers.named("subject")
    return unfolded(lines[0].value) if lines else ""
