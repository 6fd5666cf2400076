"""SMTP replies (RFC 5321 4.2): a code and lines of text, as bytes for the wire.

Texts of ACLs may begin with a code of their own (manual section 44.20) and hold several lines: ``spoken``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

WRAP = 75  # columns, the code among them: Exim breaks longer lines of an ACL's message
NARROW = 36  # the least column that it breaks at
LONGEST = 510  # bytes of a reply line without CRLF (RFC 5321 4.5.3.1.5)
_CODE = re.compile(r"(\d\d\d)[ \t\n](\d\.\d{1,4}\.\d{1,4}[ \t])?")
_CONTROL = {code: " " for code in range(32) if code not in (9, 10)} | {127: " "}


class Reply(NamedTuple):
    """``text`` may hold several lines, with LF between them. ``close``: the connection ends after it.

    ``extended``: an extended code (RFC 3463) with the space behind it, for the front of every line.
    """

    code: int
    text: str
    close: bool = False
    extended: str = ""

    def render(self) -> bytes:
        """The reply's bytes, CRLF at each line's end."""
        return render(self.code, self.text, self.extended)


def render(code: int, text: str, extended: str = "") -> bytes:
    """A reply as bytes. Control characters in ``text`` become spaces: nothing starts a line that is not ours."""
    if not extended and len(text) <= LONGEST - 4 and text.isprintable():
        return f"{code} {text}\r\n".encode("latin-1")
    lines = []
    room = LONGEST - 4 - len(extended)
    for line in text.translate(_CONTROL).split("\n"):
        while len(line) > room:
            cut = line.rfind(" ", 1, room)
            cut = cut if cut > 0 else room
            lines.append(line[:cut])
            line = line[cut:].lstrip(" ")
        lines.append(line)
    last = len(lines) - 1
    extended = extended.translate(_CONTROL)
    out = "".join(f"{code}{' ' if number == last else '-'}{extended}{line}\r\n" for number, line in enumerate(lines))
    return out.encode("latin-1", "replace")


class Spoken(NamedTuple):
    """An ACL's message taken apart. ``complaint``: for the log, "" when all is well."""

    code: int
    extended: str  # with the space behind it
    text: str  # lines as they are sent
    complaint: str

    def reply(self, close: bool = False) -> Reply:
        """The reply that it makes."""
        return Reply(self.code, self.text, close, self.extended)


def spoken(code: int, message: str) -> Spoken:
    """A message of an ACL as a reply of class ``code``, which its own code may refine (``571 5.7.1 no``).

    Codes of another class are taken off and complained of. Long lines are broken, empty ones left out.
    """
    found = _CODE.match(message)
    if found is None:
        return Spoken(code, "", _lines(wrap(message)), "")
    extended, text = found[2] or "", message[found.end() :]
    if found[1][0] != str(code)[0]:
        shown = message.replace("\n", "\\n")
        complaint = f'configured error code starts with incorrect digit (expected {str(code)[0]}) in "{shown}"'
        return Spoken(code, "", _lines(wrap(text)), complaint)
    return Spoken(int(found[1]), extended, _lines(wrap(text, found.end())), "")


def _lines(text: str) -> str:
    """Empty lines and the spaces that begin a line go, as in Exim; but the first line may be empty, and so is a last
    one after two line ends."""
    if "\n" not in text:
        return text
    out = []
    while True:
        line, end, rest = text.partition("\n")
        out.append(line)
        if not end or not rest:
            return "\n".join(out)
        text = rest.lstrip(" \t\n")
        if not text:
            return "\n".join([*out, ""])


def wrap(text: str, taken: int = 0) -> str:
    """Long lines broken the way Exim shows ACL messages to peers; ``taken`` columns of the first line are gone."""
    if len(text) + taken <= WRAP:
        return text
    out = []
    for line in text.split("\n"):
        while len(line) + taken > WRAP:
            cut = _break_at(line, taken)
            if cut < 0:
                break
            out.append(line[:cut])
            line = line[cut:].lstrip(" ")
            taken = 0
        out.append(line)
        taken = 0
    return "\n".join(out)


def _break_at(line: str, taken: int) -> int:
    """The place of the space to break at: behind the last colon within the width, else the last one there, else the
    first one after it; -1 when there is none."""
    least, most = max(NARROW - taken, 1), WRAP - taken + 1
    found = line.rfind(": ", least - 1, most)
    if found >= 0:
        return found + 1
    found = line.rfind(" ", least, most)
    return found if found >= 0 else line.find(" ", most)
