"""The tree of a Sieve script: commands and tests with their arguments checked; strings are byte text, UTF-8 by RFC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MatchType = Literal["is", "contains", "matches"]
AddressPart = Literal["all", "localpart", "domain", "user", "detail"]


class SieveError(Exception):
    """A script that cannot be obeyed: what is wrong and the line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"{message} in line {line}")
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Match:
    """How strings are compared."""

    type: MatchType = "is"
    comparator: str = "i;ascii-casemap"


# ---- tests


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    test: Test


@dataclass(frozen=True, slots=True)
class Several:
    """allof, or anyof."""

    all: bool
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Size:
    over: bool
    limit: int


@dataclass(frozen=True, slots=True)
class HeaderTest:
    match: Match
    headers: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddressTest:
    """``envelope``: the names are envelope parts, not header fields."""

    match: Match
    part: AddressPart
    names: tuple[str, ...]
    keys: tuple[str, ...]
    envelope: bool
    line: int


@dataclass(frozen=True, slots=True)
class StringTest:
    match: Match
    sources: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValidNotify:
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotifyCapability:
    match: Match
    method: str
    capability: str
    keys: tuple[str, ...]


Test = Constant | Not | Several | Exists | Size | HeaderTest | AddressTest | StringTest | ValidNotify | NotifyCapability

# ---- commands


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class Keep:
    pass


@dataclass(frozen=True, slots=True)
class Discard:
    pass


@dataclass(frozen=True, slots=True)
class Redirect:
    address: str
    copy: bool
    line: int


@dataclass(frozen=True, slots=True)
class FileInto:
    folder: str
    copy: bool
    line: int


@dataclass(frozen=True, slots=True)
class Vacation:
    reason: str
    line: int
    days: int = 7
    subject: str | None = None
    sender: str | None = None
    addresses: tuple[str, ...] = ()
    mime: bool = False
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Notify:
    method: str
    line: int
    sender: str | None = None
    importance: str = "2"
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Set:
    name: str
    value: str
    modifiers: tuple[str, ...]  # in the order they are applied


@dataclass(frozen=True, slots=True)
class If:
    """Tests and blocks in order; a last one with test None is else."""

    branches: tuple[tuple[Test | None, tuple[Command, ...]], ...]


Command = Stop | Keep | Discard | Redirect | FileInto | Vacation | Notify | Set | If


@dataclass(frozen=True, slots=True)
class Script:
    required: frozenset[str]
    commands: tuple[Command, ...]
