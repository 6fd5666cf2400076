"""Mail addresses as RFC 5321 and 5322 write them, with Exim's leniencies and error texts.

A parse gives an ``Address`` or an ``AddressError``, never an exception; any byte text is accepted or
refused in linear time. Parts of addresses are split at the rightmost ``@``, as Exim does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mta.mail.address_scanner import LITERAL, NO_LOCAL_PART, QUOTED, SPACE, Refused, Rules, Scanner, skip_comment
from mta.text.ascii import lower
from mta.text.quoting import quote_local_part

__all__ = [
    "Address",
    "AddressError",
    "domain_of",
    "local_part_of",
    "lower_domain",
    "parse_address",
    "parse_address_list",
    "qualify",
    "quote_local_part",
    "split_header_addresses",
    "strip_angle_brackets",
    "unquote_local_part",
]

MAX_ADDRESS = 256  # bytes of a whole address (RFC 5321 4.5.3.1.3)
MAX_TEXT = 65536  # bytes of text looked at for one address, with phrase and comments
MAX_SHOWN = 32  # bytes of the offending text in an error
EMPTY = "empty address"  # an AddressError's message for white space and comments alone

_EXPECTED_WORD = 'missing or malformed local part (expected word or "<")'


class Address(NamedTuple):
    """One address. ``text`` is canonical: no comments, routes, white space or brackets; ``local_part`` is as
    written, quotes included; ``domain`` is "" for an unqualified one, and for the null address.

    ``start`` and ``end`` bound the place in the parsed text that a rewritten address would take;
    ``item_start`` and ``item_end`` the whole item, phrase, comments and brackets included, a group's name left out.
    """

    text: str
    local_part: str
    domain: str
    start: int
    end: int
    item_start: int = 0
    item_end: int = 0


class AddressError(NamedTuple):
    """Text that is no address; ``message`` in Exim's words, ``text`` and the bounds for the one who reports."""

    message: str
    text: str = ""
    start: int = 0
    end: int = 0


_PLAIN = re.compile(
    r"<?([A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*)@([A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*)>?\Z"
)


def parse_address(
    text: str,
    *,
    allow_domain_literals: bool = False,
    allow_null: bool = False,
    allow_utf8: bool = False,
    strip_trailing_dot: bool = False,
    strip_excess_brackets: bool = False,
    source_route_ok: bool = True,
    allow_group: bool = False,
) -> Address | AddressError:
    """One mailbox: ``a@b``, ``<a@b>``, ``Phrase <a@b>``, with comments and source routes (RFC 5322 3.4).

    ``allow_null`` lets ``<>`` be the null address; ``allow_group`` is for one piece of a
    header's list. Options as the main options of these names.
    """
    plain = _PLAIN.match(text)
    if plain is not None and len(text) <= MAX_ADDRESS + 2:
        found = _plain(text, plain)
        if found is not None:
            return found
    rules = Rules(
        allow_domain_literals,
        allow_null,
        allow_utf8,
        strip_trailing_dot,
        strip_excess_brackets,
        source_route_ok,
        allow_group,
    )
    if len(text) > MAX_TEXT:
        return AddressError(_too_long(text), text, 0, len(text))
    nul = text.find("\0")
    if nul >= 0:
        return AddressError(f"malformed address: \\000 may not follow {text[:nul]}", text)
    scanner = Scanner(text, rules)
    try:
        return _mailbox(scanner)
    except Refused as refused:
        return AddressError(refused.message, text, 0, len(text))


def _plain(text: str, match: re.Match[str]) -> Address | None:
    """The commonest forms without a scanner: ``a@b`` and ``<a@b>``."""
    start, end = match.start(1), match.end(2)
    if end - start > MAX_ADDRESS or (start == 1) != (end < len(text)):
        return None
    return Address(text[start:end], match[1], match[2], start, end, 0, len(text))


