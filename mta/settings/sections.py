"""What a configuration file holds once its lines are sorted: options, named lists, driver instances, rules.

Values are text as the file has them, macros replaced and quotes resolved; nothing is compiled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mta.errors import ConfigError, Where
from mta.settings.options import RawOption

ListKind = Literal["domain", "host", "address", "local_part"]

LIST_WORDS: dict[str, ListKind] = {
    "domainlist": "domain",
    "hostlist": "host",
    "addresslist": "address",
    "localpartlist": "local_part",
}
SECTIONS = ("acl", "authenticators", "local_scan", "retry", "rewrite", "routers", "transports")


@dataclass(slots=True)
class RawList:
    """One ``domainlist NAME = text``; ``cached`` for the ``_cache`` form."""

    kind: ListKind
    name: str
    text: str
    where: Where
    hide: bool = False
    cached: bool = False


@dataclass(slots=True)
class RawDriver:
    """One router, transport or authenticator: its options in the order of the file."""

    name: str
    where: Where
    options: list[RawOption] = field(default_factory=list)

    def driver(self) -> RawOption | None:
        """The ``driver`` setting."""
        return next((option for option in self.options if option.name == "driver"), None)


@dataclass(slots=True)
class RawLine:
    """One logical line of a section that has a syntax of its own."""

    text: str
    where: Where


@dataclass(slots=True)
class RawConfig:
    """A whole configuration. ``lines`` keeps every live logical line for ``-bP config``, the place of each with it."""

    file: str
    main: list[RawOption] = field(default_factory=list)
    lists: list[RawList] = field(default_factory=list)
    acl: list[RawLine] = field(default_factory=list)
    routers: list[RawDriver] = field(default_factory=list)
    transports: list[RawDriver] = field(default_factory=list)
    authenticators: list[RawDriver] = field(default_factory=list)
    retry: list[RawLine] = field(default_factory=list)
    rewrite: list[RawLine] = field(default_factory=list)
    local_scan: list[RawOption] = field(default_factory=list)
    sections: dict[str, Where] = field(default_factory=dict)
    macros: dict[str, str] = field(default_factory=dict)
    lines: list[RawLine] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)
