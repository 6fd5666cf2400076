"""One converter for each kind of option (``settings.options.Kind``): text of a file to the value that code uses.

Each takes ``(text, where)`` and raises ConfigError without the option's name, which the caller adds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mta.errors import ConfigError, ExpansionFailed, MtaError, Where
from mta.expand.compiler import compile_text
from mta.match.compile import address_list, domain_list, host_list, local_part_list
from mta.scope.expansion import Expansion
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from mta.settings.options import Converter
from mta.system.users import find_group, find_user
from mta.text.ascii import is_digits, lower
from mta.text.lists import split_list
from mta.text.units import parse_size, parse_time

_TRUE = {"true": True, "yes": True, "": True, "false": False, "no": False}
_INT_MAX = 2**31 - 1


def text(value: str, _where: Where) -> str:
    """As written."""
    return value


def boolean(value: str, where: Where) -> bool:
    """true, false, yes or no."""
    found = _TRUE.get(lower(value))
    if found is None:
        raise ConfigError(f'"{value}" is not a valid boolean value', where)
    return found


def integer(value: str, where: Where) -> int:
    """C's notations with K, M or G after them; 32 bits, larger only with a letter."""
    number = parse_size(value)
    if number is None:
        raise ConfigError(f'integer expected, not "{value}"', where)
    if abs(number) > _INT_MAX and is_digits(value[-1:]):
        raise ConfigError(f'absolute value of integer "{value}" is too large (overflow)', where)
    return number


def kilobytes(value: str, where: Where) -> int:
    """KiB; a bare number is kilobytes already, as the values of the check_... options are."""
    number = parse_size(value)
    if number is None:
        raise ConfigError(f'integer expected, not "{value}"', where)
    return number if is_digits(value[-1:]) else (number + 1023) // 1024


def octal(value: str, where: Where) -> int:
    """Octal digits, with or without a zero in front."""
    if not value.isascii() or len(value) > 12 or not value or set(value) - set("01234567"):
        raise ConfigError(f'octal number expected, not "{value}"', where)
    return int(value, 8)


def fixed(value: str, where: Where) -> float:
    """Decimal digits with up to three more after a point."""
    whole, point, part = value.partition(".")
    if not is_digits(whole) or len(whole) > 9 or (point and (not is_digits(part) or len(part) > 3)):
        raise ConfigError(f'fixed-point number expected, not "{value}"', where)
    return float(value)


def interval(value: str, where: Where) -> float:
    """Seconds of a time interval; every number needs its unit."""
    seconds = parse_time(value)
    if seconds is None or is_digits(value[-1:]):
        raise ConfigError(f'invalid time value "{value}"', where)
    return seconds


def intervals(value: str, where: Where) -> tuple[float, ...]:
    """A colon-separated list of time intervals; an empty text or a lone zero is none."""
    found = tuple(interval(item, where) for item in split_list(value) if item)
    if list(found) != sorted(found):
        raise ConfigError(f'time value out of order in "{value}"', where)
    return () if found == (0.0,) else found


def strings(value: str, _where: Where) -> tuple[str, ...]:
    """The items of a list."""
    return tuple(split_list(value))


def expanded(value: str, where: Where) -> Expansion:
    """Compiled text; Exim's words about a fault in it, with its place."""
    try:
        return compile_text(value)
    except ExpansionFailed as error:
        raise ConfigError(error.message, where, error) from None


def expanded_or_none(value: str, where: Where) -> Expansion | None:
    """Compiled text; empty text counts as unset, as it does for Exim's string options."""
    return expanded(value, where) if value else None


def items(value: str, where: Where) -> tuple[Expansion, ...]:
    """A list split as it stands in the file, each item compiled; empty items go."""
    return tuple(expanded(item, where) for item in split_list(value) if item)


def header_items(value: str, where: Where) -> tuple[Expansion, ...]:
    """Header lines: a list whose separator is a newline unless it names another."""
    return tuple(expanded(item, where) for item in split_list(value, "\n") if item)


