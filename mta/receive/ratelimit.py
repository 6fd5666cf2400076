"""smtp_ratelimit_hosts, _mail and _rcpt: commands of a connection that are answered ever more slowly (manual 14)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mta.receive.session import Session
from mta.text.units import parse_time


@dataclass(frozen=True, slots=True)
class Brake:
    """No delay up to ``free`` commands; the next waits ``first`` seconds, each further one ``factor`` times as long."""

    free: int
    first: float
    factor: float
    longest: float

    def delay(self, count: int) -> float:
        """Seconds for the ``count``-th command."""
        if count <= self.free:
            return 0.0
        if (count - self.free) * (self.factor - 1) > 1000:  # far beyond any limit, and beyond what floats can hold
            return self.longest
        return min(self.first * self.factor ** (count - self.free - 1), self.longest)


def parse(text: str) -> Brake:
    """``2,0.5s,1.05,4m``; ValueError for anything else."""
    words = [word.strip(" \t") for word in text.split(",")]
    if len(words) != 4 or not (words[0].isascii() and words[0].isdigit()):
        raise ValueError(text)
    first, longest = _seconds(words[1]), _seconds(words[3])
    factor = float(words[2])
    if first is None or longest is None or not 1.0 <= factor <= 1000.0:
        raise ValueError(text)
    return Brake(int(words[0]), first, factor, longest)


def _seconds(text: str) -> float | None:
    """A time that may have a fraction of a second: ``0.5s``."""
    whole, point, rest = text.partition(".")
    if not point:
        return parse_time(text)
    digits = rest.removesuffix("s")
    if not (digits.isascii() and digits.isdigit() and (whole + "0").isascii() and (whole + "0").isdigit()):
        return None
    return float(f"{whole or '0'}.{digits}")


def slow_down(session: Session, option: str, count: int) -> None:
    """Wait as the option says before the ``count``-th command of its kind is dealt with; replies go out first."""
    text = getattr(session.plan.options, option)
    if text is None or session.pretend or not session.peer.address or not session.host_in("smtp_ratelimit_hosts"):
        return
    seconds = parse(text).delay(count)
    if seconds > 0:
        session.flush()
        (session.scope.sleep or time.sleep)(seconds)
