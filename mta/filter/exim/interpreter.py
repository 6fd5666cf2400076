"""Runs a parsed Exim filter: ``interpret(commands, scope, world) -> Outcome`` or FilterError.

The scope's captures, ``$n0`` and ``$thisaddress`` change while it runs. Only ``World`` and, in system filters, the
header lines of the message are ever written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from mta.errors import Deferred, ExpansionFailed
from mta.expand.compiler import compile_cached
from mta.filter.actions import Deliver, Ending, FilterError, Outcome, Pipe, Save
from mta.filter.exim.answer import answer, show_answer, tainted_file
from mta.filter.exim.tree import Command
from mta.filter.exim.truth import holds
from mta.filter.exim.world import World
from mta.mail.address import Address, parse_address
from mta.scope.expansion import expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import lower, strip
from mta.text.quoting import printing
from mta.text.units import parse_time

MAX_ACTIONS = 5000
MAX_EXPANDED = 1 << 20


class _Stop(Exception):
    """The end of the filter before the end of the file."""


def interpret(commands: Sequence[Command], scope: Scope, world: World) -> Outcome:
    """Run the commands. ``$n0`` and on start at 0; the scope's variables are left as they ended."""
    for number in range(10):
        scope.vars[f"n{number}"] = "0"
        scope.vars.setdefault(f"sn{number}", "0")
    scope.vars["thisaddress"] = ""
    scope.vars.pop("headers_charset", None)
    scope.captures = []
    run = Run(scope, world)
    try:
        run.commands(commands, 0)
    except _Stop:
        pass
    finally:
        scope.vars.pop("headers_charset", None)
    run.outcome.seen = run.significant
    run.outcome.numbers = run.numbers
    return run.outcome


@dataclass(slots=True)
class Run:
    """One run. ``significant``: something that counts as delivery has been set up."""

    scope: Scope
    world: World
    outcome: Outcome = field(default_factory=Outcome)
    significant: bool = False
    depth: int = 0
    log: tuple[str, int] | None = None  # path and mode of logfile
    numbers: list[int] = field(default_factory=lambda: [0] * 10)

    # -- what conditions and commands use

    def expand(self, text: str, where: str) -> str:
        """A text's value, Tainted where a peer wrote it; FilterError naming where it stands."""
        try:
            value = expand_with_taint(compile_cached(self.scope, text), self.scope)
        except (ExpansionFailed, Deferred) as error:
            raise FilterError(f'failed to expand "{text}" in {where}: {error.message}') from None
        if len(value) > MAX_EXPANDED:
            raise FilterError(f'"{text[:80]}" in {where} expands to too much')
        return value

    def argument(self, command: Command, text: str | None = None) -> str:
        return self.expand(command.argument if text is None else text, f"{command.name} command")

    def trace(self, line: str) -> None:
        if self.world.trace is not None:
            indent = " " * (1 + 2 * self.depth)
            self.world.trace("\n".join(indent + one for one in line.split("\n")))

    def show(self, line: str) -> None:
        if self.world.show is not None:
            self.world.show(line)

    # -- commands

    def commands(self, commands: Sequence[Command], depth: int) -> None:
        for command in commands:
            self.depth = depth
            act = _ACTS[command.name]
            act(self, command)

    def add_action(self, action: object) -> None:
        if len(self.outcome.actions) >= MAX_ACTIONS:
            raise FilterError("too many deliveries")
        self.outcome.actions.append(action)  # type: ignore[arg-type]


def _prefixes(command: Command, name: str) -> str:
    """``Unseen deliver`` and kin, for tests."""
    return f"Unseen {name.lower()}" if command.seen is False else name


def _noerror(command: Command) -> str:
    return " (noerror)" if command.noerror else ""


def _delivery(run: Run, command: Command) -> bool:
    """Whether a delivery command is significant; it is, unless told otherwise."""
    seen = command.seen is not False
    run.significant = run.significant or seen
    return seen