def checked(parse: Callable[[str], object], what: str) -> Converter:
    """Compiled text, whose value is checked at once where nothing in it expands."""

    def convert(value: str, where: Where) -> Expansion | None:
        found = expanded_or_none(value, where)
        if found is not None and found.constant is not None and parse(found.constant) is None:
            raise ConfigError(f'invalid {what} value "{value}"', where)
        return found

    return convert


def matcher(compile_list: Callable[..., Any]) -> Converter:
    """A list of one of the four kinds; empty text is a list that matches nothing, kept apart from unset."""

    def convert(value: str, where: Where) -> Any:
        try:
            return compile_list(compile_text(value))
        except ConfigError:
            raise
        except MtaError as error:
            at = error if isinstance(error, ExpansionFailed) else None
            raise ConfigError(str(error), where, at) from None

    return convert


def expand_now(value: str, where: Where) -> str:
    """The value of text that Exim expands while it reads the file: no message, no peer."""
    found = expanded(value, where)
    if found.constant is not None:
        return found.constant
    try:
        return found(Scope(Site(MainOptions()), Services()))
    except MtaError as error:
        raise ConfigError(f'failed to expand "{value}": {error}', where) from None


def users(value: str, where: Where) -> tuple[int, ...]:
    """The numbers of a list of logins; ConfigError for one that does not exist."""
    found = []
    for item in split_list(expand_now(value, where)):
        account = find_user(item)
        if account is None and not is_digits(item):
            raise ConfigError(f"user {item} was not found", where)
        found.append(account.uid if account else int(item))
    return tuple(found)


def groups(value: str, where: Where) -> tuple[int, ...]:
    """The numbers of a list of groups."""
    found = []
    for item in split_list(expand_now(value, where)):
        number = find_group(item)
        if number is None:
            raise ConfigError(f"group {item} was not found", where)
        found.append(number)
    return tuple(found)


def user(value: str, where: Where) -> Expansion | None:
    """A login or number; looked up now when it does not expand, so that a misspelt one is no surprise later."""
    found = expanded_or_none(value, where)
    name = found.constant if found is not None else None
    if name and not is_digits(name) and find_user(name) is None:
        raise ConfigError(f"user {name} was not found", where)
    return found


def group(value: str, where: Where) -> Expansion | None:
    """As ``user``, for groups."""
    found = expanded_or_none(value, where)
    name = found.constant if found is not None else None
    if name and find_group(name) is None:
        raise ConfigError(f"group {name} was not found", where)
    return found


def rewrite_rules(value: str, where: Where) -> Any:
    """The rules of headers_rewrite: a list whose items are written like lines of the rewrite section."""
    from mta.route.rewrite import parse_rule

    return tuple(parse_rule(item, where, transport=True) for item in split_list(value) if item)


def log_selector(value: str, where: Where) -> str:
    """Checked by the log room, kept as written."""
    from mta.log.selectors import parse_selectors

    parse_selectors(value, where)
    return value


CONVERTERS: dict[str, Converter] = {
    "string": text,
    "expanded": expanded_or_none,
    "expanded_or_empty": expanded,
    "expanded_items": items,
    "header_items": header_items,
    "bool": boolean,
    "bool_expanded": expanded,
    "int": integer,
    "kilobytes": kilobytes,
    "int_expanded": checked(parse_size, "integer"),
    "octal": octal,
    "octal_expanded": expanded_or_none,
    "fixed": fixed,
    "time": interval,
    "time_expanded": checked(parse_time, "time"),
    "time_list": intervals,
    "domain_list": matcher(domain_list),
    "host_list": matcher(host_list),
    "address_list": matcher(address_list),
    "local_part_list": matcher(local_part_list),
    "string_list": strings,
    "string_list_expanded": expanded_or_none,
    "uids": users,
    "gids": groups,
    "user": user,
    "group": group,
    "rewrite": rewrite_rules,
    "log_selector": log_selector,
    "acl": expanded_or_none,
}
