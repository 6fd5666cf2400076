"""Callouts from an ACL to a scripted server: replies, log lines, what the server was asked, the cache.

The texts are those of Exim 4.96 (-bs with a manualroute router to the same server), except where a case says why not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mta.config.load import load
from mta.config.runtime import Runtime
from mta.hints.callouts import DB, DomainFacts, Memory
from mta.hints.store import HintsStore
from mta.receive.caller import Caller, Order
from mta.receive.local import receive_local
from tests.fakes.smtp_server import CLOSE, SILENCE, Script, ScriptedServer

CONFIG = """
primary_hostname = me.test
qualify_domain = me.test
spool_directory = @DIR@/spool
log_file_path = @DIR@/spool/log/%slog
keep_environment =
tls_advertise_hosts =
callout_random_local_part = nobody-here
acl_smtp_rcpt = r
@MAIN@
begin acl
r:
 @ACL@
 accept
begin routers
r:
  driver = manualroute
  route_list = * @HOSTS@
  self = send
  transport = s
begin transports
s:
  driver = @DRIVER@
"""
WHY = "127.0.0.1 [127.0.0.1] : SMTP error from remote mail server after"
REQUIRE = "require verify = recipient/callout"
SENDER = "require verify = sender/callout"
HELLO = ["EHLO me.test", "MAIL FROM:<>"]


@dataclass
class Said:
    """``replies``: to the RCPT commands and what followed; ``commands``: what the server read."""

    replies: list[str]
    log: list[str]
    commands: list[str]
    hints: HintsStore
    sessions: int = 0
    reject: list[str] = field(default_factory=list)
    panic: list[str] = field(default_factory=list)


class Asking:
    """One mta and one server; each ``ask`` is a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(
        self,
        acl: str,
        answers: dict[str, Any] | None = None,
        *recipients: str,
        script: Script | None = None,
        commands: tuple[str, ...] = (),
        main: str = "",
        hosts: str = "127.0.0.1::@PORT@",
        driver: str = "smtp",
    ) -> Said:
        script = script or Script()
        script.answers = answers or {}
        with ScriptedServer(script) as server:
            text = CONFIG.replace("@DIR@", str(self.folder)).replace("@MAIN@", main).replace("@HOSTS@", hosts)
            text = text.replace("@ACL@", acl.replace("\n", "\n ")).replace("@DRIVER@", driver.replace("\n", "\n  "))
            path = self.folder / "configure"
            path.write_text(text.replace("@PORT@", str(server.port)))
            runtime = Runtime.start(load(str(path)))
            given = [f"RCPT TO:<{recipient}>" for recipient in recipients or ("x@ext.test",)]
            lines = ["EHLO cl.test", "MAIL FROM:<s@snd.test>", *(commands or given), "QUIT"]
            replies = self._converse(runtime, lines)
            log = self._log("main")
            return Said(
                replies[2:-1], log, list(server.commands), runtime.hints, server.sessions, self._log("reject"),
                self._log("panic"),
            )  # fmt: skip

    def _converse(self, runtime: Runtime, lines: list[str]) -> list[str]:
        given, said = self.folder / "in", self.folder / "out"
        given.write_text("".join(f"{line}\r\n" for line in lines))
        order = Order(mode="bs", host_address="10.1.2.3")
        with given.open("rb") as source, said.open("wb") as sink:
            caller = Caller(0, 0, "root", "root", trusted=True)
            receive_local(runtime, caller, order, source.fileno(), sink.fileno())
        text = said.read_bytes().decode("latin-1").partition("250 HELP\r\n")[2]
        replies = re.findall(r"(?:\d{3}-.*\r\n)*\d{3} .*\r\n", text)
        return ["", *(reply.replace("\r\n", "\n").rstrip("\n") for reply in replies)]

    def _log(self, kind: str) -> list[str]:
        path = self.folder / "spool" / "log" / f"{kind}log"
        if not path.exists():
            return []
        lines = [line[20:] for line in path.read_text("latin-1").split("\n") if line]
        path.unlink()
        return [line for line in lines if " closed by " not in line and not line.startswith("SMTP connection")]


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    (tmp_path / "spool").mkdir()
    return Asking(tmp_path)


