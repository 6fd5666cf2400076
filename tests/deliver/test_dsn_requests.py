"""NOTIFY, RET, ENVID and ORCPT at delivery (DSN-04 to DSN-15, PRDR-13), beside Exim, and read by others."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import time
from email.message import Message as EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flufl.bounce import all_failures, scan_message

from mta.mail.message import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_FULL, RET_HDRS
from tests.deliver.test_oracle import normal, result
from tests.deliver.world import World
from tests.fakes.smtp_server import Script, ScriptedServer

S, F, D, N = NOTIFY_SUCCESS, NOTIFY_FAILURE, NOTIFY_DELAY, NOTIFY_NEVER
Asked = list[tuple[str, int, str]]

# name: (recipients with NOTIFY and ORCPT, facts of the message, main options, EHLO keywords of the next hop)
CASES: dict[str, tuple[Asked, dict[str, Any], str, tuple[str, ...]]] = {
    "dsn_06_relayed_to_a_host_without_dsn": ([("a@rem.test", S, "")], {}, "", ()),
    "dsn_06_passed_on": (
        [("a@rem.test", S | F, "rfc822;orig@x.test")],
        {"dsn_envid": "e+2Bv", "dsn_ret": RET_HDRS},
        "",
        ("DSN",),
    ),
    "dsn_06_nothing_asked": ([("a@rem.test", 0, "")], {"dsn_envid": "e+2Bv", "dsn_ret": RET_FULL}, "", ("DSN",)),
    "dsn_12_local": ([("x@host.test", S, "rfc822;o+2Bx@y")], {"dsn_envid": "plain", "dsn_ret": RET_FULL}, "", ()),
    "dsn_07_redirected": ([("two@alias.test", S, "")], {}, "", ()),
    "dsn_07_goes_no_further": ([("out@alias.test", S, "rfc822;q@r")], {}, "", ("DSN",)),
    "dsn_07_discarded": ([("hole@alias.test", S, "")], {}, "", ()),
    "dsn_05_never": ([("gone@alias.test", N, "")], {}, "", ()),
    "dsn_05_success_alone": ([("gone@alias.test", S, "")], {}, "", ()),
    "dsn_13_bad_envid": (
        [("gone@alias.test", S | F, "rfc822;g@z"), ("x@host.test", S, ""), ("a@rem.test", S, "")],
        {"dsn_envid": "bad+zz"},
        "",
        (),
    ),
    "dsn_14_no_bodies": ([("gone@alias.test", F, "")], {"dsn_ret": RET_FULL}, "bounce_return_body = false", ()),
    "dsn_14_too_big": ([("gone@alias.test", F, "")], {"dsn_ret": RET_FULL}, "bounce_return_size_limit = 5", ()),
    "dsn_13_remote": ([("bad@rem.test", F, "rfc822;z@z")], {"dsn_ret": RET_HDRS}, "", ("DSN",)),
    "dsn_05_delay": ([("later@alias.test", D, "rfc822;z@z")], {"dsn_envid": "q"}, "delay_warning = 1h", ()),
    "dsn_05_no_delay": ([("later@alias.test", F, "")], {}, "delay_warning = 1h", ()),
}


def deliver(root: Path, name: str, who: str, port: int) -> tuple[World, str]:
    recipients, facts, main, _ = CASES[name]
    main += "" if "delay_warning" in main else "\ndelay_warning ="
    root.mkdir(mode=0o755)
    world = World(root, port=port, retry="* * F,9d,15m", main=f"message_logs = false\n{main}")
    body = b"line\n" * (20000 if "too_big" in name else 2)
    message_id = world.put(*(one for one, _, _ in recipients), received_time=time.time() - 7200, body=body, **facts)
    locked = world.runtime.spool.lock(message_id)
    assert locked is not None
    with locked:
        for entry, (_, notify, orcpt) in zip(locked.message.recipients, recipients, strict=True):
            entry.notify, entry.orcpt = notify, orcpt
        locked.save()
    if who == "exim":
        subprocess.run(["chown", "-R", "nobody:nogroup", str(root)], check=True)
        shutil.chown(root / "conf", "root", "root")
        command = ["exim4", "-C", str(root / "conf"), "-M", message_id]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        world.runtime.services.state["transport.idle_seconds"] = 0
        world.deliver(message_id, forced=True, thaw=True)
    return world, message_id


def script(name: str) -> Script:
    return Script(answers={"RCPT TO:<bad": "550 5.1.1 no such user"}, extensions=("PIPELINING", *CASES[name][3]))


def notices(world: World, message_id: str) -> list[EmailMessage]:
    """The messages that came of it, whole."""
    found = []
    for one in world.left():
        if one == message_id:
            continue
        message, _ = world.runtime.spool.read(one)  # without its lock: Exim may be at it still
        body = (world.root / "spool" / "input" / f"{one}-D").read_bytes().partition(b"\n")[2]
        found.append(email.message_from_bytes(message.headers.text().encode("latin-1") + b"\n" + body))
    return found


def headers(world: World, message_id: str) -> list[list[tuple[str, str]]]:
    kept = [[(k, normal(v, world, message_id)) for k, v in one.items()] for one in notices(world, message_id)]
    return [[pair for pair in one if pair[0] not in ("Received", "Message-Id", "Date")] for one in kept]


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_as_exim(name: str, tmp_path: Path) -> None:
    if shutil.which("exim4") is None or os.geteuid() != 0:
        pytest.skip("exim4 is missing, or not called by root")
    found = []
    for who in ("exim", "ours"):
        with ScriptedServer(script(name), address="127.0.0.2") as server:
            world, message_id = deliver(tmp_path / who, name, who, server.port)
            found.append((result(world, message_id), headers(world, message_id), list(server.commands)))
    assert found[1] == found[0]


HIDING = """hid:
  driver = redirect
  domains = hid.test
  data = ${if eq{$local_part}{h}{bad@rem.test}{gone@alias.test, "|/bin/false"}}
  hide_child_in_errmsg
  pipe_transport = pipe
