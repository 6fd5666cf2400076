"""acl_smtp_dkim in whole sessions. Replies and logs are Exim 4.96's for the same messages and ACLs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mta.emailauth.dkim_canon import hash_body
from mta.emailauth.dkim_sign import Plan, sign
from mta.emailauth.message_file import parse_message
from tests.emailauth.signing import MESSAGE, key, records
from tests.emailauth.test_arc import chain
from tests.emailauth.test_dkim_verify import signature
from tests.fakes.dns import FakeResolver
from tests.receive.conftest import Client, log_lines

Make = Callable[..., Any]
Connect = Callable[..., Client]
LINE = "DKIM: d=test.ex s=rsa c=relaxed/relaxed a=rsa-sha256 b=2048 i=@test.ex t=T [{}]"
GOOD = LINE.format("verification succeeded")
DATA_ACL = """
dat:
  warn logwrite = DATA $dkim_verify_status $dkim_verify_reason $dkim_domain $dkim_cur_signer
       logwrite = SIGNERS $dkim_signers
       logwrite = AR ${sg{${authresults{mx}}}{[\\n\\t ]+}{ }}
  accept
"""


def resolver() -> FakeResolver:
    table = {
        (name, "TXT"): [" ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))]
        for name, text in records().items()
        if "\0" not in text
    }
    return FakeResolver(table)


@pytest.fixture
def deliver(make_runtime: Make, connect: Connect) -> Callable[..., tuple[str, list[str]]]:
    """Send one message; gives the reply to it and the log, ids and times taken out."""

    def send(acl: str, message: bytes, main: str = "acl_smtp_dkim = dk") -> tuple[str, list[str]]:
        main += "\nacl_smtp_data = dat\nlog_selector = +dkim_verbose"
        runtime = make_runtime(main, "rcpt: accept\n" + acl + DATA_ACL)
        runtime.services.resolver = resolver()
        client = connect(runtime)
        client.reply()
        for command in ("EHLO x", "MAIL FROM:<a@src.ex>", "RCPT TO:<b@r.ex>", "DATA"):
            client.say(command)
        reply = client.say(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")[0]
        client.close()
        found = [re.sub(r"^[0-9A-Za-z]{6}-\w+-\w+ ", "", line) for line in log_lines(runtime)]
        return re.sub(r"id=.*", "id", reply), [re.sub(r" t=\d+", " t=T", line) for line in found]

    return send


Deliver = Callable[..., tuple[str, list[str]]]
SHOW = (
    "dk:\n  warn logwrite = ACL $dkim_cur_signer $dkim_verify_status d=$dkim_domain l=$dkim_bodylength"
    " k=$dkim_key_length\n  accept\n"
)


def test_the_acl_runs_for_the_domain_and_the_identity(deliver: Deliver) -> None:
    reply, lines = deliver(SHOW, signature() + MESSAGE)
    assert reply == "250 OK id"
    assert lines[:-1] == [
        "ACL test.ex pass d=test.ex l=9999999999999 k=2048",
        GOOD,
        "ACL @test.ex pass d=test.ex l=9999999999999 k=2048",
        GOOD,
        "DATA pass:pass  test.ex @test.ex",
        "SIGNERS test.ex:@test.ex",
        "AR Authentication-Results: mx; dkim=pass header.d=test.ex header.i=@test.ex header.s=rsa header.a=rsa-sha256",
    ]
    assert " DKIM=test.ex id=a@test.ex" in lines[-1]


def test_without_an_acl_each_signature_is_logged_once(deliver: Deliver) -> None:
    _, lines = deliver("", signature() + signature("missing") + MESSAGE, main="")
    assert lines[:5] == [
        "DKIM: d=test.ex s=missing [failed key import]",
        GOOD,
        LINE.format("invalid - public key record (currently?) unavailable").replace("s=rsa", "s=missing"),
        "DATA    ",
        "SIGNERS test.ex:@test.ex:test.ex:@test.ex",
    ]


def test_unsigned_messages_run_no_acl(deliver: Deliver) -> None:
    reply, lines = deliver("dk:\n  deny\n", MESSAGE)
    assert reply == "250 OK id"
    assert lines[0] == "DATA    "


def test_signers_of_the_option_are_asked_for_once(deliver: Deliver) -> None:
    acl = SHOW.replace("  accept", "  warn dkim_signers = TEST.ex : paypal.com\n    logwrite = matched\n  accept")
    main = "acl_smtp_dkim = dk\ndkim_verify_signers = Paypal.com : $dkim_signers : test.ex"
    _, lines = deliver(acl, signature() + MESSAGE, main)
    assert lines[:7] == [
        "ACL Paypal.com none d= l=9999999999999 k=0",
        "matched",
        "ACL test.ex pass d=test.ex l=9999999999999 k=2048",
        "matched",
        GOOD,
        "ACL @test.ex pass d=test.ex l=9999999999999 k=2048",
        GOOD,
    ]
    assert lines[7] == "DATA none:pass:pass  test.ex @test.ex"


@pytest.mark.parametrize(
    ("acl", "reply", "logged"),
    [
        ("deny dkim_status = pass\n message = no passes", "550 no passes", "rejected DKIM : no passes"),
        ("deny dkim_status = pass : fail", "550 Administrative prohibition", "rejected DKIM"),
        ("deny dkim_status = fail : none\n  accept", "250 OK id", ""),
        ("defer message = later", "451 later", "temporarily rejected DKIM : later"),
        ("discard", "250 OK id", "=> blackhole (DKIM ACL discarded recipients)"),
    ],
)
def test_what_the_acl_says_counts(deliver: Deliver, acl: str, reply: str, logged: str) -> None:
    said, lines = deliver(f"dk:\n  {acl}\n", signature() + MESSAGE)
    assert said == reply
    assert not logged or any(line.endswith(logged) for line in lines)


def test_an_acl_overrides_the_result(deliver: Deliver) -> None:
    acl = "dk:\n  warn set dkim_verify_status = fail\n       set dkim_verify_reason = too weak\n  accept\n"
    _, lines = deliver(acl, signature() + MESSAGE)
    assert lines[:3] == [LINE.format("fail - too weak")] * 2 + ["DATA fail:fail too weak test.ex @test.ex"]
    assert "dkim=policy (fail - too weak) header.d=test.ex" in lines[4]
    assert "DKIM=" not in lines[-1]


def test_the_control_turns_it_off(deliver: Deliver, make_runtime: Make) -> None:
    acl = SHOW + "mail:\n  accept control = dkim_disable_verify\n"
    _, lines = deliver(acl, signature() + MESSAGE, "acl_smtp_dkim = dk\nacl_smtp_mail = mail")
    assert lines[0] == "DATA    "


def test_the_header_is_the_one_that_came(deliver: Deliver) -> None:
    """Lines that reception takes away, and the dots of the transfer, are signed as they were sent."""
    message = b"Return-path: <x@y>\r\n" + MESSAGE
    header, body = parse_message(message)
    plan = Plan("test.ex", "rsa", key("rsa"), headers=["From", "Return-path", "Received"], identity="@test.ex")
    line = sign(plan, header, hash_body([body], [plan.body_form]), 0.0)
    _, lines = deliver(SHOW, line.replace("\n", "\r\n").encode("latin-1") + message)
    assert GOOD.replace(" t=T", "") in lines


def test_options_of_verification(deliver: Deliver) -> None:
    weak = signature("small", "small") + MESSAGE
    _, lines = deliver("", weak, "dkim_verify_min_keysizes = rsa=2048")
    assert lines[0].endswith("[verification failed - signature invalid (key too short)]")
    _, lines = deliver("", weak, "dkim_verify_keytypes = ed25519")
    assert lines[-5].endswith("[invalid - algorithm not accepted]")
    assert lines[-4] == "DATA    "


def test_too_many_signatures_are_told_of(deliver: Deliver) -> None:
    _, lines = deliver("", signature() * 25 + MESSAGE, "")
    assert "DKIM: 5 signatures more than are looked at" in lines


ARC = """
rcpt: accept
dat:
  deny !verify = arc/{}
       message = chain is $arc_state
  warn logwrite = ARC $arc_state oldest=$arc_oldest_pass domains=$arc_domains reason=$arc_state_reason
       logwrite = AR ${{authresults{{mx}}}}
  accept
