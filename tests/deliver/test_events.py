"""Events (manual chapter 61; EV-01 to EV-14): what is raised when, with which variables, what a result forces."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mta.acl.verify_options import Callout
from mta.lookup.servers import close_all
from mta.mail.host import Host
from mta.route.chain import make_recipient
from mta.transport.remote.pool import STATE_KEY
from tests.deliver.world import World
from tests.fakes.smtp_server import CLOSE, Script, ScriptedServer
from tests.peers.mariadb import mariadb
from tests.peers.postgres import postgres
from tests.peers.programs import ROOT, mta

ACL = r"""
begin acl
ev:
  accept logwrite = EV $acl_arg1|$event_name|$event_data|${if match{$event_name}{defer\$}{$event_defer_errno}}|\
    ${if eq{$event_name}{msg:complete}{}{$domain|$host|$host_address|$host_port}}
"""
EHLO = "250-sink.test\\n250-PIPELINING\\n250-SIZE 10000000\\n250-8BITMIME\\n250 HELP"
LATER = "SMTP error from remote mail server after RCPT TO:<temp@rem.test>: 451 later"
SINK = "127.0.0.2|127.0.0.2|PORT"


def eventful(
    root: Path,
    port: int,
    *,
    smtp: str = "",
    box: str = "",
    main: str = "",
    retry: str = "* * F,9d,15m",
    listen: bool = True,
) -> World:
    """A world whose transports and main section log each event; extra text for each of them."""
    head = "message_logs = false\n" + ("event_action = ${acl{ev}{main}}" if listen else "")
    world = World(root, port=port, retry="* * F,9d,15m", main=f"{head}{main}\n{ACL}")
    text = (root / "conf").read_text()
    action = "event_action = ${acl{ev}{%s}}" if listen else ""
    text = text.replace(
        "  hosts_try_chunking =\n", f"  hosts_try_chunking =\n  {action % 'smtp' if listen else ''}{smtp}\n"
    )
    text = text.replace("  create_directory\n", f"  create_directory\n  {action % 'box' if listen else ''}{box}\n", 1)
    (root / "conf").write_text(text)
    world.runtime = world.start()
    world.runtime.services.state["transport.idle_seconds"] = 0
    return world


def told(world: World, port: int, kind: str = "main") -> list[str]:
    """The events as the ACL logged them."""
    logged = [f" {line}".partition(" EV ")[2] for line in world.log(kind=kind)]
    lines = [line.replace(str(port), "PORT") for line in logged if line]
    return [re.sub(r"\|*\Z", "", line) for line in lines]


CASES: dict[str, tuple[list[str], dict[str, str], dict[str, str], list[str]]] = {
    # name: recipients, answers of the server, extra options, events (as Exim 4.96 raises them)
    "ev_02_delivery": (
        ["a@rem.test"],
        {},
        {},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|smtp:connect|220 sink.test ESMTP||rem.test|{SINK}",
            f"smtp|smtp:ehlo|{EHLO}||rem.test|{SINK}",
            f"smtp|tcp:close|||rem.test|{SINK}",
            f"smtp|msg:delivery|250 OK id=1||rem.test|{SINK}",
            "main|msg:complete",
        ],
    ),
    "ev_03_recipient_deferred": (
        ["temp@rem.test"],
        {"RCPT TO:<temp": "451 later"},
        {},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|smtp:connect|220 sink.test ESMTP||rem.test|{SINK}",
            f"smtp|smtp:ehlo|{EHLO}||rem.test|{SINK}",
            f"smtp|msg:rcpt:host:defer|{LATER}|13121|rem.test|{SINK}",
            f"smtp|tcp:close|||rem.test|{SINK}",
            f"smtp|msg:rcpt:defer|{LATER}|13121|rem.test|{SINK}",
        ],
    ),
    "ev_02_recipient_failed": (
        ["bad@rem.test"],
        {"RCPT TO:<bad": "550 never"},
        {},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|smtp:connect|220 sink.test ESMTP||rem.test|{SINK}",
            f"smtp|smtp:ehlo|{EHLO}||rem.test|{SINK}",
            f"smtp|tcp:close|||rem.test|{SINK}",
            "smtp|msg:fail:delivery|SMTP error from remote mail server after RCPT TO:<bad@rem.test>: 550 never||"
            f"rem.test|{SINK}",
            "main|msg:complete",
        ],
    ),
    "ev_03_message_deferred": (
        ["a@rem.test"],
        {"DATA": "451 later"},
        {},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|smtp:connect|220 sink.test ESMTP||rem.test|{SINK}",
            f"smtp|smtp:ehlo|{EHLO}||rem.test|{SINK}",
            f"smtp|tcp:close|||rem.test|{SINK}",
            f"smtp|msg:defer|SMTP error from remote mail server after pipelined DATA: 451 later|-46|rem.test|{SINK}",
        ],
    ),
    "ev_05_refused": (
        ["a@dead.test"],
        {},
        {},
        [
            "smtp|tcp:connect|||dead.test|127.0.0.3|127.0.0.3|9",
            "smtp|msg:host:defer|Connection refused|111|dead.test|127.0.0.3|127.0.0.3|9",
            "smtp|msg:defer|Connection refused|111|dead.test|127.0.0.3|127.0.0.3|9",
        ],
    ),
    "ev_02_failed_by_routing": (
        ["gone@alias.test"],
        {},
        {},
        ["main|msg:fail:internal|no way||alias.test|||0", "main|msg:complete"],
    ),
    "ev_02_local": (["x@host.test"], {}, {}, ["box|msg:delivery|||host.test|||0", "main|msg:complete"]),
    "ev_07_no_connection": (
        ["a@rem.test"],
        {},
        {"smtp": "${if eq{$event_name}{tcp:connect}{no}}"},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|msg:host:defer||-58|rem.test|{SINK}",
            f"smtp|msg:defer||-58|rem.test|{SINK}",
        ],
    ),
    "ev_07_connection_closed": (
        ["a@rem.test"],
        {},
        {"smtp": "${if eq{$event_name}{smtp:connect}{not now}}"},
        [
            f"smtp|tcp:connect|||rem.test|{SINK}",
            f"smtp|smtp:connect|220 sink.test ESMTP||rem.test|{SINK}",
            f"smtp|tcp:close|||rem.test|{SINK}",
            f"smtp|msg:host:defer|deferred by smtp:connect event expansion: not now|-27|rem.test|{SINK}",
            f"smtp|msg:defer|deferred by smtp:connect event expansion: not now|-27|rem.test|{SINK}",
        ],
    ),
    "ev_07_others_ignored": (
        ["x@host.test"],
        {},
        {"box": "forced", "main": "forced"},
        ["box|msg:delivery|||host.test|||0", "main|msg:complete"],
    ),
}
LOG_LINES = {
    "ev_07_no_connection": [
        "H=127.0.0.2 [127.0.0.2] Event requests alternate response",
        "== a@rem.test R=remote T=smtp defer (-58)",
    ],
    "ev_07_connection_closed": [
        "H=127.0.0.2 [127.0.0.2]: deferred by smtp:connect event expansion: not now",
        "== a@rem.test R=remote T=smtp defer (-27): deferred by smtp:connect event expansion: not now",
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_events(name: str, tmp_path: Path) -> None:
    recipients, answers, options, expected = CASES[name]
    with ScriptedServer(Script(answers=dict(answers)), address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, **options)
        message_id = world.put(*recipients)
        world.deliver(message_id)
        assert told(world, server.port) == expected
        lines = [line for line in world.log(message_id) if not line.startswith(("EV ", "<="))]
        assert LOG_LINES.get(name, lines) == lines
        if name == "ev_07_no_connection":
            assert server.sessions == 0


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_recorded_events_are_exims(name: str, tmp_path: Path) -> None:
    if shutil.which("exim4") is None or os.geteuid() != 0:
        pytest.skip("exim4 is missing, or not called by root")
    recipients, answers, options, expected = CASES[name]
    with ScriptedServer(Script(answers=dict(answers)), address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, **options)
        message_id = world.put(*recipients)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(tmp_path)], check=True)
        shutil.chown(tmp_path / "conf", "root", "root")
        command = ["exim4", "-C", str(tmp_path / "conf"), "-M", message_id]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        exims = told(world, server.port)
        assert sorted(exims) == sorted(expected)  # msg:rcpt:defer comes before tcp:close there
        lines = [line for line in world.log(message_id) if not line.startswith(("EV ", "<="))]
        assert LOG_LINES.get(name, lines) == lines


def test_ev_10_a_failed_expansion_is_told_and_delivery_goes_on(tmp_path: Path) -> None:
    """EV-09's slip: a numeric comparison of strings."""
    slip = "event_action = ${if ={msg:delivery}{$event_name}{}{}}"
    with ScriptedServer(address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, smtp=slip, listen=False)
        message_id = world.put("a@rem.test")
        world.deliver(message_id)
        panic = world.log(message_id, "panic")
    why = 'integer expected but "msg:delivery" found'
    names = ("tcp:connect", "smtp:connect", "smtp:ehlo", "tcp:close", "msg:delivery")
    assert panic == [f"failed to expand event_action {name} in smtp: {why}" for name in names]
    assert world.log(message_id)[-1] == "Completed"