"""


@pytest.mark.parametrize("who", ["ours", pytest.param("exim", marks=pytest.mark.oracle)])
def test_hide_child_in_errmsg(tmp_path: Path, who: str) -> None:
    if who == "exim" and (shutil.which("exim4") is None or os.geteuid() != 0):
        pytest.skip("exim4 is missing, or not called by root")
    with ScriptedServer(Script(answers={"RCPT": "550 no bad@rem.test here"}), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port, routers=HIDING, main="message_logs = false")
        message_id = world.put("h@hid.test", "h2@hid.test")
        if who == "exim":
            subprocess.run(["chown", "-R", "nobody:nogroup", str(tmp_path)], check=True)
            shutil.chown(tmp_path / "conf", "root", "root")
            command = ["exim4", "-C", str(tmp_path / "conf"), "-M", message_id]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        else:
            world.deliver(message_id)
        (notice,) = notices(world, message_id)
    human, (_, *others), _ = parts(notice)
    assert human.partition("failed:\n\n")[2] == (
        "  an undisclosed address\n    (generated from h@hid.test)\n    host 127.0.0.2 [127.0.0.2]\n"
        "  an undisclosed address\n    (generated from h2@hid.test)\n"
        "  an undisclosed address\n    (generated from h2@hid.test)\n"
    )
    assert sorted(one["Final-Recipient"] for one in others) == ["rfc822;h2@hid.test"] * 2 + ["rfc822;h@hid.test"]
    assert notice["X-Failed-Recipients"] is None


def parts(notice: EmailMessage) -> tuple[str, list[EmailMessage], str]:
    """DSN-04: the human's part, the machine's groups of fields, the type of what comes back."""
    assert notice.get_content_type() == "multipart/report"
    assert notice.get_param("report-type") == "delivery-status"
    assert not notice.defects
    human, status, back = notice.get_payload()
    assert (human.get_content_type(), status.get_content_type()) == ("text/plain", "message/delivery-status")
    for part in notice.walk():
        assert not part.defects
    return human.get_payload(), status.get_payload(), back.get_content_type()


def made(name: str, tmp_path: Path) -> tuple[list[EmailMessage], list[str]]:
    with ScriptedServer(script(name), address="127.0.0.2") as server:
        world, message_id = deliver(tmp_path / "ours", name, "ours", server.port)
        return notices(world, message_id), list(server.commands)


def test_dsn_12_success_is_read_by_others(tmp_path: Path) -> None:
    (notice,), _ = made("dsn_12_local", tmp_path)
    human, (whole, one), back = parts(notice)
    assert '<x@host.test> (relayed via non "Remote SMTP" router)' in human
    assert whole["Original-Envelope-ID"] == "plain"
    assert (one["Action"], one["Final-Recipient"], one["Status"]) == ("delivered", "rfc822;x@host.test", "2.0.0")
    assert one["Original-Recipient"] == "rfc822;o+2Bx@y"
    assert back == "text/rfc822-headers"
    assert all_failures(notice) == (set(), set())  # a success is no bounce to a list manager


def test_dsn_13_failure_is_read_by_others(tmp_path: Path) -> None:
    (notice,), commands = made("dsn_13_remote", tmp_path)
    _, (_, one), back = parts(notice)
    assert (one["Action"], one["Remote-MTA"]) == ("failed", "dns; 127.0.0.2")
    assert one["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert back == "text/rfc822-headers"
    assert scan_message(notice) == {b"z@z"}  # the address as the sender knew it
    assert commands[1:3] == [
        "MAIL FROM:<s@hold.test> RET=HDRS",
        "RCPT TO:<bad@rem.test> NOTIFY=FAILURE ORCPT=rfc822;z@z",
    ]


def test_dsn_13_delay_is_read_by_others(tmp_path: Path) -> None:
    (notice,), _ = made("dsn_05_delay", tmp_path)
    _, (_, one), _ = parts(notice)
    assert (one["Action"], one["Status"], one["Original-Recipient"]) == ("delayed", "4.0.0", "rfc822;z@z")
    assert all_failures(notice) == ({b"z@z"}, set())


def test_dsn_13_envid_is_decoded(tmp_path: Path) -> None:
    """RFC 3461 6.3 (a), where Exim leaves the xtext."""
    CASES["decoded"] = ([("gone@alias.test", 0, "")], {"dsn_envid": "a+2Bb+20c"}, "", ())
    try:
        (notice,), _ = made("decoded", tmp_path)
    finally:
        del CASES["decoded"]
    _, (whole, _), _ = parts(notice)
    assert whole["Original-Envelope-ID"] == "a+b c"


def test_dsn_07_told_once_over_several_attempts(tmp_path: Path) -> None:
    """A redirection of which one child waits: the notice goes with the first that arrives, and not again."""
    with ScriptedServer(Script(answers={"RCPT TO:<temp": ["451 later", "250 ok"]}), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port, main="delay_warning =")
        with open(tmp_path / "aliases", "a") as aliases:
            aliases.write("pair: x@host.test, temp@rem.test\n")
        message_id = world.put("pair@alias.test")
        locked = world.runtime.spool.lock(message_id)
        assert locked is not None
        with locked:
            locked.message.recipients[0].notify = S
            locked.save()
        assert len(world.deliver(message_id, forced=True).made) == 1
        assert world.deliver(message_id, forced=True).made == []
        assert world.log(message_id)[-1] == "Completed"


@pytest.mark.parametrize("lasthop", [False, True])
def test_dsn_09_lasthop(tmp_path: Path, lasthop: bool) -> None:
    with ScriptedServer(Script(extensions=("DSN",)), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        conf = (tmp_path / "conf").read_text()
        (tmp_path / "conf").write_text(
            conf.replace("  route_list = dead", f"  dsn_lasthop = {str(lasthop).lower()}\n  route_list = dead")
        )
        world.runtime = world.start()
        message_id = world.put("a@rem.test", dsn_envid="e", dsn_ret=RET_HDRS)
        locked = world.runtime.spool.lock(message_id)
        assert locked is not None
        with locked:
            locked.message.recipients[0].notify = S
            locked.save()
        found = world.deliver(message_id).made
        assert server.commands[1:3] == (
            ["MAIL FROM:<s@hold.test>", "RCPT TO:<a@rem.test>"]
            if lasthop
            else ["MAIL FROM:<s@hold.test> RET=HDRS ENVID=e", "RCPT TO:<a@rem.test> NOTIFY=SUCCESS"]
        )
        assert len(found) == lasthop
    if lasthop:
        human, (_, one), _ = parts(notices(world, message_id)[0])
        assert "(relayed via non DSN router)" in human
        assert one["Action"] == "delivered"


PRDR = {
    # name: (recipients, what is said after the data, log lines as Exim's)
    "all": (
        "a b",
        "353 go\n250 a ok\n250 b ok\n250 done",
        ['=> a PRDR C="250 a ok\\\\n250 done"', '-> b PRDR C="250 b ok\\\\n250 done"', "Completed"],
    ),
    "later": (
        "a b",
        "353 go\n250 a ok\n450 4.1.1 b later\n250 done",
        ['=> a PRDR C="250 a ok\\\\n250 done"', "== b defer (0): PRDR error after DATA: 450 4.1.1 b later"],
    ),
    "never": (
        "a b",
        "353 go\n250 a ok\n550 5.1.1 b never\n250 done",
        ['=> a PRDR C="250 a ok\\\\n250 done"', "** b: PRDR error after DATA: 550 5.1.1 b never", "Completed"],
    ),
    "overridden": (
        "a b",
        "353 go\n250 a ok\n550 b no\n450 all no",
        [
            "H=127.0.0.2 [127.0.0.2]: SMTP error from remote mail server after end of data: 450 all no",
            "== a defer (-46): SMTP error from remote mail server after end of data: 450 all no",
            "** b: PRDR error after DATA: 550 b no",
        ],
    ),
    "one_answer": ("a b", "250 all", ['=> a C="250 all"', '-> b C="250 all"', "Completed"]),
    "one_recipient": ("a", "250 one", ['=> a C="250 one"', "Completed"]),
}


@pytest.mark.parametrize("who", ["ours", pytest.param("exim", marks=pytest.mark.oracle)])
@pytest.mark.parametrize("name", PRDR)
def test_prdr_13(name: str, who: str, tmp_path: Path) -> None:
    if who == "exim" and (shutil.which("exim4") is None or os.geteuid() != 0):
        pytest.skip("exim4 is missing, or not called by root")
    words, answer, expected = PRDR[name]
    recipients = [f"{one}@rem.test" for one in words.split()]
    with ScriptedServer(Script(extensions=("PIPELINING", "PRDR"), after_data=answer), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port, main="message_logs = false")
        message_id = world.put(*recipients)
        if who == "exim":
            subprocess.run(["chown", "-R", "nobody:nogroup", str(tmp_path)], check=True)
            shutil.chown(tmp_path / "conf", "root", "root")
            command = ["exim4", "-C", str(tmp_path / "conf"), "-M", message_id]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        else:
            world.deliver(message_id)
        asked = server.commands[1]
    assert asked.endswith(" PRDR") == (len(recipients) > 1)
    lines = [
        re.sub(r"@rem\.test| R=remote T=smtp| H=127\.0\.0\.2 \[127\.0\.0\.2\](?=:| C| PRDR)", "", line)
        for line in world.log(message_id)
    ]
    assert [line for line in lines if not line.startswith("<=")] == [
        line.replace(" H=127.0.0.2 [127.0.0.2]", "") for line in expected
    ]


def test_prdr_13_not_where_hosts_try_prdr_says_no(tmp_path: Path) -> None:
    with ScriptedServer(Script(extensions=("PRDR",)), address="127.0.0.2") as server:
        world = World(tmp_path, port=server.port)
        conf = (tmp_path / "conf").read_text()
        (tmp_path / "conf").write_text(conf.replace("  hosts_try_chunking =\n", "  hosts_try_prdr =\n"))
        world.runtime = world.start()
        world.deliver(world.put("a@rem.test", "b@rem.test"))
        assert server.commands[1] == "MAIL FROM:<s@hold.test>"