def _by_order(run: Run, command: Command) -> bool:
    """Of a command that is significant only where ``seen`` says so."""
    if command.seen:
        run.significant = True
    return bool(command.seen)


def _deliver(run: Run, command: Command) -> None:
    text = run.argument(command)
    address = _qualified(run, text)
    errors_to: str | None = None
    if command.second is not None:
        errors_to = _errors_to(run, command, run.argument(command, command.second))
    if run.world.testing:
        to = f" errors_to {errors_to}" if errors_to is not None else ""
        run.show(f"{_prefixes(command, 'Deliver')} message to: {address}{_noerror(command)}{to}")
    run.add_action(Deliver(address, _delivery(run, command), command.noerror, errors_to))


def _qualified(run: Run, text: str) -> str:
    parsed = parse_address(strip(text), allow_domain_literals=True)
    if not isinstance(parsed, Address):
        raise FilterError(f'malformed address "{text}" in filter file: {parsed.message}')
    if parsed.domain:
        return f"{parsed.local_part}@{parsed.domain}"
    if run.world.qualify is not None:
        return run.world.qualify(parsed.local_part)
    return f"{parsed.local_part}@{run.scope.site.options.qualify_recipient}"


def _errors_to(run: Run, command: Command, text: str) -> str:
    """Anybody in a system filter; otherwise the very user, in any of its forms."""
    if run.world.system:
        parsed = parse_address(strip(text), allow_domain_literals=True)
        if not isinstance(parsed, Address):
            raise FilterError(f'malformed address "{text}" in filter file: {parsed.message}')
        if not parsed.domain:
            return f"{parsed.local_part}@{run.scope.site.options.qualify_recipient}"
        return f"{parsed.local_part}@{parsed.domain}"
    recipient = run.scope.recipient
    own = f"{recipient.local_part}@{recipient.domain}" if recipient is not None else ""
    if not own or lower(strip(text)) != lower(own):
        raise FilterError("errors_to must point to the caller's address")
    return strip(text)


def _save(run: Run, command: Command) -> None:
    path = run.argument(command)
    home = run.scope.recipient.home if run.scope.recipient is not None else ""
    if not path.startswith("/") and home and run.world.prepend_home and not run.world.testing:
        path = path.__class__(f"{home}/{path}")
    if run.world.testing:
        mode = f" {command.mode:04o}" if command.mode or command.second else ""
        run.show(f"{_prefixes(command, 'Save')} message to: {path}{mode}{_noerror(command)}")
    run.add_action(Save(path, _delivery(run, command), command.noerror, command.mode))


def _pipe(run: Run, command: Command) -> None:
    if run.world.testing:
        run.show(f"{_prefixes(command, 'Pipe')} message to: {command.argument}{_noerror(command)}")
    run.add_action(
        Pipe(
            command.argument,
            _delivery(run, command),
            command.noerror,
            list(run.scope.captures),
            list(run.numbers),
            run.scope.vars.get("thisaddress", ""),
        )
    )


def _mail(run: Run, command: Command) -> None:
    if not run.scope.vars.get("return_path", run.scope.message.sender):
        run.show(f"{command.name} command ignored because return_path is empty")
        return
    seen = _by_order(run, command)
    made = answer(command, lambda text: run.argument(command, text), run.scope)
    made.seen = seen
    named = "" if run.world.testing else tainted_file(made)
    if named:
        raise FilterError(f"Tainted '{named}' (file for {command.name} command) not permitted")
    repeat = command.options.get("once_repeat")
    if repeat and not run.world.testing and parse_time(repeat) is None:
        raise FilterError(f'Bad time value for "once_repeat" in mail or vacation command: {repeat}')
    if run.world.testing:
        for line in show_answer(command, made, "  " * run.depth):
            run.show(line)
    run.add_action(made)


