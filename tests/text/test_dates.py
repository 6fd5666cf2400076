"""Dates in the forms of mail; 1795398079 is 2026-11-23 01:41:19 UTC."""

import time
from collections.abc import Iterator

import pytest

from mta.text import dates

NOW = 1795398079.4567


@pytest.fixture
def india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A zone east of Greenwich with a half hour in it."""
    caches = (dates._zone, dates._log_second, dates._full_second)
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    for cache in caches:
        cache.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    for cache in caches:
        cache.cache_clear()


def test_utc() -> None:
    assert dates.log_stamp(NOW, utc=True) == "2026-11-23 01:41:19"
    assert dates.log_stamp(NOW, utc=True, millisec=True, with_zone=True) == "2026-11-23 01:41:19.456 +0000"
    assert dates.rfc5322_date(NOW, utc=True) == "Mon, 23 Nov 2026 01:41:19 +0000"
    assert dates.mbox_date(NOW, utc=True) == "Mon Nov 23 01:41:19 2026"
    assert dates.zulu(NOW) == "20261123014119Z"
    assert dates.day_stamp(NOW, utc=True) == "20261123"
    assert dates.epoch_microseconds(NOW) == "1795398079456700"


@pytest.mark.usefixtures("india")
def test_local_time() -> None:
    assert dates.zone(NOW) == "+0530"
    assert dates.log_stamp(NOW, with_zone=True) == "2026-11-23 07:11:19 +0530"
    assert dates.rfc5322_date(NOW) == "Mon, 23 Nov 2026 07:11:19 +0530"


def test_a_zone_west_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        dates, "_local", lambda second, _utc: time.struct_time((2026, 1, 5, 0, 0, 0, 0, 5, 0), {"tm_gmtoff": -12600})
    )
    dates._zone.cache_clear()
    try:
        assert dates.zone(NOW) == "-0330"
    finally:
        dates._zone.cache_clear()
