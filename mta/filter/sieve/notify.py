"""The enotify extension with mailto (RFC 5435, RFC 5436): URIs read, notices composed."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from mta.mail.address import Address, parse_address, parse_address_list
from mta.mail.recipient import Reply
from mta.text.ascii import lower
from mta.text.encodings import encode_rfc2047

MAX_URI = 4096
# RFC 5436 section 2.7: these the sender of a notice must not choose
_REFUSED = frozenset({"auto-submitted", "received", "message-id", "date", "bcc", "from", "return-path", "references"})
_PRIORITY = {"1": "1 (High)", "3": "5 (Low)"}


@dataclass(slots=True)
class Method:
    """A mailto URI (RFC 6068): recipients, and header fields by their names in lower case."""

    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    subject: str = ""
    body: str = ""
    extra: list[tuple[str, str]] = field(default_factory=list)


def parse_method(uri: str) -> Method | None:
    """None for anything but a mailto URI whose recipients are whole addresses."""
    if len(uri) > MAX_URI or lower(uri[:7]) != "mailto:":
        return None
    path, _, query = uri[7:].partition("?")
    found = Method()
    if not _add(found.to, _decoded(path)):
        return None
    for item in query.split("&") if query else ():
        name, equals, value = item.partition("=")
        name, value = lower(_decoded(name)), _decoded(value)
        if not equals or not name or any(not "!" <= char <= "~" or char == ":" for char in name):
            return None
        if name in ("to", "cc"):
            if not _add(found.to if name == "to" else found.cc, value):
                return None
        elif name == "body":
            found.body = value.replace("\r\n", "\n")
        elif any(char < " " or char == "\x7f" for char in value):
            return None
        elif name == "subject":
            found.subject = value
        elif name not in _REFUSED:
            found.extra.append((name, value))
    return found if found.to else None


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.encode("latin-1")).decode("latin-1")


def _add(people: list[str], text: str) -> bool:
    if not text:
        return True
    for parsed in parse_address_list(text, allow_domain_literals=True):
        if not isinstance(parsed, Address) or not parsed.domain:
            return False
        people.append(f"{parsed.local_part}@{parsed.domain}")
    return True


def notice(method: Method, *, sender: str, importance: str, message: str | None, owner: str, about: str) -> Reply:
    """The message to send. ``about``: the subject of the message that it tells of, when the script gave no text."""
    subject = message if message is not None else method.subject or about
    subject = " ".join(subject.split("\n"))
    lines = [f"Auto-Submitted: auto-notified; owner-email={owner}", "MIME-Version: 1.0"]
    lines += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    if importance in _PRIORITY:
        lines.append(f"X-Priority: {_PRIORITY[importance]}")
    lines += [f"{name.capitalize()}: {encode_rfc2047(value)}" for name, value in method.extra]
    parsed = parse_address(sender) if sender else None
    return Reply(
        to=", ".join(method.to),
        cc=", ".join(method.cc),
        from_=sender if isinstance(parsed, Address) else "",
        subject=encode_rfc2047(subject, "utf-8"),
        headers="\n".join(lines),
        text=method.body,
    )
