"""Queue runs: what is taken, what is left, what the log says."""

import os
from pathlib import Path

import pytest

from mta.deliver.runner import Pick, QueueOptions, run_queue
from mta.errors import ExpansionFailed
from tests.deliver.world import World


def test_a_run_delivers_all(tmp_path: Path) -> None:
    world = World(tmp_path, main="split_spool_directory")
    for _ in range(5):
        world.put("x@host.test")
    result = run_queue(world.runtime)
    assert (result.seen, result.tried, result.completed) == (5, 5, 5)
    assert world.boxes() == {"x": 5}
    lines = world.log()
    assert lines[0] == f"Start queue run: pid={os.getpid()}"
    assert lines[-1] == f"End queue run: pid={os.getpid()}"


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        (QueueOptions(first_only=True), " -qi", {"y"}),
        (QueueOptions(recipients=Pick("X@HOST")), " -R X@HOST", {"x"}),
        (QueueOptions(recipients=Pick("^[yz]@", regex=True)), " -Rr ^[yz]@", {"y"}),
        (QueueOptions(senders=Pick("other")), " -S other", {"y"}),
        (QueueOptions(forced=True), " -qf", {"x", "y"}),
        (QueueOptions(frozen=True), " -qff", {"x", "y", "z"}),
        (QueueOptions(two_pass=True), " -qq", {"x", "y"}),
        (QueueOptions(stopping=lambda: True), "", set()),
    ],
)
def test_selections(tmp_path: Path, options: QueueOptions, text: str, expected: set[str]) -> None:
    world = World(tmp_path)
    tried = world.put("x@host.test")
    with world.runtime.spool.lock(tried) as locked:  # type: ignore[union-attr]
        locked.message.deliver_first_time = False
        locked.save()
    world.put("y@host.test", sender="other@hold.test")
    frozen = world.put("z@host.test", frozen=True, frozen_at=4e9)
    with world.runtime.spool.lock(frozen) as locked:  # type: ignore[union-attr]
        locked.message.deliver_first_time = False
        locked.save()
    run_queue(world.runtime, options)
    assert set(world.boxes()) == expected
    assert world.log()[0] == f"Start queue run: pid={os.getpid()}{text}"


def test_bounds_and_order(tmp_path: Path) -> None:
    world = World(tmp_path, main="queue_run_in_order")
    ids = sorted(world.put("x@host.test") for _ in range(5))
    seen: list[str] = []
    run_queue(world.runtime, QueueOptions(start=ids[1], stop=ids[3], on_message=seen.append))
    assert seen == ids[1:4]


def test_local_only(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test", "h@dead.test")
    run_queue(world.runtime, QueueOptions(local_only=True))
    assert world.boxes() == {"x": 1}
    assert not any("dead" in line for line in world.log(message_id))


def test_damage_does_not_stop_a_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad = world.put("x@host.test")
    (tmp_path / "spool" / "input" / f"{bad}-H").write_bytes(b"\0" * 500)
    world.put("x@host.test")
    run_queue(world.runtime)
    assert world.left() == []
    assert world.boxes() == {"x": 1}
    assert len(world.log(kind="panic")) == 1


def test_a_bad_pattern(tmp_path: Path) -> None:
    with pytest.raises(ExpansionFailed):
        run_queue(World(tmp_path).runtime, QueueOptions(recipients=Pick("(", regex=True)))
