"""Header lines of a message, kept as byte text with LF line ends, each with Exim's type letter.

A header's ``text`` is the whole line with its folds and its final newline, so that what was
received is what is sent on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mta.text.ascii import lower

# Manual chapter 53, "Format of the -H file": the letter in front of a header line.
TYPES = {
    "bcc": "B",
    "cc": "C",
    "from": "F",
    "message-id": "I",
    "received": "P",
    "reply-to": "R",
    "sender": "S",
    "to": "T",
    "return-path": "P",
    "delivery-date": "P",
    "envelope-to": "P",
}
DELETED = "*"
_NAME_ENDS = (":", " ", "\t")


@dataclass(slots=True)
class Header:
    """One header line. ``type`` is a space for an ordinary one, ``*`` for one that was removed or replaced."""

    text: str
    type: str = " "

    @property
    def name(self) -> str:
        """The field name as written, without the colon and white space before it."""
        return self.text.partition(":")[0].rstrip(" \t")

    @property
    def value(self) -> str:
        """Everything after the colon, folds and final newline included."""
        return self.text.partition(":")[2]


def header_type(name: str) -> str:
    """The type letter for a field name (Return-path, Delivery-date and Envelope-to are ordinary in the spool)."""
    key = lower(name)
    if key in ("return-path", "delivery-date", "envelope-to"):
        return " "
    return TYPES.get(key, " ")


@dataclass(slots=True)
class Headers:
    """The header lines of a message in their order, deleted ones still there."""

    lines: list[Header] = field(default_factory=list)

    def __iter__(self) -> Iterator[Header]:
        """The lines that are not deleted."""
        return (line for line in self.lines if line.type != DELETED)

    def named(self, name: str) -> list[Header]:
        """Lines with this field name, case ignored, in order."""
        key, size = lower(name), len(name)
        found = []
        for line in self.lines:
            text = line.text
            # the character behind the name first: it rules most lines out
            if (
                text[size : size + 1] in _NAME_ENDS
                and lower(text[:size]) == key
                and line.type != DELETED
                and (text[size] == ":" or len(line.name) == size)
            ):
                found.append(line)
        return found

    def add(self, text: str, *, top: bool = False) -> None:
        """Append (or put on top) one line; a missing final newline is supplied."""
        if not text.endswith("\n"):
            text += "\n"
        line = Header(text, header_type(text.partition(":")[0].rstrip(" \t")))
        if top:
            self.lines.insert(0, line)
        else:
            self.lines.append(line)

    def remove(self, name: str) -> int:
        """Mark every line of this name deleted; says how many."""
        found = self.named(name)
        for line in found:
            line.type = DELETED
        return len(found)

    def extend(self, lines: Iterable[Header]) -> None:
        self.lines.extend(lines)

    def text(self) -> str:
        """All lines that are not deleted, as one text."""
        return "".join(line.text for line in self)
