"""Lines that ACLs write themselves: who the peer is, in Exim's form, and text made fit for one log line."""

from __future__ import annotations

from mta.scope.scope import Scope
from mta.text.ascii import is_digits


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
    """``H=name (helo) [address]`` or ``U=login`` for a local caller; "" when neither is known."""
    peer = scope.peer
    if not peer.address:
        return f"U={peer.ident}" if peer.ident else ""
    name = peer.host_name
    helo = peer.helo_name
    parts = []
    if name:
        parts.append(name)
    if helo and helo != name and helo != f"[{peer.address}]":
        parts.append(f"({helo})")
    parts.append(f"[{peer.address}]")
    fields = "H=" + " ".join(parts)
    if peer.ident and not is_digits(peer.ident):
        fields += f" U={peer.ident}"
    return fields


def main_line(scope: Scope, text: str) -> None:
    """Write ``text`` to the main log after the peer's fields."""
    fields = peer_fields(scope)
    scope.services.log_main(f"{fields} {text}" if fields else text)
