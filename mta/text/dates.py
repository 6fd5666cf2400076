"""Dates and times as mail writes them: log stamps, RFC 5322 dates, mailbox separators.

Seconds since the epoch in, text out, in the process's time zone unless ``utc``. What does not
change within a second is made once a second.
"""

from __future__ import annotations

import time
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _local(second: int, utc: bool) -> time.struct_time:
    return time.gmtime(second) if utc else time.localtime(second)


def zone(now: float, *, utc: bool = False) -> str:
    """``+0100``: the zone in force at ``now``, RFC 5322 form."""
    return _zone(int(now), utc)


@lru_cache(maxsize=8)
def _zone(second: int, utc: bool) -> str:
    offset = _local(second, utc).tm_gmtoff // 60
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 60:02d}{abs(offset) % 60:02d}"


def log_stamp(now: float, *, with_zone: bool = False, millisec: bool = False, utc: bool = False) -> str:
    """``2026-11-23 01:22:03``, with ``.123`` and `` +0100`` where the log selectors ask for them."""
    stamp = _log_second(int(now), utc)
    if millisec:
        stamp = f"{stamp}.{int(now * 1000) % 1000:03d}"
    return f"{stamp} {_zone(int(now), utc)}" if with_zone else stamp


@lru_cache(maxsize=8)
def _log_second(second: int, utc: bool) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", _local(second, utc))


@lru_cache(maxsize=8)
def _full_second(second: int, utc: bool) -> str:
    at = _local(second, utc)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{day}, {at.tm_mday:02d} {month} {at.tm_year} {clock} {_zone(second, utc)}"


def rfc5322_date(now: float, *, utc: bool = False) -> str:
    """``Mon, 23 Nov 2026 01:22:03 +0000``; names of days and months in English whatever the locale."""
    return _full_second(int(now), utc)


def mbox_date(now: float, *, utc: bool = False) -> str:
    """``Mon Nov 23 01:22:03 2026`` of the mbox separator line; C's asctime form with a two-digit day."""
    at = _local(int(now), utc)
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{_DAYS[at.tm_wday]} {_MONTHS[at.tm_mon - 1]} {at.tm_mday:02d} {clock} {at.tm_year}"


def zulu(now: float) -> str:
    """``20261123012203Z``."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(int(now)))


def day_stamp(now: float, *, utc: bool = False) -> str:
    """``20261123``, the form of log file names."""
    return time.strftime("%Y%m%d", _local(int(now), utc))


def epoch_microseconds(now: float) -> str:
    """Microseconds since the epoch, ``$tod_epoch_l``."""
    return str(int(now * 1_000_000))