"""


# made when asked for: the keys, and so the signatures, are others in each run
CHAINS: dict[str, Callable[[], bytes]] = {
    "unsealed": lambda: MESSAGE,
    "good": lambda: chain(2),
    "broken": lambda: chain(1).replace(b"Joe", b"Jim"),
}


@pytest.mark.parametrize(
    ("kind", "wanted", "reply", "logged"),
    [
        ("unsealed", "none:pass", "250 OK id", "ARC none oldest= domains= reason="),
        ("unsealed", "pass", "550 chain is none", ""),
        ("good", "pass", "250 OK id", "ARC pass oldest=1 domains=test.ex:test.ex reason="),
        ("broken", "none:pass", "550 chain is fail", ""),
        (
            "broken",
            "fail",
            "250 OK id",
            "ARC fail oldest=0 domains=test.ex reason=message signature i=1: the header has been changed",
        ),
    ],
)
def test_verify_arc(make_runtime: Make, connect: Connect, kind: str, wanted: str, reply: str, logged: str) -> None:
    runtime = make_runtime("acl_smtp_data = dat", ARC.format(wanted))
    runtime.services.resolver = resolver()
    client = connect(runtime)
    client.reply()
    for command in ("EHLO x", "MAIL FROM:<a@src.ex>", "RCPT TO:<b@r.ex>", "DATA"):
        client.say(command)
    said = client.say(re.sub(rb"(?m)^\.", b"..", CHAINS[kind]()) + b".\r\n")[0]
    client.close()
    assert re.sub(r"id=.*", "id", said) == reply
    lines = log_lines(runtime)
    assert not logged or any(line.endswith(logged) for line in lines), lines
    if wanted == "pass" and reply.startswith("250"):
        assert any(line.endswith("arc=pass header.oldest-pass=0") for line in lines)
        assert " ARC id=" in lines[-1]
