"""Address rewriting: of envelopes, of header lines, and what -brw prints (manual chapter 31).

Header lines keep phrases, comments and layout; only the working part of an address is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mta.mail.address import Address, parse_address, parse_address_list
from mta.mail.headers import DELETED, Header, Headers
from mta.route.rewrite_engine import rewrite_address, rewrite_one, rewrite_smtp
from mta.route.rewrite_parser import Rule, parse_rule
from mta.scope.scope import Scope

__all__ = [
    "Qualify",
    "Rule",
    "explain",
    "parse_rule",
    "rewrite_address",
    "rewrite_envelope",
    "rewrite_headers",
    "rewrite_line",
    "rewrite_smtp",
]

# Exim's letter of a header line (its Resent- version has the same) to the flag that selects it
CONTEXTS = {"B": "b", "C": "c", "F": "f", "R": "r", "S": "s", "T": "t"}
_SENDERS = "frs"
_FOLD_AT = 39  # a rewritten address that ends here or later is followed by a fold, as in Exim


class Qualify(NamedTuple):
    """Whether unqualified addresses in header lines are given a domain (and then rewritten)."""

    senders: bool = False
    recipients: bool = False


LEFT_ALONE = Qualify()


def rewrite_envelope(rules: Sequence[Rule], address: str, context: str, scope: Scope) -> str:
    """An envelope address after the rules; ``context`` is "F" or "T"."""
    return rewrite_address(rules, scope, address, context)


def rewrite_headers(
    rules: Sequence[Rule], headers: Headers, scope: Scope, qualify: Qualify = LEFT_ALONE, *, keep_old: bool = True
) -> Headers:
    """Rewrite (and qualify) the lines that hold addresses, in place; ``headers`` again.

    ``keep_old``: the line as received stays behind, marked deleted, as Exim's spool files have it.
    """
    if not rules and not any(qualify):
        return headers
    out: list[Header] = []
    for line in headers.lines:
        context = "" if line.type == DELETED else CONTEXTS.get(header_letter(line), "")
        text = rewrite_line(rules, line.text, scope, context, qualify) if context else None
        if text is None:
            out.append(line)
            continue
        new = Header(text, line.type)
        if keep_old:
            line.type = DELETED
            out.append(line)
        out.append(new)
    headers.lines[:] = out
    return headers


def header_letter(line: Header) -> str:
    """The line's type letter; a Resent- field counts as the field that it repeats."""
    name = line.name.lower() if line.name.isascii() else ""
    if not name.startswith("resent-"):
        return line.type
    found = _RESENT.get(name[7:], " ")
    return found if found != " " else line.type


_RESENT = {"bcc": "B", "cc": "C", "from": "F", "reply-to": "R", "sender": "S", "to": "T"}


def rewrite_line(
    rules: Sequence[Rule], text: str, scope: Scope, context: str, qualify: Qualify = LEFT_ALONE
) -> str | None:
    """A header line with its addresses rewritten; None when nothing changed."""
    name, _, value = text.partition(":")
    options = scope.site.options
    allowed = qualify.senders if context in _SENDERS else qualify.recipients
    line = _Line(name, value)
    for found in parse_address_list(
        value, allow_domain_literals=options.allow_domain_literals, allow_utf8=options.allow_utf8_domains
    ):
        if not isinstance(found, Address):
            continue
        change = _change(rules, scope, found, context, allowed)
        if change is not None:
            line.replace(*change)
            if len(change[0]) > change[2] - change[1]:
                line.fold(found.item_end)
    return line.whole()


class _Line:
    """A header line being written anew, from the value of the old one."""

    __slots__ = ("done", "length", "name", "out", "start", "value")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value
        self.out: list[str] = []
        self.done = 0  # how much of the old value has been copied or replaced
        self.length = len(name) + 1
        self.start = 0  # of the line under way: the header's or that after the last fold made here

    def _add(self, text: str) -> None:
        self.out.append(text)
        self.length += len(text)

    def replace(self, new: str, start: int, end: int) -> None:
        """Put ``new`` for what stands between the bounds."""
        self._add(self.value[self.done : start])
        self._add(new)
        self.done = end

    def fold(self, item_end: int) -> None:
        """A line end behind the comma of the item just replaced, where Exim makes one for long lines."""
        comma = self.value.find(",", max(self.done, item_end))
        end = comma + 1
        while comma >= 0 and self.value[end : end + 1] in (" ", "\t"):
            end += 1
        if comma < 0 or self.value[end : end + 1] in ("\n", ""):
            return
        if self.length + comma - self.done - self.start < _FOLD_AT:
            return
        self._add(self.value[self.done : end])
        self.done = end
        self._add("\n")
        self.start = self.length
        self._add("\t")

    def whole(self) -> str | None:
        """The new header line, None when nothing was replaced."""
        return f"{self.name}:{''.join(self.out)}{self.value[self.done :]}" if self.out else None


def _change(
    rules: Sequence[Rule], scope: Scope, found: Address, context: str, qualify: bool
) -> tuple[str, int, int] | None:
    """The new text and the bounds of what it replaces; None for an address that stays."""
    address = found.text
    if not address:
        return None
    if not found.domain:
        if not qualify:
            return None
        options = scope.site.options
        domain = options.qualify_domain or options.primary_hostname
        if context not in _SENDERS:
            domain = options.qualify_recipient or domain
        address = f"{address}@{domain}"
    new = rewrite_one(rules, scope, address, context)
    if new.whole is not None:
        return new.whole, found.item_start, found.item_end
    return (new.address, found.start, found.end) if new.address != found.text else None


_PLACES = (
    ("sender", "s"),
    ("from", "f"),
    ("to", "t"),
    ("cc", "c"),
    ("bcc", "b"),
    ("reply-to", "r"),
    ("env-from", "F"),
    ("env-to", "T"),
)


def explain(rules: Sequence[Rule], address: str, scope: Scope) -> str:
    """What -brw prints for an address: its form in each header and in the envelope, or why it is none."""
    if not rules:
        return "No rewrite rules are defined\n"
    out = []
    smtp = rewrite_smtp(rules, scope, address)
    if smtp != address:
        out.append(f"    SMTP: {smtp}\n")
    options = scope.site.options
    if "@" not in address:
        address = f"{address}@{options.qualify_recipient or options.qualify_domain or options.primary_hostname}"
    parsed = parse_address(
        address,
        allow_domain_literals=options.allow_domain_literals,
        allow_utf8=options.allow_utf8_domains,
        strip_trailing_dot=options.strip_trailing_dot,
    )
    if not isinstance(parsed, Address):
        return f"{''.join(out)}Syntax error in {address}\n{parsed.message[:1].upper()}{parsed.message[1:]}\n"
    for name, context in _PLACES:
        if context in "FT":
            value = rewrite_address(rules, scope, parsed.text, context)
        else:
            line = rewrite_line(rules, f"{name}: {address}\n", scope, context)
            value = address if line is None else line.partition(": ")[2].removesuffix("\n")
        out.append(f"{name:>8}: {value}\n")
    return "".join(out)
