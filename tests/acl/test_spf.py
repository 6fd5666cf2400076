"""The spf and spf_guess conditions, with Exim's answers for the same names (tests/emailauth/data/spf_exim.json).

Where mta keeps to RFC 7208 and libspf2 does not, DIFFERENT says what mta answers and why.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from mta.acl.lint import notes
from mta.acl.parser import parse_acls
from mta.errors import ConfigError
from mta.expand.compiler import compile_text
from mta.mail.message import Message
from mta.mail.verdict import Ruling
from mta.net.answer import Answer
from mta.scope.expansion import Tainted
from tests.acl.acls import Session, lines, session
from tests.emailauth.worlds import DATA, zone_resolver
from tests.fakes.dns import FakeResolver

CASES = json.loads((DATA / "spf_exim.json").read_text())
ZONE = (DATA / "spf_exim.zone").read_text()
ANSWERS = ("spf_result", "spf_result_guessed", "spf_header_comment", "spf_received", "spf_smtp_comment")
DIFFERENT = {
    "user@perm.test": "permerror",  # a syntax error in the record (manual 58.4); libspf2 gives up: (invalid)
    "user@void.test": "permerror",  # three void look-ups (RFC 7208 4.6.4); libspf2 does not count them
    "user@unreach.example": "temperror",  # the server refuses: nobody could say; libspf2: (invalid)
    "[192.0.2.1]": "none",  # no domain to ask (RFC 7208 4.3); libspf2 asks the name server, which refuses
}


def resolver() -> FakeResolver:
    made = zone_resolver(ZONE)
    made.table[("x.unreach", "TXT")] = "again"
    made.table[("unreach.example", "TXT")] = "again"
    return made


def checking(sender: str, helo: str = "helo.pass.test", ip: str = "192.0.2.1", template: str = "") -> Session:
    """A session with that client, just before an ACL runs."""
    made = session(sender=sender)
    made.scope.peer.address, made.scope.peer.helo_name = ip, Tainted(helo)
    options = made.scope.site.options
    options.primary_hostname = "mx.receiver.test"
    options.spf_smtp_comment_template = compile_text(template or "Please%_see%_http://www.open-spf.org/Why")
    made.scope.services.resolver = resolver()
    made.scope.services.compile_text = compile_text
    return made


def value(made: Session, text: str) -> str:
    return compile_text(text)(made.scope)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']} {c['sender'] or c['helo']} {c['ip']}" for c in CASES])
def test_spf_06_variables_are_exims(case: dict[str, Any]) -> None:
    made = checking(case["sender"], case["helo"], case["ip"], case.get("template", ""))
    condition = "spf" if case["kind"] == "spf" else "spf_guess"
    assert made.run(f" accept {condition} = pass : !pass").ruling is Ruling.ACCEPT
    different = DIFFERENT.get(case["sender"] or case["helo"])
    if different:
        assert value(made, "$spf_result") == different
        assert value(made, "$spf_received").startswith(f"Received-SPF: {different} (mx.receiver.test: ")
        return
    assert [value(made, f"${name}") for name in ANSWERS] == case["exim"][:5]
    assert value(made, "${authresults {$primary_hostname}}") == case["exim"][5].replace("\\n", "\n")


def test_spf_06_what_strangers_chose_is_tainted() -> None:
    made = checking("user@fail.test")
    made.run(" accept spf = fail")
    for name in ("spf_header_comment", "spf_received", "spf_used_domain"):
        made.scope.tainted = False
        value(made, f"${name}")
        assert made.scope.tainted, name
    made.scope.tainted = False
    assert (value(made, "$spf_result"), made.scope.tainted) == ("fail", False)


POINTS_YES = ("mail", "rcpt", "predata", "data", "prdr", "mime", "dkim", "quit", "notquit")
POINTS_NO = {"connect": "connection", "helo": "EHLO or HELO", "auth": "AUTH", "mailauth": "MAILAUTH", "vrfy": "VRFY",
             "expn": "EXPN", "etrn": "ETRN", "not_smtp": "non-SMTP"}  # fmt: skip


@pytest.mark.parametrize("point", POINTS_YES)
@pytest.mark.parametrize("name", ["spf", "spf_guess"])
def test_spf_01_points(point: str, name: str) -> None:
    assert checking("user@pass.test").run(f" accept {name} = pass", point).ruling is Ruling.ACCEPT


@pytest.mark.parametrize(("point", "words"), POINTS_NO.items())
def test_spf_01_not_before_mail(point: str, words: str) -> None:
    verdict = checking("user@pass.test").run(" accept spf = pass", point)
    assert (verdict.ruling, verdict.log_message) == (Ruling.ERROR, f"cannot test spf condition in {words} ACL")


def test_spf_01_depends_on_the_recipient() -> None:
    text = " deny local_parts = strict\n spf = fail : softfail\n accept"
    for local, ruling in (("strict", Ruling.DENY), ("lax", Ruling.ACCEPT)):
        made = checking("user@soft.test")
        assert made.scope.recipient is not None
        made.scope.recipient.local_part = local
        assert made.run(text).ruling is ruling


WORDS = [
    ("fail", "user@fail.test", True),
    ("fail", "user@pass.test", False),
    ("pass : fail", "user@fail.test", True),
    ("!fail", "user@fail.test", False),
    ("!fail", "user@none.test", True),
    ("! fail", "user@none.test", True),
    ("FAIL", "user@fail.test", True),
    ("*", "user@none.test", True),
    ("!pass : pass", "user@pass.test", True),
    ("softfail : none", "user@neutral.test", False),
    ("fail:neutral", "user@neutral.test", True),
    ("temperror", "user@temp.test", True),
    ("err_temp", "user@temp.test", True),
    ("err_perm", "user@temp.test", False),
    ("permerror", "user@two.test", True),
    ("err_perm", "user@two.test", True),
    ("err_temp", "user@two.test", False),
    ("none", "user@nx.test", True),
    ("", "user@pass.test", False),
]


@pytest.mark.parametrize(("words", "sender", "matches"), WORDS)
def test_spf_02_03_04_05_result_lists(words: str, sender: str, matches: bool) -> None:
    verdict = checking(sender).run(f" accept spf = {words}")
    assert verdict.ruling is (Ruling.ACCEPT if matches else Ruling.DENY)


def test_spf_12_without_a_client_address_it_is_invalid() -> None:
    made = checking("user@pass.test", ip="")
    assert made.run(" accept spf = invalid").ruling is Ruling.ACCEPT
    assert value(made, "$spf_result <$spf_received>") == "(invalid) <>"


def test_spf_07_best_guess_record_of_the_configuration() -> None:
    made = checking("user@none.test", ip="192.0.3.1")
    assert made.run(" accept spf_guess = pass").ruling is Ruling.DENY
    made = checking("user@none.test", ip="192.0.3.1")
    made.scope.site.options.spf_guess = "v=spf1 a/16 mx/16 ptr ?all"
    assert made.run(" accept spf_guess = pass").ruling is Ruling.ACCEPT
    assert value(made, "$spf_guess $spf_result_guessed") == "v=spf1 a/16 mx/16 ptr ?all yes"


def test_spf_07_a_real_record_is_not_guessed() -> None:
    made = checking("user@fail.test")
    assert made.run(" accept spf_guess = fail").ruling is Ruling.ACCEPT
    assert value(made, "$spf_result_guessed") == "no"


def test_spf_08_without_a_template_there_is_no_comment() -> None:
    made = checking("user@fail.test")
    made.scope.site.options.spf_smtp_comment_template = None
    made.run(" accept spf = fail")
    assert value(made, "<$spf_smtp_comment>") == "<>"


def test_spf_10_the_manuals_message() -> None:
    text = r""" deny spf = fail
 message = $sender_host_address is not allowed to send mail from \
