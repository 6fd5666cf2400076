"""SMTP replies (RFC 5321 4.2): a code and lines of text, as bytes for the wire.

Texts of ACLs may begin with a code of their own (manual section 44.20) and hold several lines.
"""

from __future__ import annotations

import re
from typing import NamedTuple

WRAP = 75  # Exim breaks longer lines behind ": "
LONGEST = 510  # bytes of a reply line without CRLF (RFC 5321 4.5.3.1.5)
_CODE = re.compile(r"(\d\d\d)(?:[ \t]+(?:(\d)\.\d{1,3}\.\d{1,3}[ \t]+)?|\Z)")
_CONTROL = {code: " " for code in range(32) if code != 10} | {127: " "}


class Reply(NamedTuple):
    """``text`` may hold several lines, with LF between them. ``close``: the connection ends after it."""

    code: int
    text: str
    close: bool = False

    def render(self) -> bytes:
        """The reply's bytes, CRLF at each line's end."""
        return render(self.code, self.text)


def render(code: int, text: str) -> bytes:
    """A reply as bytes. Control characters in ``text`` become spaces: nothing starts a line that is not ours."""
    if len(text) <= LONGEST - 4 and text.isprintable():
        return f"{code} {text}\r\n".encode("latin-1")
    lines = []
    for line in text.translate(_CONTROL).split("\n"):
        while len(line) > LONGEST - 4:
            cut = line.rfind(" ", 1, LONGEST - 4)
            cut = cut if cut > 0 else LONGEST - 4
            lines.append(line[:cut])
            line = line[cut:].lstrip(" ")
        lines.append(line)
    last = len(lines) - 1
    out = "".join(f"{code}{' ' if number == last else '-'}{line}\r\n" for number, line in enumerate(lines))
    return out.encode("latin-1", "replace")


def override_code(code: int, text: str) -> tuple[int, str, str]:
    """A reply's code and text where the text itself may begin with a code (``571 5.7.1 no``).

    Returns (code, text, complaint): a code of another class than ``code`` is taken off and complained of, for the
    log; an extended code of another class is no extended code.
    """
    match = _CODE.match(text)
    if match is None:
        return code, text, ""
    wanted, chosen = str(code)[0], match[1]
    if chosen[0] != wanted:
        complaint = f'configured error code starts with incorrect digit (expected {wanted}) in "{text}"'
        return code, text[match.end() if match[2] is None else match.end(1) + 1 :], complaint
    return int(chosen), text[3:].lstrip(" \t"), ""


def wrap(text: str) -> str:
    """Long lines broken behind ``: `` the way Exim shows ACL messages to peers."""
    if len(text) <= WRAP:
        return text
    out = []
    for line in text.split("\n"):
        while len(line) > WRAP:
            cut = _break_at(line)
            if cut < 0:
                break
            out.append(line[:cut])
            line = line[cut + 1 :]
        out.append(line)
    return "\n".join(out)


def _break_at(line: str) -> int:
    """The place of the space to break at: the last ``: `` within the width, else the first one after it."""
    found = line.rfind(": ", 0, WRAP + 1)
    if found < 0:
        found = line.find(": ", WRAP)
    return found + 1 if found >= 0 and found + 2 < len(line) else -1
