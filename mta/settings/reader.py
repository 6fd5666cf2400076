"""Reads a configuration file into a RawConfig: ``read(path, macros, builtin)``.

Every fault is kept in ``RawConfig.errors`` with its place; what could be understood is there all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mta.errors import ConfigError, Where
from mta.registry import nearest
from mta.settings.lines import Line, LineReader
from mta.settings.macros import Builtin, Macros, looks_like_definition
from mta.settings.options import RawOption
from mta.settings.quoted import unquote
from mta.settings.sections import LIST_WORDS, SECTIONS, RawConfig, RawDriver, RawLine, RawList
from mta.text.ascii import WHITESPACE

_OPTION = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[ \t\v\f\r]*(.*)\Z", re.ASCII | re.DOTALL)
_LIST = re.compile(
    r"(domainlist|hostlist|addresslist|localpartlist)(_cache)?(?![A-Za-z0-9_])(.*)\Z", re.ASCII | re.DOTALL
)
_LIST_NAME = re.compile(r"[ \t\v\f\r]*([A-Za-z0-9_]+)[ \t\v\f\r]*(=?)(.*)\Z", re.ASCII | re.DOTALL)
_INSTANCE = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[ \t\v\f\r]*:(.*)\Z", re.ASCII | re.DOTALL)
_BEGIN = re.compile(r"begin[ \t\v\f\r]+(.*)\Z", re.ASCII | re.DOTALL)
_HIDE = re.compile(r"hide[ \t\v\f\r]+", re.ASCII)


def no_builtins(_name: str) -> str | None:
    """The built-in macros of a reader that has none."""
    return None


def read(path: str, macros: Mapping[str, str] | None = None, builtin: Builtin = no_builtins) -> RawConfig:
    """The contents of a file and all that it includes; ``macros`` are those of ``-D``, which override the file's."""
    given = dict(macros or {})
    reader = LineReader(Macros(given, frozenset(given), builtin))
    return _Sorter(reader, RawConfig(path)).run(reader.logical_lines(path))


def parse_option(text: str, where: Where) -> RawOption:
    """One ``[hide] [no_]name [= value]``; ConfigError when it is none."""
    hide = _HIDE.match(text)
    if hide:
        text = text[hide.end() :]
    found = _OPTION.match(text)
    if found is None:
        raise ConfigError(f"option setting expected: {text}", where)
    name, rest = found.groups()
    negated = False
    for prefix in ("no_", "not_"):
        if name.startswith(prefix):
            name, negated = name[len(prefix) :], True
            break
    option = RawOption(name, None, where, bool(hide), negated)
    if not rest:
        return option
    if not rest.startswith("="):
        raise ConfigError(f'missing "=" after {name}', where)
    if negated:
        raise ConfigError(f'"{name}" has both a negation prefix and a value', where)
    option.value = unquote(rest[1:].lstrip(WHITESPACE), name, where)
    return option


def parse_list(text: str, where: Where) -> RawList | None:
    """One ``[hide] domainlist[_cache] NAME = text``, or None when the line is something else."""
    hide = _HIDE.match(text)
    found = _LIST.match(text[hide.end() :] if hide else text)
    if found is None:
        return None
    word, cached, rest = found.groups()
    named = _LIST_NAME.match(rest)
    if named is None:
        raise ConfigError(f"a name is missing after {word}", where)
    name, equals, value = named.groups()
    if not equals:
        raise ConfigError(f"missing '=' after \"{name}\"", where)
    return RawList(
        LIST_WORDS[word], name, unquote(value.lstrip(WHITESPACE), name, where), where, bool(hide), bool(cached)
    )


@dataclass(slots=True)
class _Sorter:
    """Puts each logical line where it belongs; one method a section."""

    reader: LineReader
    raw: RawConfig
    take: Callable[[Line], None] = field(init=False)
    drivers: list[RawDriver] = field(default_factory=list)
    kind: str = ""
    names: set[str] = field(default_factory=set)
    list_names: set[tuple[str, str]] = field(default_factory=set)

    def run(self, lines: Iterable[Line]) -> RawConfig:
        self.take = self.main
        for line in lines:
            self.raw.lines.append(RawLine(line.text, line.where))
            try:
                found = _BEGIN.match(line.text)
                if found:
                    self.begin(found.group(1), line.where)
                else:
                    self.take(line)
            except ConfigError as error:
                self.reader.fault(error.message, error.where)
        self.raw.macros = self.reader.macros.values
        self.raw.errors = self.reader.errors
        return self.raw

    def begin(self, name: str, where: Where) -> None:
        """A new section; the lines of an unknown one are skipped."""
        self.take = self.skip
        if name not in SECTIONS:
            near = nearest(name, list(SECTIONS))
            hint = f' (did you mean "{near}"?)' if near else ""
            raise ConfigError(f'"{name}" is not a known configuration section name{hint}', where)
        if name in self.raw.sections:
            raise ConfigError(f'"{name}" section is repeated in the configuration file', where)
        self.raw.sections[name] = where
        if name in ("routers", "transports", "authenticators"):
            self.drivers, self.kind, self.names = getattr(self.raw, name), name[:-1], set()
            self.take = self.driver
        elif name == "local_scan":
            self.take = self.local_scan
        else:
            section: list[RawLine] = getattr(self.raw, name)
            keep = self.acl if name == "acl" else self.rule
            self.take = lambda line: keep(section, line)

    def skip(self, line: Line) -> None:
        """Lines of a section that is not known."""

    def skip_to_name(self, line: Line) -> None:
        """Options without an instance are one fault, not one a line."""
        if _INSTANCE.match(line.text):
            self.take = self.driver
            self.driver(line)

    def main(self, line: Line) -> None:
        text, where = line.text, line.where
        if "A" <= text[0] <= "Z":
            self.reader.macros.define(text, where)
            return
        found = parse_list(text, where)
        if found is None:
            self.raw.main.append(parse_option(text, where))
            return
        key = (found.kind, found.name)
        if key in self.list_names:
            kind = found.kind.replace("_", " ")
            raise ConfigError(f'duplicate name "{found.name}" for a named {kind} list', where)
        self.list_names.add(key)
        self.raw.lists.append(found)

    def acl(self, section: list[RawLine], line: Line) -> None:
        if looks_like_definition(line.text):
            self.reader.macros.define(line.text, line.where)
        else:
            section.append(RawLine(line.text, line.where))

    def rule(self, section: list[RawLine], line: Line) -> None:
        section.append(RawLine(line.text, line.where))

    def local_scan(self, line: Line) -> None:
        self.raw.local_scan.append(parse_option(line.text, line.where))

    def driver(self, line: Line) -> None:
        text, where = line.text, line.where
        if looks_like_definition(text):
            self.reader.macros.define(text, where)
            return
        found = _INSTANCE.match(text)
        if found:
            name, rest = found.groups()
            if rest.strip(WHITESPACE):
                raise ConfigError(f"extra characters follow driver name {name}", where)
            self.drivers.append(RawDriver(name, where))
            if name in self.names:
                raise ConfigError(f'there are two {self.kind}s called "{name}"', where)
            self.names.add(name)
            return
        if not self.drivers:
            self.take = self.skip_to_name
            raise ConfigError(f"{self.kind} name missing", where)
        self.drivers[-1].options.append(parse_option(text, where))
