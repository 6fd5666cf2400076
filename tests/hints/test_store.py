"""Hints may be lost and never stop anything."""

import sqlite3
import threading
from pathlib import Path

import pytest

from mta.hints import ratelimits, retry, waits
from mta.hints.store import HintsStore


def test_get_put_scan(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "db" / "hints"), clock=lambda: 5.0)
    assert store.get("retry", "k") is None
    store.put("retry", "k", "v\xff")
    store.put("retry", "k2", "w")
    store.put("other", "k", "x")
    assert store.get("retry", "k") == ("v\xff", 5.0)
    assert [key for key, _ in store.scan("retry", "k")] == ["k", "k2"]
    store.delete("retry", "k")
    store.expire("other", 6)
    assert store.scan("retry") == [("k2", ("w", 5.0))]
    assert store.get("other", "k") is None


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_a_broken_file_is_thrown_away(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "h").write_bytes(content)
    told: list[str] = []
    store = HintsStore(str(tmp_path / "h"), complain=told.append)
    store.put("a", "k", "v")
    assert store.get("a", "k") is not None
    assert bool(told) is bool(content)


def test_a_place_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    told: list[str] = []
    store = HintsStore(str(tmp_path / "file" / "below"), complain=told.append)
    store.put("a", "k", "v")
    with store.together():
        assert store.get("a", "k") is None
    assert told


def test_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "h"))
    store.put("a", "k", "v")
    other = sqlite3.connect(tmp_path / "h", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store.put("a", "k", "w")
    assert store.get("a", "k") is None
    other.execute("COMMIT")
    other.close()
    assert store.get("a", "k") is not None
    store.close()


def test_threads(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "h"))

    def count() -> None:
        for _ in range(50):
            with store.together():
                hint = store.get("n", "n")
                store.put("n", "n", str(int(hint.value if hint else "0") + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("n", "n").value == "200"  # type: ignore[union-attr]


def test_retry_records(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "h"), clock=lambda: 1000.0)
    record = retry.RetryRecord(1.0, 2.0, 3.0, True, 111, 65, "text\xff")
    retry.put(store, "T:h:1.2.3.4", record)
    assert retry.get(store, "T:h:1.2.3.4", now=1001) == record
    assert retry.get(store, "T:h:1.2.3.4", now=1001 + 8 * 86400) is None
    assert retry.all_records(store, "T:") == [("T:h:1.2.3.4", record)]
    store.put("retry", "R:x", "[]")
    assert retry.get(store, "R:x", now=1001) is None
    retry.forget(store, "T:h:1.2.3.4")
    assert retry.all_records(store, "T:") == []


def test_rates(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "h"))
    now = 1000.0
    rate = ratelimits.update(store, "k", 60, 1, limit=10, now=now)
    assert rate == 1
    for _ in range(200):  # one event a second is sixty a minute
        now += 1
        rate = ratelimits.update(store, "k", 60, 1, limit=100, now=now)
    assert rate == pytest.approx(60, rel=0.05)
    assert ratelimits.update(store, "k", 60, 0, limit=100, readonly=True, now=now + 60) == pytest.approx(
        rate / 2.718, rel=0.01
    )
    before = store.get("ratelimit", "k")
    assert ratelimits.update(store, "k", 60, 1, limit=5, now=now + 1) > 5  # leaky: over the limit is not recorded
    assert store.get("ratelimit", "k") == before
    ratelimits.update(store, "k", 60, 1, limit=5, leaky=False, now=now + 1)
    assert store.get("ratelimit", "k") != before
    assert not ratelimits.seen(store, "k", "a@b", 60, now=1)
    assert ratelimits.seen(store, "k", "a@b", 60, now=50)
    assert not ratelimits.seen(store, "k", "c@d", 60, now=50)


def test_waits(tmp_path: Path) -> None:
    store = HintsStore(str(tmp_path / "h"))
    waits.add(store, "smtp", ["MX.test", "b.test"], "1xVIlm-000335-1x")
    waits.add(store, "smtp", ["mx.test"], "1xVIlm-000334-1x")
    assert waits.waiting(store, "smtp", "mx.test") == ["1xVIlm-000334-1x", "1xVIlm-000335-1x"]
    waits.forget(store, "smtp", ["mx.test"], "1xVIlm-000334-1x")
    assert waits.waiting(store, "smtp", "mx.test") == ["1xVIlm-000335-1x"]
    assert waits.waiting(store, "lmtp", "mx.test") == []