def test_ev_11_old_names(tmp_path: Path) -> None:
    old = (
        "tpda_delivery_action = ${acl{old}{$tpda_delivery_ip $tpda_delivery_fqdn $tpda_delivery_local_part "
        "$tpda_delivery_domain $tpda_delivery_confirmation}}\n"
        "  tpda_host_defer_action = ${acl{old}{$tpda_defer_errno $tpda_defer_errstr $tpda_delivery_port}}"
    )
    with ScriptedServer(address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, smtp=old, listen=False)
        conf = (tmp_path / "conf").read_text()
        (tmp_path / "conf").write_text(
            conf.replace("begin acl\n", "begin acl\nold:\n  accept logwrite = OLD $acl_arg1\n")
        )
        world.runtime = world.start()
        world.deliver(world.put("a@rem.test"))
        world.deliver(world.put("a@dead.test"))
    found = [line.partition(" OLD ")[2] for line in world.log() if " OLD " in line]
    assert found == ["127.0.0.2 127.0.0.2 a rem.test 250 OK id=1", "111 Connection refused 9"]


def test_ev_12_a_lost_connection_is_closed_once(tmp_path: Path) -> None:
    with ScriptedServer(Script(answers={"DATA": CLOSE}), address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port)
        world.deliver(world.put("a@rem.test"))
        names = [line.split("|")[1] for line in told(world, server.port)]
    assert names == ["tcp:connect", "smtp:connect", "smtp:ehlo", "tcp:close", "msg:host:defer", "msg:defer"]


