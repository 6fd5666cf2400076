"""The content of a MIME part decoded: ``decoded(read, start, end, encoding)`` gives blocks; ``Anomaly`` what was odd.

base64 and quoted-printable; every other encoding is as it is. Broken input is decoded as far as it goes.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 1 << 16
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_SPACE = b" \t\r\n"
_HEX = b"0123456789ABCDEFabcdef"
Read = Callable[[int, int], bytes]


@dataclass(slots=True)
class Anomaly:
    """$mime_anomaly_level and $mime_anomaly_text."""

    level: int = 0
    text: str = ""

    def note(self, level: int, text: str) -> None:
        if level > self.level:
            self.level, self.text = level, text


def raw(read: Read, start: int, end: int) -> Iterator[bytes]:
    """The bytes from ``start`` to before ``end``."""
    while start < end:
        block = read(start, min(BLOCK, end - start))
        if not block:
            return
        start += len(block)
        yield block


def decoded(read: Read, start: int, end: int, encoding: str, anomaly: Anomaly) -> Iterator[bytes]:
    """The content after its transfer encoding."""
    blocks = raw(read, start, end)
    if encoding == "base64":
        return _base64(blocks, anomaly)
    if encoding == "quoted-printable":
        return _quoted_printable(blocks, anomaly)
    return blocks


def _base64(blocks: Iterator[bytes], anomaly: Anomaly) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        clean = block.translate(None, _NOT_BASE64)
        if len(clean) != len(block.translate(None, _SPACE)):
            anomaly.note(2, "Broken BASE64 encoding detected")
        text = rest + clean
        whole = len(text) - len(text) % 4
        rest = text[whole:]
        yield _quads(text[:whole], anomaly)
    if len(rest) > 1:
        yield _quads(rest.rstrip(b"=").ljust(4, b"="), anomaly)


def _quads(text: bytes, anomaly: Anomaly) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        anomaly.note(2, "Broken BASE64 encoding detected")
        return b""


def _quoted_printable(blocks: Iterator[bytes], anomaly: Anomaly) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        text = rest + block
        cut = text.rfind(b"\n") + 1
        if not cut and len(text) > BLOCK:
            cut = len(text) - 2  # no line of this length means anything
        rest = text[cut:]
        if cut:
            yield _qp_lines(text[:cut], anomaly)
    if rest:
        yield _qp_lines(rest, anomaly)


def _qp_lines(text: bytes, anomaly: Anomaly) -> bytes:
    out = []
    for line in text.splitlines(keepends=True) if b"\r" not in text else [text]:
        body = line[:-1] if line.endswith(b"\n") else line
        stripped = body.rstrip(b" \t")
        soft = stripped.endswith(b"=")
        out.append(_qp(stripped[:-1] if soft else body, anomaly))
        if not soft and line.endswith(b"\n"):
            out.append(b"\n")
    return b"".join(out)


def _qp(line: bytes, anomaly: Anomaly) -> bytes:
    first, *pieces = line.split(b"=")
    out = [first]
    for piece in pieces:
        code = piece[:2]
        if len(code) == 2 and code[0] in _HEX and code[1] in _HEX:
            out += [bytes([int(code, 16)]), piece[2:]]
        else:
            anomaly.note(1, "Broken Quoted-Printable encoding detected")
            out += [b"=", piece]
    return b"".join(out)