FAILED = "550-Callout verification failed:\n550 "
LATER = "451 Could not complete recipient verify callout"
RECIPIENT = [
    ({}, "250 Accepted", None),
    ({"RCPT": "251 will forward"}, "250 Accepted", None),
    ({"RCPT": "550 no such"}, FAILED + "550 no such", f"{WHY} RCPT TO:<x@ext.test>: 550 no such"),
    (
        {"RCPT": "550-no such\n550 really"},
        "550-Callout verification failed:\n550-550-no such\n550 550 really",
        f"{WHY} RCPT TO:<x@ext.test>: 550-no such\\n550 really",
    ),
    ({"MAIL": "550 no"}, FAILED + "550 no", '127.0.0.1 [127.0.0.1] : response to "MAIL FROM:<>" was: 550 no'),
    ({"RCPT": "450 later"}, LATER, f"{LATER[4:]}: {WHY} RCPT TO:<x@ext.test>: 450 later"),
    ({"RCPT": "354 z"}, LATER, f"{LATER[4:]}: {WHY} RCPT TO:<x@ext.test>: 354 z"),
    # Exim logs "NULL" here
    (
        {"MAIL": "450 no"},
        LATER,
        f'{LATER[4:]}: 127.0.0.1 [127.0.0.1] : response to "MAIL FROM:<>" was: 450 no',
    ),
    (
        {"RCPT": CLOSE},
        LATER,
        f'{LATER[4:]}: 127.0.0.1 [127.0.0.1] : response to "RCPT TO:<x@ext.test>" was: connection dropped',
    ),
    ({"EHLO": "550 x", "HELO": "550 no helo"}, FAILED + "550 no helo", f"{WHY} HELO me.test: 550 no helo"),
]


@pytest.mark.parametrize(("answers", "reply", "why"), RECIPIENT)
def test_recipient(asking: Asking, answers: dict[str, Any], reply: str, why: str | None) -> None:
    said = asking.ask(REQUIRE, answers)
    assert said.replies == [reply]
    soft = "temporarily " if reply.startswith("4") else ""
    wanted = (
        [] if why is None else [f"H=(cl.test) [10.1.2.3] U=root F=<s@snd.test> {soft}rejected RCPT <x@ext.test>: {why}"]
    )
    assert said.log == said.reject == wanted


BANNERS = [
    ("554 go away", FAILED + "554 go away", f"{WHY} initial connection: 554 go away"),
    ("421 busy", LATER, f"{LATER[4:]}: {WHY} initial connection: 421 busy"),
    (
        CLOSE,
        LATER,
        f"{LATER[4:]}: 127.0.0.1 [127.0.0.1] : Remote host closed connection in response to initial connection",
    ),
]


@pytest.mark.parametrize(("banner", "reply", "why"), BANNERS)
def test_banner(asking: Asking, banner: str, reply: str, why: str) -> None:
    said = asking.ask(REQUIRE, script=Script(banner=banner))
    assert said.replies == [reply]
    assert said.log[0].endswith(f"rejected RCPT <x@ext.test>: {why}")


def test_refused_connection(asking: Asking) -> None:
    said = asking.ask(REQUIRE, hosts="127.0.0.1::1")
    assert said.replies == [LATER]
    assert said.log[0].endswith(f"{LATER[4:]}: 127.0.0.1 [127.0.0.1] : Connection refused")


def test_silence_ends_at_the_deadline(asking: Asking) -> None:
    said = asking.ask(REQUIRE + "=1s", {"RCPT": SILENCE})
    assert said.replies == [LATER]
    assert said.log[0].endswith("127.0.0.1 [127.0.0.1] : SMTP timeout after RCPT TO:<x@ext.test>")


def test_second_host_is_asked_when_the_first_is_down(asking: Asking) -> None:
    override = "smtp\nhosts_override\nhosts = <; 127.0.0.2 ; 127.0.0.1\nport = @PORT@\nallow_localhost"
    said = asking.ask(REQUIRE, {"RCPT": "550 z"}, driver=override)
    assert said.replies == [FAILED + "550 z"]
    later = asking.ask(REQUIRE + "=no_cache", {"RCPT": "450 z"}, driver=override)
    # with several hosts no one of them is blamed
    assert later.log[0].endswith(f"rejected RCPT <x@ext.test>: {LATER[4:]}")