def test_tcp_close_comes_when_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with ScriptedServer(address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port)
        world.runtime.services.state["transport.idle_seconds"] = 3600
        world.deliver(world.put("a@rem.test"))
        world.deliver(world.put("b@rem.test"))
        assert server.sessions == 1
        assert "tcp:close" not in [line.split("|")[1] for line in told(world, server.port)]
        world.runtime.services.state[STATE_KEY].close_all()
        assert [line.split("|")[1] for line in told(world, server.port)].count("tcp:close") == 1
        assert [line.split("|")[1] for line in told(world, server.port)].count("tcp:connect") == 1


def test_ev_13_callouts_raise_events_too(tmp_path: Path) -> None:
    log = f"\n  event_log = {tmp_path}/events.json"
    with ScriptedServer(Script(answers={"RCPT": "550 no"}), address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, smtp=log)
        scope = world.runtime.scope()
        recipient = make_recipient("a@rem.test")
        recipient.hosts, recipient.transport = [Host("127.0.0.2", "127.0.0.2", server.port)], "smtp"
        assert world.runtime.services.callout is not None
        world.runtime.services.callout(scope, recipient, Callout(), is_sender=False)
        names = [line.split("|")[1] for line in told(world, server.port)]
    assert names == ["tcp:connect", "smtp:connect", "smtp:ehlo", "tcp:close"]
    found = [json.loads(line) for line in (tmp_path / "events.json").read_text().splitlines()]
    assert [one["verify_mode"] for one in found] == ["R", "R", "R", "R"]


def test_ev_03_a_session_with_faults(tmp_path: Path) -> None:
    log = f"event_log = {tmp_path}/events.json\n"
    eventful(tmp_path, 9, main=log, listen=False)
    subprocess.run(["chmod", "-R", "a+rwX", str(tmp_path)], check=True)
    subprocess.run(
        [*mta(), "-C", str(tmp_path / "conf"), "-bs"],
        input=b"HELO x\r\nSTARTTLS\r\nFOO\r\nQUIT\r\n",
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    found = [json.loads(line) for line in (tmp_path / "events.json").read_text().splitlines()]
    assert [(one["event"], one["data"]) for one in found] == [
        ("smtp:fail:protocol", "STARTTLS command used when not advertised"),
        ("smtp:fail:syntax", "unrecognized command"),
    ]


MODULE = """
def note(event):
    with open(PATH, "a") as file:
        file.write(event["event"] + " " + event["address"] + " " + event["data"].split("\\n")[0] + "\\n")
    return "not today" if event["event"] == "smtp:connect" and event["address"].startswith("stop") else None

def broken(event):
    raise RuntimeError("oh")
"""


def test_event_python_is_called_and_may_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "operators_events.py").write_text(f"PATH = {str(tmp_path / 'noted')!r}\n{MODULE}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with ScriptedServer(address="127.0.0.2") as server:
        world = eventful(tmp_path, server.port, smtp="event_python = operators_events.note", listen=False)
        world.deliver(world.put("a@rem.test"))
        stopped = world.put("stop@rem.test")
        world.deliver(stopped)
    noted = (tmp_path / "noted").read_text().split("\n")
    assert noted[:3] == [
        "tcp:connect a@rem.test ",
        "smtp:connect a@rem.test 220 sink.test ESMTP",
        "smtp:ehlo a@rem.test 250-sink.test",
    ]
    assert "deferred by smtp:connect event expansion: not today" in world.log(stopped)[-1]
    sys.modules.pop("operators_events", None)


def test_event_python_that_breaks_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "operators_broken.py").write_text(f"PATH = ''\n{MODULE}")
    monkeypatch.syspath_prepend(str(tmp_path))
    world = eventful(tmp_path, 9, box="event_python = operators_broken.broken", listen=False)
    message_id = world.put("x@host.test")
    world.deliver(message_id)
    assert world.log(message_id, "panic") == [
        "event_python operators_broken.broken failed for msg:delivery in box: RuntimeError('oh')"
    ]
    assert world.log(message_id)[-1] == "Completed"
    sys.modules.pop("operators_broken", None)


