"""What a DKIM or ARC signature is made over (RFC 6376 3.7): hashes of the body in one pass, bytes of the header.

The body is read once for all signatures of a message, however many forms and lengths they ask for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mta.text.ascii import lower, to_bytes
from mta.wire import canon

UNLIMITED = -1


class BodyForm(NamedTuple):
    """``limit``: how many bytes of the canonical body are hashed (l=), UNLIMITED for all."""

    relaxed: bool
    hash_name: str
    limit: int = UNLIMITED


class _Running:
    """One hash of one canonical form; copies of it are kept where a limit falls."""

    __slots__ = ("digests", "hash", "limits", "size")

    def __init__(self, hash_name: str, limits: Iterable[int]) -> None:
        self.hash = hashlib.new(hash_name)
        self.limits = sorted(set(limits), reverse=True)  # those still to come, the nearest last
        self.digests: dict[int, bytes] = {}
        self.size = 0

    def update(self, data: bytes) -> None:
        while self.limits and self.limits[-1] <= self.size + len(data):
            limit = self.limits.pop()
            copy = self.hash.copy()
            copy.update(data[: limit - self.size])
            self.digests[limit] = copy.digest()
        self.hash.update(data)
        self.size += len(data)


class BodyHashes(NamedTuple):
    """``digest(form)`` is None when the body is shorter than the form's limit."""

    found: dict[tuple[bool, str], Any]

    def digest(self, form: BodyForm) -> bytes | None:
        running = self.found[form.relaxed, form.hash_name]
        if form.limit == UNLIMITED:
            return bytes(running.hash.digest())
        found: bytes | None = running.digests.get(form.limit)
        return found


def hash_body(pieces: Iterable[bytes], forms: Iterable[BodyForm]) -> BodyHashes:
    """All the hashes that ``forms`` ask for, of a body in pieces; its lines end with LF or CRLF."""
    limits: dict[tuple[bool, str], list[int]] = {}
    for form in forms:
        limits.setdefault((form.relaxed, form.hash_name), []).extend([form.limit] if form.limit >= 0 else [])
    found = {key: _Running(key[1], values) for key, values in limits.items()}
    ways = []
    for relaxed in sorted({key[0] for key in found}):
        updates = [running.update for key, running in found.items() if key[0] is relaxed]
        ways.append((canon.Body(relaxed), updates[0] if len(updates) == 1 else _all(updates)))
    for running in found.values():
        running.update(b"")
    if ways:
        for piece in pieces:
            for body, update in ways:
                body.feed(piece, update)
        for body, update in ways:
            body.finish(update)
    return BodyHashes(found)


def _all(updates: list[Any]) -> Any:
    def update(data: bytes) -> None:
        for each in updates:
            each(data)

    return update


class HeaderLines:
    """The header lines of a message by name, for signatures that name them. Lines are byte text with their ends."""

    __slots__ = ("_by_name", "lines")

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._by_name: dict[str, list[str]] = {}
        for line in lines:
            name = lower(line.partition(":")[0].rstrip(" \t"))
            self._by_name.setdefault(name, []).append(line)

    def named(self, name: str) -> list[str]:
        """Lines of this name (lower case), the uppermost first."""
        return self._by_name.get(name, [])

    def chosen(self, names: Iterable[str]) -> list[str]:
        """The lines that h= means: for each name the lowest one not taken yet, nothing when there is none left."""
        left: dict[str, int] = {}
        out = []
        for name in names:
            key = lower(name)
            lines = self._by_name.get(key)
            if lines is None:
                continue
            at = left.get(key, len(lines)) - 1
            if at >= 0:
                left[key] = at
                out.append(lines[at])
        return out


def header_bytes(lines: Iterable[str], own: str, *, relaxed: bool) -> bytes:
    """What is signed: the chosen lines, then the signature's own line, its b= empty, without its line end."""
    form = canon.relaxed_header if relaxed else canon.simple_header
    out = [form(to_bytes(line)) for line in lines]
    out.append(form(to_bytes(own))[:-2])
    return b"".join(out)
