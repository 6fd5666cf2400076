"""Mail addresses as RFC 5321 and 5322 write them, with Exim's leniencies and error texts.

A parse gives an ``Address`` or an ``AddressError``, never an exception; any byte text is accepted or
refused in linear time. Parts of addresses are split at the rightmost ``@``, as Exim does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mta.text.ascii import lower

MAX_COMMENT_DEPTH = 1024
MAX_ADDRESS = 256  # bytes of a whole address (RFC 5321 4.5.3.1.3)
MAX_TEXT = 65536  # bytes of text looked at for one address, with phrase and comments
MAX_SHOWN = 32  # bytes of the offending text in an error

_NO_LOCAL_PART = "missing or malformed local part"
_EXPECTED_WORD = 'missing or malformed local part (expected word or "<")'
_NO_DOMAIN = "domain missing or malformed"


class Address(NamedTuple):
    """One address. ``text`` is canonical: no comments, routes, white space or brackets; ``local_part`` is as
    written, quotes included; ``domain`` is "" for an unqualified one, and for the null address.

    ``start`` and ``end`` bound the place in the parsed text that a rewritten address would take.
    """

    text: str
    local_part: str
    domain: str
    start: int
    end: int


class AddressError(NamedTuple):
    """Text that is no address; ``message`` in Exim's words, ``text`` and the bounds for the one who reports."""

    message: str
    text: str = ""
    start: int = 0
    end: int = 0


class Rules(NamedTuple):
    """What the site's main options allow."""

    allow_domain_literals: bool = False  # in source routes; elsewhere a literal always parses
    allow_null: bool = False
    allow_utf8: bool = False  # allow_utf8_domains, or SMTPUTF8
    strip_trailing_dot: bool = False
    strip_excess_brackets: bool = False
    allow_source_route: bool = True


class _Refused(Exception):
    """Leaves the recursive descent; caught in ``parse_address`` only."""

    def __init__(self, message: str) -> None:
        self.message = message


_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*)")
_LABEL_UTF8 = re.compile(
    r"(?:[A-Za-z0-9]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
    r"(?:[A-Za-z0-9-]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
)
_ATOM = re.compile(r"(?:[^\x00-\x20\x7f()<>@,;:\\\".\[\]]|\\(?:[^\x00]|\Z))+")
_QUOTED = re.compile(r'"(?:[^"\\\x00]|\\[^\x00])*"')
_SPACE = " \t\n\v\f\r"
_LITERAL = re.compile(r"\[[^\x00-\x20\x7f\[\]\\]*\]")
_PLAIN = re.compile(
    r"([A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*)@([A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*)\Z"
)


class _Scanner:
    """A cursor over one mailbox. Every read leaves ``at`` behind white space and comments."""

    __slots__ = ("at", "label", "rules", "size", "text")

    def __init__(self, text: str, rules: Rules) -> None:
        self.text = text
        self.size = len(text)
        self.rules = rules
        self.at = 0
        self.label = _LABEL_UTF8 if rules.allow_utf8 else _LABEL

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.size else ""

    def skip(self) -> None:
        """Over white space and comments; an unfinished comment runs to the end, as in Exim."""
        while self.at < self.size:
            char = self.text[self.at]
            if char == "(":
                self.at = skip_comment(self.text, self.at)
            elif char in _SPACE:
                self.at += 1
            else:
                return

    def local_part(self, *, allow_empty: bool) -> str:
        """Words and dots, as written. Empty only when allowed."""
        out: list[str] = []
        self.skip()
        while True:
            char = self.peek()
            if char == '"':
                out.append(self._quoted())
            elif char != ".":
                found = _ATOM.match(self.text, self.at)
                if found:
                    out.append(found.group())
                    self.at = found.end()
            self.skip()
            dots = False
            while self.peek() == ".":
                dots = True
                out.append(".")
                self.at += 1
                self.skip()
            if not dots or (self.peek() != '"' and not _ATOM.match(self.text, self.at)):
                break
        if not out and not allow_empty:
            raise _Refused(_NO_LOCAL_PART)
        return "".join(out)

    def _quoted(self) -> str:
        found = _QUOTED.match(self.text, self.at)
        if found is None:
            raise _Refused("unmatched doublequote in local part")
        self.at = found.end()
        return found.group()

    def domain(self) -> str:
        """Labels and dots, or a literal."""
        self.skip()
        if self.peek() == "[":
            return self._literal()
        out: list[str] = []
        while True:
            found = self.label.match(self.text, self.at)
            if found is None:
                if out and self.rules.strip_trailing_dot and self.peek() != ".":
                    out.pop()
                    return "".join(out)
                self._check_utf8()
                raise _Refused(_NO_DOMAIN)
            out.append(found.group())
            self.at = found.end()
            self._check_utf8()
            self.skip()
            if self.peek() != ".":
                return "".join(out)
            out.append(".")
            self.at += 1
            self.skip()

    def _check_utf8(self) -> None:
        if self.rules.allow_utf8 and self.peek() >= "\xc0":
            raise _Refused("invalid UTF-8 byte sequence")

    def _literal(self) -> str:
        found = _LITERAL.match(self.text, self.at)
        if found is None:
            raise _Refused("malformed domain literal")
        self.at = found.end()
        self.skip()
        return found.group()

    def route(self) -> None:
        """``@a,@b:`` in front of an address; read and thrown away (RFC 5321 appendix C)."""
        commas = False
        while self.peek() == "@":
            self.at += 1
            self.skip()
            if self.peek() == "[" and not self.rules.allow_domain_literals:
                raise _Refused("domain literals not allowed")
            self.domain()
            while self.peek() == ",":
                commas = True
                self.at += 1
                self.skip()
        if self.peek() != ":":
            raise _Refused("colon expected after route list" if commas else "no local part")
        self.at += 1
        self.skip()


