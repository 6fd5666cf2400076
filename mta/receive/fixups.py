"""What Exim does to the header of a message that comes in (manual chapter 48): lines removed, completed, added.

``fix_up`` is for every message; the parts for locally-originated ones and for submission mode look at the Origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mta.errors import Deferred, ExpansionFailed
from mta.mail.address import AddressError, domain_of, lower_domain, parse_address, parse_address_list, qualify
from mta.mail.headers import DELETED, Header, header_type
from mta.mail.message import Message
from mta.receive.header_lines import mark_resent, resent
from mta.route.rewrite import Qualify, Rule, rewrite_headers
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.dates import rfc5322_date


@dataclass(slots=True)
class Origin:
    """Where a message comes from, as far as the header is concerned."""

    local: bool  # handed in by a process of this machine, or submission mode
    trusted: bool = False  # a trusted caller: what it says of the sender is believed
    qualify_senders: bool = False
    qualify_recipients: bool = False
    remove_bcc: bool = False  # -t
    login: str = ""  # of the caller, or the authenticated id in submission mode
    name: str = ""  # full name for From: and Sender:
    domain: str = ""  # of the From: and Sender: that are made
    sender_given: bool = True  # the envelope sender is not the caller's own address
    resent: bool = field(default=False)


def fix_up(message: Message, origin: Origin, scope: Scope, rules: Sequence[Rule] = ()) -> bool:
    """Put the header right, the rewriting ``rules`` included; whether a Message-ID was made."""
    options = scope.site.options
    lines = message.headers.lines
    origin.resent = resent(lines)
    if origin.resent:
        mark_resent(lines)
    _remove(lines, options, origin)
    local = origin.local and not message.no_local_fixups
    created = local and _message_id(message, origin, scope)
    if local:
        _from_and_sender(message, origin, options)
    rewrite_headers(rules, message.headers, scope, Qualify(origin.qualify_senders, origin.qualify_recipients))
    if not local:
        return False
    prefix = "Resent-" if origin.resent else ""
    if not _find(lines, prefix + "date"):
        _add(lines, origin, f"{prefix}Date: {rfc5322_date(message.received_time)}\n")
    return created


def _find(lines: Iterable[Header], name: str) -> list[Header]:
    key = lower(name)
    return [line for line in lines if line.type != DELETED and lower(line.name) == key]


def _add(lines: list[Header], origin: Origin, text: str) -> None:
    """Behind the others; the Resent- fields in front, where each resending puts its own (RFC 5322 3.6.6)."""
    letter = header_type(text.partition(":")[0].removeprefix("Resent-"))
    if origin.resent:
        lines.insert(0, Header(text, letter))
    else:
        lines.append(Header(text, letter))


def _remove(lines: list[Header], options: MainOptions, origin: Origin) -> None:
    gone = []
    if options.return_path_remove:
        gone.append("return-path")
    if options.envelope_to_remove:
        gone.append("envelope-to")
    if options.delivery_date_remove:
        gone.append("delivery-date")
    if origin.remove_bcc:
        gone.append("resent-bcc" if origin.resent else "bcc")
    for line in lines:
        if line.type != DELETED and lower(line.name) in gone:
            line.type = DELETED


def _message_id(message: Message, origin: Origin, scope: Scope) -> bool:
    prefix = "Resent-" if origin.resent else ""
    if _find(message.headers.lines, prefix + "message-id"):
        return False
    options = scope.site.options
    domain, text = options.primary_hostname, ""
    if options.message_id_header_domain is not None:
        domain = _words(scope, options.message_id_header_domain, _DOMAIN_CHARACTERS) or domain
    if options.message_id_header_text is not None:
        text = _words(scope, options.message_id_header_text, _TEXT_CHARACTERS)
    dot = "." if text else ""
    _add(message.headers.lines, origin, f"{prefix}Message-Id: <E{message.id}{dot}{text}@{domain}>\n")
    return True


_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_DOMAIN_CHARACTERS = _ALNUM | set(".-")
_TEXT_CHARACTERS = _ALNUM | set("!#$%&'*+-/=?^_`{|}~.")


def _words(scope: Scope, text: object, allowed: frozenset[str]) -> str:
    """An expansion with what may not stand in a Message-ID made hyphens; "" when it fails."""
    try:
        value: str = text(scope)  # type: ignore[operator]
    except (ExpansionFailed, Deferred) as error:
        scope.services.log_panic(f"expansion of {getattr(text, 'source', '')!r} failed: {error.message}")
        return ""
    return "".join(char if char in allowed else "-" for char in value)


def _from_and_sender(message: Message, origin: Origin, options: MainOptions) -> None:
    """From: made when there is none; Sender: of an untrusted caller is the truth or is not there (48.11, 48.16)."""
    lines = message.headers.lines
    prefix = "Resent-" if origin.resent else ""
    retain = options.local_sender_retain or "sender_retain" in message.submission_options
    check = options.local_from_check and "sender_retain" not in message.submission_options
    if not origin.trusted and not retain:
        for line in _find(lines, prefix + "sender"):
            line.type = DELETED
    domain = origin.domain or options.qualify_domain or options.primary_hostname
    own = f"{origin.login}@{domain}" if origin.login else ""
    shown = f"{origin.name} <{own}>" if origin.name else own
    fields = _find(lines, prefix + "from")
    if not fields:
        if not message.sender and origin.sender_given:
            return  # a bounce from a trusted caller: nobody is the author
        text = message.sender if origin.sender_given and message.sender else shown
        if text:
            _add(lines, origin, f"{prefix}From: {text}\n")
        return
    if origin.trusted or not check or not own:
        return
    if not _is_own(fields[0], own, options):
        _add(lines, origin, f"{prefix}Sender: {shown}\n")


def _is_own(line: Header, own: str, options: MainOptions) -> bool:
    """Whether From: is the caller's address, with the affixes that local_from_prefix and _suffix allow."""
    found = parse_address_list(line.value)
    if len(found) != 1 or isinstance(found[0], AddressError):
        return False
    mine = parse_address(own)
    theirs = found[0]
    if isinstance(mine, AddressError):
        return False
    theirs_whole = qualify(theirs.text, options.qualify_domain or options.primary_hostname)
    if lower_domain(theirs_whole) == lower_domain(mine.text):
        return True
    if lower(domain_of(theirs_whole)) != lower(mine.domain):
        return False
    return _without_affixes(theirs.local_part, options) == mine.local_part


def _without_affixes(local_part: str, options: MainOptions) -> str:
    prefix, suffix = options.local_from_prefix, options.local_from_suffix
    if prefix:
        if prefix.startswith("*"):
            cut = local_part.find(prefix[1:])
            local_part = local_part[cut + len(prefix) - 1 :] if cut >= 0 else local_part
        elif local_part.startswith(prefix):
            local_part = local_part[len(prefix) :]
    if suffix:
        if suffix.endswith("*"):
            cut = local_part.find(suffix[:-1])
            local_part = local_part[:cut] if cut >= 0 else local_part
        elif local_part.endswith(suffix):
            local_part = local_part[: -len(suffix)]
    return local_part
