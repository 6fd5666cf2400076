"""Sieve scripts, parsed and checked whole before anything is done: ``parse(text, Enabled(...)) -> Script``.

Raises SieveError, in the words of Exim where it has them. Grammar: RFC 5228 section 8 with the extensions of
``capabilities``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from mta.filter.sieve import variables
from mta.filter.sieve.capabilities import BUILT_IN, CAPABILITIES
from mta.filter.sieve.lexer import Lexer
from mta.filter.sieve.tests_parser import TestParser
from mta.filter.sieve.tree import (
    Command,
    Discard,
    FileInto,
    If,
    Keep,
    Notify,
    Redirect,
    Script,
    Set,
    Stop,
    Test,
    Vacation,
)
from mta.mail.address import Address, parse_address

MAX_DEPTH = 32  # of blocks (RFC 5228 asks for 15)
MAX_COMMANDS = 10_000
MIN_DAYS, MAX_DAYS = 1, 31


@dataclass(frozen=True, slots=True)
class Enabled:
    """Which extensions the site has set up."""

    vacation: bool = True
    notify: bool = True


def parse(text: str, enabled: Enabled) -> Script:
    return _Parser(Lexer(text), enabled).script()


class _Parser(TestParser):
    """Commands; tests are the base's."""

    def __init__(self, lexer: Lexer, enabled: Enabled) -> None:
        super().__init__(lexer)
        self.enabled = enabled
        self.count = 0
        self.vacation_seen = False

    def script(self) -> Script:
        lexer = self.lexer
        while lexer.word("require"):
            names = lexer.strings()
            if names is None:
                raise lexer.error("capability string list expected")
            for name in names:
                if name not in CAPABILITIES and name not in BUILT_IN:
                    raise lexer.error("unknown capability")
                if name == "enotify" and not self.enabled.notify:
                    raise lexer.error("enotify disabled")
                if name == "vacation" and not self.enabled.vacation:
                    raise lexer.error("vacation disabled")
                self.required.add(name)
            self.semicolon()
            lexer.encoded = "encoded-character" in self.required
        commands = self.commands(0)
        if not lexer.at_end:
            raise lexer.error("syntax error")
        return Script(frozenset(self.required), commands)

    def commands(self, depth: int) -> tuple[Command, ...]:
        out: list[Command] = []
        while True:
            name = self.lexer.word(*self._COMMANDS)
            if not name:
                return tuple(out)
            self.count += 1
            if self.count > MAX_COMMANDS:
                raise self.lexer.error("too many commands")
            out.append(self._if(depth) if name == "if" else self._COMMANDS[name](self))

    def _block(self, depth: int) -> tuple[Command, ...]:
        lexer = self.lexer
        if not lexer.take("{"):
            raise lexer.error("missing block")
        if depth >= MAX_DEPTH:
            raise lexer.error("blocks are nested too deeply")
        commands = self.commands(depth + 1)
        if not lexer.take("}"):
            raise lexer.error("expecting command or closing brace")
        return commands

    def _if(self, depth: int) -> If:
        branches: list[tuple[Test | None, tuple[Command, ...]]] = []
        while True:
            test = self.test(0)
            branches.append((test, self._block(depth)))
            if not self.lexer.word("elsif"):
                break
        if self.lexer.word("else"):
            branches.append((None, self._block(depth)))
        return If(tuple(branches))

    def _stop(self) -> Command:
        self.semicolon()
        return Stop()

    def _keep(self) -> Command:
        self.semicolon()
        return Keep()

    def _discard(self) -> Command:
        self.semicolon()
        return Discard()

    def _redirect(self) -> Command:
        lexer = self.lexer
        copy = self._copy()
        address = lexer.string()
        if address is None:
            raise lexer.error("missing redirect recipient string")
        if not self.is_dynamic(address):
            check = redirect_address(address)
            if check is None:
                raise lexer.error("unqualified recipient address")
        line = lexer.line
        self.semicolon()
        return Redirect(address, copy, line)

    def _copy(self) -> bool:
        if not self.lexer.tag("copy"):
            return False
        self.need("copy")
        return True

    def _fileinto(self) -> Command:
        lexer = self.lexer
        self.need("fileinto")
        copy = self._copy()
        folder = lexer.string()
        if folder is None:
            raise lexer.error("missing fileinto folder string")
        if not self.is_dynamic(folder) and not folder_is_good(folder):
            raise lexer.error("invalid folder")
        line = lexer.line
        self.semicolon()
        return FileInto(folder, copy, line)

    def _vacation(self) -> Command:
        lexer = self.lexer
        self.need("vacation")
        line, days, mime = lexer.line, 7, False
        subject = sender = handle = None
        addresses: tuple[str, ...] = ()
        while tag := lexer.tag("days", "subject", "from", "addresses", "mime", "handle"):
            if tag == "days":
                found = lexer.number()
                if found is None:
                    raise lexer.error("missing number")
                days = min(max(found, MIN_DAYS), MAX_DAYS)
            elif tag == "mime":
                mime = True
            elif tag == "addresses":
                addresses = self.string_list()
            else:
                value = self.required_string(f"missing {tag} string")
                if tag == "subject":
                    subject = value
                elif tag == "handle":
                    handle = value
                else:
                    if not self.is_dynamic(value) and redirect_address(value) is None:
                        raise lexer.error("unqualified from address")
                    sender = value
        reason = lexer.string()
        if reason is None:
            raise lexer.error("missing reason string")
        self.semicolon()
        return Vacation(reason, line, days, subject, sender, addresses, mime, handle)

    def _notify(self) -> Command:
        lexer = self.lexer
        self.need("enotify")
        line, importance = lexer.line, "2"
        sender = message = None
        while tag := lexer.tag("from", "importance", "options", "message"):
            if tag == "options":
                self.string_list()
                continue
            value = self.required_string(f"missing {tag} string")
            if tag == "from":
                sender = value
            elif tag == "message":
                message = value
            else:
                if value not in ("1", "2", "3"):
                    raise lexer.error("invalid importance")
                importance = value
        method = lexer.string()
        if method is None:
            raise lexer.error("missing method string")
        self.semicolon()
        return Notify(method, line, sender, importance, message)

    def _set(self) -> Command:
        lexer = self.lexer
        self.need("variables")
        modifiers: list[str] = []
        while tag := lexer.tag(*variables.MODIFIERS):
            if tag == "encodeurl":
                self.need("enotify")
            if any(variables.MODIFIERS[tag] == variables.MODIFIERS[other] for other in modifiers):
                raise lexer.error("modifier of the same precedence already specified")
            modifiers.append(tag)
        name = self.required_string("missing variable name")
        if not variables.is_name(name):
            raise lexer.error("invalid variable name")
        value = self.required_string("missing value string")
        self.semicolon()
        modifiers.sort(key=lambda one: -variables.MODIFIERS[one])
        return Set(name, value, tuple(modifiers))

    def _if_command(self) -> Command:
        return self._if(0)

    _COMMANDS: ClassVar[dict[str, Callable[[_Parser], Command]]] = {
        "if": _if_command,
        "stop": _stop,
        "keep": _keep,
        "discard": _discard,
        "redirect": _redirect,
        "fileinto": _fileinto,
        "vacation": _vacation,
        "notify": _notify,
        "set": _set,
    }


def redirect_address(text: str) -> str | None:
    """One whole address with its domain; None for anything else (Exim's rule: no unqualified ones)."""
    parsed = parse_address(text, allow_domain_literals=True)
    if not isinstance(parsed, Address) or not parsed.domain:
        return None
    return f"{parsed.local_part}@{parsed.domain}"


def folder_is_good(folder: str) -> bool:
    return bool(folder) and ".." not in folder and not any(char < " " or char == "\x7f" for char in folder)
