"""The same message, configuration and sink given to Exim 4.96 and to us: log lines, bounces and what is left."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mta.deliver.message import DeliverOptions, deliver_message
from tests.deliver.world import World
from tests.fakes.smtp_server import Script, ScriptedServer

DEAD = "h@dead.test"
CASES = [
    (["h@dead.test"], "* * F,1h,15m", {}, "-M"),  # out of time
    (["temp@rem.test", "a@rem.test"], "* * F,1h,15m", {}, "-M"),
    (["later@alias.test"], "* * F,1h,15m", {}, "-M"),
    (["temp@rem.test", "later@alias.test"], "x.y * F,1h,15m", {}, "-M"),  # no rule fits
    (["h@dead.test"], "* *", {}, "-M"),  # a rule that gives no time
    (["gone@alias.test", "bad@rem.test", "gone2@alias.test", "bad2@rem.test"], "* * F,9d,15m", {}, "-M"),
    (["Bad@rem.test", "GONE@Alias.Test", "hole@alias.test", "u@hold.test"], "* * F,9d,15m", {}, "-M"),
    (["a@rem.test", "later@alias.test", "out@alias.test", "temp@rem.test"], "* * F,9d,15m", {}, "-M"),
    (["pipe@alias.test", "gone@alias.test"], "* * F,9d,15m", {}, "-M"),
    (["gone@alias.test", "temp@rem.test"], "* * F,9d,15m", {"sender": ""}, "-M"),
    (["later@alias.test"], "* * F,9d,15m", {"sender": ""}, "-M"),
    (["a@rem.test", "b@dead.test"], "* * F,9d,15m", {"frozen": True, "frozen_at": 5.0}, "-M"),
    (["a@rem.test", "b@dead.test"], "* * F,9d,15m", {}, "-Mg"),
    (["gone@alias.test"], "* * F,9d,15m", {"dsn_envid": "ev", "dsn_ret": 2}, "-M"),
]
OPTIONS = {
    "-M": DeliverOptions(forced=True, thaw=True),
    "-Mg": DeliverOptions(forced=True, thaw=True, give_up="cancelled by root"),
}


def normal(text: str, world: World, message_id: str) -> str:
    text = text.replace(message_id, "ID").replace(str(world.root), "ROOT")
    text = re.sub(r"\d+-eximdsn-\d+", "B", text)
    return re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", text)


def result(world: World, message_id: str) -> tuple[list[str], str, bool]:
    """Log lines of the message, the bounce's body, whether the message is still there."""
    log = normal("\n".join(world.log(message_id)), world, message_id).split("\n")
    bodies = ""
    for path in sorted((world.root / "spool" / "input").glob("*-D")):
        if not path.name.startswith(message_id):
            bodies += normal(path.read_text("latin-1").partition("\n")[2], world, message_id)
    return log, bodies, message_id in world.left()


@pytest.mark.oracle
@pytest.mark.parametrize(("recipients", "retry", "facts", "flag"), CASES)
def test_as_exim(tmp_path: Path, recipients: list[str], retry: str, facts: dict[str, object], flag: str) -> None:
    if shutil.which("exim4") is None or os.geteuid() != 0:
        pytest.skip("exim4 is missing, or not called by root")
    answers = {"RCPT TO:<bad": "550 5.1.1 no such user", "RCPT TO:<temp": "451 4.3.0 try later"}
    found = []
    received = time.time() - 7200
    with ScriptedServer(Script(answers=dict(answers)), address="127.0.0.2") as server:
        for who in ("exim", "ours"):
            root = tmp_path / who
            root.mkdir(mode=0o755)
            world = World(root, port=server.port, retry=retry, main="message_logs = false\ndelay_warning =")
            with open(root / "aliases", "a") as aliases:
                aliases.write("gone2: :fail: no way\n")
            message_id = world.put(*recipients, received_time=received, **facts)  # type: ignore[arg-type]
            subprocess.run(["chown", "-R", "nobody:nogroup", str(root)], check=True)
            if who == "exim":
                shutil.chown(root / "conf", "root", "root")
                command = ["exim4", "-C", str(root / "conf"), flag, message_id]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            else:
                deliver_message(world.runtime, message_id, OPTIONS[flag])
            found.append(result(world, message_id))
    assert found[1] == found[0]
