"""What EHLO offers, by option; and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mta.cli.arguments import Arguments
from mta.daemon import immediate
from mta.mail.message import NOTIFY_DELAY, NOTIFY_NEVER, NOTIFY_SUCCESS
from tests.receive.conftest import log_lines


def offered(make_runtime: Callable[..., Any], connect: Callable[..., Any], main: str) -> list[str]:
    client = connect(make_runtime(main))
    client.reply()
    return [line[4:] for line in client.say("EHLO x")]


def test_limits(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    main = "limits_advertise_hosts = 192.0.2.1\nsmtp_accept_max_per_connection = 7\nrecipients_max = 9"
    assert "LIMITS MAILMAX=7 RCPTMAX=9" in offered(make_runtime, connect, main)


def test_limits_are_off_until_named(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    assert not [line for line in offered(make_runtime, connect, "") if line.startswith(("LIMITS", "PIPECONNECT"))]


def test_pipeconnect(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    runtime = make_runtime("pipelining_connect_advertise_hosts = 192.0.2.1")
    client = connect(runtime)
    # before the banner was read, and so perhaps before it was sent
    client.sock.sendall(b"EHLO x\r\nMAIL FROM:<a@b>\r\n")
    assert client.reply()[0].startswith("220")
    assert "250-PIPECONNECT" in client.reply()
    assert client.reply() == ["250 OK"]


def test_dsn_01_off_unless_advertised(make_runtime: Callable[..., Any], connect: Callable[..., Any]) -> None:
    assert "DSN" not in offered(make_runtime, connect, "")
    assert "DSN" in offered(make_runtime, connect, "dsn_advertise_hosts = *")


def test_dsn_02_dsn_15_parameters_reach_the_spool(
    make_runtime: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    runtime = make_runtime("dsn_advertise_hosts = *")
    client = connect(runtime)
    client.reply()
    client.say("EHLO x")
    assert client.say("MAIL FROM:<a@b> ret=hdrs envid=q+2B1") == ["250 OK"]
    assert client.say("RCPT TO:<c@d> notify=success,Delay orcpt=rfc822;x@y") == ["250 Accepted"]
    assert client.say("RCPT TO:<e@d> NOTIFY=NEVER") == ["250 Accepted"]
    client.say("DATA")
    client.say("x: y\r\n\r\n.")
    client.say("NOOP")  # the message is told of behind its 250
    (one,) = client.accepted
    message, _peer = runtime.spool.read(one)
    assert (message.dsn_ret, message.dsn_envid) == (2, "q+2B1")
    assert [(who.address, who.notify, who.orcpt) for who in message.recipients] == [
        ("c@d", NOTIFY_SUCCESS | NOTIFY_DELAY, "rfc822;x@y"),
        ("e@d", NOTIFY_NEVER, ""),
    ]


def test_errors_are_mailed_by_default() -> None:
    """-oem is the default (manual section 5.4)."""
    assert Arguments().errors == "m"


def test_smtp_accept_queue(make_runtime: Callable[..., Any], monkeypatch: Any) -> None:
    runtime = make_runtime("smtp_accept_queue = 1\nsmtp_accept_queue_per_connection = 1")
    told: list[bool] = []
    monkeypatch.setattr(immediate, "announce", lambda _sock, _id, deliver: told.append(deliver) or True)
    total = SimpleNamespace(now=1)
    arrivals = immediate.Arrivals(runtime, None, lambda: total.now)  # type: ignore[arg-type]
    accepted = arrivals.session()
    accepted("1aaaaa-000000-00")
    accepted("1aaaaa-000001-00")
    total.now = 2
    arrivals.session()("1aaaaa-000002-00")
    assert told == [True, False, False]
    assert log_lines(runtime) == [
        "1aaaaa-000001-00 no immediate delivery: more than 1 messages received in one connection",
        "1aaaaa-000002-00 no immediate delivery: too many connections (2, max 1)",
    ]