def test_maxwait_is_looked_at_before_the_next_host(asking: Asking) -> None:
    override = "smtp\nhosts_override\nhosts = <; 127.0.0.2 ; 127.0.0.1\nport = @PORT@\nallow_localhost"
    said = asking.ask(REQUIRE + "=maxwait=0s", {}, driver=override)
    assert (said.replies, said.commands) == ([LATER], [])


MAIL_TAIL = (
    "550-The initial connection, or a HELO or MAIL FROM:<> command was\n"
    "550-rejected. Refusing MAIL FROM:<> does not help fight spam, disregards\n"
    "550-RFC requirements, and stops you from receiving standard bounce\n"
    "550-messages. This host does not accept mail from domains whose servers\n"
    "550-refuse bounces.\n550 Sender verify failed"
)
POSTMASTER_TAIL = (
    "550-Several RFCs state that you are required to have a postmaster\n"
    "550-mailbox for each mail domain. This host does not accept mail\n"
    "550-from domains whose servers reject the postmaster address.\n550 Sender verify failed"
)
SENDERS = [
    (
        "",
        {"RCPT": "550-no\n550 yes"},
        "550-Verification failed for <s@snd.test>\n550-Called:   127.0.0.1\n550-Sent:     RCPT TO:<s@snd.test>\n"
        "550-Response: 550-no\n550-550 yes\n550 Sender verify failed",
        f"{WHY} RCPT TO:<s@snd.test>: 550-no\\n550 yes",
    ),
    (
        "",
        {"MAIL": "550 no"},
        "550-Callback setup failed while verifying <s@snd.test>\n550-Called:   127.0.0.1\n550-Sent:     MAIL FROM:<>\n"
        "550-Response: 550 no\n" + MAIL_TAIL,
        '127.0.0.1 [127.0.0.1] : response to "MAIL FROM:<>" was: 550 no',
    ),
    (
        "=postmaster",
        {"RCPT TO:<postmaster": "550 no"},
        "550-Postmaster verification failed while checking <s@snd.test>\n550-Called:   127.0.0.1\n"
        "550-Sent:     RCPT TO:<postmaster@snd.test>\n550-Response: 550 no\n" + POSTMASTER_TAIL,
        f"{WHY} RCPT TO:<postmaster@snd.test>: 550 no",
    ),
]


@pytest.mark.parametrize(("options", "answers", "reply", "why"), SENDERS)
def test_sender(asking: Asking, options: str, answers: dict[str, Any], reply: str, why: str) -> None:
    said = asking.ask(SENDER + options, answers)
    assert said.replies == [reply]
    who = "H=(cl.test) [10.1.2.3] U=root"
    assert said.log == [
        f"{who} sender verify fail for <s@snd.test>: {why}",
        f"{who} F=<s@snd.test> rejected RCPT <x@ext.test>: Sender verify failed",
    ]
    assert said.reject == said.log


def test_sender_deferred(asking: Asking) -> None:
    said = asking.ask(SENDER, {"RCPT": "450 z"})
    text = "Could not complete sender verify callout"
    assert said.replies == [f"451 {text}"]
    assert said.log[0].endswith(f"sender verify defer for <s@snd.test>: {text}: {WHY} RCPT TO:<s@snd.test>: 450 z")
    assert said.log[1].endswith(f"F=<s@snd.test> temporarily rejected RCPT <x@ext.test>: {text}")


UNREACHABLE = (
    "451-The mail server(s) for the domain may be temporarily unreachable, or\n"
    "451-they may be permanently unreachable from this server. In the latter case,\n"
)


def test_details_for_the_peer(asking: Asking) -> None:
    main = "smtp_return_error_details"
    said = asking.ask(SENDER, {"RCPT": "450 z"}, main=main)
    text = "Could not complete sender verify callout"
    assert said.replies == [
        f"451-{text}: {WHY} RCPT TO:<s@snd.test>: 450 z\n451-{text} for <s@snd.test>.\n{UNREACHABLE}"
        "451-you need to change the address or create an MX record for its domain\n"
        "451-if it is supposed to be generally accessible from the Internet.\n"
        "451 Talk to your mail administrator for details."
    ]
    assert said.log[1].endswith(f"temporarily rejected RCPT <x@ext.test>: {text}")
    said = asking.ask(REQUIRE, {"RCPT": "450 z"}, main=main)
    assert said.replies == [
        f"451-Could not complete recipient verify callout for <x@ext.test>.\n{UNREACHABLE}"
        "451 the address will never be accepted."
    ]


