"""Variables of the time of day, ``tod_...``; in local time or, with timezone = utc, in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable

from mta.expand.base import variable
from mta.scope.scope import Scope
from mta.text import dates
from mta.text.ascii import lower


def _utc(scope: Scope) -> bool:
    return lower(scope.site.options.timezone or "") == "utc"


def _at(write: Callable[[float, bool], str]) -> Callable[[Scope], str]:
    return lambda s: write(time.time(), _utc(s))


def _log(scope: Scope) -> str:
    return dates.log_stamp(time.time(), with_zone=scope.site.options.log_timezone, utc=_utc(scope))


variable("tod_bsdinbox", _at(lambda now, utc: dates.mbox_date(now, utc=utc)))
variable("tod_epoch", lambda _s: str(int(time.time())))
variable("tod_epoch_l", lambda _s: dates.epoch_microseconds(time.time()))
variable("tod_full", _at(lambda now, utc: dates.rfc5322_date(now, utc=utc)))
variable("tod_log", _log)
variable("tod_logfile", _at(lambda now, utc: dates.day_stamp(now, utc=utc)))
variable("tod_zone", _at(lambda now, utc: dates.zone(now, utc=utc)))
variable("tod_zulu", lambda _s: dates.zulu(time.time()))
