"""``${extract ...}`` in its four forms and ``${listextract ...}`` (manual 11.5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.base import Closure, items
from mta.expand.json_text import array_items, object_member, unquoted
from mta.expand.listwork import split
from mta.expand.nodes import EMPTY, Branches, Node, forced_fail, isolated, like, value_item
from mta.expand.parser import Parser
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE, lower, strip

Fetch = Callable[[Scope], str | None]
_NUMBER = re.compile(r"-?[0-9]*\Z")
_LARGE = 2**31


@items.register("extract")
def parse(parser: Parser, name: str) -> Node:
    parser.skip_space()
    form = parser.letters()
    if form not in ("", "json", "jsons"):
        parser.pos -= len(form)
    key = parser.argument("arg 1 of extract")
    if form in ("json", "jsons"):
        source = isolated(parser.argument("arg 2 of extract"))
        return value_item(_json(_key(key), source, form), parser.branches(name))
    if key.constant is not None:
        wanted = _usable(key.constant)
        if _is_number(wanted):
            separators = isolated(parser.argument("arg 2 of extract"))
            source = isolated(parser.argument("arg 3 of extract"))
            return value_item(_field(_key(key), separators, source), parser.branches(name))
        source = isolated(parser.argument("arg 2 of extract"))
        return value_item(_named(_key(key), source), parser.branches(name))
    return _undecided(parser, key, name)


def _usable(key: str) -> str:
    bare = strip(key)
    if not bare:
        raise ExpansionFailed('first argument of "extract" must not be empty')
    return bare


def _is_number(key: str) -> bool:
    return _NUMBER.match(key) is not None


def _key(node: Node) -> Callable[[Scope], str]:
    if node.constant is not None:
        ready = _usable(node.constant)
        return lambda _scope: ready
    run = isolated(node)
    return lambda scope: _usable(run(scope))


def _undecided(parser: Parser, key: Node, name: str) -> Node:
    """Whether the key is a number, and with it what the arguments are, shows only when it is expanded."""
    arguments = [parser.argument("arg 2 of extract")]
    while parser.skip_space() == "{" and len(arguments) < 4:
        arguments.append(parser.braced())
    fails = parser.next != "}"
    if fails and parser.letters() != "fail":
        parser.fail(f'syntax error in "{name}" item - "fail" expected')
    if parser.skip_space() != "}":
        parser.branches(name)  # says what is wrong
    parser.pos += 1
    read = _key(key)
    named = _shape(arguments, 1, fails, name)
    numbered = _shape(arguments, 2, fails, name)

    def run(scope: Scope) -> str:
        wanted = read(scope)
        if _is_number(wanted):
            if numbered is None:
                raise ExpansionFailed("missing '{' for arg 3 of extract")
            fetch = _field(lambda _: wanted, isolated(arguments[0]), isolated(arguments[1]))
            return value_item(fetch, numbered).run(scope)
        if named is None:
            raise ExpansionFailed("curly-bracket problem in conditional yes/no parsing: did not close with '}'")
        return value_item(_named(lambda _: wanted, isolated(arguments[0])), named).run(scope)

    return Node(run)


def _shape(arguments: list[Node], taken: int, fails: bool, name: str) -> Branches | None:
    strings = arguments[taken:]
    if len(arguments) < taken or len(strings) + fails > 2 or (fails and not strings):
        return None
    no = forced_fail(name) if fails else strings[1] if len(strings) > 1 else EMPTY
    return Branches(strings[0] if strings else None, no)


def _field(key: Callable[[Scope], str], separators: Closure, source: Closure) -> Fetch:
    def fetch(scope: Scope) -> str | None:
        between = separators(scope)
        text = source(scope)
        number = _int(key(scope))
        if number == 0:
            return text
        for char in between[1:]:
            text = like(text.replace(char, between[0]), text)
        fields = text.split(between[0]) if between else [text]
        if abs(number) > len(fields):
            return None
        return like(fields[number - 1 if number > 0 else number], text)

    return fetch


def _int(text: str) -> int:
    if text in ("-", ""):
        return 0
    return int(text) if len(text) <= 10 else _LARGE


def _named(key: Callable[[Scope], str], source: Callable[[Scope], str]) -> Fetch:
    def fetch(scope: Scope) -> str | None:
        return find_named(source(scope), lower(key(scope)))

    return fetch


def find_named(text: str, wanted: str) -> str | None:
    """The value of a name, lower case, in text like ``name=value name="other value"``; None when it is not there."""
    position = 0
    while True:
        name, value, position = _next_pair(text, position)
        if not name:
            return None
        if lower(name) == wanted:
            return like(value, text)


_PAIR = re.compile(f"[{WHITESPACE}]*([^={WHITESPACE}]*)[{WHITESPACE}]*=?[{WHITESPACE}]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\Z)', re.DOTALL)
_BARE = re.compile(f"[^{WHITESPACE}]*")
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)


def _next_pair(text: str, position: int) -> tuple[str, str, int]:
    """The next ``name=value`` with the offset behind it; the name is "" when there are no more."""
    found = _PAIR.match(text, position)
    assert found is not None
    position = found.end()
    quoted = _QUOTED.match(text, position)
    if quoted:
        return found.group(1), _ESCAPE.sub(_unescaped, quoted.group(1)), quoted.end()
    bare = _BARE.match(text, position)
    assert bare is not None
    return found.group(1), bare.group(), bare.end()


def _unescaped(found: re.Match[str]) -> str:
    octal, hexadecimal, char = found.groups()
    if octal:
        return chr(int(octal, 8) & 0xFF)
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(char, char)


def _json(key: Callable[[Scope], str], source: Callable[[Scope], str], form: str) -> Fetch:
    def fetch(scope: Scope) -> str | None:
        wanted, text = key(scope), source(scope)
        if _is_number(wanted):
            number = _int(wanted)
            if not 0 < number < _LARGE:
                raise ExpansionFailed('first argument of "extract" must be greater than zero')
            fields = array_items(text)
            value = fields[number - 1] if number <= len(fields) else None
        else:
            value = object_member(text, wanted)
        if value is None:
            return None
        return like(unquoted(value) if form == "jsons" else value, text)

    return fetch


@items.register("listextract")
def parse_listextract(parser: Parser, name: str) -> Node:
    index = isolated(parser.argument("arg 1 of listextract"))
    source = isolated(parser.argument("arg 2 of listextract"))

    def fetch(scope: Scope) -> str | None:
        wanted = strip(index(scope))
        if not wanted:
            raise ExpansionFailed(f'first argument of "{name}" must not be empty')
        if not _is_number(wanted):
            raise ExpansionFailed(f'first argument of "{name}" must be numeric')
        number = _int(wanted)
        fields = split(source(scope)).items
        if number == 0 or abs(number) > len(fields):
            return None
        return fields[number - 1 if number > 0 else number]

    return value_item(fetch, parser.branches(name))
