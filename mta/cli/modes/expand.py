"""``-be``: expansions of the arguments, or of the lines of the standard input (manual 5, 11.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TextIO

from mta.errors import Deferred, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE


def run(scope_factory: Callable[[], Scope], arguments: list[str], stdin: TextIO, stdout: TextIO) -> int:
    """Write each value, or ``Failed:`` and why, on a line of its own; always 0. One scope sees it all through.

    Both streams carry byte text (latin-1 without newline translation). Without arguments lines are prompted for.
    """
    scope = scope_factory()
    if arguments:
        for text in arguments:
            stdout.write(expand_once(scope, text) + "\n")
        stdout.flush()
        return 0
    for text in _prompted(stdin, stdout):
        stdout.write(expand_once(scope, text) + "\n")
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


def _prompted(stdin: TextIO, stdout: TextIO) -> Iterator[str]:
    """Lines without their ends; one that ends with a backslash goes on in the next, without its leading space."""
    while True:
        stdout.write("> ")
        stdout.flush()
        line = stdin.readline()
        if not line:
            return
        text = line.rstrip(WHITESPACE)
        while text.endswith("\\"):
            line = stdin.readline()
            text = text[:-1] + line.strip(WHITESPACE)
            if not line:
                break
        yield text