NOBODY = "RCPT TO:<nobody-here@ext.test>"
X, PM = "RCPT TO:<x@ext.test>", "RCPT TO:<postmaster@ext.test>"
ASKED = [
    ("", {}, [*HELLO, X]),
    ("=use_sender", {}, ["EHLO me.test", "MAIL FROM:<s@snd.test>", X]),
    ("=use_postmaster", {}, ["EHLO me.test", "MAIL FROM:<postmaster@me.test>", X]),
    ("=random", {}, [*HELLO, NOBODY]),
    ("=random", {NOBODY: "550 no"}, [*HELLO, NOBODY, "RSET", "MAIL FROM:<>", X]),
    ("=random,postmaster", {}, [*HELLO, NOBODY]),
    ("=postmaster", {}, [*HELLO, X, "RSET", "MAIL FROM:<>", PM]),
    ("=postmaster_mailfrom=a@d.test", {}, [*HELLO, X, "RSET", "MAIL FROM:<a@d.test>", PM]),
    (
        "=fullpostmaster",
        {"RCPT TO:<postmaster@": "550 no"},
        [*HELLO, X, "RSET", "MAIL FROM:<>", PM, "RCPT TO:<postmaster>"],
    ),
    (
        "=random,postmaster",
        {NOBODY: "550 no"},
        [*HELLO, NOBODY, "RSET", "MAIL FROM:<>", X, "RSET", "MAIL FROM:<>", PM],
    ),
]


@pytest.mark.parametrize(("options", "answers", "commands"), ASKED)
def test_what_the_host_is_asked(asking: Asking, options: str, answers: dict[str, Any], commands: list[str]) -> None:
    said = asking.ask(REQUIRE + options, answers)
    assert (said.replies, said.commands) == (["250 Accepted"], [*commands, "QUIT"])


def test_a_host_that_closes_at_rset_is_called_again(asking: Asking) -> None:
    said = asking.ask(REQUIRE + "=random", {NOBODY: "550 no", "RSET": CLOSE})
    assert said.replies == ["250 Accepted"]
    assert said.commands == [*HELLO, NOBODY, "RSET", *HELLO, X, "QUIT"]


WORDS = [
    ("recipient/callout", {"RCPT": "550 no such"}, "recipient:", "Callout verification failed:\n550 550 no such"),
    ("recipient/callout", {"MAIL": "550 no"}, "mail:", "Callout verification failed:\n550 550 no"),
    (
        "recipient/callout=postmaster",
        {"RCPT TO:<postm": "550 no"},
        "postmaster:",
        "Callout verification failed:\n550 550 no",
    ),
    ("sender/callout/no_details", {"RCPT": "550 no"}, ":recipient", "Sender verify failed"),
    ("sender/callout/no_details", {"MAIL": "550 no"}, ":mail", "Sender verify failed"),
]


@pytest.mark.parametrize(("how", "answers", "words", "message"), WORDS)
def test_words_of_failure(asking: Asking, how: str, answers: dict[str, Any], words: str, message: str) -> None:
    acl = (
        "deny message = T:$acl_verify_message:$recipient_verify_failure:$sender_verify_failure\n"
        f" log_message = L\n !verify = {how}"
    )
    said = asking.ask(acl, answers)
    text = f"T:{message}:{words}"
    assert said.replies == [("550-" if "\n" in text else "550 ") + text]


def test_random_success_has_its_word_and_the_address_is_told(asking: Asking) -> None:
    log = "\nwarn logwrite = $recipient_verify_failure $domain_data/$local_part_data ${sg{$callout_address}{:.*}{}}"
    said = asking.ask(f"{REQUIRE}=random{log}")
    assert said.log == ["random ext.test/x [127.0.0.1]"]


