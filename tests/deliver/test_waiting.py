"""Messages that wait for a host follow the first that gets through; serialize_hosts over threads and processes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mta.hints import waits
from mta.transport.remote.serial import HostLock
from tests.deliver.world import World
from tests.fakes.smtp_server import Script, ScriptedServer


def slowly(world: World, *options: str) -> None:
    """More options for the smtp transport."""
    conf = (world.root / "conf").read_text()
    text = "".join(f"  {option}\n" for option in options)
    (world.root / "conf").write_text(conf.replace("  hosts_try_chunking =\n", f"  hosts_try_chunking =\n{text}"))
    world.runtime = world.start()


def test_what_waits_goes_over_the_connection_of_the_first(tmp_path: Path) -> None:
    with ScriptedServer(Script(banner=["421 not yet"] * 1 + ["220 ready"]), address="127.0.0.2") as server:  # type: ignore[arg-type]
        world = World(tmp_path, port=server.port)
        first = world.put("a@rem.test")
        world.deliver(first)
        others = [world.put(f"{name}@rem.test") for name in "bcd"]
        for one in others:
            world.deliver(one)  # the host's time has not come: nothing is tried
        assert server.sessions == 1
        assert sorted(waits.waiting(world.runtime.hints, "smtp", "127.0.0.2")) == sorted([first, *others])
        world.deliver(first, forced=True)
        assert world.left() == []
        assert server.sessions == 2
        assert len(server.messages) == 4
    assert waits.waiting(world.runtime.hints, "smtp", "127.0.0.2") == []
    assert sum(" => " in line and "H=127.0.0.2 [127.0.0.2]* " in line for line in world.log()) == 3


@pytest.mark.parametrize(("limit", "delivered"), [(2, 2), (1, 1)])
def test_no_more_than_connection_max_messages_follow(tmp_path: Path, limit: int, delivered: int) -> None:
    with ScriptedServer(Script(banner=["421 not yet", "220 ready"]), address="127.0.0.2") as server:  # type: ignore[arg-type]
        world = World(tmp_path, port=server.port)
        slowly(world, f"connection_max_messages = {limit}")
        ids = [world.put(f"{name}@rem.test") for name in "abcd"]
        for one in ids:
            world.deliver(one)
        world.deliver(ids[0], forced=True)
        assert len(server.messages) == delivered
        assert server.sessions == 2


def test_what_went_meanwhile_is_passed_over(tmp_path: Path) -> None:
    with ScriptedServer(Script(banner=["421 not yet", "220 ready"]), address="127.0.0.2") as server:  # type: ignore[arg-type]
        world = World(tmp_path, port=server.port)
        first = world.put("a@rem.test")
        world.deliver(first)
        waits.add(world.runtime.hints, "smtp", ["127.0.0.2"], "1aaaaa-bbbbbb-cc")
        world.deliver(first, forced=True)
        assert len(server.messages) == 1
    assert world.log(kind="panic") == []


def test_serialize_hosts_holds_between_processes(tmp_path: Path) -> None:
    path = str(tmp_path / "serialize-192.0.2.1")
    mine = HostLock(path)
    mine.acquire()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        theirs = HostLock(path)
        os.write(writer, b"w")
        theirs.acquire()
        os.write(writer, b"g")
        os._exit(0)
    assert os.read(reader, 1) == b"w"
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    mine.release()
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"g"
    os.waitpid(pid, 0)
    mine.acquire()  # a process that ended holds nothing
    mine.release()
    os.close(reader)
    os.close(writer)


def test_serialize_hosts_holds_between_threads(tmp_path: Path) -> None:
    most, under_way, gate = 0, 0, threading.Lock()

    def data(_session: object, _line: str) -> str:
        nonlocal most, under_way
        with gate:
            under_way += 1
            most = max(most, under_way)
        return "354 go"

    def after(_session: object, _line: str) -> str:
        nonlocal under_way
        with gate:
            under_way -= 1
        return "250 ok"

    with ScriptedServer(Script(answers={"DATA": data}, after_data=after), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        slowly(world, "serialize_hosts = *", "max_rcpt = 1")
        world.runtime.services.state["transport.idle_seconds"] = 0
        ids = [world.put(f"{name}@rem.test") for name in "abcd"]
        threads = [threading.Thread(target=world.deliver, args=(one,)) for one in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(server.messages), most) == (4, 1)
