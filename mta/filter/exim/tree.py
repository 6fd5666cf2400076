"""The tree of an Exim filter file: commands and conditions, text still unexpanded but compiled at parsing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ConditionKind = Literal[
    "and", "or", "text", "number", "personal", "delivered", "error_message", "first_delivery", "manually_thawed", "any"
]


@dataclass(slots=True)
class Condition:
    """``word``: the test of kinds text and number (begins, contains, ends, is, matches; above, below).

    ``first`` and ``second`` are its texts; ``parts`` what ``and``, ``or`` and foranyaddress ("any") hold;
    ``aliases`` those of personal.
    """

    kind: ConditionKind
    negated: bool = False
    word: str = ""
    caseful: bool = False
    first: str = ""
    second: str = ""
    parts: tuple[Condition, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(slots=True)
class Command:
    """``seen`` None: as the command has it by itself. ``argument`` is the first data value."""

    name: str
    line: int
    seen: bool | None = None
    noerror: bool = False
    argument: str = ""
    second: str | None = (
        None  # errors_to of deliver, the variable of add, the value of headers, "mode" where save has one
    )
    mode: int = 0
    options: dict[str, str] = field(default_factory=dict)  # of mail and vacation
    file_expand: bool = False
    return_message: bool = False
    branches: tuple[Branch, ...] = ()  # of if


@dataclass(slots=True)
class Branch:
    """One ``if`` or ``elif``; condition None is ``else``."""

    condition: Condition | None
    commands: tuple[Command, ...]
