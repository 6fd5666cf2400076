"""Runs a Sieve script: ``run_sieve(text, scope, options) -> Outcome``, pure; SieveFailed where it cannot be obeyed.

``seen`` of the outcome is false when the message is to be kept: it then goes on to its normal delivery. A script is
checked whole before anything of it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mta.filter.actions import Action, Answer, Deliver, Outcome, Save
from mta.filter.sieve import notify, vacation
from mta.filter.sieve.parser import Enabled, folder_is_good, parse, redirect_address
from mta.filter.sieve.tree import (
    Command,
    Discard,
    FileInto,
    If,
    Keep,
    Notify,
    Redirect,
    Set,
    SieveError,
    Stop,
    Vacation,
)
from mta.filter.sieve.truth import holds
from mta.filter.sieve.variables import MAX_VARIABLES, modify, substitute
from mta.scope.scope import Scope
from mta.text.ascii import lower

MAX_ACTIONS = 100
MAX_STEPS = 100_000
INBOX = "inbox"
SieveFailed = SieveError


@dataclass(slots=True)
class Options:
    """``vacation_directory`` None: the site has none, vacation is off. ``user``/``subaddress``: the redirect
    router's sieve_useraddress and sieve_subaddress, None when unset. ``inbox``: where ``keep`` puts a message."""

    vacation_directory: str | None = None
    notify: bool = True
    reply_forbidden: bool = False
    user: str | None = None
    subaddress: str | None = None
    inbox: str = INBOX
    trace: Callable[[str], None] | None = None


class _Stop(Exception):
    pass


def run_sieve(text: str, scope: Scope, options: Options) -> Outcome:
    """Parse and obey."""
    allowed = not options.reply_forbidden
    script = parse(text, Enabled(options.vacation_directory is not None and allowed, options.notify and allowed))
    run = _Run(scope, options, "variables" in script.required)
    try:
        run.commands(script.commands)
    except _Stop:
        pass
    if not run.outcome.seen:
        run.trace(f"fileinto `{options.inbox}'")
    return run.outcome


@dataclass(slots=True)
class _Run:
    scope: Scope
    options: Options
    with_variables: bool
    outcome: Outcome = field(default_factory=Outcome)
    values: dict[str, str] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)
    answered: bool = False
    steps: int = 0

    # -- for the tests

    def text(self, text: str) -> str:
        return substitute(text, self.values, self.matched) if self.with_variables else text

    def user_and_detail(self, local_part: str, domain: str) -> tuple[str, str | None]:
        """The two parts of a local part: of the recipient's own address as the router says, of others by "+"."""
        recipient = self.scope.recipient
        options = self.options
        if recipient is not None and lower(domain) == recipient.domain:
            whole = f"{recipient.prefix}{recipient.local_part}{recipient.suffix}"
            if lower(local_part) == lower(whole) and (options.user is not None or options.subaddress is not None):
                return options.user if options.user is not None else whole, options.subaddress
        user, plus, detail = local_part.partition("+")
        return user, detail if plus else None

    def trace(self, line: str) -> None:
        if self.options.trace is not None:
            self.options.trace(line)

    # -- commands

    def commands(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise SieveError("too many commands obeyed", 0)
            self.command(command)

    def command(self, command: Command) -> None:
        match command:
            case Stop():
                raise _Stop
            case Keep():
                self.file_into(self.options.inbox)
            case Discard():
                self.outcome.seen = True
            case Redirect():
                self.redirect(command)
            case FileInto(folder, copy, line):
                folder = self.text(folder)
                if not folder_is_good(folder):
                    raise SieveError("invalid folder", line)
                self.file_into(folder, copy=copy)
            case Vacation():
                self.vacation(command)
            case Notify():
                self.notify(command)
            case Set(name, value, modifiers):
                key = lower(name)
                if key not in self.values and len(self.values) >= MAX_VARIABLES:
                    raise SieveError("too many variables", 0)
                self.values[key] = modify(self.text(value), modifiers)
            case If(branches):
                for test, block in branches:
                    if test is None or holds(test, self):
                        self.commands(block)
                        return

    def add(self, action: Action) -> None:
        if len(self.outcome.actions) >= MAX_ACTIONS:
            raise SieveError("too many actions", 0)
        self.outcome.actions.append(action)

    def file_into(self, folder: str, *, copy: bool = False) -> None:
        if not copy:
            self.outcome.seen = True
        for action in self.outcome.actions:
            if isinstance(action, Save) and action.path == folder:
                self.trace(f"Repeated fileinto `{folder}' ignored.")
                return
        self.trace(f"fileinto `{folder}'")
        self.add(Save(folder, seen=not copy))

    def redirect(self, command: Redirect) -> None:
        address = redirect_address(self.text(command.address))
        if address is None:
            raise SieveError("unqualified recipient address", command.line)
        if not command.copy:
            self.outcome.seen = True
        if any(isinstance(action, Deliver) and action.address == address for action in self.outcome.actions):
            self.trace(f"Repeated redirect `{address}' ignored.")
            return
        self.trace(f"redirect `{address}'")
        self.add(Deliver(address, seen=not command.copy))

    def own_addresses(self) -> list[str]:
        recipient = self.scope.recipient
        if recipient is None:
            return []
        plain = f"{recipient.local_part}@{recipient.domain}"
        whole = f"{recipient.prefix}{recipient.local_part}{recipient.suffix}@{recipient.domain}"
        return [plain, whole, recipient.top.address]

    def vacation(self, command: Vacation) -> None:
        if self.answered:
            raise SieveError("trying to execute vacation more than once", command.line)
        self.answered = True
        own = self.own_addresses()
        addresses = {lower(address) for address in (*own, *(self.text(one) for one in command.addresses))}
        if not own or not vacation.is_personal(self.scope, addresses):
            self.trace("Sieve: mail was not personal, vacation would not be sent")
            return
        reason, subject = self.text(command.reason), self._optional(command.subject)
        sender, handle = self._optional(command.sender), self._optional(command.handle)
        if sender is not None and redirect_address(sender) is None:
            raise SieveError("unqualified from address", command.line)
        name = vacation.once_name(handle, reason, subject or "", str(command.mime), sender or "")
        self.trace(f"Sieve: mail was personal, vacation file basename: {name}")
        folder = self.options.vacation_directory or ""
        reply = vacation.reply(
            self.scope,
            reason=reason,
            subject=subject,
            sender=sender or own[0],
            mime=command.mime,
            days=command.days,
            once=f"{folder}/{name}" if folder else "",
            folder=folder,
        )
        self.add(Answer(reply))

    def notify(self, command: Notify) -> None:
        method = notify.parse_method(self.text(command.method))
        if method is None:
            raise SieveError("invalid notification method", command.line)
        headers = self.scope.message.headers
        if any(lower(line.value).lstrip(" \t") not in ("no\n", "no") for line in headers.named("auto-submitted")):
            return  # RFC 5436 section 2.7.1: what machines sent triggers nothing
        own = self.own_addresses()
        reply = notify.notice(
            method,
            sender=self._optional(command.sender) or (own[0] if own else ""),
            importance=command.importance,
            message=self._optional(command.message),
            owner=own[-1] if own else "",
            about=vacation.subject_of(self.scope),
        )
        self.trace(f"notify `{', '.join(method.to)}'")
        self.add(Answer(reply))

    def _optional(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)
