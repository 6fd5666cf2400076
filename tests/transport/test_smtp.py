"""The smtp transport against scripted servers; texts, numbers and retry keys are the oracle's for the same scripts."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import pytest

from mta.mail.host import Host
from mta.mail.message import NOTIFY_FAILURE, NOTIFY_SUCCESS
from mta.mail.outcome import Outcome, Status
from mta.scope.scope import Scope
from mta.transport.outcomes import host_error_text
from mta.transport.remote.pool import pool_of
from tests.fakes.smtp_server import CLOSE, SILENCE, Script, ScriptedServer
from tests.transport.building import make_batch, make_transport

D, W, F = Status.DELIVERED, Status.DEFERRED, Status.FAILED
ADDRESS = "127.0.0.1"
MAIL = "MAIL FROM:<sender@src.ex> SIZE=1122"
LOST = "Remote host closed connection in response to "
AFTER = "SMTP error from remote mail server after "


def send(
    server: ScriptedServer, scope: Scope, *addresses: str, options: dict[str, str] | None = None, **facts: Any
) -> list[Outcome]:
    transport = make_transport("smtp", **{"port": str(server.port), "command_timeout": "0.3s", **(options or {})})
    facts.setdefault("hosts", [Host(ADDRESS, ADDRESS)])
    batch = make_batch(*(addresses or ("a@r.ex",)), **facts)
    return transport.driver.deliver(transport, batch, scope)


def test_one_write_a_turn_with_pipelining(scope: Scope) -> None:
    with ScriptedServer() as server:
        outcomes = send(server, scope, "a@r.ex", "b@r.ex")
    assert [(o.status, o.response, o.continued) for o in outcomes] == [(D, "250 OK id=1", False)] * 2
    assert server.reads[1].startswith(
        b"MAIL FROM:<sender@src.ex> SIZE=1122\r\nRCPT TO:<a@r.ex>\r\nRCPT TO:<b@r.ex>\r\nDATA"
    )
    assert server.messages[0].data == (
        b"From: a@b.ex\r\nTo: c@d.ex\r\nSubject: hi\r\nMessage-Id: <orig@id>\r\n\r\n"
        b"body one\r\nFrom here\r\n..dot\r\n\r\nlast\r\n"
    )


@pytest.mark.parametrize(
    ("script", "options", "commands"),
    [
        (Script(), {}, ["EHLO mx.test.ex", MAIL, "RCPT TO:<a@r.ex>", "DATA"]),
        (Script(extensions=()), {}, ["EHLO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "DATA"]),
        (
            Script(answers={"EHLO": "500 no"}),
            {},
            ["EHLO mx.test.ex", "HELO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "DATA"],
        ),
        (
            Script(),
            {"hosts_avoid_esmtp": "*"},
            ["HELO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "DATA"],
        ),
        (
            Script(extensions=("PIPELINING", "CHUNKING")),
            {},
            ["EHLO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "BDAT 99 LAST"],
        ),
        (
            Script(extensions=("CHUNKING",)),
            {},
            ["EHLO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "BDAT 99 LAST"],
        ),
        (
            Script(extensions=("PIPELINING", "CHUNKING")),
            {"hosts_try_chunking": ""},
            ["EHLO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "DATA"],
        ),
        (
            Script(),
            {"size_addition": "-1"},
            ["EHLO mx.test.ex", "MAIL FROM:<sender@src.ex>", "RCPT TO:<a@r.ex>", "DATA"],
        ),
        (Script(), {"helo_data": "x.$primary_hostname"}, ["EHLO x.mx.test.ex", MAIL, "RCPT TO:<a@r.ex>", "DATA"]),
        (Script(lmtp=True), {"protocol": "lmtp"}, ["LHLO mx.test.ex", MAIL, "RCPT TO:<a@r.ex>", "DATA"]),
    ],
)
def test_commands(scope: Scope, script: Script, options: dict[str, str], commands: list[str]) -> None:
    with ScriptedServer(script) as server:
        (outcome,) = send(server, scope, options=options)
    assert (outcome.status, server.commands) == (D, commands)
    assert outcome.chunking == ("BDAT" in commands[-1])


# script, outcome's status, errno, message, and the key and numbers of the retry record
FAILURES = [
    ({"MAIL": "451 no mail"}, W, -45, f"{AFTER}pipelined {MAIL}: 451 no mail", ("T:H:ID", -45, 13121)),
    ({"MAIL": "550 no mail"}, F, 0, f"{AFTER}pipelined {MAIL}: 550 no mail", None),
    ({"RCPT": "450 grey"}, W, -44, f"{AFTER}RCPT TO:<a@r.ex>: 450 grey", ("R:a@r.ex:<sender@src.ex>", -44, 12865)),
    ({"RCPT": "550-5.1.1 no\n550 such"}, F, 0, f"{AFTER}RCPT TO:<a@r.ex>: 550-5.1.1 no\n550 such", None),
    ({"DATA": "451 no data"}, W, -46, f"{AFTER}pipelined DATA: 451 no data", ("T:H:ID", -46, 13121)),
    ({"DATA": "550 no data"}, F, 0, f"{AFTER}pipelined DATA: 550 no data", None),
    ({"DATA": "250 fine"}, W, 0, f"{AFTER}pipelined DATA: 250 fine", ("T:H:ID", 0, 65)),
    ({"END": "452 full"}, W, -46, f"{AFTER}end of data: 452 full", ("T:H:ID", -46, 13377)),
    ({"END": "554 spam"}, F, 0, f"{AFTER}end of data: 554 spam", None),
    ({"BANNER": "421 busy"}, W, 0, f"{AFTER}initial connection: 421 busy", ("T:H", 0, 65)),
    ({"BANNER": "554 go"}, F, 0, f"{AFTER}initial connection: 554 go", ("T:H", 0, 65)),
    ({"BANNER": CLOSE}, W, -18, f"{LOST}initial connection", ("T:H", -18, 65)),
    ({"BANNER": SILENCE}, W, 110, "SMTP timeout after initial connection", ("T:H", 110, 65)),
    (
        {"BANNER": "hello there"},
        W,
        -19,
        "Malformed SMTP reply in response to initial connection: hello there",
        ("T:H", -19, 65),
    ),
    ({"EHLO": "421 no", "HELO": "421 no"}, W, 0, f"{AFTER}HELO mx.test.ex: 421 no", ("T:H", 0, 65)),
    ({"EHLO": "550 no", "HELO": "550 no"}, F, 0, f"{AFTER}HELO mx.test.ex: 550 no", ("T:H", 0, 65)),
    ({"EHLO": CLOSE}, W, -18, f"{LOST}EHLO mx.test.ex", ("T:H", -18, 65)),
    ({"MAIL": CLOSE}, W, -18, f"{LOST}pipelined {MAIL}", ("T:H", -18, 65)),
    ({"MAIL": SILENCE}, W, 110, f"SMTP timeout after pipelined {MAIL}", ("T:H:ID", 110, 65)),
    ({"RCPT": CLOSE}, W, -18, f"{LOST}pipelined RCPT TO:<a@r.ex>", ("T:H", -18, 65)),
    ({"RCPT": SILENCE}, W, 110, "SMTP timeout after RCPT TO:<a@r.ex>", ("R:a@r.ex", 110, 65)),
    ({"DATA": CLOSE}, W, -18, f"{LOST}pipelined DATA", ("T:H", -18, 65)),
    ({"DATA": SILENCE}, W, 110, "SMTP timeout after pipelined DATA", ("T:H", 110, 65)),
    ({"END": CLOSE}, W, -18, f"{LOST}end of data", ("T:H:ID", -18, 65)),
]


@pytest.mark.parametrize(("answers", "status", "number", "message", "retry"), FAILURES)
def test_failures(
    scope: Scope, answers: dict[str, str], status: Status, number: int, message: str, retry: tuple[str, int, int] | None
) -> None:
    answers = dict(answers)
    script = Script(
        banner=answers.pop("BANNER", "220 hi"), after_data=answers.pop("END", "250 OK"), answers=dict(answers)
    )
    with ScriptedServer(script) as server:
        (outcome,) = send(server, scope)
        place = f"T:{ADDRESS}:{ADDRESS}:{server.port}"
    assert (outcome.status, outcome.errno, outcome.message) == (status, number, message)
    assert outcome.host == Host(ADDRESS, ADDRESS)
    failed = [(fact.key, fact.errno, fact.more_errno) for fact in outcome.retry if fact.failed]
    if retry is None:
        assert failed == []
    else:
        key = retry[0].replace("T:H", place).replace("ID", "1xVInd-0003Oz-0V")
        assert failed == [(key, retry[1], retry[2])]


def test_connection_refused(scope: Scope) -> None:
    logged = []
    with socket.create_server((ADDRESS, 0)) as unused:
        port = unused.getsockname()[1]
    transport = make_transport("smtp", port=str(port))
    batch = make_batch("a@r.ex", hosts=[Host("h.ex", ADDRESS)], log_host_error=lambda *facts: logged.append(facts))
    (outcome,) = transport.driver.deliver(transport, batch, scope)
    assert (outcome.status, outcome.errno, outcome.message, outcome.host) == (W, errno.ECONNREFUSED, "", None)
    (fact,) = outcome.retry
    assert (fact.key, fact.error, fact.detail, fact.more_errno) == (f"T:h.ex:{ADDRESS}:{port}", "refused", "A", 65)
    (line,) = logged
    assert host_error_text(*line, show_port=False) == f"H=h.ex [{ADDRESS}] Connection refused"


def test_next_host_takes_what_the_first_could_not(scope: Scope) -> None:
    with socket.create_server((ADDRESS, 0)) as unused:
        port = unused.getsockname()[1]
    with ScriptedServer() as server:
        hosts = [Host("dead", ADDRESS, port), Host("live", ADDRESS)]
        (outcome,) = send(server, scope, hosts=hosts)
    assert (outcome.status, outcome.host) == (D, hosts[1])
    assert [(fact.key, fact.failed) for fact in outcome.retry] == [
        (f"T:dead:{ADDRESS}:{port}", True),
        (f"T:live:{ADDRESS}:{server.port}", False),
    ]


def test_recipients_are_told_apart(scope: Scope) -> None:
    script = Script(answers={"RCPT TO:<B": "451 later", "RCPT TO:<C": "550 no"})
    with ScriptedServer(script) as server:
        found = send(server, scope, "a@r.ex", "b@r.ex", "c@r.ex")
    assert [o.status for o in found] == [D, W, F]


def test_lmtp_answers_for_each_recipient(scope: Scope) -> None:
    script = Script(lmtp=True, after_data=["250 ok", "452 full", "550 no"])
    with ScriptedServer(script) as server:
        found = send(server, scope, "a@r.ex", "b@r.ex", "c@r.ex", options={"protocol": "lmtp"})
    assert [(o.status, o.message) for o in found] == [
        (D, ""),
        (W, "LMTP error after DATA: 452 full"),
        (F, "LMTP error after DATA: 550 no"),
    ]
    assert [(fact.key, fact.errno, fact.more_errno) for fact in found[1].retry] == [("R:b@r.ex", 0, 13377)]


def test_rcpt_timeout_blames_one_recipient(scope: Scope) -> None:
    with ScriptedServer(Script(answers={"RCPT": SILENCE})) as server:
        first, second = send(server, scope, "a@r.ex", "b@r.ex")
    assert first.host is not None
    assert second.host is None
    assert (second.message, [f for f in second.retry if f.failed]) == ("SMTP timeout after RCPT TO:<a@r.ex>", [])


def test_connection_is_used_for_the_next_message(scope: Scope) -> None:
    with ScriptedServer() as server:
        first = send(server, scope)[0]
        second = send(server, scope)[0]
        assert (server.sessions, first.continued, second.continued) == (1, False, True)
        assert [command[:4] for command in server.commands] == ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA"]
        pool_of(scope.services).close_all()
        assert server.wait(lambda: server.commands[-1] == "QUIT")


def test_dead_idle_connection_is_replaced(scope: Scope) -> None:
    with ScriptedServer() as server:
        send(server, scope)
        server.drop_connections()
        (outcome,) = send(server, scope)
        assert (outcome.status, outcome.continued, server.sessions) == (D, False, 2)


def test_idle_connection_that_dies_at_mail_is_replaced(scope: Scope) -> None:
    with ScriptedServer(Script(answers={"MAIL": ["250 ok", CLOSE, "250 ok"]})) as server:
        send(server, scope)
        (outcome,) = send(server, scope)
        assert (outcome.status, server.sessions, len(server.messages)) == (D, 2, 2)


def test_idle_connection_ends_by_itself(scope: Scope) -> None:
    scope.services.state["transport.idle_seconds"] = 0.05
    with ScriptedServer() as server:
        send(server, scope)
        assert server.wait(lambda: server.commands[-1] == "QUIT")


def test_reset_after_a_refused_transaction(scope: Scope) -> None:
    with ScriptedServer(Script(answers={"RCPT": ["550 no", "250 ok"]})) as server:
        send(server, scope)
        (outcome,) = send(server, scope)
    assert (outcome.status, server.sessions) == (D, 1)
    assert "RSET" in server.commands


def test_limits_of_recipients_and_messages(scope: Scope) -> None:
    with ScriptedServer() as server:
        found = send(
            server, scope, "a@r.ex", "b@r.ex", "c@r.ex", options={"max_rcpt": "1", "connection_max_messages": "2"}
        )
        assert [o.status for o in found] == [D, D, D]
        assert (server.sessions, len(server.messages)) == (2, 3)


def test_one_domain_a_transaction(scope: Scope) -> None:
    with ScriptedServer() as server:
        send(server, scope, "a@r.ex", "b@q.ex", "c@r.ex", options={"multi_domain": "false"})
    assert [m.recipients for m in server.messages] == [["TO:<a@r.ex>", "TO:<c@r.ex>"], ["TO:<b@q.ex>"]]


def test_large_message_in_chunks(scope: Scope) -> None:
    body = b"y" * 70 + b"\n"
    with ScriptedServer(Script(extensions=("PIPELINING", "CHUNKING"))) as server:
        (outcome,) = send(server, scope, body=body * 5000)
    assert outcome.status == D
    assert server.messages[0].data.endswith(body.replace(b"\n", b"\r\n") * 5000)
    assert sum(command.startswith("BDAT") for command in server.commands) > 2


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("PIPELINING", "CHUNKING"), ()])
def test_nothing_bare_leaves(scope: Scope, extensions: tuple[str, ...]) -> None:
    body = b"a\rb\r\nc\n\r\n.\r\nd\0e\n.\nMAIL FROM:<evil@x>\nend"
    with ScriptedServer(Script(extensions=extensions)) as server:
        send(server, scope, body=body)
    data = server.messages[0].data
    assert len(server.messages) == 1
    assert b"\0" not in data
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert data.endswith(b"end\r\n")


def test_addresses_cannot_end_a_command(scope: Scope) -> None:
    with ScriptedServer() as server:
        send(server, scope, "a\r\nRSET\r\n@r.ex", sender="s\nQUIT@x")
    assert not [command for command in server.commands if command in ("RSET", "QUIT")]


def test_dsn_parameters_go_along(scope: Scope) -> None:
    batch = make_batch("a@r.ex", hosts=[Host(ADDRESS, ADDRESS)])
    batch.message.dsn_ret, batch.message.dsn_envid, batch.message.body_8bit = 2, "xyz", 8
    batch.recipients[0].notify, batch.recipients[0].orcpt = NOTIFY_SUCCESS | NOTIFY_FAILURE, "rfc822;o@x"
    with ScriptedServer(Script(extensions=("DSN", "8BITMIME"))) as server:
        transport = make_transport("smtp", port=str(server.port))
        (outcome,) = transport.driver.deliver(transport, batch, scope)
    assert outcome.dsn_aware
    assert server.commands[1:3] == [
        "MAIL FROM:<sender@src.ex> BODY=8BITMIME RET=HDRS ENVID=xyz",
        "RCPT TO:<a@r.ex> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x",
    ]


@pytest.mark.parametrize(
    ("script", "options", "number", "message"),
    [
        (
            Script(),
            {"hosts_require_tls": "*"},
            -38,
            "a TLS session is required, but the server did not offer TLS support",
        ),
        (
            Script(extensions=("STARTTLS",)),
            {"tls_tempfail_tryclear": "false"},
            0,
            f"{AFTER}STARTTLS: 454 no TLS",
        ),
        (
            Script(),
            {"interface": "foo"},
            -1,
            '"foo" is not a valid IP address for the "interface" option for smtp_t transport',
        ),
        (
            Script(),
            {"hosts": ADDRESS, "hosts_override": "true"},
            -50,
            f"smtp_t transport found host {ADDRESS} to be local",
        ),
        (
            Script(extensions=("AUTH PLAIN",)),
            {"hosts_require_auth": "*"},
            -42,
            "authentication required but no common mechanisms were found",
        ),
        (Script(), {"helo_data": "${if bool{x}{a}}"}, -27, None),
    ],
)
def test_options_that_defer(
    scope: Scope, script: Script, options: dict[str, str], number: int, message: str | None
) -> None:
    with ScriptedServer(script) as server:
        (outcome,) = send(server, scope, options=options)
    assert (outcome.status, outcome.errno) == (W, number)
    if message is not None:
        assert outcome.message == message
    assert server.messages == []


def test_refused_starttls_goes_on_in_clear(scope: Scope) -> None:
    with ScriptedServer(Script(extensions=("STARTTLS", "PIPELINING"))) as server:
        (outcome,) = send(server, scope)
    assert outcome.status == D
    assert server.commands[1] == "STARTTLS"


def test_long_lines_are_refused(scope: Scope) -> None:
    with ScriptedServer() as server:
        transport = make_transport("smtp", port=str(server.port))
        batch = make_batch("a@r.ex", hosts=[Host(ADDRESS, ADDRESS)])
        batch.message.max_received_linelength = 1200
        (outcome,) = transport.driver.deliver(transport, batch, scope)
    assert (outcome.status, outcome.message) == (F, "message has lines too long for transport")


def test_retry_times_are_respected(scope: Scope) -> None:
    asked = []

    def due(key: str) -> bool:
        asked.append(key)
        return False

    with ScriptedServer() as server:
        (outcome,) = send(server, scope, retry_due=due)
        assert (outcome.status, outcome.errno) == (W, -54)
        assert outcome.message == "retry time not reached for any host for 'r.ex'"
        (outcome,) = send(server, scope, retry_due=due, past_cutoff=lambda _: True)
        assert outcome.status == F
        assert "failing for a long time" in outcome.message
        options = {"delay_after_cutoff": "false"}
        (outcome,) = send(server, scope, retry_due=due, past_cutoff=lambda _: True, options=options)
        assert outcome.status == D
    assert asked[0] == f"T:{ADDRESS}:{ADDRESS}:{server.port}"
    assert server.sessions == 1


def test_fallback_hosts(scope: Scope) -> None:
    with socket.create_server((ADDRESS, 0)) as unused:
        dead = unused.getsockname()[1]
    with ScriptedServer() as server:
        (outcome,) = send(
            server,
            scope,
            hosts=[Host("dead", ADDRESS, dead)],
            options={"fallback_hosts": f"<; [{ADDRESS}]:{server.port}"},
        )
    assert outcome.status == D


def test_hosts_max_try_tries_one_of_each_preference(scope: Scope) -> None:
    with socket.create_server((ADDRESS, 0)) as unused:
        dead = unused.getsockname()[1]
    tried: list[str] = []
    hosts = [Host(f"h{n}", ADDRESS, dead, mx, mx) for n, mx in enumerate([1, 1, 1, 2, 2, 3])]
    with ScriptedServer() as server:
        send(
            server,
            scope,
            hosts=hosts,
            options={"hosts_max_try": "2"},
            log_host_error=lambda host, *_: tried.append(f"mx{host.mx}"),
        )
    assert tried == ["mx1", "mx1", "mx2", "mx3"]


def test_transport_filter(scope: Scope) -> None:
    with ScriptedServer() as server:
        (outcome,) = send(server, scope, options={"transport_filter": "/bin/sed s/body/BODY/"})
        assert outcome.status == D
        assert b"BODY one" in server.messages[0].data
        (outcome,) = send(server, scope, options={"transport_filter": "/bin/false"})
    assert (outcome.status, outcome.errno, outcome.message) == (W, -24, "transport filter process failed (1)")
    assert len(server.messages) == 1


def test_many_threads_share_the_pool(scope: Scope) -> None:
    with ScriptedServer() as server:
        done = []

        def work() -> None:
            own = type(scope)(scope.site, scope.services)
            for _ in range(10):
                done.extend(o.status for o in send(server, own, options={"command_timeout": "10s"}))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [D] * 40
        assert server.sessions <= 4
        assert len(server.messages) == 40
