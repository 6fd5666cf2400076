"""Redirection data: the list of addresses, files, pipes and special items (manual chapter 22.3-22.6).

``parse_items`` is the whole of the syntax; what an item may do is for the redirect driver to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mta.text.ascii import WHITESPACE, lower

MAX_ITEMS = 100_000

ItemKind = Literal["address", "pipe", "file", "include", "blackhole", "fail", "defer", "unknown", "error"]


@dataclass(slots=True)
class Item:
    """``text`` is the address, command, path, message, or what is wrong."""

    kind: ItemKind
    text: str
    source: str = ""
    line: int = 0


@dataclass(slots=True)
class Items:
    """What a redirection list says; ``special`` is the :fail:, :defer:, :blackhole: or :unknown: that decides it."""

    items: list[Item] = field(default_factory=list)
    special: Item | None = None


_SPECIAL = {":fail:": "fail", ":defer:": "defer", ":blackhole:": "blackhole", ":unknown:": "unknown"}


def split_items(text: str) -> list[str]:
    """The items of a list: separated by commas and newlines outside quotes, comments gone, in order.

    A ``:fail:`` or ``:defer:`` item takes the rest of its line, commas and all.
    """
    out: list[str] = []
    position, size = 0, len(text)
    at_line_start = True
    while position < size and len(out) < MAX_ITEMS:
        char = text[position]
        if char in WHITESPACE or char == ",":
            at_line_start = char == "\n" or (at_line_start and char != ",")
            position += 1
            continue
        if char == "#":
            end = text.find("\n", position)
            position = size if end < 0 else end
            continue
        start = position
        low = lower(text[position : position + 7])
        if low.startswith((":fail:", ":defer:")):
            end = text.find("\n", position)
            position = size if end < 0 else end
        else:
            position = _item_end(text, position)
        item = text[start:position].rstrip(WHITESPACE)
        if item:
            out.append(item)
        at_line_start = False
    return out


def _item_end(text: str, position: int) -> int:
    quoted, depth, size = False, 0, len(text)
    while position < size:
        char = text[position]
        if char == "\\" and position + 1 < size:
            position += 2
            continue
        if quoted:
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif char == "\n" or (char == "," and not depth):
            return position
        position += 1
    return size


def unquote_item(item: str) -> str:
    """An item that is wholly in double quotes, without them; others unchanged."""
    if len(item) < 2 or item[0] != '"' or item[-1] != '"':
        return item
    out: list[str] = []
    position, end = 1, len(item) - 1
    while position < end:
        char = item[position]
        if char == "\\" and position + 1 < end:
            position += 1
            out.append(item[position])
        elif char == '"':
            return item
        else:
            out.append(char)
        position += 1
    return "".join(out)


def parse_items(text: str) -> Items:
    """Sort the items of a list into kinds. Addresses are not checked here."""
    found = Items()
    for raw in split_items(text):
        item = _classify(raw)
        if item.kind in ("fail", "defer", "blackhole", "unknown"):
            found.special = item
            return found
        found.items.append(item)
    return found


def _classify(raw: str) -> Item:
    low = lower(raw)
    for word, kind in _SPECIAL.items():
        if low.startswith(word):
            return Item(kind, raw[len(word) :].strip(WHITESPACE), raw)  # type: ignore[arg-type]
    if low.startswith(":include:"):
        return Item("include", raw[9:].strip(WHITESPACE), raw)
    text = unquote_item(raw)
    if text.startswith("|"):
        return Item("pipe", text, raw)
    if text.startswith("/"):
        return Item("file", text, raw)
    return Item("address", text, raw)