def test_event_log_has_one_json_line_an_event(tmp_path: Path) -> None:
    with ScriptedServer(address="127.0.0.2") as server:
        log = f"event_log = {tmp_path}/events.json"
        world = eventful(tmp_path, server.port, smtp=log, main=log, listen=False)
        message_id = world.put("a@rem.test")
        world.deliver(message_id)
    found = [json.loads(line) for line in (tmp_path / "events.json").read_text().splitlines()]
    assert [one["event"] for one in found] == [
        "tcp:connect",
        "smtp:connect",
        "smtp:ehlo",
        "tcp:close",
        "msg:delivery",
        "msg:complete",
    ]
    delivery = found[4]
    facts = {
        name: delivery[name] for name in ("message_id", "sender", "router", "transport", "address", "host_address")
    }
    assert facts == {
        "message_id": message_id,
        "sender": "s@hold.test",
        "router": "remote",
        "transport": "smtp",
        "address": "a@rem.test",
        "host_address": "127.0.0.2",
    }
    assert (delivery["data"], delivery["host_port"], delivery["defer_errno"]) == ("250 OK id=1", server.port, 0)


# The source texts' examples, one for each server: a table of deliveries and one of hosts that deferred.
PGSQL = r"""event_action = ${if eq {msg:delivery}{$event_name} \
{${lookup pgsql {SELECT * FROM record_Delivery( \
    '${quote_pgsql:$sender_address_domain}',\
    '${quote_pgsql:${lc:$sender_address_local_part}}', \
    '${quote_pgsql:$domain}', \
    '${quote_pgsql:${lc:$local_part}}', \
    '${quote_pgsql:$host_address}', \
    '${quote_pgsql:${lc:$host}}', \
    '${quote_pgsql:$message_exim_id}')}} \
} {}}"""
PG_TABLE = """CREATE TABLE deliveries (sd text, sl text, d text, l text, a text, h text, id text);
CREATE FUNCTION record_Delivery(text, text, text, text, text, text, text) RETURNS text AS
$$ INSERT INTO deliveries VALUES ($1, $2, $3, $4, $5, $6, $7); SELECT ''::text $$ LANGUAGE sql;"""
MYSQL = r"""event_action = ${if eq {msg:host:defer}{$event_name} \
{${lookup mysql {INSERT INTO defers VALUES ('${quote_mysql:$host_address}', '${quote_mysql:$event_data}', \
    $event_defer_errno, '${quote_mysql:$message_exim_id}')}{}{}}}}"""


@pytest.mark.slow
def test_ev_09_postgresql_is_told_of_deliveries(tmp_path: Path) -> None:
    with postgres() as server, ScriptedServer(address="127.0.0.2") as sink:
        server.psql(PG_TABLE)
        world = eventful(
            tmp_path, sink.port, smtp=PGSQL, main=f"\npgsql_servers = {server.item().replace(':', '::')}", listen=False
        )
        message_id = world.put("O'Hara@rem.test")
        world.deliver(message_id)
        close_all(world.runtime.services)
        rows = server.psql("SELECT * FROM deliveries")
    assert rows == f"hold.test|s|rem.test|o'hara|127.0.0.2|127.0.0.2|{message_id}\n"
    assert world.log(kind="panic") == []


@pytest.mark.slow
def test_ev_09_mysql_is_told_of_hosts_that_defer(tmp_path: Path) -> None:
    with mariadb() as server:
        server.sql("CREATE TABLE mail.defers (a text, t text, e int, id text);")
        servers = f"\nmysql_servers = {server.item('mail').replace(':', '::')}"
        world = eventful(tmp_path, 9, smtp=MYSQL, main=servers, listen=False)
        message_id = world.put("a@dead.test")
        world.deliver(message_id)
        close_all(world.runtime.services)
        rows = server.sql("SELECT * FROM mail.defers")
    assert rows.split("\n")[-2:] == [f"127.0.0.3\tConnection refused\t111\t{message_id}", ""]
    assert world.log(kind="panic") == []
