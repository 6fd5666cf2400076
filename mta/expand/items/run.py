"""``${run{command}{yes}{no}}`` (manual 11.5): no shell; the output goes to ``$value``, the code to ``$runrc``.

The command must not come from a peer; without ``preexpand`` the text is split first and each word expanded alone.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import MAX_RESULT, Node, isolated
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

TIMEOUT = 60 * 60
_NOT_RUN = 127
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)


@items.register("run")
def parse(parser: Parser, name: str) -> Node:
    preexpand = False
    while parser.take(","):
        option = re.compile(r"[^,{}]*").match(parser.text, parser.pos)
        assert option is not None
        parser.pos = option.end()
        if option.group().rstrip(WHITESPACE) != "preexpand" or option.group()[:1] == " ":
            parser.fail(f"bad option '{option.group().rstrip(WHITESPACE)}' for run")
        preexpand = True
    if parser.skip_space() != "{":
        parser.fail("missing '{' for command arg of run")
    if preexpand:
        whole = isolated(parser.braced())
        words: Callable[[Scope], list[str]] = lambda scope: split_command(whole(scope))  # noqa: E731
    else:
        source = parser.source_braced()
        if source is None:
            parser.fail("missing '}' closing command arg of run")
        words = _expanded_words(source)
    branches = parser.branches(name)
    yes, no = branches.yes, branches.no.run

    def run(scope: Scope) -> str:
        if "run" in scope.forbidden:
            raise ExpansionFailed("running a command is not permitted")
        code, output = _run(scope, words(scope))
        scope.vars["runrc"] = str(code)
        kept, scope.value = scope.value, output
        try:
            if code:
                return no(scope)
            return output if yes is None else yes.run(scope)
        finally:
            scope.value = kept

    return Node(run)


def split_command(text: str) -> list[str]:
    """The words of a command line: white space parts them, quotes around a word keep it together.

    A backslash in double quotes is an escape, in single quotes a character. Tainted as ``text`` is.
    """
    out: list[str] = []
    position = 0
    while True:
        position += len(text[position:]) - len(text[position:].lstrip(WHITESPACE))
        if position >= len(text):
            return [Tainted(word) for word in out] if text.__class__ is Tainted else out
        if text[position] == '"':
            word, position = _quoted(text, position)
        elif text[position] == "'":
            end = text.find("'", position + 1)
            end = len(text) if end < 0 else end
            word, position = text[position + 1 : end], end + 1
        else:
            start = position
            while position < len(text) and text[position] not in WHITESPACE:
                position += 1
            word = text[start:position]
        out.append(word)


def _quoted(text: str, start: int) -> tuple[str, int]:
    position = start + 1
    out: list[str] = []
    while position < len(text) and text[position] != '"':
        if text[position] == "\\":
            found = _ESCAPE.match(text, position)
            if found is None:
                position += 1
                continue
            out.append(_unescaped(found))
            position = found.end()
        else:
            out.append(text[position])
            position += 1
    return "".join(out), position + 1


def _unescaped(found: re.Match[str]) -> str:
    octal, hexadecimal, char = found.groups()
    if octal:
        return chr(int(octal, 8) & 0xFF)
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(char, char)


def _expanded_words(source: str) -> Callable[[Scope], list[str]]:
    from mta.expand.compiler import compile_text

    def failure(word: str, error: ExpansionFailed) -> str:
        return f'Expansion of "{word}" from command "{source}" in ${{run}} expansion failed: {error.message}'

    compiled: list[tuple[str, Callable[[Scope], str]]] = []
    broken = ""
    for word in split_command(source):
        try:
            compiled.append((word, isolated(Node(compile_text(word)))))
        except ExpansionFailed as error:
            # Exim finds this when the item is reached, which it may never be
            broken = failure(word, error)
            break

    def words(scope: Scope) -> list[str]:
        if broken:
            raise ExpansionFailed(broken)
        out: list[str] = []
        for word, run in compiled:
            try:
                out.append(run(scope))
            except ExpansionFailed as error:
                raise type(error)(failure(word, error)) from None
        return out

    return words


def _run(scope: Scope, words: list[str]) -> tuple[int, str]:
    """The exit code and the output of a command; 127 when it cannot be run."""
    if not words:
        return _NOT_RUN, ""
    if words[0].__class__ is Tainted:
        scope.services.log_panic(f"Attempt to exec tainted path: '{words[0]}'")
        raise ExpansionFailed("couldn't create child process: Operation not permitted")
    if not words[0].startswith("/"):
        return _NOT_RUN, ""
    try:
        done = subprocess.run(
            [word.encode("latin-1") for word in words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExpansionFailed("command timed out") from None
    except (OSError, ValueError):
        return _NOT_RUN, ""
    code = done.returncode
    if code < 0:
        raise ExpansionFailed(f'command "{words[0]}" was killed by signal {-code}')
    return code, done.stdout[:MAX_RESULT].decode("latin-1")
