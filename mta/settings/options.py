"""Options as dataclass fields: ``option(kind, default)`` declares one, ``bind`` fills a class from a file's lines.

The floor below expansions and lists cannot compile either, so ``bind`` is given a converter for
each kind (``config`` owns the table). Every fault found is collected, none stops the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, TypeVar

from mta.errors import NOWHERE, ConfigError, Where
from mta.registry import nearest

Kind = Literal[
    "string",  # str | None, as written
    "expanded",  # Expansion | None; empty text is unset
    "expanded_or_empty",  # Expansion | None; empty text is kept apart from unset: message_prefix
    "bool",
    "bool_expanded",  # Expansion (constant "true"/"false" where nothing expands); text is a condition
    "int",  # int; K, M, G
    "kilobytes",  # int, KiB; a number without K, M, G is kilobytes already
    "int_expanded",  # Expansion
    "octal",
    "octal_expanded",  # Expansion
    "fixed",  # float, e.g. load averages
    "time",  # seconds, float
    "time_expanded",  # Expansion
    "time_list",  # tuple[float, ...], seconds
    "domain_list",  # DomainList | None
    "host_list",
    "address_list",
    "local_part_list",
    "string_list",  # tuple[str, ...], split at load
    "string_list_expanded",  # Expansion; the user splits
    "uids",  # tuple[int, ...]
    "gids",
    "user",  # Expansion: a login or a number
    "group",
    "expanded_items",  # tuple[Expansion, ...]: a list split before its items are expanded
    "header_items",  # the same, split at newlines: headers_add
    "rewrite",  # rewriting rules, for headers_rewrite
    "log_selector",  # str as written, the log room reads it
    "acl",  # Expansion: a name of an ACL, a file, or ACL text
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """What ``option`` keeps of one option, in the field's metadata under "option".

    ``joins`` is set for an option that may be given several times: the text put between the values;
    "list" binds a tuple of converted values instead.
    ``hide``: never printed by -bP to a non-admin. ``minus_one`` etc. have no place here: see converters.
    """

    kind: Kind
    joins: str | None = None
    hide: bool = False


def option(kind: Kind, default: Any = None, *, joins: str | None = None, hide: bool = False) -> Any:
    """A dataclass field that a configuration may set. ``default`` is text in the configuration's own syntax
    for kinds that are compiled (``"1h"``, ``"<; a ; b"``), or a value of the field's type for plain ones."""
    info = OptionInfo(kind, joins, hide)
    return field(default=default, metadata={"option": info})


@dataclass(slots=True)
class RawOption:
    """One ``name = value`` of a file. ``value`` None: a bare name (``name``, ``no_name``: the text "false")."""

    name: str
    value: str | None
    where: Where = NOWHERE
    hide: bool = False
    negated: bool = False  # written no_name or not_name


Converter = Callable[[str, Where], Any]


def option_fields(cls: type) -> dict[str, OptionInfo]:
    """The options that a class declares, in order, by the name that a file has for them.

    A name that Python keeps for itself (``from``) is declared with an underscore behind it.
    """
    return {f.name.removesuffix("_"): f.metadata["option"] for f in dataclasses.fields(cls) if "option" in f.metadata}


def option_value(owner: object, name: str) -> Any:
    """The value of an option by the name that a file has for it."""
    return getattr(owner, f"{name}_") if hasattr(owner, f"{name}_") else getattr(owner, name)


def unknown_option(name: str, known: list[str], planned: frozenset[str], where: Where) -> ConfigError:
    """The error for a name that is not declared: planned for later, or misspelt."""
    if name in planned:
        return ConfigError(f'option "{name}" is not implemented in mta yet', where)
    near = nearest(name, known + sorted(planned))
    hint = f' (did you mean "{near}"?)' if near else ""
    return ConfigError(f'option "{name}" unknown{hint}', where)


def bind(
    cls: type[T], raw: list[RawOption], converters: Mapping[str, Converter], errors: list[ConfigError], **given: Any
) -> T:
    """An instance of ``cls`` with the options of ``raw``; names that ``cls`` lacks are the caller's to refuse.

    ``given`` fills fields that are no options. Defaults in text form are converted like values from a file.
    """
    infos = option_fields(cls)
    fields = {f.name.removesuffix("_"): f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = dict(given)
    seen: dict[str, list[RawOption]] = {}
    for line in raw:
        if line.name in infos:
            seen.setdefault(line.name, []).append(line)
    for name, lines in seen.items():
        info = infos[name]
        if len(lines) > 1 and info.joins is None:
            errors.append(ConfigError(f'"{name}" option set for the second time', lines[1].where))
            continue
        try:
            values[fields.get(name, name)] = _convert(info, lines, converters)
        except ConfigError as error:
            message = error.message if name in error.message else f"{name}: {error.message}"
            errors.append(ConfigError(message, error.where if error.where.file else lines[0].where, error))
    for f in dataclasses.fields(cls):  # type: ignore[arg-type]
        declared: OptionInfo | None = f.metadata.get("option")
        if declared is None or f.name in values or f.default is MISSING or not isinstance(f.default, str):
            continue
        if declared.kind not in ("string", "log_selector"):
            values[f.name] = converters[declared.kind](f.default, Where(f"default of {f.name}", 0))
    return cls(**values)


def _convert(info: OptionInfo, lines: list[RawOption], converters: Mapping[str, Converter]) -> Any:
    convert = converters[info.kind]
    texts = [_text_of(info, line) for line in lines]
    if info.joins == "list":
        values = [convert(text, line.where) for text, line in zip(texts, lines, strict=True)]
        if info.kind in ("expanded_items", "header_items"):
            return tuple(item for value in values for item in value)
        return tuple(value for value in values if value is not None)  # empty text counts as unset
    return convert((info.joins or "").join(texts), lines[0].where)


def _text_of(info: OptionInfo, line: RawOption) -> str:
    if line.negated:
        if info.kind not in ("bool", "bool_expanded"):
            raise ConfigError(f'negation prefix applied to a non-boolean option "{line.name}"', line.where)
        return "false"
    if line.value is None:
        if info.kind not in ("bool", "bool_expanded"):
            raise ConfigError(f"unexpected end of line (data missing) after {line.name}", line.where)
        return "true"
    return line.value
