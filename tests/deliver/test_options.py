"""Main options about delivering and queue runs; log lines are Exim 4.96's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.daemon.queue_manager import Queue
from mta.deliver.identity import identity
from mta.deliver.message import State
from mta.deliver.runner import QueueOptions, overloaded, run_queue
from mta.mail.recipient import Recipient
from mta.system import users
from tests.deliver.world import World


def test_received_headers_max(tmp_path: Path) -> None:
    world = World(tmp_path, main="received_headers_max = 2")
    message_id = world.put("x@host.test", "y@host.test")
    with_hops = world.runtime.spool.lock(message_id)
    assert with_hops is not None
    with with_hops:
        for number in range(3):
            with_hops.message.headers.add(f"Received: {number}")
        with_hops.save()
    world.deliver(message_id)
    assert 'Too many "Received" headers - suspected mail loop' in "\n".join(world.log(message_id))
    assert [line[:14] for line in world.log(message_id)[:2]] == ["** x@host.test", "** y@host.test"]
    assert world.boxes() == {}


def test_queue_smtp_domains(tmp_path: Path) -> None:
    world = World(tmp_path, main="queue_smtp_domains = rem.test")
    message_id = world.put("x@host.test", "q@rem.test")
    assert world.deliver(message_id).state is State.WAITING
    assert world.boxes() == {"x": 1}
    waits = "defer (-1): first-pass only routing due to -odqs, queue_smtp_domains or control=queue"
    assert f"== q@rem.test R=remote T=smtp {waits}" in world.log(message_id)


def test_odqs(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test", "q@rem.test")
    world.deliver(message_id, queue_smtp=True)
    assert world.boxes() == {"x": 1}
    assert "first-pass only routing" in world.log(message_id)[-1]


def test_deliver_queue_load_max(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (3.78, 0, 0))
    world = World(tmp_path, main="deliver_queue_load_max = 0.5\nlog_selector = +queue_run")
    world.put("x@host.test")
    run_queue(world.runtime, QueueOptions())
    assert world.boxes() == {}
    assert f"Abandon queue run: pid={os.getpid()} (load 3.78, max 0.50)" in world.log()
    assert overloaded(4.0) == overloaded(None) == ""


def test_an_abandoned_run_can_start_again() -> None:
    queue = Queue()
    queue.run(["1xVInd-0003Oz-0V"], 0.0, lambda _: True)
    queue.abandon()
    assert queue.take() is None
    assert queue.run(["1xVInd-0003Oz-0V"], 0.0, lambda _: True) == 1


def test_keep_malformed(tmp_path: Path) -> None:
    world = World(tmp_path, main="keep_malformed = 2d")
    bad = world.put("x@host.test")
    (tmp_path / "spool" / "input" / f"{bad}-H").write_bytes(b"\0" * 500)
    run_queue(world.runtime)
    kept = tmp_path / "spool" / "corrupt"
    assert list(kept.iterdir())
    run_queue(world.runtime)
    assert list(kept.iterdir())
    assert len(world.runtime.spool.sweep_damaged(0.0)) == 2
    assert not list(kept.iterdir())


def test_bounce_return_linesize_limit(tmp_path: Path) -> None:
    world = World(tmp_path, main="bounce_return_linesize_limit = 50")
    for length, whole in ((50, True), (51, False)):
        message_id = world.put("gone@alias.test", sender="x@host.test", body=b"BODY\n", max_received_linelength=length)
        world.deliver(message_id)
        text = (tmp_path / "mail" / "x").read_text("latin-1")
        assert ("BODY" in text) is whole
        assert ("administrative limits" in text) is not whole
        (tmp_path / "mail" / "x").unlink()


def test_bounce_sender_authentication(tmp_path: Path) -> None:
    world = World(tmp_path, main="bounce_sender_authentication = mailer@my.test")
    message_id = world.put("gone@alias.test", sender="s@hold.test")
    world.deliver(message_id)
    [bounce] = world.left()
    _, peer = world.runtime.spool.read(bounce)
    assert peer.authenticated_sender == "mailer@my.test"


def test_percent_hack_in_routing(tmp_path: Path) -> None:
    world = World(tmp_path, main="percent_hack_domains = hub.test")
    message_id = world.put("x%host.test@hub.test")
    assert world.deliver(message_id).state is State.COMPLETED
    assert world.boxes() == {"x": 1}
    assert "=> x <x%host.test@hub.test> R=local T=box" in world.log(message_id)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose whom a delivery runs under")
def test_deliver_drop_privilege(tmp_path: Path) -> None:
    config = tmp_path / "configure"
    for drop, uid in ((False, 1), (True, users.find_user("nobody").uid)):  # type: ignore[union-attr]
        config.write_text(
            f"spool_directory = {tmp_path}\nexim_user = nobody\nexim_group = nogroup\nnever_users =\n"
            f"deliver_drop_privilege = {drop}\nbegin transports\nt:\n  driver = pipe\n  user = 1\n  group = 1\n"
        )
        runtime = Runtime.start(load(str(config)))
        found = identity(runtime, runtime.config.transports["t"], Recipient("a@b"), runtime.scope())
        assert found.uid == uid


class _Options:
    finduser_retries = 2
    max_username_length = 4


def test_users_are_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    assert users.account(_Options(), "none") is None
    assert users.group(_Options(), "no-such-group") is None
    assert waits == [1.0] * 4


def test_long_user_names_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(users, "find_user", lambda name: asked.append(name))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert users.account(_Options(), "toolong") is None
    assert asked == []


def test_slow_lookup_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, main="slow_lookup_log = 20\ndns_nameservers = 127.0.0.1")
    resolver = world.runtime.services.resolver
    assert resolver is not None
    clock = iter([0.0, 0.05, 1.0, 1.01])
    monkeypatch.setattr("mta.net.resolver.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("mta.net.resolver.Resolver._query", lambda *_: None)
    resolver.query("a.test", "mx")
    resolver.query("b.test", "mx")
    assert [line for line in world.log() if re.match("Long", line)] == ["Long MX lookup for 'a.test': 50 msec"]
