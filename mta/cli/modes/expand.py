"""``-be``: expansions of the arguments, or of the lines of the standard input (manual 5, 11.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TextIO

from mta.errors import Deferred, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE, from_bytes

Ask = Callable[[str], str]  # shows a prompt and gives a line with its end, "" when there is no more


def run(
    scope_factory: Callable[[], Scope], arguments: list[str], stdin: TextIO, stdout: TextIO, ask: Ask | None = None
) -> int:
    """Write each value, or ``Failed:`` and why, on a line of its own; always 0. One scope sees it all through.

    Both streams carry byte text (latin-1 without newline translation). Without arguments lines are prompted for:
    by ``ask`` where it is given, else through the streams.
    """
    scope = scope_factory()
    if arguments:
        for text in arguments:
            stdout.write(expand_once(scope, text) + "\n")
        stdout.flush()
        return 0
    for text in _prompted(ask or _asking(stdin, stdout)):
        stdout.write(expand_once(scope, text) + "\n")
        stdout.flush()
    stdout.write("\n")
    stdout.flush()
    return 0


def expand_once(scope: Scope, text: str) -> str:
    """The value of one text or the line that says why there is none; captures and taint of earlier ones are gone."""
    scope.tainted = False
    scope.captures = []
    try:
        return compile_text(text)(scope)
    except (ExpansionFailed, Deferred) as error:
        return f"Failed: {error.message}"


def editing() -> Ask | None:
    """Lines of the terminal, with readline's editing and history; None where input or output is no terminal."""
    if not (os.isatty(0) and os.isatty(1)):
        return None
    try:
        import readline
    except ImportError:
        return None
    readline.parse_and_bind("set bind-tty-special-chars on")

    def ask(prompt: str) -> str:
        try:
            return to_byte_text(input(prompt)) + "\n"
        except EOFError:
            return ""

    return ask


def to_byte_text(typed: str) -> str:
    """What a terminal gave, as byte text."""
    return from_bytes(os.fsencode(typed))


def _asking(stdin: TextIO, stdout: TextIO) -> Ask:
    def ask(prompt: str) -> str:
        if prompt:
            stdout.write(prompt)
            stdout.flush()
        return stdin.readline()

    return ask


def _prompted(ask: Ask) -> Iterator[str]:
    """Lines without their ends; one that ends with a backslash goes on in the next, without its leading space."""
    while line := ask("> "):
        text = line.rstrip(WHITESPACE)
        while text.endswith("\\"):
            line = ask("")
            text = text[:-1] + line.strip(WHITESPACE)
            if not line:
                break
        yield text