_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def skip_comment(text: str, start: int) -> int:
    """The place behind the comment that opens at ``start``, nested ones included; the end when it never closes."""
    depth, at, size = 0, start, len(text)
    while at < size:
        char = text[at]
        at += 1
        if char == "\\":
            at += 1
        elif char == "(":
            depth += 1
            if depth > MAX_COMMENT_DEPTH:
                return size
        elif char == ")":
            depth -= 1
            if depth == 0:
                return at
    return size


def parse_address(
    text: str,
    *,
    allow_domain_literals: bool = False,
    allow_null: bool = False,
    allow_utf8: bool = False,
    strip_trailing_dot: bool = False,
    strip_excess_brackets: bool = False,
    source_route_ok: bool = True,
) -> Address | AddressError:
    """One mailbox: ``a@b``, ``<a@b>``, ``Phrase <a@b>``, with comments and source routes (RFC 5322 3.4).

    ``allow_null`` lets ``<>`` be the null address. Options as the main options of these names.
    """
    plain = _PLAIN.match(text)
    if plain is not None and len(text) <= MAX_ADDRESS:
        return Address(text, plain[1], plain[2], 0, len(text))
    rules = Rules(
        allow_domain_literals, allow_null, allow_utf8, strip_trailing_dot, strip_excess_brackets, source_route_ok
    )
    if len(text) > MAX_TEXT:
        return AddressError(_too_long(text), text, 0, len(text))
    nul = text.find("\0")
    if nul >= 0:
        return AddressError(f"malformed address: {printing(text[nul:][:MAX_SHOWN])} may not follow {text[:nul]}", text)
    scanner = _Scanner(text, rules)
    try:
        return _mailbox(scanner)
    except _Refused as refused:
        return AddressError(refused.message, text, 0, len(text))


def _mailbox(scanner: _Scanner) -> Address:
    scanner.skip()
    start = scanner.at
    if scanner.peek() not in ("@", "<"):
        if scanner.peek() in ("", ";"):
            raise _Refused("empty address")
        local_part = scanner.local_part(allow_empty=True)
        char = scanner.peek()
        if char in ("", ";") and local_part:
            return _finish(scanner, local_part, "", start)
        if char == "@" and local_part:
            scanner.at += 1
            return _finish(scanner, local_part, scanner.domain(), start)
        _phrase(scanner)
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
            raise _Refused(_NO_LOCAL_PART)
        scanner.route()
    if brackets and scanner.rules.allow_null and scanner.peek() == ">" and not routed:
        return _finish(scanner, "", "", start, brackets)
    local_part = scanner.local_part(allow_empty=False)
    domain = ""
    if scanner.peek() == "@":
        scanner.at += 1
        domain = scanner.domain()
    elif brackets and scanner.peek() != ">":
        raise _Refused(f'"@" or "." expected after "{local_part}"')
    elif routed:
        raise _Refused("domain missing in source-routed address")
    return _finish(scanner, local_part, domain, start, brackets)