def _add(run: Run, command: Command) -> None:
    amount, name = run.argument(command), run.argument(command, command.second)
    digits = strip(amount)
    sign, digits = (-1, digits[1:]) if digits[:1] == "-" else (1, digits.removeprefix("+"))
    if len(name) != 2 or name[0] != "n" or name[1] not in "0123456789":
        raise FilterError(f'unknown variable "{name}" in "add" command')
    if not digits or digits.strip("0123456789") or len(digits) > 18:
        raise FilterError(f'malformed number "{amount}" in "add" command')
    value = _int32(sign * int(digits))
    run.show(f"Add {value} to {name}")
    place = int(name[1])
    run.numbers[place] = _int32(run.numbers[place] + value)
    run.scope.vars[name] = str(run.numbers[place])


def _int32(value: int) -> int:
    """Exim's counters have 32 bits and wrap."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def _logfile(run: Run, command: Command) -> None:
    path = run.argument(command)
    _by_order(run, command)
    if run.world.testing:
        run.show(f"{'Seen logfile' if command.seen else 'Logfile'} {path}")
        return
    run.log = (path, command.mode or 0o600)


def _logwrite(run: Run, command: Command) -> None:
    text = command.argument if command.argument.endswith("\n") else command.argument + "\n"
    value = run.argument(command, text)
    _by_order(run, command)
    if run.world.testing:
        run.show(f'{"Seen logwrite" if command.seen else "Logwrite"} "{printing(value)}"')
        return
    if run.world.log_forbidden:
        raise FilterError("logwrite command forbidden")
    if run.log is None:
        return
    if run.world.write_log is None:
        run.outcome.notes.append("logwrite is not available here")
        return
    wrong = run.world.write_log(run.log[0], run.log[1], value)
    if wrong:
        run.outcome.notes.append(f"filter log file problem: {wrong}")


def _testprint(run: Run, command: Command) -> None:
    _by_order(run, command)
    if run.world.testing:
        run.show(f"Testprint: {printing(run.argument(command))}")


def _finish(run: Run, command: Command) -> None:
    _by_order(run, command)
    run.show("Seen finish" if command.seen else "Finish")
    raise _Stop


def _headers(run: Run, command: Command) -> None:
    value = run.argument(command, command.second)
    run.show(f'Headers {command.argument} "{printing(value)}"')
    headers = run.scope.message.headers
    if command.argument == "charset":
        run.scope.vars["headers_charset"] = value
    elif command.argument == "add":
        for line in split_header_lines(value):
            headers.add(line)
    else:
        for name in value.split(":"):
            if strip(name):
                headers.remove(strip(name))


def split_header_lines(text: str) -> list[str]:
    """Each header line of a text with its continuations, without the newline at its end."""
    out: list[str] = []
    for line in text.lstrip(" \t\n\v\f\r").split("\n"):
        if line[:1] in (" ", "\t") and out:
            out[-1] += "\n" + line
        elif strip(line):
            out.append(line)
    return out


def _ending(run: Run, command: Command) -> None:
    text = run.argument(command) if command.argument else ""
    run.show(f'{command.name.capitalize()} text "{printing(text)}"')
    if command.name == "freeze" and run.scope.message.manual_thaw:
        raise _Stop
    run.outcome.ending = cast(Ending, command.name)
    run.outcome.text = text
    raise _Stop


def _if(run: Run, command: Command) -> None:
    depth = run.depth
    kept = run.scope.vars.get("thisaddress", "")
    for number, branch in enumerate(command.branches):
        run.depth = depth + number
        if branch.condition is None or holds(branch.condition, run):
            run.commands(branch.commands, depth + number + 1)
            break
    run.depth = depth
    run.scope.vars["thisaddress"] = kept


_ACTS: dict[str, Callable[[Run, Command], None]] = {
    "add": _add,
    "defer": _ending,
    "deliver": _deliver,
    "fail": _ending,
    "finish": _finish,
    "freeze": _ending,
    "headers": _headers,
    "if": _if,
    "logfile": _logfile,
    "logwrite": _logwrite,
    "mail": _mail,
    "pipe": _pipe,
    "save": _save,
    "testprint": _testprint,
    "vacation": _mail,
}
