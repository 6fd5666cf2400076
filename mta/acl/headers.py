"""Header lines that ACLs add: split, checked, placed, each once (manual chapter 44, "Adding header lines in ACLs")."""

from __future__ import annotations

import re

from mta.mail.message import Message

POSITIONS = ("at_end", "at_start", "after_received", "at_start_rfc")
_SPLIT = re.compile(r"\n(?![ \t])")
_NAMED = re.compile(r"[!-9;-~]+:")
_PLACE = re.compile(r":(at_end|at_start|after_received|at_start_rfc):")
MAX_ADDED = 1000  # header lines that ACLs may add to one message


def add_headers(message: Message, text: str) -> None:
    """Add the header lines of one ``add_header`` to ``message.added_headers`` as (position, line with its newline).

    A line that is none gets ``X-ACL-Warn:`` in front; a line that is there already is not added again.
    """
    text = text.strip("\n")
    if not text:
        return
    for line in _SPLIT.split(text):
        position = "at_end"
        place = _PLACE.match(line)
        if place:
            position = place.group(1)
            line = line[place.end() :].lstrip(" \t")
        if not _NAMED.match(line):
            line = line if line.startswith(":") else f"X-ACL-Warn: {line}"
        line += "\n"
        if len(message.added_headers) < MAX_ADDED and all(line != other for _, other in message.added_headers):
            message.added_headers.append((position, line))
