"""XCLIENT (PRX-15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mta.receive.xclient import parse
from tests.receive.conftest import log_lines

MAIN = "hosts_xclient = 192.0.2.1\nacl_smtp_connect = connect\n"
ACL = """
connect:
  deny hosts = 203.0.113.66
    message = not you
  accept
rcpt:
  accept message = $sender_host_address/$sender_host_port/$sender_host_name/$authenticated_id/$received_ip_address
"""


@pytest.fixture
def client(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> Any:
    runtime = make_runtime(MAIN, ACL)
    made = connect(runtime)
    made.runtime = runtime
    made.reply()
    return made


def test_prx_15_offered_to_hosts_xclient(client: Any) -> None:
    assert "250-XCLIENT ADDR NAME PORT LOGIN DESTADDR DESTPORT" in client.say("EHLO x")


def test_not_offered_to_others(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    other = connect(make_runtime("hosts_xclient = 198.51.100.1"))
    other.reply()
    assert not [line for line in other.say("EHLO x") if "XCLIENT" in line]
    assert other.say("XCLIENT ADDR=203.0.113.5 PORT=25") == ["503 XCLIENT command used when not advertised"]


def test_prx_15_the_session_begins_anew(client: Any) -> None:
    client.say("EHLO x")
    said = "XCLIENT ADDR=203.0.113.5 PORT=4025 NAME=c.example LOGIN=joe DESTADDR=198.51.100.7 DESTPORT=25"
    assert client.say(said)[0].startswith("220 mx.test")
    assert client.say("MAIL FROM:<a@b>")[0].startswith("503 HELO")
    assert client.say("EHLO y")[0] == "250-mx.test Hello c.example [203.0.113.5]"
    client.say("MAIL FROM:<a@b>")
    assert client.say("RCPT TO:<c@d>") == ["250 203.0.113.5/4025/c.example/joe/198.51.100.7"]


def test_prx_15_addr_and_port_are_needed_the_first_time(client: Any) -> None:
    client.say("EHLO x")
    assert client.say("XCLIENT ADDR=203.0.113.5") == ["501 ADDR and PORT are required"]
    assert client.say("XCLIENT ADDR=203.0.113.5 PORT=1")[0].startswith("220")
    client.say("EHLO x")
    assert client.say("XCLIENT NAME=d.example")[0].startswith("220")
    assert client.say("EHLO x")[0] == "250-mx.test Hello d.example [203.0.113.5]"


def test_the_connect_acl_sees_the_client(client: Any) -> None:
    client.say("EHLO x")
    assert client.say("XCLIENT ADDR=203.0.113.66 PORT=1") == ["550 not you"]
    assert client.line() == ""
    assert any("[203.0.113.66] rejected connection" in line for line in log_lines(client.runtime))


def test_not_within_a_transaction(client: Any) -> None:
    client.say("EHLO x")
    client.say("MAIL FROM:<a@b>")
    assert client.say("XCLIENT ADDR=203.0.113.5 PORT=1") == ["503 mail transaction in progress"]


@pytest.mark.parametrize(
    "argument",
    ["", "ADDR", "ADDR=x PORT=1", "ADDR=1.2.3.4 ADDR=1.2.3.4", "FOO=1", "PORT=65536", "PORT=-1", "PORT=\xb2",
     "NAME=a+0Ab", "NAME=a+20b", "NAME=" + "x" * 300, "LOGIN=a+0D", "DESTADDR=IPV6:::g", "ADDR=1.2.3.4  PORT=1",
     " ".join(["PORT=1"] * 17)],
)  # fmt: skip
def test_malformed(argument: str) -> None:
    assert isinstance(parse(argument), str)


def test_attributes() -> None:
    assert parse("addr=IPV6:2001:db8::1 name=[UNAVAILABLE] LOGIN=a+40b") == {
        "ADDR": "2001:db8::1",
        "NAME": "",
        "LOGIN": "a@b",
    }
