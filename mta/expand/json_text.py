"""JSON as expansions read it: elements cut out of the text, not built into values (manual 11.5, extract json).

Values come back as they are written, without the white space around them. (Exim 4.96 breaks strings at their commas
and keeps the white space after an object's last value; those are taken for faults.)
"""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.text.ascii import WHITESPACE

_OPENING, _CLOSING = "{[", "}]"


def array_items(text: str) -> list[str]:
    """The elements of a JSON array."""
    return [part.rstrip(WHITESPACE) for part in _split(_inside(text, "[", "]", "array"))]


def object_member(text: str, name: str) -> str | None:
    """The value of the member called ``name``, case counting; None when there is none."""
    for member in _split(_inside(text, "{", "}", "object")):
        if not member.startswith('"'):
            raise ExpansionFailed("missing '\"' wrapping string key for extract json")
        end = _string_end(member, 0)
        if member[1 : end - 1] != name:
            continue
        value = member[end:].lstrip(WHITESPACE)
        if not value.startswith(":"):
            raise ExpansionFailed("missing object value-separator for extract json")
        return value[1:].strip(WHITESPACE)
    return None


def unquoted(value: str) -> str:
    """A JSON string without its quotes; escapes stay as they are."""
    bare = value.strip(WHITESPACE)
    if len(bare) < 2 or bare[0] != '"' or bare[-1] != '"':
        raise ExpansionFailed("missing '\"' wrapping string result for extract jsons")
    return bare[1:-1]


def _inside(text: str, opening: str, closing: str, what: str) -> str:
    bare = text.strip(WHITESPACE)
    if not bare.startswith(opening):
        raise ExpansionFailed(f"missing '{opening}' wrapping {what} for extract json")
    if not bare.endswith(closing) or len(bare) < 2:
        raise ExpansionFailed(f"missing '{closing}' wrapping {what} for extract json")
    return bare[1:-1]


def _split(text: str) -> list[str]:
    """The parts of a comma-separated text, commas inside strings and brackets aside."""
    out: list[str] = []
    level = start = position = 0
    size = len(text)
    while position < size:
        char = text[position]
        if char == '"':
            position = _string_end(text, position)
            continue
        if char in _OPENING:
            level += 1
        elif char in _CLOSING:
            level -= 1
        elif char == "," and level == 0:
            out.append(text[start:position].lstrip(WHITESPACE))
            start = position + 1
        position += 1
    last = text[start:].lstrip(WHITESPACE)
    if last or out:
        out.append(last)
    return out


def _string_end(text: str, start: int) -> int:
    """The offset behind the string that starts at ``start``; the end of the text when it is not closed."""
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
        elif char == '"':
            return position + 1
        else:
            position += 1
    return len(text)
