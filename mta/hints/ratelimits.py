"""Rates of the ACL condition ratelimit (manual section 44.38): ``update`` measures, ``seen`` answers unique=.

The measure is an exponentially weighted moving average over the sampling period.
"""

from __future__ import annotations

import json
import math
import time

from mta.hints.store import HintsStore

DB = "ratelimit"


def update(
    store: HintsStore,
    key: str,
    period: float,
    count: float,
    *,
    limit: float,
    leaky: bool = True,
    readonly: bool = False,
    now: float | None = None,
) -> float:
    """The rate per ``period`` seconds after ``count`` more events.

    ``leaky``: a rate over ``limit`` is not recorded, so that a fast sender is slowed and not shut out.
    ``readonly``: only look.
    """
    moment = time.time() if now is None else now
    with store.together():
        hint = store.get(DB, key)
        before = _decode(hint.value) if hint is not None else None
        rate = count if before is None else _measure(before, period, count, moment)
        if readonly:
            return rate if before is not None else 0.0 if count == 0 else rate
        if not leaky or rate <= limit or before is None:
            store.put(DB, key, json.dumps([moment, rate]))
        return rate


def _measure(before: tuple[float, float], period: float, count: float, now: float) -> float:
    interval = max(now - before[0], 1e-9)
    if count == 0:
        return before[1] * math.exp(-interval / period)
    interval_in_periods = interval / period / count
    decay = math.exp(-interval_in_periods * count)
    return (1 - decay) / interval_in_periods + decay * before[1]


def _decode(value: str) -> tuple[float, float] | None:
    try:
        when, rate = json.loads(value)
        return float(when), float(rate)
    except (ValueError, TypeError):
        return None


def seen(store: HintsStore, key: str, unique: str, period: float, *, now: float | None = None) -> bool:
    """Whether ``unique`` was counted under ``key`` within the last period; it is from now on."""
    moment = time.time() if now is None else now
    name = f"{key}/unique/{unique}"
    hint = store.get(DB, name)
    before = _decode(hint.value) if hint is not None else None
    store.put(DB, name, json.dumps([moment, 0]))
    return before is not None and moment - before[0] < period