def _mailbox(scanner: Scanner) -> Address:
    scanner.skip()
    start = scanner.at
    if scanner.peek() not in ("@", "<"):
        if scanner.peek() in ("", ";"):
            raise Refused(EMPTY)
        local_part = scanner.local_part(allow_empty=True)
        char = scanner.peek()
        if char in ("", ";") and local_part:
            return _finish(scanner, local_part, "", start)
        if char == "@" and local_part:
            scanner.at += 1
            return _finish(scanner, local_part, scanner.domain(), start)
        if char == ":" and scanner.rules.allow_group:
            return _group_member(scanner)
        if _phrase(scanner):
            return _group_member(scanner)
        start = scanner.at
    brackets = 0
    while scanner.peek() == "<" and (brackets == 0 or scanner.rules.strip_excess_brackets):
        brackets += 1
        scanner.at += 1
        scanner.skip()
    start = scanner.at
    routed = scanner.peek() == "@"
    if routed:
        if not scanner.rules.allow_source_route:
            raise Refused(NO_LOCAL_PART)
        scanner.route()
    if brackets and scanner.rules.allow_null and scanner.peek() == ">" and not routed:
        return _finish(scanner, "", "", start, brackets)
    local_part = scanner.local_part(allow_empty=False)
    domain = ""
    if scanner.peek() == "@":
        scanner.at += 1
        domain = scanner.domain()
    elif brackets and scanner.peek() != ">":
        raise Refused(f'"@" or "." expected after "{local_part}"')
    elif routed:
        raise Refused("domain missing in source-routed address")
    return _finish(scanner, local_part, domain, start, brackets)


def _group_member(scanner: Scanner) -> Address:
    """The first address of a group, behind the colon; there may be none."""
    scanner.at += 1
    scanner.skip()
    scanner.item = scanner.at
    scanner.rules = scanner.rules._replace(allow_group=False)
    if scanner.peek() in ("", ";"):
        raise Refused(EMPTY)
    return _mailbox(scanner)


def _phrase(scanner: Scanner) -> bool:
    """The rest of a phrase, up to ``<`` or, True, a group's colon; RFC 5322's dots (obs-phrase) are let through."""
    ends = ("<", "", ":") if scanner.rules.allow_group else ("<", "")
    while scanner.peek() not in ends:
        before = scanner.at
        scanner.local_part(allow_empty=True)
        if scanner.at == before:
            break
    if scanner.peek() == ":" and scanner.rules.allow_group:
        return True
    if scanner.peek() != "<":
        raise Refused(_EXPECTED_WORD)
    return False


def _finish(scanner: Scanner, local_part: str, domain: str, start: int, brackets: int = 0) -> Address:
    end = max(scanner.token_end, start)
    for _ in range(brackets):
        if scanner.peek() != ">":
            if not scanner.peek():
                raise Refused("'>' missing at end of address")
            break
        scanner.at += 1
        scanner.skip()
    rest = scanner.text[scanner.at :]
    in_group = scanner.list_piece and not scanner.rules.allow_group
    if rest and not (rest[0] == ";" and (in_group or (scanner.list_piece and not brackets))):
        raise Refused(f"malformed address: {rest[:MAX_SHOWN]} may not follow {scanner.text[: scanner.at]}")
    if "\n" in local_part or "\r" in local_part:
        raise Refused(NO_LOCAL_PART)  # Exim lets line ends into quoted strings; here none reaches spool, log or wire
    text = f"{local_part}@{domain}" if domain else local_part
    if len(text) > MAX_ADDRESS:
        raise Refused(_too_long(text))
    item_end = _trimmed_end(scanner.text, end, scanner.at)  # a backslash may have made the last blank a word
    return Address(text, local_part, domain, start, end, scanner.item, item_end)


def _too_long(text: str) -> str:
    return f"address is ridiculously long: {text[:64]}..."


def _trimmed_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in SPACE:
        end -= 1
    return end


def split_header_addresses(text: str) -> list[tuple[int, int]]:
    """The bounds of the pieces between commas of a header's value; a group's name and its ``;`` stay in theirs.

    Quotes, comments, angle brackets, literals and routes hide commas. Pieces of white space alone are not given.
    """
    found: list[tuple[int, int]] = []
    start = at = 0
    size = len(text)
    route = _is_route(text, 0)
    while at < size:
        char = text[at]
        if char in _OPENERS:
            at = _behind(text, at)
            continue
        if char == ":":
            route = False
        elif char == "," and not route:
            _add_piece(found, text, start, at)
            start = at + 1
            route = _is_route(text, start)
        at += 1
    _add_piece(found, text, start, min(at, size))
    return found


