"""Rspamd over HTTP (its own protocol, POST /checkv2): ``request(...)`` is what is sent, ``parse(answer)`` the verdict.

An addition of ours: spamd_address takes ``variant=rspamd-http``. No sockets here.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

PATH = "/checkv2"
MAX_SYMBOLS = 500
_SKIP = frozenset({"score", "required_score", "action"})


class Found(NamedTuple):
    """``symbols``: name and score, the weightiest first."""

    score: float
    threshold: float
    action: str
    symbols: list[tuple[str, float]]


def request(fields: list[tuple[str, str]], host: str, size: int) -> str:
    """The head of the request; the values are clean already, empty ones are left out."""
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {size}"]
    lines += [f"{name}: {value}" for name, value in fields if value]
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"


def parse(answer: bytes) -> Found | None:
    """The verdict of a whole response; None for anything that is none."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].split(b" ")
    if not gap or len(status) < 2 or not status[0].startswith(b"HTTP/1.") or status[1] != b"200":
        return None
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not set(raw) >= _SKIP or not isinstance(raw["action"], str):
        return None
    score, threshold = _number(raw["score"]), _number(raw["required_score"])
    if score is None or threshold is None:
        return None
    return Found(score, threshold, _ascii(raw["action"]), _symbols(raw.get("symbols")))


def _symbols(raw: Any) -> list[tuple[str, float]]:
    if not isinstance(raw, dict):
        return []
    found = []
    for name, facts in list(raw.items())[:MAX_SYMBOLS]:
        score = _number(facts.get("score")) if isinstance(facts, dict) else None
        if score is not None:
            found.append((_ascii(name), score))
    return sorted(found, key=lambda pair: (-abs(pair[1]), pair[0]))


def _number(raw: Any) -> float | None:
    """A finite number that is no truth value."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or abs(raw) > 1e9:
        return None
    return float(raw) if math.isfinite(raw) else None


def _ascii(text: str) -> str:
    """One printable line."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:200])
