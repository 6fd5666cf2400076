"""Messages through the whole of delivery, with real transports; log lines as Exim writes them."""

import time
from pathlib import Path

import pytest

from mta.deliver.message import State
from mta.hints import retry
from mta.hints.retry import RetryRecord
from mta.spool.locked import Locked
from tests.deliver.world import World
from tests.fakes.smtp_server import Script, ScriptedServer


def test_local_delivery(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test", "Y@host.test")
    assert world.deliver(message_id).state == State.COMPLETED
    assert world.boxes() == {"x": 1, "y": 1}
    assert world.left() == []
    assert not (tmp_path / "spool" / "msglog" / message_id).exists()
    assert world.log(message_id) == [
        "=> x <x@host.test> R=local T=box",
        "=> y <Y@host.test> R=local T=box",
        "Completed",
    ]


def test_duplicates_are_delivered_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("same@alias.test", "x@host.test")
    assert world.deliver(message_id).state == State.COMPLETED
    assert world.boxes() == {"x": 1, "y": 1}


def test_remote_delivery(tmp_path: Path) -> None:
    script = Script(answers={"RCPT TO:<bad": "550 5.1.1 no such user", "RCPT TO:<temp": "451 4.3.0 try later"})
    with ScriptedServer(script, address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        message_id = world.put("a@rem.test", "b@rem.test", "bad@rem.test", "temp@rem.test", "out@alias.test")
        result = world.deliver(message_id)
    assert result.state == State.WAITING
    host = "R=remote T=smtp H=127.0.0.2 [127.0.0.2]"
    assert sorted(world.log(message_id)) == sorted(
        [
            f'-> a@rem.test {host} C="250 OK id=1"',
            f'-> b@rem.test {host} C="250 OK id=1"',
            f"** bad@rem.test {host}: SMTP error from remote mail server after RCPT TO:<bad@rem.test>: "
            "550 5.1.1 no such user",
            f"== temp@rem.test {host.partition(' H=')[0]} defer (-44) H=127.0.0.2 [127.0.0.2]: SMTP error from remote "
            "mail server after RCPT TO:<temp@rem.test>: 451 4.3.0 try later",
            f'=> away@rem.test <out@alias.test> {host} C="250 OK id=1"',
        ]
    )
    message = world.runtime.spool.read(message_id)[0]
    assert message.delivered >= {"a@rem.test", "b@rem.test", "bad@rem.test", "out@alias.test"}
    assert "temp@rem.test" not in message.delivered
    assert not message.deliver_first_time
    assert result.due > time.time() + 800


def test_a_dead_host_waits(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("h@dead.test")
    assert world.deliver(message_id).state == State.WAITING
    assert world.log(message_id)[-1] == "== h@dead.test R=remote T=smtp defer (111): Connection refused"
    record = retry.all_records(world.runtime.hints, "T:")
    assert len(record) == 1
    # a queue run leaves the host alone until its time; a forced one does not
    before = len(world.log(message_id))
    world.deliver(message_id, queue_run=True)
    assert "retry time not reached for any host" in world.log(message_id)[before:][-1]
    before = len(world.log(message_id))
    world.deliver(message_id, forced=True)
    assert world.log(message_id)[before:][-1].endswith("defer (111): Connection refused")


def test_what_cannot_wait_longer_bounces(tmp_path: Path) -> None:
    world = World(tmp_path, retry="* * F,1h,15m")
    message_id = world.put("h@dead.test", received_time=time.time() - 7200)
    assert world.deliver(message_id).state == State.COMPLETED
    assert world.log(message_id)[-2:] == [
        "** h@dead.test: retry timeout exceeded",
        "Completed",
    ]
    assert len(world.left()) == 1


def test_routing_answers(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("gone@alias.test", "later@alias.test", "hole@alias.test", "u@hold.test")
    assert world.deliver(message_id).state == State.WAITING
    lines = world.log(message_id)
    assert "** gone@alias.test R=al: no way" in lines
    assert "== later@alias.test R=al defer (-1): not now" in lines
    assert "=> :blackhole: <hole@alias.test> R=al" in lines
    assert "== u@hold.test defer (-23): domain is held" in lines
    assert world.runtime.spool.read(message_id)[0].delivered >= {"gone@alias.test", "hole@alias.test"}
    # the routing delay counts in queue runs only
    before = len(world.log(message_id))
    world.deliver(message_id, queue_run=True)
    assert "== later@alias.test defer (-51): retry time not reached" in world.log(message_id)[before:]


def test_frozen_messages(tmp_path: Path) -> None:
    world = World(tmp_path, main="auto_thaw = 1h\ntimeout_frozen_after = 3h\nignore_bounce_errors_after = 1d")
    now = time.time()

    def frozen(ago: float, **facts: object) -> str:
        return world.put("x@host.test", frozen=True, frozen_at=now - ago, **facts)

    fresh = frozen(10)
    assert world.deliver(fresh, queue_run=True).state == State.FROZEN
    assert world.log(fresh) == ["Message is frozen"]
    assert world.deliver(fresh, thaw=True, forced=True).state == State.COMPLETED
    assert world.log(fresh)[1] == "Unfrozen by forced delivery"
    thawed = frozen(3700)
    assert world.deliver(thawed).state == State.COMPLETED
    assert world.log(thawed)[0] == "Unfrozen by auto-thaw"
    old = frozen(4 * 3600)
    assert world.deliver(old).state == State.COMPLETED
    assert world.log(old)[0] == "cancelled by timeout_frozen_after"
    bounce = frozen(10, sender="", received_time=now - 2 * 86400)
    assert world.deliver(bounce).state == State.COMPLETED
    assert world.log(bounce)[0] == "Unfrozen by errmsg timer"


def test_no_bounce_of_a_bounce(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("gone@alias.test", sender="")
    assert world.deliver(message_id).state == State.FROZEN
    assert world.log(message_id)[-1] == "Frozen (delivery error message)"
    assert world.left() == [message_id]
    old = world.put("gone@alias.test", sender="", received_time=time.time() - 99 * 86400)
    assert world.deliver(old).state == State.COMPLETED
    assert world.log(old)[-2:] == ["error ignored", "Completed"]


def test_a_message_under_delivery_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test")
    with world.runtime.spool.lock(message_id):  # type: ignore[union-attr]
        assert world.deliver(message_id).state == State.LOCKED
    assert world.log(message_id) == ["Spool file is locked (another process is handling this message)"]
    assert world.deliver("1xVIlm-000335-1x").state == State.GONE


def test_damage_is_panic_and_gone(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test")
    (tmp_path / "spool" / "input" / f"{message_id}-H").write_bytes(b"rubbish")
    assert world.deliver(message_id).state == State.GONE
    assert "is damaged" in world.log(kind="panic")[0]
    assert world.left() == []


def test_no_delivery(tmp_path: Path) -> None:
    world = World(tmp_path)
    message_id = world.put("x@host.test", "a@rem.test")
    assert world.deliver(message_id, no_delivery=True).state == State.COMPLETED
    assert world.boxes() == {}
    assert world.log(message_id) == ["*> x <x@host.test> R=local T=box", "*> a@rem.test R=remote T=smtp", "Completed"]


def test_never_users(tmp_path: Path) -> None:
    world = World(tmp_path, main="never_users = nobody")
    if "User" not in "".join(_refusals(world)):
        pytest.skip("needs root: without it every delivery runs as the one user there is")
    assert world.boxes() == {}


def _refusals(world: World) -> list[str]:
    message_id = world.put("x@host.test")
    world.deliver(message_id)
    return world.log(message_id)


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["journal", "remove", "save", "intend"])
def test_death_repeats_only_what_was_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    with ScriptedServer(Script(), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        message_id = world.put("x@host.test", "y@host.test", "later@alias.test", "gone@alias.test")
        with monkeypatch.context() as patched:
            patched.setattr(Locked, at, _dying(getattr(Locked, at), after=1 if at == "journal" else 0))
            try:
                world.deliver(message_id)
            except Died:
                pass
        world.runtime = world.start()
        world.deliver(message_id)
        got = world.boxes()
    assert all(1 <= count <= 2 for count in got.values())
    assert sum(got.values()) <= 3  # two mailboxes, one delivery may have been repeated
    bounces = [one for one in world.left() if one != message_id]
    assert len(bounces) == 1  # for the address that failed, once


def _dying(real, after: int):  # type: ignore[no-untyped-def]
    calls = [0]

    def die(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        calls[0] += 1
        if calls[0] > after:
            self.release()
            raise Died
        return real(self, *args, **kwargs)

    return die


def test_a_bounce_waits_for_its_parents_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Death between the bounce's commit and the parent's mark: one bounce, whichever is taken up first."""
    for first in ("parent", "bounce"):
        root = tmp_path / first
        root.mkdir(mode=0o755)
        world = World(root, main="bounce_return_size_limit = 0")
        message_id = world.put("gone@alias.test", "later@alias.test", sender="x@host.test")
        with monkeypatch.context() as patched, pytest.raises(Died):
            patched.setattr(Locked, "journal", _dying(Locked.journal, after=0))
            world.deliver(message_id)
        world.runtime = world.start()
        (bounce,) = [one for one in world.left() if one != message_id]
        for one in (message_id, bounce) if first == "parent" else (bounce, message_id):
            world.deliver(one)
        assert world.left() == [message_id]
        assert (root / "mail" / "x").read_bytes().count(b"Mail delivery failed") == 1


def test_retry_records_are_forgotten_after_success(tmp_path: Path) -> None:
    with ScriptedServer(Script(), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        key = f"T:127.0.0.2:127.0.0.2:{server.port}"
        retry.put(world.runtime.hints, key, RetryRecord(1, 2, 3))
        world.deliver(world.put("a@rem.test"))
    assert retry.all_records(world.runtime.hints, "T:") == []


def test_one_time_children_take_their_parents_place(tmp_path: Path) -> None:
    routers = "once:\n  driver = redirect\n  domains = once.test\n  one_time\n  errors_to = x@host.test\n"
    routers += "  data = h@dead.test, x@host.test\n"
    world = World(tmp_path, routers=routers)
    message_id = world.put("u@once.test")
    assert world.deliver(message_id).state == State.WAITING
    message = world.runtime.spool.read(message_id)[0]
    assert [(r.address, r.errors_to, r.parent) for r in message.recipients] == [
        ("u@once.test", None, -1),
        ("h@dead.test", "x@host.test", 0),
    ]
    assert "u@once.test" in message.delivered
    world.deliver(message_id, forced=True)
    assert world.boxes() == {"x": 1}