_OPENERS = frozenset('("<[\\')


def _behind(text: str, at: int) -> int:
    """The place behind what opens at ``at``: a comment, quoted string, bracket, literal or quoted pair."""
    char = text[at]
    if char == "(":
        return skip_comment(text, at)
    if char == '"':
        quoted = QUOTED.match(text, at)
        return quoted.end() if quoted else len(text)
    if char == "[":
        literal = LITERAL.match(text, at)
        return literal.end() if literal else at + 1
    if char == "<":
        return _closing_bracket(text, at)
    return min(at + 2, len(text))


def _closing_bracket(text: str, at: int) -> int:
    """The place behind ``>``, the end when there is none; commas inside belong to a source route."""
    size = len(text)
    at += 1
    while at < size:
        char = text[at]
        if char == ">":
            return at + 1
        if char == '"':
            quoted = QUOTED.match(text, at)
            if quoted is None:
                return size
            at = quoted.end()
        elif char == "(":
            at = skip_comment(text, at)
        else:
            at += 2 if char == "\\" else 1
    return size


def _is_route(text: str, start: int) -> bool:
    while start < len(text) and text[start] in SPACE:
        start += 1
    return text.startswith("@", start)


def _add_piece(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start] in SPACE:
        start += 1
    end = _trimmed_end(text, start, end)
    if end > start:
        found.append((start, end))


def parse_address_list(
    text: str,
    *,
    allow_domain_literals: bool = False,
    allow_null: bool = False,
    allow_utf8: bool = False,
    strip_trailing_dot: bool = False,
) -> list[Address | AddressError]:
    """Every address of a header field's value, groups included; bounds count from the start of ``text``.

    Pieces that hold comments only are passed over.
    """
    out: list[Address | AddressError] = []
    for start, end in split_header_addresses(text):
        piece = text[start:end]
        parsed = parse_address(
            piece,
            allow_domain_literals=allow_domain_literals,
            allow_null=allow_null,
            allow_utf8=allow_utf8,
            strip_trailing_dot=strip_trailing_dot,
            allow_group=True,
        )
        if isinstance(parsed, AddressError):
            if parsed.message != EMPTY:
                out.append(AddressError(parsed.message, piece, start, end))
        else:
            out.append(_moved(parsed, start))
    return out


def _moved(parsed: Address, by: int) -> Address:
    return Address(
        parsed.text,
        parsed.local_part,
        parsed.domain,
        parsed.start + by,
        parsed.end + by,
        parsed.item_start + by,
        parsed.item_end + by,
    )


def local_part_of(address: str) -> str:
    """What stands before the rightmost ``@``; the whole text when there is none."""
    at = address.rfind("@")
    return address if at < 0 else address[:at]


def domain_of(address: str) -> str:
    """What stands behind the rightmost ``@``; "" when there is none."""
    at = address.rfind("@")
    return "" if at < 0 else address[at + 1 :]


def lower_domain(address: str) -> str:
    """The address with its domain in ASCII lower case."""
    at = address.rfind("@")
    return address if at < 0 else address[: at + 1] + lower(address[at + 1 :])


def qualify(address: str, domain: str) -> str:
    """The address, with ``domain`` added when it has none; the null address stays null."""
    return address if not address or ("@" in address and domain_of(address)) else f"{address}@{domain}"


def strip_angle_brackets(text: str) -> str:
    """``a@b`` of ``<a@b>``; other text as it is."""
    text = text.strip(SPACE)
    return text[1:-1].strip(SPACE) if len(text) >= 2 and text[0] == "<" and text[-1] == ">" else text


def unquote_local_part(text: str) -> str:
    """The value of a local part as written: quotes and backslashes taken out."""
    if '"' not in text and "\\" not in text:
        return text
    out: list[str] = []
    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if char == "\\" and at + 1 < size:
            at += 1
            out.append(text[at])
        elif char != '"':
            out.append(char)
        at += 1
    return "".join(out)
