"""Tag lists of DKIM, ARC and their key records (RFC 6376 3.2), and the numbers, names and base64 in them.

``parse_tags`` takes byte text from anybody; it gives a dict or raises BadTags, in time linear in the text.
"""

from __future__ import annotations

import base64
import binascii
import re

from mta.text.ascii import strict_int

FWS = " \t\r\n"
MAX_TAGS = 100
MAX_NUMBER = 10**12
MAX_LENGTH = 1 << 16
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FOLDS = re.compile(r"[ \t\r\n]+")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9_\x80-\xff-]{1,63}(?:\.[A-Za-z0-9_\x80-\xff-]{1,63})*\Z")


class BadTags(Exception):
    """The text is no tag list, or a tag that it must have is missing or wrong; the message says what."""


def parse_tags(text: str, maximum: int = MAX_LENGTH) -> dict[str, str]:
    """Values by tag name, white space around them gone; a name that comes twice spoils the list."""
    if len(text) > maximum:
        raise BadTags("too long")
    if _CONTROL.search(text):
        raise BadTags("holds a control character")
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(FWS)
        if not equals and not name:
            continue
        if not equals or not _NAME.match(name):
            raise BadTags(f"not a tag: {name[:40]}")
        if name in tags:
            raise BadTags(f"tag {name}= comes twice")
        tags[name] = value.strip(FWS)
        if len(tags) > MAX_TAGS:
            raise BadTags("too many tags")
    return tags


def without_folds(text: str) -> str:
    """White space and folds gone from within."""
    return _FOLDS.sub("", text)


def decoded(text: str) -> bytes:
    """Base64 with white space in it; raises BadTags."""
    try:
        return base64.b64decode(without_folds(text), validate=True)
    except (binascii.Error, ValueError):
        raise BadTags("wrong base64") from None


def number(tags: dict[str, str], name: str) -> int:
    """An unsigned number, or -1 when the tag is not there; raises BadTags."""
    text = tags.get(name)
    if text is None:
        return -1
    value = strict_int(text, maximum=MAX_NUMBER)
    if value is None:
        raise BadTags(f"{name}= is no number")
    return value


def domain(text: str) -> bool:
    """Whether it may be asked of the DNS: a domain or a selector."""
    return 0 < len(text) <= 253 and _DOMAIN.match(text) is not None


def names(text: str) -> list[str]:
    """The items of a list with colons, white space around them gone."""
    return [item.strip(FWS) for item in text.split(":")]


def emptied(line: str, tag: str = "b") -> str:
    """A header line with the value of one tag taken out, as the signer hashed it (RFC 6376 3.7)."""
    head, colon, value = line.partition(":")
    parts = value.split(";")
    for index, part in enumerate(parts):
        name, equals, _ = part.partition("=")
        if equals and name.strip(FWS) == tag:
            parts[index] = name + equals
    return head + colon + ";".join(parts)
