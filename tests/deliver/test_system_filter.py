"""The system filter in real deliveries; log lines are those that Exim 4.96 wrote for the same filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.deliver.message import DeliverOptions, State, deliver_message
from tests.deliver.world import World

MAIN = """system_filter = {root}/filter
system_filter_file_transport = file
system_filter_user = {user}
"""


def world_of(root: Path, text: str, main: str = "") -> World:
    import os

    user = "nobody" if os.geteuid() == 0 else str(os.geteuid())
    (root / "filter").write_text(f"# Exim filter\n{text}\n")
    return World(root, main=MAIN.format(root=root, user=user) + main)


def log_of(world: World, message_id: str) -> list[str]:
    lines = (world.root / "mainlog").read_text().splitlines()
    return [line[20:].partition(" ")[2] for line in lines if message_id in line]


# filter, what happened, what the log says besides "Completed"
CASES = [
    ("finish", State.COMPLETED, ["=> x <x@host.test> R=local T=box"]),
    ("seen finish", State.COMPLETED, ["=> discarded (system filter)"]),
    (
        "deliver y@host.test",
        State.COMPLETED,
        ["original recipients ignored (system filter)", "=> y <system-filter> R=local T=box"],
    ),
    (
        "unseen deliver y@host.test",
        State.COMPLETED,
        ["=> y <system-filter> R=local T=box", "=> x <x@host.test> R=local T=box"],
    ),
    ("freeze", State.FROZEN, ["Frozen by the system filter"]),
    ('freeze text "why"', State.FROZEN, ["Frozen by the system filter: why"]),
    ("defer", State.WAITING, ["Delivery deferred by system filter"]),
    ('fail text "<<a>>b"', State.COMPLETED, ["cancelled by system filter: a"]),
    ("fail", State.COMPLETED, ["cancelled by system filter"]),
    ("foo", State.WAITING, ['Error in system filter: unknown filtering command "foo" near line 3 of filter file']),
    (
        'pipe "/bin/cat"',
        State.WAITING,
        [
            "original recipients ignored (system filter)",
            "== |/bin/cat <system-filter> defer (-1): system_filter_pipe_transport is unset",
        ],
    ),
    ("if not first_delivery then freeze endif", State.COMPLETED, ["=> x <x@host.test> R=local T=box"]),
    ('if "$recipients" is x@host.test then seen finish endif', State.COMPLETED, ["=> discarded (system filter)"]),
]


@pytest.mark.parametrize(("text", "state", "expected"), CASES, ids=[case[0] for case in CASES])
def test_decisions(tmp_path: Path, text: str, state: State, expected: list[str]) -> None:
    world = world_of(tmp_path, text)
    message_id = world.put("x@host.test")
    result = deliver_message(world.runtime, message_id, on_made=lambda _id: None)
    assert result.state == state, log_of(world, message_id)
    lines = [line for line in log_of(world, message_id) if line != "Completed" and not line.startswith("<= ")]
    assert lines == expected


def test_headers_change_at_once_and_for_good(tmp_path: Path) -> None:
    world = world_of(tmp_path, 'headers add "X-New: $h_x-old:"\nheaders remove X-Old\ndefer')
    message_id = world.put("x@host.test", headers=_headers("X-Old: kept\n"))
    deliver_message(world.runtime, message_id)
    message, _peer = world.runtime.spool.read(message_id)
    assert [line.value.strip() for line in message.headers.named("x-new")] == ["kept"]
    assert message.headers.named("x-old") == []


def test_counters_reach_the_routers(tmp_path: Path) -> None:
    world = world_of(tmp_path, "add 3 to n4")
    (tmp_path / "boxes").write_text("x: box${sn4}\n")
    message_id = world.put("x@host.test")
    assert deliver_message(world.runtime, message_id).state == State.COMPLETED


def test_a_thawed_message_is_not_frozen_again(tmp_path: Path) -> None:
    world = world_of(tmp_path, "freeze")
    message_id = world.put("x@host.test")
    assert deliver_message(world.runtime, message_id).state == State.FROZEN
    assert deliver_message(world.runtime, message_id, DeliverOptions(thaw=True)).state == State.COMPLETED


def test_a_copy_that_waits_keeps_the_message(tmp_path: Path) -> None:
    world = world_of(tmp_path, "unseen deliver later@alias.test")
    message_id = world.put("x@host.test")
    assert deliver_message(world.runtime, message_id).state == State.WAITING
    assert "=> x <x@host.test> R=local T=box" in log_of(world, message_id)
    (tmp_path / "aliases").write_text("later: y@host.test\n")
    assert deliver_message(world.runtime, message_id, DeliverOptions(forced=True)).state == State.COMPLETED
    lines = log_of(world, message_id)
    assert lines.count("=> x <x@host.test> R=local T=box") == 1
    assert any(line.startswith("=> y") and "<system-filter>" in line for line in lines)


def _headers(text: str) -> object:
    from mta.mail.headers import Headers

    made = Headers()
    made.add(text)
    return made
