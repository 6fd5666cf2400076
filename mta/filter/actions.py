"""What a filter decides: ``Outcome`` with a list of actions, values that somebody else carries out (filter manual 1.2).

``seen`` actions are significant deliveries; after any of them the message does not go on to its normal delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mta.mail.recipient import Reply
from mta.text.ascii import lower

Ending = Literal["", "defer", "fail", "freeze"]
FilterKind = Literal["", "exim", "sieve"]


class FilterError(Exception):
    """The filter cannot be understood or carried on; the text is for its owner and the log."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(slots=True)
class Deliver:
    """Send on to one qualified address. ``errors_to`` None: leave the return path as it is."""

    address: str
    seen: bool = True
    noerror: bool = False
    errors_to: str | None = None


@dataclass(slots=True)
class Save:
    """Append to a file, or put into a folder when the path ends with a slash. ``mode`` 0: the transport's."""

    path: str
    seen: bool = True
    noerror: bool = False
    mode: int = 0


@dataclass(slots=True)
class Pipe:
    """Give the message to a command, which is expanded only when it is run, with what is kept here."""

    command: str
    seen: bool = True
    noerror: bool = False
    captures: list[str] = field(default_factory=list)  # $0 $1 ...
    numbers: list[int] = field(default_factory=list)  # $n0 ... $n9
    this_address: str = ""  # $thisaddress


@dataclass(slots=True)
class Answer:
    """Send a message of its own."""

    reply: Reply
    seen: bool = False
    noerror: bool = False


Action = Deliver | Save | Pipe | Answer


@dataclass(slots=True)
class Outcome:
    """A whole run. ``seen``: the message is dealt with. ``ending`` and ``text``: defer, fail or freeze and why.

    ``notes`` are lines for the log: something that was passed over or went wrong without ending the run.
    """

    actions: list[Action] = field(default_factory=list)
    seen: bool = False
    ending: Ending = ""
    text: str = ""
    numbers: list[int] = field(default_factory=lambda: [0] * 10)
    notes: list[str] = field(default_factory=list)


def kind_of(text: str) -> FilterKind:
    """Which language the first line of redirection data announces; "" for a list of addresses."""
    start = text.lstrip(" \t\n\v\f\r")
    if not start.startswith("#"):
        return ""
    rest = start[1:].lstrip(" \t")
    for word, kind in (("exim", "exim"), ("sieve", "sieve")):
        if lower(rest[: len(word)]) == word and lower(rest[len(word) :].lstrip(" \t")[:6]) == "filter":
            return "exim" if kind == "exim" else "sieve"
    return ""