CACHED = [
    # recipients, options, answers, how many sessions the server saw, the last reply
    (("x@ext.test",) * 2, "", {}, 1, "250 Accepted"),
    (("x@ext.test", "X@ext.test"), "", {}, 2, "250 Accepted"),
    (("x@ext.test",) * 2, "", {"RCPT": "550 no"}, 1, "550 Previous (cached) callout verification failure"),
    (("x@ext.test",) * 2, "", {"RCPT": "450 no"}, 2, LATER),
    (("x@ext.test", "y@ext.test"), "", {"MAIL": "550 no"}, 1, "550 (result of an earlier callout reused)."),
    (("x@ext.test",) * 2, "=use_sender", {"MAIL": "550 no"}, 2, FAILED + "550 no"),
    (("x@ext.test",) * 2, "=no_cache", {}, 2, "250 Accepted"),
    (("x@ext.test", "y@ext.test"), "=random", {}, 1, "250 Accepted"),
    (("x@ext.test", "y@ext.test"), "=postmaster", {"RCPT TO:<postm": "550 n"}, 1,
     "550 (result of earlier verification reused)."),
    (("x@ext.test", "x@ext.test"), "=postmaster", {}, 1, "250 Accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("recipients", "options", "answers", "sessions", "last"), CACHED)
def test_cache(
    asking: Asking, recipients: tuple[str, ...], options: str, answers: dict[str, Any], sessions: int, last: str
) -> None:
    said = asking.ask(REQUIRE + options, answers, *recipients)
    assert (said.sessions, said.replies[-1]) == (sessions, last)


def test_a_host_that_refuses_to_talk_is_remembered(asking: Asking) -> None:
    """Manual 44.48 says so; Exim 4.96 calls again."""
    said = asking.ask(REQUIRE, None, "x@ext.test", "y@ext.test", script=Script(banner="554 x"))
    assert (said.sessions, said.replies[1]) == (1, "550 (result of an earlier callout reused).")


MORE_QUESTIONS = [
    # what was asked before does not answer what is asked now
    ("recipient/callout", "recipient/callout=postmaster", {}, 2, "250 Accepted"),
    ("recipient/callout", "recipient/callout=random", {X: "550 z"}, 2, "250 Accepted"),
    ("recipient/callout=postmaster", "recipient/callout", {"RCPT TO:<postm": "550 x"}, 1, "250 Accepted"),
]


@pytest.mark.parametrize(("first", "second", "answers", "sessions", "reply"), MORE_QUESTIONS)
def test_cache_of_other_questions(
    asking: Asking, first: str, second: str, answers: dict[str, Any], sessions: int, reply: str
) -> None:
    said = asking.ask(f"warn !verify = {first}\nrequire verify = {second}", answers)
    assert (said.sessions, said.replies) == (sessions, [reply])


def test_cached_sender_failure(asking: Asking) -> None:
    again = ("RCPT TO:<x@ext.test>", "RSET", "MAIL FROM:<s@snd.test>", "RCPT TO:<x@ext.test>")
    said = asking.ask(SENDER, {"RCPT": "550 no"}, commands=again)
    assert said.replies[-1] == (
        "550-Verification failed for <s@snd.test>\n550-Previous (cached) callout verification failure\n"
        "550 Sender verify failed"
    )
    assert said.log[-2] == "H=(cl.test) [10.1.2.3] U=root sender verify fail for <s@snd.test>"
    said = asking.ask(SENDER, {"MAIL": "550 no"}, commands=again, main="callout_negative_expire = 0s")
    assert said.replies[-1] == (
        "550-Callback setup failed while verifying <s@snd.test>\n550-(result of an earlier callout reused).\n"
        + MAIL_TAIL
    )


def test_hold_keeps_the_connection_for_the_next_recipient(asking: Asking) -> None:
    said = asking.ask(REQUIRE + "=use_sender,hold,no_cache", {}, "x@ext.test", "z@ext.test")
    assert said.replies == ["250 Accepted"] * 2
    assert said.commands == ["EHLO me.test", "MAIL FROM:<s@snd.test>", X, "RCPT TO:<z@ext.test>", "QUIT"]
    assert said.sessions == 1


def test_defer_ok(asking: Asking) -> None:
    assert asking.ask(REQUIRE + "=defer_ok", {"RCPT": "450 z"}).replies == ["250 Accepted"]
    assert asking.ask("require verify = recipient/defer_ok/callout", {"RCPT": "450 z"}).replies == ["250 Accepted"]


def test_hosts_and_words_of_the_transport(asking: Asking) -> None:
    lmtp = "smtp\nprotocol = lmtp\nport = @PORT@\nhelo_data = foo.test"
    said = asking.ask(REQUIRE, {"RCPT": "550 z"}, hosts="127.0.0.1", driver=lmtp)
    assert said.commands == ["LHLO foo.test", "MAIL FROM:<>", X, "QUIT"]
    said = asking.ask(REQUIRE, {"RCPT": "550 z"}, driver="pipe\ncommand = /bin/true")
    assert said.replies == [LATER]
    assert said.panic == ["Exim configuration error for callout transport 's': pipe is non-smtp"]


WRONG = [
    ("sender/callout=use_sender", "use_sender or use_postmaster cannot be used for a sender verify callout"),
    (
        "recipient/callout=mailfrom=a@b.test",
        '"mailfrom" is allowed as a callout option only for verify=header_sender '
        '(detected in ACL condition "recipient/callout=mailfrom=a@b.test")',
    ),
    (
        "recipient/callout=use_sender,use_postmaster",
        "only one of use_sender and use_postmaster can be set for a recipient callout",
    ),
]


@pytest.mark.parametrize(("how", "why"), WRONG)
def test_senders_that_do_not_fit(asking: Asking, how: str, why: str) -> None:
    said = asking.ask(f"require verify = {how}")
    assert said.replies == ["451 Temporary local problem - please try later"]
    assert said.log[0].endswith(f"temporarily rejected RCPT <x@ext.test>: {why}")


def test_header_sender(asking: Asking) -> None:
    mail = ("RCPT TO:<x@ext.test>", "DATA", "From: a@b.test\r\n\r\nx\r\n.")
    main = "acl_smtp_data = d\nqueue_only"
    acl = "accept\nd:\n require verify = header_sender/callout=mailfrom=q@w.test\n"
    said = asking.ask(acl, {}, commands=mail, main=main)
    assert said.commands == ["EHLO me.test", "MAIL FROM:<q@w.test>", "RCPT TO:<a@b.test>", "QUIT"]
    said = asking.ask(acl.replace("=mailfrom=q@w.test", ""), {"RCPT": "550 z"}, commands=mail, main=main)
    assert said.log[0].endswith("rejected after DATA: there is no valid sender in any header line")
    assert said.commands[:2] == HELLO


def memory(store: HintsStore, now: float) -> Memory:
    return Memory(store, now, domain_positive=100.0, domain_negative=10.0, positive=50.0, negative=5.0)


def test_expiry(tmp_path: Path) -> None:
    now = [1000.0]
    store = HintsStore(str(tmp_path / "h"), clock=lambda: now[0])
    kept = memory(store, 1000.0)
    kept.learn_domain("Ext.Test", DomainFacts("accept", "no", 1000.0, "yes", 1000.0))
    kept.learn_domain("bad.test", DomainFacts("reject"))
    kept.learn_address("a@ext.test", "", True)
    kept.learn_address("b@ext.test", "s@t", False)
    assert memory(store, 1009.0).domain("ext.test") == DomainFacts("accept", "no", 1000.0, "yes", 1000.0)
    assert memory(store, 1011.0).domain("ext.test").postmaster == ""
    assert memory(store, 1011.0).domain("ext.test").random == "yes"
    assert memory(store, 1101.0).domain("ext.test") == DomainFacts()
    assert memory(store, 1009.0).domain("bad.test").result == "reject"
    assert memory(store, 1011.0).domain("bad.test").result == ""
    assert [memory(store, at).address("a@ext.test", "") for at in (1049.0, 1051.0)] == ["yes", ""]
    assert [memory(store, at).address("b@ext.test", "s@t") for at in (1004.0, 1006.0)] == ["no", ""]
    assert memory(store, 1004.0).address("b@ext.test", "") == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"result": 1}', json.dumps({"result": "accept", "x": 1})])
def test_odd_records_are_nothing_known(tmp_path: Path, text: str) -> None:
    store = HintsStore(str(tmp_path / "h"))
    store.put(DB, "@ext.test", text)
    store.put(DB, "a@ext.test", text)
    kept = memory(store, 0.0)
    assert kept.domain("ext.test") == DomainFacts()
    assert kept.address("a@ext.test", "") == ""