${if def:sender_address_domain {$sender_address_domain}{$sender_helo_name}}.  Please see \
http://www.open-spf.org/Why;identity=${if def:sender_address_domain {$sender_address}{$sender_helo_name}};\
ip=$sender_host_address""".replace("\\\n", "")
    end = "Please see http://www.open-spf.org/Why;identity={};ip=192.0.2.1"
    first = "192.0.2.1 is not allowed to send mail from {}.  "
    said = checking("user@fail.test").run(text).user_message
    assert said == first.format("fail.test") + end.format("user@fail.test")
    said = checking("", helo="fail.test").run(text).user_message
    assert said == first.format("fail.test") + end.format("fail.test")


def test_spf_10_sender_domains_beside_it() -> None:
    text = " deny sender_domains = aol.com\n spf = fail:neutral\n accept"
    made = checking("user@aol.com")
    assert isinstance(made.scope.services.resolver, FakeResolver)
    made.scope.services.resolver.table[("aol.com", "TXT")] = ['"v=spf1 ?all"']
    assert made.run(text).ruling is Ruling.DENY
    assert checking("user@neutral.test").run(text).ruling is Ruling.ACCEPT


def test_one_evaluation_a_message() -> None:
    made = checking("user@incl.test")
    asked = made.scope.services.resolver.asked  # type: ignore[union-attr]
    made.run(" warn spf = pass\n warn spf = fail\n accept spf = pass")
    assert [name for name, kind in asked if kind == "TXT"] == ["incl.test", "pass.test"]
    made.scope.message = Message(sender=Tainted("user@fail.test"), sender_set=True)
    assert value(made, "<$spf_result>") == "<>"  # nothing of the message before
    made.run(" accept spf = fail")
    assert value(made, "$spf_result") == "fail"


def test_threads_do_not_mix_their_resolvers() -> None:
    """Two sessions with different resolvers at once, each blocked until the other has asked."""
    barrier = threading.Barrier(2, timeout=10)
    answers: dict[str, str] = {}

    class Slow(FakeResolver):
        def _ask_servers(self, name: str, rdtype: str, timeout: float, attempts: int) -> Answer:
            barrier.wait()
            return super()._ask_servers(name, rdtype, timeout, attempts)

    def one(record: str) -> None:
        made = checking("user@same.test")
        made.scope.services.resolver = Slow({("same.test", "TXT"): [record]})
        made.run(" accept spf = *")
        answers[record] = value(made, "$spf_result")

    threads = [threading.Thread(target=one, args=(record,)) for record in ('"v=spf1 -all"', '"v=spf1 +all"')]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {'"v=spf1 -all"': "fail", '"v=spf1 +all"': "pass"}


def test_it_is_a_condition_of_the_file() -> None:
    errors: list[ConfigError] = []
    parse_acls(lines("r:\n accept spf = pass\n accept !spf_guess = fail"), errors)
    assert errors == []


def test_spf_04_lint_tells_of_old_names() -> None:
    made = checking("user@temp.test")
    made.run(" accept spf = pass : err_temp\n accept spf_guess = err_perm\n accept spf = temperror")
    assert [note.message.partition(" ")[0] for note in notes(made.acls)] == ['"err_temp"', '"err_perm"']
    assert notes(made.acls)[0].message.endswith('write "temperror"')