def _phrase(scanner: _Scanner) -> None:
    """The rest of a phrase, up to ``<``; RFC 5322's dots (obs-phrase) are let through."""
    while scanner.peek() not in ("<", ""):
        before = scanner.at
        scanner.local_part(allow_empty=True)
        if scanner.at == before:
            break
    if scanner.peek() != "<":
        raise _Refused(_EXPECTED_WORD)


def _finish(scanner: _Scanner, local_part: str, domain: str, start: int, brackets: int = 0) -> Address:
    end = _trimmed_end(scanner.text, start, scanner.at)
    for _ in range(brackets):
        if scanner.peek() != ">":
            if not scanner.peek():
                raise _Refused("'>' missing at end of address")
            break
        scanner.at += 1
        scanner.skip()
    rest = scanner.text[scanner.at :]
    if rest:
        raise _Refused(f"malformed address: {rest[:MAX_SHOWN]} may not follow {scanner.text[: scanner.at]}")
    text = f"{local_part}@{domain}" if domain else local_part
    if len(text) > MAX_ADDRESS:
        raise _Refused(_too_long(text))
    return Address(text, local_part, domain, start, end)


def _too_long(text: str) -> str:
    return f"address is ridiculously long: {text[:64]}..."


def _trimmed_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in _SPACE:
        end -= 1
    return end


def printing(text: str) -> str:
    """Control characters as Exim shows them in messages: ``\\n`` and ``\\ooo``."""
    return _CONTROLS.sub(lambda found: f"\\{ord(found.group()):03o}", text)


def split_header_addresses(text: str) -> list[tuple[int, int]]:
    """The bounds of the addresses between commas of a header's value, group names and their ``;`` left out.

    Quotes, comments, brackets and literals hide commas. Pieces of white space alone are not given.
    """
    found: list[tuple[int, int]] = []
    start = at = 0
    size = len(text)
    in_group = False
    while at < size:
        char = text[at]
        if char == "(":
            at = skip_comment(text, at)
            continue
        if char == '"':
            quoted = _QUOTED.match(text, at)
            at = quoted.end() if quoted else size
            continue
        if char == "[":
            close = text.find("]", at)
            at = size if close < 0 else close + 1
            continue
        if char == "<":
            close = _closing_bracket(text, at)
            at = at + 1 if close < 0 else close
            continue
        if char == "\\":
            at += 2
            continue
        if char == "," or (char == ";" and in_group):
            _add_piece(found, text, start, at)
            start = at + 1
            in_group = in_group and char != ";"
        elif char == ":" and not in_group and not _is_route(text, start):
            start = at + 1
            in_group = True
        at += 1
    _add_piece(found, text, start, size)
    return found


def _closing_bracket(text: str, at: int) -> int:
    """The place behind ``>``, or -1; commas inside belong to a source route."""
    size = len(text)
    at += 1
    while at < size:
        char = text[at]
        if char == ">":
            return at + 1
        if char == '"':
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                return -1
            at = quoted.end()
        elif char == "(":
            at = skip_comment(text, at)
        else:
            at += 2 if char == "\\" else 1
    return -1


def _is_route(text: str, start: int) -> bool:
    return text[start:].lstrip(_SPACE)[:1] == "@"


def _add_piece(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start] in _SPACE:
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
        )
        if isinstance(parsed, AddressError):
            if parsed.message != "empty address":
                out.append(AddressError(parsed.message, piece, start, end))
        else:
            out.append(parsed._replace(start=parsed.start + start, end=parsed.end + start))
    return out


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
    text = text.strip(_SPACE)
    return text[1:-1].strip(_SPACE) if len(text) >= 2 and text[0] == "<" and text[-1] == ">" else text


_NEEDS_NO_QUOTES = re.compile(
    r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+)*\Z"
)


def quote_local_part(text: str) -> str:
    """A local part's value as it is written in an address: quoted where RFC 5322 asks for it."""
    if _NEEDS_NO_QUOTES.match(text):
        return text
    return '"' + re.sub(r'([\\"\n])', r"\\\1", text) + '"'


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
