"""Commands of the pipe and lmtp transports and of transport filters (manual section 29.3).

A command is split into arguments first and each argument expanded by itself, so that no expansion can change
how many there are. ``$pipe_addresses`` and ``$address_pipe`` alone are replaced by several arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mta.errors import ExpansionFailed
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}
PIPE_ADDRESSES = ("$pipe_addresses", "${pipe_addresses}")
ADDRESS_PIPE = ("$address_pipe", "${address_pipe}")


class BadCommand(Exception):
    """A command that must not or cannot run; ``failed`` for good, else for now. ``str()`` is for the log."""

    def __init__(self, message: str, *, failed: bool = False) -> None:
        super().__init__(message)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its text, and what it expands to (None: taken as it is)."""

    source: str
    expansion: Expansion | None = None


def split_arguments(text: str) -> list[str]:
    """Words parted by white space; double quotes with backslash escapes, single quotes without any."""
    out: list[str] = []
    position, size = 0, len(text)
    while True:
        while position < size and text[position] in WHITESPACE:
            position += 1
        if position >= size:
            return out
        if text[position] == "'":
            end = text.find("'", position + 1)
            end = size if end < 0 else end
            out.append(text[position + 1 : end])
            position = end + 1
        elif text[position] == '"':
            word, position = _double_quoted(text, position + 1)
            out.append(word)
        else:
            end = position
            while end < size and text[end] not in WHITESPACE:
                end += 1
            out.append(text[position:end])
            position = end


def _double_quoted(text: str, position: int) -> tuple[str, int]:
    out = []
    while position < len(text):
        char = text[position]
        position += 1
        if char == '"':
            break
        if char != "\\" or position >= len(text):
            out.append(char)
            continue
        char = text[position]
        if char in "01234567":
            end = position
            while end < len(text) and end < position + 3 and text[end] in "01234567":
                end += 1
            out.append(chr(int(text[position:end], 8) & 255))
            position = end
        else:
            out.append(_ESCAPES.get(char, char))
            position += 1
    return "".join(out), position


def arguments_of(text: str, scope: Scope, *, expand: bool = True) -> list[Argument]:
    """The arguments of a command, compiled once a process for each text of the configuration."""
    if not expand:
        return [Argument(word) for word in split_arguments(text)]
    known: dict[str, list[Argument]] = scope.services.state.setdefault("transport.commands", {})
    found = known.get(text)
    if found is None:
        found = []
        for word in split_arguments(text):
            special = word in PIPE_ADDRESSES or word in ADDRESS_PIPE
            try:
                found.append(Argument(word, None if special else _compile(word, scope)))
            except ExpansionFailed as error:
                raise BadArgument(word, error.message) from None
        if len(known) < 1000:  # commands of filters are of users' making
            known[text] = found
    return found


def _compile(word: str, scope: Scope) -> Expansion:
    return scope.services.compile_text(word)


class BadArgument(ExpansionFailed):
    """An argument that does not expand."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(message)
        self.source = source


def command_line(
    text: str,
    scope: Scope,
    what: str,
    addresses: list[str],
    *,
    expand: bool = True,
    address_pipe: Callable[[], list[str]] | None = None,
    taint_is_failure: bool = True,
) -> list[str]:
    """The argument vector of a command. ``what`` ends the log's sentences: ``"x transport"``.

    Raises BadCommand: an empty command, an argument that does not expand, an argument that a peer chose.
    """
    try:
        arguments = arguments_of(text, scope, expand=expand)
        out: list[str] = []
        for argument in arguments:
            if argument.expansion is None:
                if expand and argument.source in PIPE_ADDRESSES:
                    out.extend(addresses)
                elif expand and argument.source in ADDRESS_PIPE and address_pipe is not None:
                    out.extend(address_pipe())
                else:
                    out.append(argument.source)
                continue
            value = _expanded(argument, scope)
            if isinstance(value, Tainted):
                raise BadCommand(f"Tainted arg {len(out)} for {what} command: '{value}'", failed=taint_is_failure)
            out.append(value)
    except BadArgument as error:
        raise BadCommand(
            f'Expansion of "{error.source}" from command "{text}" in {what} failed: {error.message}'
        ) from None
    if not out:
        raise BadCommand(f"Empty command for {what}" if text else f"no command specified for {what}")
    if any("\0" in word for word in out):
        raise BadCommand(f"NUL character in command for {what}", failed=True)
    return out


def _expanded(argument: Argument, scope: Scope) -> str:
    assert argument.expansion is not None
    try:
        return expand_with_taint(argument.expansion, scope)
    except ExpansionFailed as error:
        raise BadArgument(argument.source, error.message) from None
