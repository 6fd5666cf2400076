"""Retry records: since when something fails, when it was tried, when to try again (manual chapter 32).

Keys are Exim's: ``R:domain``, ``R:local@domain``, ``T:host:address[:port]``, ``T:local@domain`` ...
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mta.hints.store import HintsStore

DB = "retry"


@dataclass(slots=True)
class RetryRecord:
    """Times in seconds since the epoch."""

    first_failed: float
    last_try: float
    next_try: float
    expired: bool = False  # the last cutoff was past at the last failure
    errno: int = 0
    more_errno: int = 0
    text: str = ""


def get(store: HintsStore, key: str, *, now: float, expire: float = 7 * 86400.0) -> RetryRecord | None:
    """The record, unless it is older than ``expire`` (retry_data_expire) or makes no sense."""
    hint = store.get(DB, key)
    if hint is None or now - hint.time > expire:
        return None
    return _decode(hint.value)


def _decode(value: str) -> RetryRecord | None:
    try:
        first, last, following, expired, errno, more, text = json.loads(value)
        return RetryRecord(float(first), float(last), float(following), bool(expired), int(errno), int(more), str(text))
    except (ValueError, TypeError):
        return None


def put(store: HintsStore, key: str, record: RetryRecord) -> None:
    value = [
        record.first_failed,
        record.last_try,
        record.next_try,
        int(record.expired),
        record.errno,
        record.more_errno,
        record.text[:1000],
    ]
    store.put(DB, key, json.dumps(value))


def forget(store: HintsStore, key: str) -> None:
    store.delete(DB, key)


def all_records(store: HintsStore, prefix: str = "") -> list[tuple[str, RetryRecord]]:
    """Every readable record, by key; for exinext's kind of question."""
    found = [(key, _decode(hint.value)) for key, hint in store.scan(DB, prefix)]
    return [(key, record) for key, record in found if record is not None]
