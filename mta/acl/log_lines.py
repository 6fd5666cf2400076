"""Lines that ACLs write themselves: who the peer is, in Exim's form, and text made fit for one log line."""

from __future__ import annotations

from mta.log.lines import peer_id
from mta.log.selectors import Selectors, parse_selectors
from mta.scope.scope import Scope


def log_text(text: str) -> str:
    """Text with unprintable bytes as octal escapes and line ends as ``\\n``; tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printing(char) for char in text)


def _printing(char: str) -> str:
    if char == "\n":
        return "\\n"
    if char == "\r":
        return "\\r"
    if char == "\t" or " " <= char <= "~":
        return char
    return f"\\{ord(char):03o}"


def peer_fields(scope: Scope) -> str:
    """``H=name (helo) [address]``, ``U=login``: the fields that say who is there; "" when nothing is known."""
    text = scope.site.options.log_selector or ""
    kept: dict[str, Selectors] = scope.services.state.setdefault("acl.selectors", {})
    selectors = kept.get(text)
    if selectors is None:
        selectors = kept[text] = parse_selectors(text)
    return peer_id(scope.peer, selectors).lstrip(" ")


def with_id(scope: Scope, text: str) -> str:
    """The line as it stands in the logs while a message is being received: after the message's id."""
    return f"{scope.message.id} {text}" if scope.message.id else text


def main_line(scope: Scope, text: str) -> None:
    """Write ``text`` to the main log after the peer's fields."""
    fields = peer_fields(scope)
    scope.services.log_main(with_id(scope, f"{fields} {text}" if fields else text))
