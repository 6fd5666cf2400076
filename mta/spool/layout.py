"""Where the files of a message are, and what each set of them means after a crash.

``Layout`` maps ids to paths. Only ids of the right form become part of a path. ``STATES`` is the
state table that store.py acts on and tests read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple

from mta.mail.ids import is_message_id

HEADER, DATA, JOURNAL = "-H", "-D", "-J"
TEMPORARY = "hdr."  # hdr.ID: a header file being written


class State(NamedTuple):
    """One set of files: what is there, what it means, and what whoever finds it unlocked does."""

    header: bool
    data: bool
    journal: bool
    meaning: str
    action: str


STATES = (
    State(False, False, False, "no such message", "nothing"),
    State(False, True, False, "reception never acknowledged, or removal cut short after the header file", "remove"),
    State(False, True, True, "removal cut short after the header file", "remove"),
    State(False, False, True, "removal cut short after the data file", "remove"),
    State(True, True, False, "a message on the queue", "deliver"),
    State(True, True, True, "a delivery was cut short", "add the journal's addresses, then deliver"),
    State(True, False, False, "damage", "set aside"),
    State(True, False, True, "damage", "set aside"),
)
"""A header file that fails its own length (codec.LENGTH_LINE) was never acknowledged: damage, set aside."""


def state_of(header: bool, data: bool, journal: bool) -> State:
    """The row of STATES for what is there."""
    return next(row for row in STATES if row[:3] == (header, data, journal))


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths under one spool directory. ``split``: new messages go into folders named by the id's sixth character.

    ``queue_name``: messages of a named queue live in a folder of that name (manual section 14, "queue_name").
    """

    root: str
    split: bool = False
    queue_name: str = ""

    @property
    def base(self) -> str:
        return os.path.join(self.root, self.queue_name) if self.queue_name else self.root

    @property
    def input(self) -> str:
        return os.path.join(self.base, "input")

    @property
    def msglog(self) -> str:
        return os.path.join(self.base, "msglog")

    @property
    def corrupt(self) -> str:
        """Where damaged messages are set aside; no part of the queue."""
        return os.path.join(self.base, "corrupt")

    def folder_for(self, message_id: str) -> str:
        """The folder that a new message's files go into."""
        checked(message_id)
        return os.path.join(self.input, message_id[5]) if self.split else self.input

    def folders_of(self, message_id: str) -> tuple[str, str]:
        """Where to look for a message: split and flat, the configured form first."""
        checked(message_id)
        below = os.path.join(self.input, message_id[5])
        return (below, self.input) if self.split else (self.input, below)

    def msglog_path(self, message_id: str) -> str:
        """The per-message log (manual section 53.16)."""
        checked(message_id)
        if self.split:
            return os.path.join(self.msglog, message_id[5], message_id)
        return os.path.join(self.msglog, message_id)

    def input_folders(self) -> list[str]:
        """Every folder that may hold messages: the flat one and the one-character ones, sorted."""
        found = [self.input]
        try:
            with os.scandir(self.input) as entries:
                found += sorted(e.path for e in entries if len(e.name) == 1 and e.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            pass
        return found


def checked(message_id: str) -> str:
    """The id itself; ValueError for text that must not become part of a path."""
    if not is_message_id(message_id):
        raise ValueError(f"malformed message id {message_id!r}")
    return message_id
