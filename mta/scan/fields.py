"""What a MIME part's header says of it: the ``$mime_`` variables' values from Content-... lines (manual section 45.4).

Text is byte text of a peer. Quoted strings and RFC 2231 are read as their RFCs say, the rest as Exim normalizes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mta.text.ascii import lower
from mta.text.encodings import decode_rfc2047, recode

MAX_VALUE = 8192  # bytes of one header line that are looked at
MAX_PARAMETERS = 100
_FOLD = re.compile(r"\r?\n[ \t]*")
_COMMENT = re.compile(r"\([^()]*\)")
_NUMBERED = re.compile(r"(name|filename)\*(\d{1,2})(\*?)", re.ASCII)
_HEX = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
# header line -> variable
SIMPLE = {
    "content-description": "mime_content_description",
    "content-disposition": "mime_content_disposition",
    "content-id": "mime_content_id",
    "content-transfer-encoding": "mime_content_transfer_encoding",
    "content-type": "mime_content_type",
}


@dataclass(slots=True)
class Fields:
    """``variables``: name to value, without those that are empty."""

    variables: dict[str, str]

    @property
    def content_type(self) -> str:
        return self.variables.get("mime_content_type", "")

    @property
    def encoding(self) -> str:
        return self.variables.get("mime_content_transfer_encoding", "")

    @property
    def boundary(self) -> str:
        return self.variables.get("mime_boundary", "")

    @property
    def multipart(self) -> bool:
        return self.content_type.startswith("multipart/")


def read_fields(lines: Iterable[str], charset: str) -> Fields:
    """The fields of header lines (folds and line ends still in them); a later line of a name wins."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        variable = SIMPLE.get(lower(name.rstrip(" \t"))) if colon else None
        if variable is None:
            continue
        first, parameters = _split(_FOLD.sub("", value[:MAX_VALUE]))
        found[variable] = _normal(first)
        if variable == "mime_content_type":
            found["mime_charset"] = found["mime_boundary"] = ""
        for key, text in _joined(parameters, charset):
            if key == "boundary" and variable == "mime_content_type":
                found["mime_boundary"] = text
            elif key == "charset" and variable == "mime_content_type":
                found["mime_charset"] = text
            elif key in ("name", "filename"):
                found["mime_filename"] = text
    if not found.get("mime_content_type", "").startswith("multipart/"):
        found.pop("mime_boundary", None)
    return Fields({name: value for name, value in found.items() if value})


def _normal(text: str) -> str:
    """Lower case, without white space and comments."""
    for _ in range(5):
        shorter = _COMMENT.sub("", text)
        if shorter == text:
            break
        text = shorter
    return lower("".join(text.split(" ")).replace("\t", ""))


def _split(value: str) -> tuple[str, list[tuple[str, str]]]:
    """The value proper and its parameters."""
    pieces: list[str] = []
    piece: list[str] = []
    quoted, at = False, 0
    while at < len(value):
        char = value[at]
        if quoted and char == "\\" and at + 1 < len(value):
            piece.append(value[at + 1])
            at += 1
        elif char == '"' and pieces:
            quoted = not quoted
        elif char == ";" and not quoted:
            pieces.append("".join(piece))
            piece = []
            if len(pieces) > MAX_PARAMETERS:
                break
        else:
            piece.append(char)
        at += 1
    pieces.append("".join(piece))
    parameters = []
    for text in pieces[1:]:
        name, equals, content = text.partition("=")
        if equals:
            parameters.append((lower(name.strip(" \t")), content.lstrip(" \t")))
    return pieces[0].rstrip("\r\n"), parameters


def _joined(parameters: list[tuple[str, str]], charset: str) -> list[tuple[str, str]]:
    """Parameters decoded (RFC 2047, RFC 2231), continuations put together."""
    out: list[tuple[str, str]] = []
    continued: dict[str, list[tuple[int, bool, str]]] = {}
    for name, raw in parameters:
        text = raw.rstrip("\r\n")
        numbered = _NUMBERED.fullmatch(name)
        if numbered is not None:
            continued.setdefault(numbered[1], []).append((int(numbered[2]), bool(numbered[3]), text))
        elif name in ("name*", "filename*"):
            out.append((name[:-1], _extended([(0, True, text)], charset)))
        elif name in ("name", "filename"):
            out.append((name, decode_rfc2047(text, charset).text))
        else:
            out.append((name, text))
    out.extend((name, _extended(sorted(parts), charset)) for name, parts in continued.items())
    return out


def _extended(parts: list[tuple[int, bool, str]], charset: str) -> str:
    """RFC 2231: ``charset'language'text`` with %XX in the parts marked so."""
    given = ""
    pieces = []
    for number, (_, encoded, text) in enumerate(parts):
        if encoded and not number and text.count("'") >= 2:
            given, _, text = text.split("'", 2)
        pieces.append(_HEX.sub(lambda found: chr(int(found[1], 16)), text) if encoded else text)
    whole = "".join(pieces)
    return recode(whole, given, charset).text if given and charset else whole
