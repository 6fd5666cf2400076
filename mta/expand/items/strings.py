"""Items that cut, hash or change one string: hash, nhash, length, substr, tr, listquote, hmac (manual 11.5)."""

from __future__ import annotations

import hmac

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import Node
from mta.expand.numbers import signed
from mta.expand.operators.case import number_hash, substr, text_hash
from mta.expand.parser import Parser
from mta.scope.scope import Scope


def _number(text: str, item: str, *, positive: bool) -> int:
    value = signed(text) if text else 0
    if value is None or (positive and value < 0):
        raise ExpansionFailed(f'"{text}" is not a {"positive " if positive else ""}number (in "{item}" expansion)')
    return value


@items.register("hash", "nhash", "substr", "length")
def parse_cuts(parser: Parser, name: str) -> Node:
    arguments = parser.arguments(name, 2, 2 if name == "length" else 3)
    runs = [argument.run for argument in arguments]

    def run(scope: Scope) -> str:
        before = scope.tainted
        values = [one(scope) for one in runs]
        # only "substr" may start before the string's end
        first = _number(values[0], name, positive=name == "length")
        second = _number(values[1], name, positive=True) if len(values) == 3 else None
        text = values[-1]
        if name == "substr":
            return substr(text, first, second)
        if name == "length":
            return text[:first]
        if name == "hash":
            return text_hash(text, max(first, 0), 26 if second is None else second)
        scope.tainted = before  # a number has nothing of the text
        return number_hash(text, first if first >= 0 else first % 2**64, second)

    return Node(run)


@items.register("tr")
def parse_tr(parser: Parser, name: str) -> Node:
    subject, characters, replacements = (argument.run for argument in parser.arguments(name, 3, 3))

    def run(scope: Scope) -> str:
        text, old, new = subject(scope), characters(scope), replacements(scope)
        if not new:
            return text
        new += new[-1] * (len(old) - len(new))
        return text.translate({ord(char): new[position] for position, char in enumerate(old)})

    return Node(run)


@items.register("listquote")
def parse_listquote(parser: Parser, name: str) -> Node:
    separator, text = (argument.run for argument in parser.arguments(name, 2, 2))

    def run(scope: Scope) -> str:
        char = separator(scope)[:1]
        value = text(scope)
        return (value.replace(char, char * 2) if char else value) or " "

    return Node(run)


@items.register("hmac")
def parse_hmac(parser: Parser, name: str) -> Node:
    kind, secret, text = (argument.run for argument in parser.arguments(name, 3, 3))

    def run(scope: Scope) -> str:
        before = scope.tainted
        algorithm, key, data = kind(scope), secret(scope), text(scope)
        scope.tainted = before  # a digest has nothing of the text
        if algorithm not in ("md5", "sha1"):
            raise ExpansionFailed(f'hmac algorithm "{algorithm}" is not recognised')
        return hmac.new(key.encode("latin-1"), data.encode("latin-1"), algorithm).hexdigest()

    return Node(run)
