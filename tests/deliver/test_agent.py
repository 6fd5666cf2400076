"""Local deliveries in other processes: under other ids, through the agent, with intents journalled."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mta.deliver import child, wire
from mta.deliver.agent import AgentClient, LocalAgent, make_agent_wires, use_agent
from mta.deliver.identity import Refused, identity
from mta.deliver.message import State
from mta.mail.host import Host
from mta.mail.message import Message
from mta.mail.outcome import Outcome, RetryFact, Status
from mta.mail.peer import Peer
from mta.mail.recipient import Recipient, Reply
from mta.text.taint import Tainted
from tests.deliver.world import World
from tests.fakes.smtp_server import Script, ScriptedServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: changes ids")


@needs_root
def test_files_belong_to_the_recipient(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deliver(world.put("x@host.test"))
    assert (tmp_path / "mail" / "x").stat().st_uid == world.runtime.config.site.uid != 0


def test_through_the_agent(tmp_path: Path) -> None:
    world = World(tmp_path)
    wires = make_agent_wires()
    pid = os.fork()
    if pid == 0:
        wires.client.close()
        os._exit(LocalAgent(world.runtime, wires.server, lambda: os.path.exists(tmp_path / "stop")).loop())
    use_agent(world.runtime, wires)
    ids = [world.put("x@host.test", "y@host.test") for _ in range(3)]
    assert [world.deliver(one).state for one in ids] == [State.COMPLETED] * 3
    if os.geteuid() == 0:  # the user's process served all six deliveries and waits for more
        assert [len(idle) for idle in world.runtime.services.state[child.AGENT].idle.values()] == [1]
    (tmp_path / "stop").touch()
    assert os.waitpid(pid, 0)[1] == 0
    assert world.boxes() == {"x": 3, "y": 3}
    # without an agent the message waits, and nothing is lost
    waiting = world.put("x@host.test")
    wires.server.close()
    assert world.deliver(waiting).state == State.WAITING
    wires.client.close()


@needs_root
@pytest.mark.parametrize("uid", [0, -1])
def test_root_is_refused(tmp_path: Path, uid: int) -> None:
    world = World(tmp_path)
    request = wire.LocalRequest(
        "box", Message(id="1xVIlm-000335-1x"), Peer(), [Recipient("x@host.test")], "", uid, 0, ()
    )
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=child.serve, args=(world.runtime, theirs))
    thread.start()
    with open(tmp_path / "conf", "rb") as file, pytest.raises((wire.WireError, OSError)) as caught:
        child.converse(world.runtime, ours, request, file.fileno(), lambda _: None)
    thread.join()
    assert "not permitted" in str(caught.value) or isinstance(caught.value, OSError)


def test_a_child_that_dies_is_a_deferral(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)

    class Dead(AgentClient):
        def connect(self) -> socket.socket:
            ours, theirs = socket.socketpair()
            theirs.close()
            return ours

    unused, other = socket.socketpair()
    unused.close()
    other.close()
    world.runtime.services.state[child.AGENT] = Dead(unused)
    message_id = world.put("x@host.test")
    assert world.deliver(message_id).state == State.WAITING
    assert "local delivery process failed" in world.log(message_id)[0]


def test_requests_survive_the_wire() -> None:
    top = Recipient("A@x.test", local_part="a", domain="x.test", address_data=Tainted("d"), notify=3)
    reply = Recipient(
        ">b@y.test",
        kind="reply",
        parent=top,
        hosts=[Host("h", "1.2.3.4", 25, 10)],
        set_vars={"r": Tainted("v"), "q": "w"},
        reply=Reply(to="b@y.test", text="t"),
        routed_by=frozenset({"one", "two"}),
        filter_n=[1, 2],
    )
    message = Message(id="1xVIlm-000335-1x", sender="s@x", originator_uid=1, originator_gid=1, body_size=77)
    message.headers.add("Subject: \xe9")
    request = wire.LocalRequest(
        "t", message, Peer(address="192.0.2.1"), [reply, top], "s@x", 5, 6, (6, 7), "/h", "/c", ("i",)
    )
    back = wire.request_of(wire.request_record(request))
    assert back.recipients == [reply, top]
    assert isinstance(back.recipients[1].address_data, Tainted)
    assert isinstance(back.recipients[0].set_vars["r"], Tainted)
    assert not isinstance(back.recipients[0].set_vars["q"], Tainted)
    assert (back.message.headers, back.message.body_size, back.peer.address) == (message.headers, 77, "192.0.2.1")
    assert (back.uid, back.gid, back.groups, back.home, back.intents) == (5, 6, (6, 7), "/h", ("i",))
    outcome = Outcome(top, Status.DEFERRED, "full", errno=-22, retry=[RetryFact("T:a@x", True, "quota", "86400")])
    assert wire.outcome_of(wire.outcome_record(outcome), top) == outcome
    with pytest.raises(wire.WireError):
        wire.request_of({"recipients": []})
    with pytest.raises(wire.WireError):
        wire.outcome_of({"status": 9}, top)


def test_identities(tmp_path: Path) -> None:
    world = World(tmp_path, main="never_users = daemon")
    scope = world.runtime.scope()
    box = world.runtime.config.transports["box"]
    site = world.runtime.config.site
    assert identity(world.runtime, box, Recipient("x@host.test"), scope).uid == site.uid
    smtp = world.runtime.config.transports["smtp"]
    assert identity(world.runtime, smtp, Recipient("x@host.test", uid=1234, gid=1235), scope)[:3] == (
        1234,
        1235,
        (1235,),
    )
    with pytest.raises(Refused, match="User 1 set for smtp transport is on the never_users list"):
        identity(world.runtime, smtp, Recipient("x@host.test", uid=1, gid=1), scope)
    with pytest.raises(Refused, match="User set without group for smtp transport"):
        identity(world.runtime, smtp, Recipient("x@host.test", uid=1234), scope)


@needs_root
def test_root_at_the_command_line_gives_its_rights_up(tmp_path: Path) -> None:
    """mta -M by root: the mailbox is the recipient's, what talks to the network is the mta user's."""
    with ScriptedServer(Script(), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        message_id = world.put("x@host.test", "a@rem.test", "h@dead.test")
        subprocess.run(["chown", "-R", "nobody:nogroup", str(tmp_path / "spool")], check=True)
        shutil.chown(tmp_path, "nobody", "nogroup")
        code = (
            "import os,sys; sys.path.insert(0, sys.argv.pop(1))\n"
            "from mta.cli.main import main; code = main('mta', sys.argv[1:]); sys.exit(code or os.geteuid() == 0)"
        )
        command = [sys.executable, "-c", code, os.getcwd(), "-C", str(tmp_path / "conf"), "-M", message_id]
        subprocess.run(command, check=True)
    assert world.boxes() == {"x": 1}
    uid = world.runtime.config.site.uid
    for path in (tmp_path / "mail" / "x", tmp_path / "mainlog", tmp_path / "spool" / "input" / f"{message_id}-H"):
        assert path.stat().st_uid == uid, path
    assert "== h@dead.test R=remote T=smtp defer (111): Connection refused" in world.log(message_id)
