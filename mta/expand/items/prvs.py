"""``${prvs...}`` and ``${prvscheck...}``: bounce address tag validation (manual 11.5, 44.53)."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import Node, insert, isolated, like
from mta.expand.parser import Parser
from mta.mail.address import domain_of, local_part_of
from mta.scope.scope import Scope
from mta.text.ascii import lower

_DAY = 24 * 60 * 60
_VALID_DAYS = 7
_SIGNED = re.compile(r"prvs=([0-9])([0-9]{3})([A-Fa-f0-9]{6})=(.+)@(.+)\Z", re.DOTALL | re.IGNORECASE)


def _today() -> int:
    return int(time.time()) // _DAY


def _digest(address: str, secret: str, number: str, day: str) -> str:
    text = f"{number}{day}{address}".encode("latin-1")
    return hmac.new(secret.encode("latin-1"), text, hashlib.sha1).hexdigest()[:6]


@items.register("prvs")
def parse_prvs(parser: Parser, name: str) -> Node:
    address, secret, *rest = (isolated(argument) for argument in parser.arguments(name, 2, 3))

    def run(scope: Scope) -> str:
        text, key = address(scope), secret(scope)
        local, domain = local_part_of(text), domain_of(text)
        if not domain or not local:
            raise ExpansionFailed("prvs first argument must be a qualified email address")
        number = rest[0](scope) if rest else "0"
        if number == "":
            number = "0"
        if len(number) != 1 or number not in "0123456789":
            raise ExpansionFailed("prvs third argument must be a single digit")
        day = f"{(_today() + _VALID_DAYS) % 1000:03d}"
        return insert(scope, like(f"prvs={number}{day}{_digest(text, key, number, day)}={local}@{domain}", text))

    return Node(run)


@items.register("prvscheck")
def parse_prvscheck(parser: Parser, name: str) -> Node:
    if parser.skip_space() != "{":
        parser.fail("Not enough arguments for 'prvscheck' (min is 1)")
    address = isolated(parser.braced())
    if parser.skip_space() != "{":
        parser.fail("Not enough arguments for 'prvscheck' (min is 1)")
    secret = isolated(parser.braced())
    answer = isolated(parser.braced()) if parser.skip_space() == "{" else None
    if parser.skip_space() == "{":
        parser.fail("Too many arguments for 'prvscheck' (max is 2)")
    if not parser.take("}"):
        parser.fail("missing '}' after 'prvscheck'")

    def run(scope: Scope) -> str:
        text = address(scope)
        found = _SIGNED.match(text)
        if found is None:
            return ""
        number, day, digest, local, domain = (like(group, text) for group in found.groups())
        plain = like(f"{local}@{domain}", text)
        scope.vars["prvscheck_address"], scope.vars["prvscheck_keynum"] = plain, number
        scope.vars["prvscheck_result"] = ""
        try:
            key = secret(scope)
            good = hmac.compare_digest(_digest(plain, key, number, day), lower(digest))
            if good and _in_time(int(day)):
                scope.vars["prvscheck_result"] = "1"
            value = answer(scope) if answer else ""
            return insert(scope, value or plain)
        finally:
            # only the result outlives the item
            scope.vars["prvscheck_address"] = scope.vars["prvscheck_keynum"] = ""

    return Node(run)


def _in_time(day: int) -> bool:
    """Whether the day that a tag gives as its last, modulo 1000, is still to come, and not too far away."""
    return (day - _today()) % 1000 <= _VALID_DAYS
