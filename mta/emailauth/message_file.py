"""A message as bytes made into header lines and a body, for checks of files and of what goes out."""

from __future__ import annotations

import re

_LINE = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*")


def header_lines(head: bytes) -> list[str]:
    """The header lines, folds inside them, as byte text with LF line ends; the last may lack its own."""
    text = head.replace(b"\r\n", b"\n")
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return [line.decode("latin-1") for line in _LINE.findall(text) if line != b"\n"]


def parse_message(data: bytes) -> tuple[list[str], bytes]:
    """Header lines and body of a whole message, whose lines end with LF or CRLF."""
    text = data.replace(b"\r\n", b"\n")
    if text.startswith(b"\n"):
        return [], text[1:]
    head, _, body = text.partition(b"\n\n")
    return header_lines(head + b"\n"), body
