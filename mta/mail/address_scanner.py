"""The cursor that reads the pieces of an address: local parts, domains, routes, comments (RFC 5322 3.2 to 3.4).

Every read leaves the cursor behind white space and comments, or raises Refused with Exim's words,
which ``mta.mail.address`` alone catches.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_COMMENT_DEPTH = 1024

NO_LOCAL_PART = "missing or malformed local part"
_NO_DOMAIN = "domain missing or malformed"


class Rules(NamedTuple):
    """What the site's main options allow."""

    allow_domain_literals: bool = False  # in source routes; elsewhere a literal always parses
    allow_null: bool = False
    allow_utf8: bool = False  # allow_utf8_domains, or SMTPUTF8
    strip_trailing_dot: bool = False
    strip_excess_brackets: bool = False
    allow_source_route: bool = True
    allow_group: bool = False  # a group's name in front, its semicolon and what follows behind


class Refused(Exception):
    """Leaves the recursive descent; caught in ``parse_address``."""

    def __init__(self, message: str) -> None:
        self.message = message


_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*)")
_LABEL_UTF8 = re.compile(
    r"(?:[A-Za-z0-9]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
    r"(?:[A-Za-z0-9-]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
)
_ATOM = re.compile(r"(?:[^\x00-\x20\x7f()<>@,;:\\\".\[\]]|\\(?:[^\x00]|\Z))+")
QUOTED = re.compile(r'"(?:[^"\\\x00]|\\[^\x00])*"')
SPACE = " \t\n\v\f\r"
LITERAL = re.compile(r"\[[^\x00-\x20\x7f\[\]\\]*\]")


class Scanner:
    """A cursor over one mailbox. Every read leaves ``at`` behind white space and comments."""

    __slots__ = ("at", "item", "label", "list_piece", "rules", "size", "text", "token_end")

    def __init__(self, text: str, rules: Rules) -> None:
        self.text = text
        self.size = len(text)
        self.rules = rules
        self.at = 0
        self.token_end = 0  # of the last word, dot, label or literal read
        self.item = 0  # where the item begins, behind a group's name
        self.list_piece = rules.allow_group
        self.label = _LABEL_UTF8 if rules.allow_utf8 else _LABEL

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.size else ""

    def skip(self) -> None:
        """Over white space and comments; an unfinished comment runs to the end, as in Exim."""
        while self.at < self.size:
            char = self.text[self.at]
            if char == "(":
                self.at = skip_comment(self.text, self.at)
            elif char in SPACE:
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
                    self.at = self.token_end = found.end()
            self.skip()
            dots = False
            while self.peek() == ".":
                dots = True
                out.append(".")
                self.at += 1
                self.token_end = self.at
                self.skip()
            if not dots or (self.peek() != '"' and not _ATOM.match(self.text, self.at)):
                break
        if not out and not allow_empty:
            raise Refused(NO_LOCAL_PART)
        return "".join(out)

    def _quoted(self) -> str:
        found = QUOTED.match(self.text, self.at)
        if found is None:
            raise Refused("unmatched doublequote in local part")
        self.at = self.token_end = found.end()
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
                raise Refused(_NO_DOMAIN)
            out.append(found.group())
            self.at = self.token_end = found.end()
            self._check_utf8()
            self.skip()
            if self.peek() != ".":
                return "".join(out)
            out.append(".")
            self.at += 1
            self.token_end = self.at
            self.skip()

    def _check_utf8(self) -> None:
        if self.rules.allow_utf8 and self.peek() >= "\xc0":
            raise Refused("invalid UTF-8 byte sequence")

    def _literal(self) -> str:
        found = LITERAL.match(self.text, self.at)
        if found is None:
            raise Refused("malformed domain literal")
        self.at = self.token_end = found.end()
        self.skip()
        return found.group()

    def route(self) -> None:
        """``@a,@b:`` in front of an address; read and thrown away (RFC 5321 appendix C)."""
        commas = False
        while self.peek() == "@":
            self.at += 1
            self.skip()
            if self.peek() == "[" and not self.rules.allow_domain_literals:
                raise Refused("domain literals not allowed")
            self.domain()
            while self.peek() == ",":
                commas = True
                self.at += 1
                self.skip()
        if self.peek() != ":":
            raise Refused("colon expected after route list" if commas else "no local part")
        self.at += 1
        self.skip()


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
