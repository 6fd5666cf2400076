"""dmarc_status and its controls, variables, log line, history and reports, in a session with a fake DNS."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.acl.lint import notes
from mta.acl.parser import parse_acls
from mta.emailauth import dmarc_results
from mta.errors import ConfigError, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.mail.authentication import DkimResult
from mta.mail.headers import Header
from mta.mail.message import Message
from mta.mail.verdict import Ruling
from mta.scope.expansion import Tainted
from tests.acl.acls import Session, lines, session
from tests.fakes.dns import FakeResolver

A, DENY, ERROR = Ruling.ACCEPT, Ruling.DENY, Ruling.ERROR
REJECT = "v=DMARC1; p=reject; rua=mailto:agg@example.com; ruf=mailto:Fail@example.com"
TABLE = {
    ("example.com", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'],
    ("other.org", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'],
    ("_dmarc.example.com", "TXT"): [f'"{REJECT}"'],
    ("_dmarc.quarantine.org", "TXT"): ['"v=DMARC1; p=quarantine"'],
    ("_dmarc.none.org", "TXT"): ['"v=DMARC1; p=none"'],
    ("_dmarc.slow.org", "TXT"): "again",
}
ACCEPT_ALL = " accept dmarc_status = *"


def receiving(author: str = "example.com", sender: str = "a@other.org", *dkim: DkimResult) -> Session:
    """A session with a message at the DATA ACL."""
    made = session(sender=sender)
    message = made.scope.message
    message.id = "1abcde-000000-00"
    message.received_time = 1795399866.0
    if author:
        message.headers.lines.append(Header(f"From: A <a@{author}>\n", "F"))
    message.headers.lines.append(Header("Subject: hello\n"))
    message.dkim = list(dkim)
    options = made.scope.site.options
    options.primary_hostname = "mx.test"
    options.spf_smtp_comment_template = None
    options.dsn_from = compile_text("Postmaster <postmaster@mx.test>")
    made.scope.host_checking = False
    made.scope.services.resolver = FakeResolver(TABLE)
    made.scope.services.compile_text = compile_text
    return made


def value(made: Session, text: str) -> str:
    return compile_text(text)(made.scope)


PASSING = DkimResult("pass", "example.com", selector="s")
STATUSES = [
    ("example.com", "a@example.com", (), "accept", "reject"),
    ("example.com", "a@other.org", (PASSING,), "accept", "reject"),
    ("example.com", "a@other.org", (), "reject", "reject"),
    ("quarantine.org", "a@other.org", (), "quarantine", "quarantine"),
    ("none.org", "a@other.org", (), "none", "none"),
    ("nothing.org", "a@other.org", (), "norecord", ""),
    ("slow.org", "a@other.org", (), "temperror", ""),
    ("", "a@other.org", (), "nofrom", ""),
]


@pytest.mark.parametrize(("author", "sender", "dkim", "status", "policy"), STATUSES, ids=[c[3] for c in STATUSES])
def test_dmarc_06_07_statuses(author: str, sender: str, dkim: tuple[DkimResult, ...], status: str, policy: str) -> None:
    made = receiving(author, sender, *dkim)
    assert made.run(f" accept dmarc_status = {status}", "data").ruling is A
    assert value(made, "$dmarc_status $dmarc_domain_policy") == f"{status} {policy}"
    assert value(made, "$dmarc_used_domain") == author


LISTS = [
    ("reject", A), ("accept : reject", A), ("!accept", A), ("! accept", A), ("!reject", DENY), ("none : off", DENY),
    ("REJECT", A), ("", DENY), ("!reject : reject", A),
]  # fmt: skip


@pytest.mark.parametrize(("words", "ruling"), LISTS)
def test_dmarc_06_lists(words: str, ruling: Ruling) -> None:
    assert receiving().run(f" accept dmarc_status = {words}", "data").ruling is ruling


def test_dmarc_06_the_old_name_of_temperror() -> None:
    assert receiving("slow.org").run(" accept dmarc_status = error", "data").ruling is A


def test_dmarc_05_only_in_the_data_acl() -> None:
    verdict = receiving().run(" accept dmarc_status = reject", "rcpt")
    assert (verdict.ruling, verdict.log_message) == (ERROR, "cannot test dmarc_status condition in RCPT ACL")


def test_dmarc_05_nothing_is_known_before_the_condition() -> None:
    assert value(receiving(), "<$dmarc_status><$dmarc_used_domain>") == "<><>"


@pytest.mark.parametrize("who", ["authenticated", "local", "control"])
def test_dmarc_04_05_off(who: str) -> None:
    made = receiving()
    if who == "authenticated":
        made.scope.peer.authenticator = "plain"
    elif who == "local":
        made.scope.peer.address = ""
    else:
        assert made.run(" accept control = dmarc_disable_verify", "rcpt").ruling is A
    assert made.run(" accept dmarc_status = off", "data").ruling is A
    assert made.main == []


@pytest.mark.parametrize("name", ["dmarc_disable_verify", "dmarc_enable_forensic", "dmarc_forensic_enable"])
def test_dmarc_04_controls_come_before_data(name: str) -> None:
    assert receiving().run(f" accept control = {name}", "rcpt").ruling is A
    verdict = receiving().run(f" accept control = {name}", "data")
    assert (verdict.ruling, verdict.log_message) == (ERROR, f'cannot use "control={name}" in DATA ACL')
    assert receiving().run(f" accept control = {name}/x", "rcpt").ruling is ERROR


def test_dmarc_07_08_09_variables() -> None:
    made = receiving("example.com", "a@example.com")
    made.run(ACCEPT_ALL, "data")
    assert value(made, "$dmarc_status_text,$dmarc_alignment_spf,$dmarc_alignment_dkim") == "Accept,yes,no"
    assert value(made, "$dmarc_ar_header") == "Authentication-Results: mx.test; dmarc=pass header.from=example.com"
    made.scope.tainted = False
    value(made, "$dmarc_used_domain")
    assert made.scope.tainted


def test_dmarc_09_authresults() -> None:
    made = receiving()
    made.run(" warn spf = fail\n accept dmarc_status = reject", "data")
    assert value(made, "${authresults {mx.test}}") == (
        "Authentication-Results: mx.test;\n\tspf=pass smtp.mailfrom=other.org;\n\tdmarc=fail header.from=example.com"
    )


def test_dmarc_10_log_line() -> None:
    made = receiving()
    made.run(ACCEPT_ALL, "data")
    assert made.main == [
        "1abcde-000000-00 H=(x) [192.0.2.1] DMARC results: spf_domain=other.org dmarc_domain=example.com"
        " spf_align=no dkim_align=no enforcement='Reject'"
    ]
    silent = receiving("nothing.org")
    silent.run(ACCEPT_ALL, "data")
    assert silent.main == []


def test_dmarc_05_one_check_a_message() -> None:
    made = receiving()
    made.run(" warn dmarc_status = accept\n warn dmarc_status = none\n accept dmarc_status = reject", "data")
    assert len(made.main) == 1
    made.scope.message = Message(sender=Tainted("a@b.c"), sender_set=True)
    assert value(made, "<$dmarc_status>") == "<>"


def test_dmarc_16_null_sender_uses_the_helo_name() -> None:
    made = receiving("example.com", "")
    made.scope.peer.helo_name = "example.com"
    assert made.run(" accept dmarc_status = accept", "data").ruling is A
    assert made.main[0].endswith("DMARC using synthesized SPF sender domain = example.com")


def test_a_guessed_spf_pass_does_not_count() -> None:
    made = receiving("none.org", "a@none.org")
    assert isinstance(made.scope.services.resolver, FakeResolver)
    made.scope.services.resolver.table[("none.org", "A")] = ["192.0.2.7"]
    text = " warn spf_guess = pass\n accept dmarc_status = accept"
    assert made.run(text, "data").ruling is DENY
    assert value(made, "$spf_result $spf_result_guessed $dmarc_status") == "pass yes none"


def test_dmarc_01_public_suffixes_when_a_file_is_given(tmp_path: Path) -> None:
    (tmp_path / "tlds").write_text("com\norg\n")
    made = receiving("sub.example.com")
    made.scope.site.options.dmarc_tld_file = compile_text(str(tmp_path / "tlds"))
    assert made.run(" accept dmarc_status = reject", "data").ruling is A
    assert value(made, "$dmarc_used_domain") == "example.com"
    assert ("_dmarc.com", "TXT") not in made.scope.services.resolver.asked  # type: ignore[union-attr]
    missing = receiving()
    missing.scope.site.options.dmarc_tld_file = compile_text(str(tmp_path / "none"))
    assert missing.run(" accept dmarc_status = temperror", "data").ruling is A
    assert missing.panic[0].startswith("DMARC: failed to read dmarc_tld_file: ")


def test_dmarc_02_11_14_history_file(tmp_path: Path) -> None:
    path = tmp_path / "history"
    made = receiving()
    made.scope.site.options.dmarc_history_file = compile_text(str(path))
    made.run(ACCEPT_ALL, "data")
    assert path.read_text().startswith(
        "job 1abcde-000000-00\nreporter mx.test\nreceived 1795399866\nipaddr 192.0.2.1\nfrom example.com\n"
        "mfrom other.org\nspf 0\npdomain example.com\npolicy 16\nrua mailto:agg@example.com\n"
    )
    before = path.read_text()
    for author, checking in (("nothing.org", False), ("example.com", True)):
        made = receiving(author)
        made.scope.site.options.dmarc_history_file = compile_text(str(path))
        made.scope.host_checking = checking
        made.run(ACCEPT_ALL, "data")
    assert path.read_text() == before


def test_dmarc_02_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    made = receiving()
    made.scope.site.options.dmarc_history_file = compile_text(str(tmp_path / "no" / "history"))
    assert made.run(" accept dmarc_status = reject", "data").ruling is A
    assert "failure to write to DMARC history file" in made.panic[0]
    made = receiving()
    made.scope.site.options.dmarc_history_file = compile_text("/tmp/$sender_address_domain")
    made.run(ACCEPT_ALL, "data")
    assert made.panic == ["Tainted filename '/tmp/other.org' for dmarc_history_file"]


def test_results_are_kept_for_aggregate_reports(tmp_path: Path) -> None:
    path = str(tmp_path / "dmarc.sqlite")
    made = receiving()
    made.scope.site.options.dmarc_report_database = compile_text(path)
    made.run(ACCEPT_ALL, "data")
    assert dmarc_results.domains(path, 1795399866, 1795399867) == ["example.com"]


Sent = list[tuple[str, list[str], str, str]]


def reporting(author: str = "example.com") -> tuple[Session, Sent]:
    sent: Sent = []
    made = receiving(author)
    made.scope.services.state["submit_message"] = lambda *parts: sent.append(parts)
    made.run(" accept control = dmarc_enable_forensic", "rcpt")
    return made, sent


def test_dmarc_13_forensic_report() -> None:
    made, sent = reporting()
    made.run(ACCEPT_ALL, "data")
    ((sender, people, head, body),) = sent
    assert (sender, people) == ("", ["fail@example.com"])
    assert "From: Postmaster <postmaster@mx.test>\n" in head
    assert "Subject: DMARC Forensic Report for example.com from IP 192.0.2.1\n" in head
    assert "  DMARC Results: Reject\n" in body
    assert body.endswith("From: A <a@example.com>\nSubject: hello\n")


def test_dmarc_03_forensic_sender() -> None:
    made, sent = reporting()
    made.scope.site.options.dmarc_forensic_sender = compile_text("DMARC <dmarc@mx.test>")
    made.scope.site.options.dmarc_forensic_format = "arf"
    made.run(ACCEPT_ALL, "data")
    ((sender, _, head, _),) = sent
    assert sender == "dmarc@mx.test"
    assert "From: DMARC <dmarc@mx.test>\n" in head
    assert "report-type=feedback-report" in head


def test_dmarc_13_14_no_report_unasked() -> None:
    made, sent = reporting()
    made.scope.host_checking = True
    made.run(ACCEPT_ALL, "data")
    without, unsent = receiving(), []
    without.scope.services.state["submit_message"] = lambda *parts: unsent.append(parts)
    without.run(ACCEPT_ALL, "data")
    other, nothing = reporting("quarantine.org")
    other.run(ACCEPT_ALL, "data")
    assert sent == unsent == nothing == []


def test_dmarc_13_a_stranger_who_has_not_agreed_gets_none() -> None:
    made, sent = reporting()
    resolver = made.scope.services.resolver
    assert isinstance(resolver, FakeResolver)
    resolver.table[("_dmarc.example.com", "TXT")] = ['"v=DMARC1; p=reject; ruf=mailto:victim@elsewhere.net"']
    made.run(ACCEPT_ALL, "data")
    assert sent == []
    assert made.main[-1].endswith("not sent to victim@elsewhere.net: it has not agreed to reports")


def test_dmarc_13_failure_to_send_is_told() -> None:
    made, _ = reporting()
    del made.scope.services.state["submit_message"]
    assert made.run(" accept dmarc_status = reject", "data").ruling is A
    assert made.panic[0].startswith("failure to send DMARC forensic report to fail@example.com: ")


MANUAL = """r:
  warn    condition      = yes
          set acl_m_mailing_list = 1
  accept
