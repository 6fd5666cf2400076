"""Header lines out of text, and text made into header lines (RFC 5322 2.2; manual section 48.12 and 57)."""

from __future__ import annotations

import re

from mta.errors import Deferred, ExpansionFailed
from mta.mail.headers import TYPES, Header
from mta.text.ascii import lower
from mta.text.patterns import pattern

# a name of visible characters (other than ASCII, too: verify = header_names_ascii looks for them), white space
# before the colon as old mailers wrote it, and the folded lines after it
_FIELD = re.compile(r"([!-9;-~\x80-\xff]+)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")
_LETTERS = {
    name: letter for name, letter in TYPES.items() if name not in ("return-path", "delivery-date", "envelope-to")
}
_RESENT = {"resent-" + name: letter for name, letter in _LETTERS.items() if name != "received"}


def split_header(text: str) -> tuple[list[Header], int, int]:
    """(header lines, where the header ends, where the body begins) of a message with LF line ends.

    The header ends at an empty line, which is no part of the body, or before the first line that is no field.
    """
    lines: list[Header] = []
    at, size = 0, len(text)
    while at < size:
        found = _FIELD.match(text, at)
        if found is None:
            break
        line = found.group()
        lines.append(Header(line if line.endswith("\n") else line + "\n", _letter(found.group(1))))
        at = found.end()
    body = at + 1 if text.startswith("\n", at) else at
    return lines, at, body


def _letter(name: str) -> str:
    return _LETTERS.get(lower(name), " ")


def resent(lines: list[Header]) -> bool:
    """Whether the message has been resent: one Resent- field is enough (RFC 5322 3.6.6)."""
    return any(line.text[:7].isascii() and lower(line.text[:7]) == "resent-" for line in lines)


def mark_resent(lines: list[Header]) -> None:
    """The letters of a resent message: the Resent- fields have them, the plain ones of sender and id do not."""
    for line in lines:
        name = lower(line.name)
        letter = _RESENT.get(name)
        if letter is not None:
            line.type = letter
        elif name in ("from", "sender", "message-id", "reply-to"):
            line.type = " "


def without_from_line(source: str, text: str) -> str:
    """The header without UUCP ``From `` lines in front that match uucp_from_pattern (manual section 48.4)."""
    while text.startswith(("From ", ">From ")):
        line, mark, rest = text.partition("\n")
        try:
            found = pattern(source).search(line.removeprefix(">"))
        except (Deferred, ExpansionFailed):
            return text
        if found is None or not mark:
            return text
        text = rest
    return text
