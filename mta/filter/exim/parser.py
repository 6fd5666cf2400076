"""Exim filter files, parsed: ``parse(text, Allowed(...)) -> (Command, ...)`` or FilterError in Exim's words."""

from __future__ import annotations

from dataclasses import dataclass

from mta.filter.actions import FilterError
from mta.filter.exim.conditions import read_condition
from mta.filter.exim.lexer import Lexer
from mta.filter.exim.tree import Branch, Command
from mta.text.ascii import is_digits

MAX_DEPTH = 100  # of if commands in each other
MAX_COMMANDS = 20_000
MAIL_OPTIONS = (
    "to", "cc", "bcc", "from", "reply_to", "subject", "extra_headers", "text", "file", "log", "once", "once_repeat",
)  # fmt: skip
_VACATION = {
    "subject": "On vacation",
    "file": ".vacation.msg",
    "log": ".vacation.log",
    "once": ".vacation",
    "once_repeat": "7d",
}
_NEEDS_ARGUMENT = frozenset({"deliver", "save", "pipe", "logfile", "logwrite", "testprint", "add", "headers"})
_ENDINGS = frozenset({"defer", "fail", "freeze"})
_NO_PREFIX = frozenset({"if", "add", "headers"})
_AFTER_IF = ("else", "elif", "endif")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which of the commands for system filters may be used; ``headers`` stands for add and remove."""

    defer: bool = False
    fail: bool = False
    freeze: bool = False
    headers: bool = False


SYSTEM = Allowed(defer=True, fail=True, freeze=True, headers=True)


def parse(text: str, allowed: Allowed) -> tuple[Command, ...]:
    """The commands of a file, first line and all."""
    return _Parser(Lexer(text), allowed).whole()


class _Parser:
    def __init__(self, lexer: Lexer, allowed: Allowed) -> None:
        self.lexer = lexer
        self.allowed = allowed
        self.count = 0

    def whole(self) -> tuple[Command, ...]:
        return tuple(self.commands(0))

    def commands(self, depth: int) -> list[Command]:
        """Up to the end of the file, or to the word that ends a branch of the ``if`` we are in (not taken)."""
        out: list[Command] = []
        while self.lexer.char:
            if depth and self.lexer.peek() in _AFTER_IF:
                return out
            out.append(self.command(depth))
            self.count += 1
            if self.count > MAX_COMMANDS:
                raise self.lexer.near("too many commands")
        if depth:
            raise FilterError('"endif" missing at end of filter file')
        return out

    def command(self, depth: int) -> Command:
        lexer = self.lexer
        seen: bool | None = None
        noerror = False
        while True:
            word = lexer.word(brackets=True)
            if word in ("seen", "unseen"):
                if seen is not None:
                    raise FilterError(f'"seen" or "unseen" repeated near line {lexer.line}')
                if not lexer.char:
                    raise FilterError(f'"seen" or "unseen" near line {lexer.line} is not followed by a command')
                seen = word == "seen"
            elif word == "noerror":
                if not lexer.char:
                    raise FilterError(f'"noerror" near line {lexer.line} is not followed by a command')
                noerror = True
            else:
                break
        if word in _AFTER_IF:
            raise lexer.near(f'unexpected "{word}" command')
        made = Command(word, lexer.line, seen, noerror)
        if (seen is not None or noerror) and word in _NO_PREFIX:
            article = "a" if word == "headers" else "an"
            raise FilterError(
                f'"seen", "unseen", or "noerror" found before {article} "{word}" command near line {lexer.line}'
            )
        if word in _NEEDS_ARGUMENT:
            made.argument = lexer.item()
            if not made.argument:
                raise lexer.near(f'"{word}" requires an argument')
        read = getattr(self, f"_{word}", None) if word in _COMMANDS else None
        if read is None:
            raise lexer.near(f'unknown filtering command "{word}"')
        read(made, depth)
        return made

    def _deliver(self, made: Command, _depth: int) -> None:
        if self.lexer.peek() == "errors_to":
            self.lexer.word()
            made.second = self.lexer.item()

    def _save(self, made: Command, _depth: int) -> None:
        if is_digits(self.lexer.char):
            made.second = "mode"
        made.mode = self.lexer.mode()

    def _pipe(self, _made: Command, _depth: int) -> None:
        pass

    _logwrite = _testprint = _finish = _pipe
    _logfile = _save

    def _add(self, made: Command, _depth: int) -> None:
        if self.lexer.item() != "to":
            raise self.lexer.near('"to" expected in "add" command')
        made.second = self.lexer.item()
        if not made.second:
            raise self.lexer.near('value missing after "to"')

    def _headers(self, made: Command, _depth: int) -> None:
        lexer = self.lexer
        if made.argument not in ("add", "remove", "charset") and self.allowed.headers:
            raise lexer.near('"add", "remove", or "charset" expected after "headers"')
        if made.argument != "charset" and not self.allowed.headers:
            raise lexer.near("header addition and removal is available only in system filters:")
        made.second = lexer.item()
        if not made.second:
            raise lexer.near('value missing after "add", "remove", or "charset"')

    def _ending(self, made: Command, _depth: int) -> None:
        lexer = self.lexer
        if not getattr(self.allowed, made.name):
            raise lexer.near(f'filtering command "{made.name}" is disabled:')
        if lexer.char == '"':
            made.argument = lexer.item()
        elif lexer.peek() == "text":
            lexer.word()
            made.argument = lexer.item()

    _defer = _fail = _freeze = _ending

    def _mail(self, made: Command, _depth: int) -> None:
        lexer = self.lexer
        options = made.options
        vacation = made.name == "vacation"
        if vacation:
            options.update(_VACATION)
            made.file_expand = True
        while True:
            word = lexer.peek()
            if word == "expand":
                lexer.word()
                if lexer.peek() != "file":
                    lexer.word()
                    raise lexer.near('"expand" not followed by "file" ')
                lexer.word()
                options["file"], made.file_expand = lexer.item(), True
            elif word == "return":
                lexer.word()
                if lexer.word() != "message":
                    raise lexer.near('"return" not followed by "message" ')
                made.return_message = True
            elif word in MAIL_OPTIONS:
                lexer.word()
                options[word] = lexer.item()
                if word == "file":
                    made.file_expand = False
            else:
                return

    _vacation = _mail

    def _if(self, made: Command, depth: int) -> None:
        lexer = self.lexer
        if depth >= MAX_DEPTH:
            raise lexer.near('"if" commands are nested too deeply')
        branches: list[Branch] = []
        while True:
            condition = read_condition(lexer)
            branches.append(Branch(condition, tuple(self.commands(depth + 1))))
            word = lexer.word()
            if word == "elif":
                continue
            if word == "else":
                branches.append(Branch(None, tuple(self.commands(depth + 1))))
                if lexer.word() != "endif":
                    raise lexer.near('"endif" missing')
            made.branches = tuple(branches)
            return


_COMMANDS = _NEEDS_ARGUMENT | _ENDINGS | {"finish", "mail", "vacation", "if"}