d:
  warn    dmarc_status   = accept : none : off
          !authenticated = *
          log_message    = DMARC DEBUG: $dmarc_status $dmarc_used_domain
  warn    dmarc_status   = !accept
          !authenticated = *
          log_message    = DMARC DEBUG: '$dmarc_status' for $dmarc_used_domain
  deny    condition      = ${if eq{$dmarc_domain_policy}{reject}}
          condition      = ${if eq{$acl_m_mailing_list}{1}}
          message        = Messages from $dmarc_used_domain break mailing lists
  deny    dmarc_status   = reject
          !authenticated = *
          message        = Message from $dmarc_used_domain failed sender's DMARC policy, REJECT
  warn    add_header     = :at_start:${authresults {$primary_hostname}}
  accept"""


def test_dmarc_15_the_manuals_example() -> None:
    made = receiving()
    assert made.run(MANUAL, "rcpt").ruling is A
    verdict = made.run(MANUAL, "data", "d")
    assert (verdict.ruling, verdict.user_message) == (DENY, "Messages from example.com break mailing lists")
    assert any(line.endswith("Warning: DMARC DEBUG: 'reject' for example.com") for line in made.main)
    strict = receiving()
    verdict = strict.run(MANUAL, "data", "d")
    assert verdict.user_message == "Message from example.com failed sender's DMARC policy, REJECT"
    good = receiving("example.com", "a@example.com")
    assert good.run(MANUAL, "data", "d").ruling is A
    assert good.scope.message.added_headers[0][0] == "at_start"


def test_it_is_a_condition_of_the_file() -> None:
    errors: list[ConfigError] = []
    parse_acls(lines("r:\n accept !dmarc_status = reject\n control = dmarc_disable_verify"), errors)
    assert errors == []


def test_dmarc_15_a_dollar_after_set_is_passed_over() -> None:
    text = " accept dmarc_status = quarantine\n set $acl_m_quarantine = 1"
    made = receiving("quarantine.org")
    assert made.run(text, "data").ruling is A
    assert value(made, "$acl_m_quarantine") == "1"
    assert [note.message for note in notes(made.acls)] == ['no "$" is wanted after "set"']


def test_dmarc_15_a_wrong_name_is_told() -> None:
    with pytest.raises(ExpansionFailed) as caught:
        value(receiving(), "$domain_used_domain")
    assert str(caught.value) == 'unknown variable name "domain_used_domain"'


def test_dmarc_06_lint_tells_of_the_old_name() -> None:
    made = receiving()
    made.run(" accept dmarc_status = error : reject", "data")
    assert [note.message for note in notes(made.acls)] == ['"error" became "temperror" in Exim 4.83']
