"""Conditions one by one, with real lists and expansions; texts and answers are Exim 4.96's in -bh."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta.acl.points import WORDS
from mta.hints.store import HintsStore
from mta.mail.headers import Header, header_type
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.verdict import Ruling
from mta.scope.expansion import Tainted
from mta.scope.services import Verified
from tests.acl.acls import Session, session

A, DENY, DEFER, ERROR = Ruling.ACCEPT, Ruling.DENY, Ruling.DEFER, Ruling.ERROR

# ACL, ruling, user message, log message, sender, recipient
LISTS = [
    (" accept domains = test.ex", A, "", ""),
    (" accept domains = ${if eq{1}{1}{test.ex}}", A, "", ""),
    (" accept domains = ${if eq{1}{2}{test.ex}fail}", DENY, "", ""),
    (" accept !domains = other.ex : *.test.ex", A, "", ""),
    (" accept hosts = 192.0.2.0/24", A, "", ""),
    (" accept hosts = !192.0.2.1 : *", DENY, "", ""),
    (" accept senders = good@test.ex", A, "", ""),
    (" accept senders = :", DENY, "", ""),
    (" accept sender_domains = test.ex", A, "", ""),
    (" accept recipients = *@test.ex", A, "", ""),
    (" accept authenticated = *", DENY, "", ""),
    (" accept encrypted = *", DENY, "", ""),
    (" accept local_parts = ^g(o+)d\n message = $1 <$local_part_data> <$domain_data>", A, "oo <^g(o+)d> <>", "*"),
    (" accept control = caseful_local_part\n message = $local_part", A, "good", "*"),
]


@pytest.mark.parametrize(("text", "ruling", "user", "log"), LISTS, ids=[case[0] for case in LISTS])
def test_lists(text: str, ruling: Ruling, user: str, log: str) -> None:
    verdict = session().run(text)
    assert (verdict.ruling, verdict.user_message or "") == (ruling, user)
    if log != "*":
        assert (verdict.log_message or "") == log


def test_authenticated_and_encrypted() -> None:
    made = session()
    made.scope.peer.authenticator = "plain_server"
    made.scope.peer.tls.cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256"
    assert made.run(" accept authenticated = plain_*\n encrypted = *GCM*").ruling is DENY  # no patterns inside names
    assert made.run(" accept authenticated = *_server\n encrypted = *").ruling is A
    assert made.run(" accept authenticated = login_server").ruling is DENY


def test_local_part_case() -> None:
    made = session(recipient="GOOD@test.ex")
    assert made.run(" accept message = $local_part").user_message == "good"
    text = " warn control = caseful_local_part\n set acl_m0 = $local_part\n accept control = caselower_local_part\n"
    assert made.run(text + " message = $acl_m0 $local_part").user_message == "GOOD good"


VERIFY = [
    (" require verify = recipient", "failing", DENY, "no such person here", "no such person here"),
    (" require verify = recipient", "bad", DENY, "Unrouteable address", "Unrouteable address"),
    (" require verify = recipient", "deferring", DEFER, "try again sometime", "try again sometime"),
    (" require message = mm\n log_message = ll\n verify = recipient", "bad", DENY, "mm", "ll: Unrouteable address"),
    (" require message = mm\n verify = recipient", "deferring", DEFER, "try again sometime", "try again sometime"),
    (" accept verify = recipient/defer_ok/success_on_redirect", "deferring", A, "try again sometime",
     "try again sometime"),
    (" deny !verify = recipient\n message = nope $acl_verify_message", "bad", DENY, "nope Unrouteable address",
     "Unrouteable address"),
    (" accept !verify = recipient\n message = $recipient_verify_failure $acl_verify_message", "bad", A,
     "route Unrouteable address", "*"),
    (" accept verify = recipient\n message = <$address_data>", "good", A, "<ad-good>", "*"),
    (" require verify = recipient/foo", "good", ERROR, "",
     'unknown option "foo" in ACL condition "verify recipient/foo"'),
    (" require verify = recipient/callout=10s,foo", "good", ERROR, "",
     'bad time value in ACL condition "verify recipient/callout=10s,foo"'),
    (" accept verify = recipient/callout=10s,defer_ok", "good", A, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "local", "ruling", "user", "log"), VERIFY, ids=[f"{c[0]} {c[1]}" for c in VERIFY])
def test_verify_recipient(text: str, local: str, ruling: Ruling, user: str, log: str) -> None:
    verdict = session(recipient=f"{local}@test.ex").run(text)
    assert (verdict.ruling, verdict.user_message or "") == (ruling, user)
    if log != "*":
        assert (verdict.log_message or "") == log


UNROUTEABLE = ["Verification failed for <bad@test.ex>", "Unrouteable address"]
BAD_LOG = "sender verify fail for <bad@test.ex>: Unrouteable address"
SENDERS = [
    (" require verify = sender", "", A, "", "", [], ""),
    (" require verify = sender", "good", A, "", "", [], ""),
    (" require verify = sender", "bad", DENY, "Sender verify failed", "Sender verify failed", UNROUTEABLE, BAD_LOG),
    (" require verify = sender", "deferring", DEFER, "", "Could not complete sender verify", [],
     "sender verify defer for <deferring@test.ex>: try again sometime"),
    (" require verify = sender/no_details", "bad", DENY, "Sender verify failed", "Sender verify failed", [], ""),
    (" require control = no_multiline_responses\n verify = sender", "bad", DENY, "Sender verify failed",
     "Sender verify failed", [], BAD_LOG),
    (" require message = foo\n log_message = bar\n verify = sender", "bad", DENY, "foo", "bar: Sender verify failed",
     UNROUTEABLE, BAD_LOG),
    (" require log_message = bar $acl_verify_message\n verify = sender", "bad", DENY, "Sender verify failed",
     "bar Sender verify failed: Sender verify failed", UNROUTEABLE, BAD_LOG),
    (" deny !verify = sender\n message = x $sender_verify_failure", "bad", DENY, "x route", "Sender verify failed",
     UNROUTEABLE, BAD_LOG),
    (" warn !verify = sender\n deny message = other", "bad", DENY, "other", "other", UNROUTEABLE, BAD_LOG),
    (" require acl = n\nn:\n require verify = sender", "bad", DENY, "Sender verify failed", "Sender verify failed",
     UNROUTEABLE, BAD_LOG),
    (" require verify = sender=bad@test.ex", "good", DENY, "Sender verify failed", "Sender verify failed", UNROUTEABLE,
     BAD_LOG),
    (" require verify = sender=good@test.ex\n accept message = $sender_address_data", "bad", A, "ad-good", "ad-good",
     [], ""),
    (" warn !verify = sender\n set acl_m0 = $acl_verify_message\n accept message = $acl_m0", "bad", A,
     "Sender verify failed", "Sender verify failed", [], ""),
    (" require verify = sender : foo", "good", ERROR, "", 'expected "sender[=address]", "recipient", "helo", '
     '"header_syntax", "header_sender", "header_names_ascii" or "reverse_host_lookup" at start of ACL condition '
     '"verify sender : foo"', [], ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "local", "ruling", "user", "log", "details", "details_log"),
    SENDERS,
    ids=[f"{c[0]} {c[1]}" for c in SENDERS],
)
def test_verify_sender(
    text: str, local: str, ruling: Ruling, user: str, log: str, details: list[str], details_log: str
) -> None:
    if "accept" not in text and ruling is A:
        text += "\n accept"
    verdict = session(sender=f"{local}@test.ex" if local else "").run(text)
    assert (verdict.ruling, verdict.user_message or "") == (ruling, user)
    assert (verdict.log_message or "") == log
    assert (verdict.details, verdict.details_log) == (details, details_log)


def test_sender_is_verified_and_told_of_once() -> None:
    made = session(sender="bad@test.ex")
    asked: list[str] = []

    def verify(scope: object, address: str, **_: object) -> Verified:
        asked.append(address)
        return Verified(False, None, "", "Unrouteable address", "route")

    made.scope.services.verify_address = verify
    first, second = made.run(" require verify = sender"), made.run(" require verify = sender")
    assert (first.details, first.details_log) == (UNROUTEABLE, BAD_LOG)
    assert (second.ruling, second.details, second.details_log) == (DENY, [], "")
    assert asked == ["bad@test.ex"]
    assert "using cached sender verify result" in made.trace


def test_callout() -> None:
    from mta.mail.host import Host
    from mta.mail.recipient import Recipient

    made = session()
    routed = Verified(True, Recipient("good@test.ex", hosts=[Host("mx.test.ex")]))
    made.scope.services.verify_address = lambda *_, **__: routed  # type: ignore[assignment,misc]
    made.scope.services.callout = lambda *_, **__: Verified(None, None, "no answer", "no answer: why")
    verdict = made.run(" require verify = recipient/callout\n accept")
    assert (verdict.ruling, verdict.user_message, verdict.log_message) == (DEFER, "no answer", "no answer: why")
    assert made.run(" require verify = recipient/callout=defer_ok\n accept").ruling is A
    made.scope.services.callout = lambda *_, **__: Verified(False, None, "said 550", "said 550", "recipient")
    assert made.run(" require verify = recipient/callout\n accept").user_message == "said 550"


def at_data(headers: str) -> Session:
    made = session()
    lines = [line + "\n" for line in headers.split("\n")]
    made.scope.message.headers.lines = [Header(line, header_type(line.partition(":")[0])) for line in lines]
    made.scope.message.recipients = [EnvelopeRecipient("good@test.ex")]
    return made


SYNTAX = [
    ("From: a@b.ex\nTo: c@d.ex", ""),
    ("From: a", 'unqualified address not permitted: failing address in "From:" header is: a'),
    ("To: @", 'domain missing or malformed: failing address in "To:" header is: @'),
    ("To: a@b.ex, , c@d.ex", ""),
    ("Cc: foo bar <a@b.ex>", ""),
    ('Cc: "foo <a@b.ex>', 'unmatched doublequote in local part: failing address in "Cc:" header is: "foo <a@b.ex>'),
    ("To: undisclosed:;", ""),
    ("To: undisclosed: a@b.ex;, x@y.ex", ""),
    ("Bcc:", ""),
    ("Sender: <>", 'missing or malformed local part: failing address in "Sender:" header is: <>'),
    ("To: a@b.ex (foo", ""),
    ("X-To: @", ""),
    ("Resent-To: @", 'domain missing or malformed: failing address in "Resent-To:" header is: @'),
    ("From: <a@b.ex", "'>' missing at end of address: failing address in \"From:\" header is: <a@b.ex"),
    ("To: a@b..ex", 'domain missing or malformed: failing address in "To:" header is: a@b..ex'),
    ("To: a@[1.2.3.4]", ""),
]


@pytest.mark.parametrize(("headers", "log"), SYNTAX, ids=[case[0] for case in SYNTAX])
def test_header_syntax(headers: str, log: str) -> None:
    verdict = at_data(headers).run(" require verify = header_syntax\n accept", "data")
    assert (verdict.ruling, verdict.log_message or "") == (DENY if log else A, log)
    assert verdict.user_message is None


NO_SENDER = "there is no valid sender in any header line"
ALL_DEFERRED = "all attempts to verify a sender in a header line deferred"
HEADERS = [
    ("header_sender", "From: good@test.ex", A, ""),
    ("header_sender", "From: bad@test.ex", DENY, NO_SENDER),
    ("header_sender", "From: bad@test.ex\nSender: good@test.ex", A, ""),
    ("header_sender", "X: y", DENY, NO_SENDER),
    ("header_sender", "From: deferring@test.ex", DEFER, ALL_DEFERRED),
    ("header_sender", "From: deferring@test.ex\nReply-To: bad@test.ex", DEFER, ALL_DEFERRED),
    ("header_sender/defer_ok", "From: deferring@test.ex", A, ""),
    ("header_sender", "From: bad@test.ex, good@test.ex", A, ""),
    ("header_sender", "From: @", DENY,
     "syntax error in 'From:' header when scanning for sender: domain missing or malformed in \"@\""),
    ("header_names_ascii", "X\xe9: foo", DENY, 'Invalid character in header "X\xe9" found'),
    ("header_names_ascii", "X: \xe9", A, ""),
    ("not_blind", "To: good@test.ex", A, ""),
    ("not_blind", "To: other@test.ex", DENY, "bcc recipient detected"),
    ("not_blind", "Cc: Good@TEST.EX", DENY, "bcc recipient detected"),
    ("not_blind", "Bcc: good@test.ex", DENY, "bcc recipient detected"),
    ("not_blind", "Resent-To: good@test.ex", A, ""),
    ("not_blind/case_insensitive", "To: Good@Test.ex", A, ""),
    ("not_blind/foo", "To: a@b", ERROR, 'unknown option "foo" in ACL condition "verify not_blind/foo"'),
    ("helo/foo", "To: a@b", ERROR, "unexpected '/' found in \"helo/foo\" (this verify item has no options)"),
    ("certificate", "To: a@b", DENY, "no verified certificate"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "headers", "ruling", "log"), HEADERS, ids=[f"{c[0]} {c[1]}" for c in HEADERS])
def test_verify_at_data(what: str, headers: str, ruling: Ruling, log: str) -> None:
    verdict = at_data(headers).run(f" require verify = {what}\n accept", "data")
    assert (verdict.ruling, verdict.log_message or "") == (ruling, log)


def test_regex_looks_at_headers_and_body() -> None:
    made = at_data("To: a\n x")
    body = b"line one\nboody\nlast"
    made.scope.body = lambda start, size: body[start : start + size]
    assert made.run(
        " accept regex = foo : bo+(d)y\n message = <$regex1> <$regex_match_string>", "data"
    ).user_message == ("<d> <bo+(d)y>")
    assert made.run(" accept regex = foo : bar", "data").ruling is DENY
    assert made.run(" accept regex = last\\$", "data").ruling is A
    assert made.run(" accept regex = (foo", "data").ruling is DENY
    assert "missing closing parenthesis" in made.main[-1]


def test_verify_helo() -> None:
    made = session()
    made.scope.peer.host_lookup_done = True
    assert made.run(" require verify = helo\n accept").ruling is DENY
    made.scope.peer.helo_verify_failed = False
    made.scope.peer.helo_name = "[192.0.2.1]"
    assert made.run(" require verify = helo\n accept").ruling is A
    local = session()
    local.scope.peer.address = ""
    assert local.run(" require verify = helo\n accept").ruling is A


def test_verify_reverse_host_lookup() -> None:
    made = session()

    def lookup(scope: object) -> None:
        made.scope.peer.host_lookup_done = made.scope.peer.host_lookup_failed = True

    made.scope.services.lookup_host_name = lookup
    verdict = made.run(" require verify = reverse_host_lookup\n accept")
    assert verdict.user_message is None
    assert verdict.log_message == (
        "host lookup failed for reverse lookup check (failed to find host name from IP address)"
    )
    made.scope.peer.host_name = "client.test.ex"
    assert made.run(" require verify = reverse_host_lookup\n accept").ruling is A


# a clause, the points where it works; everything else is an error there (from the oracle, point by point)
SMTP = ["connect", "helo", "starttls", "auth", "mail", "mailauth", "rcpt", "predata", "mime", "data"]
SMTP += ["quit", "notquit", "vrfy", "expn", "etrn"]
ENVELOPE, CONTENT = ["mail", "rcpt", "predata"], ["mime", "data"]
PLACES: list[tuple[str, list[str]]] = [
    ("condition = yes", [*SMTP, "not_smtp"]),
    ("authenticated = *", [p for p in SMTP if p not in ("connect", "helo")]),
    ("domains = *", ["rcpt", "vrfy"]),
    ("encrypted = *", [p for p in SMTP if p != "helo"]),
    ("hosts = *", SMTP),
    ("local_parts = *", ["rcpt", "vrfy"]),
    ("recipients = *@*", ["rcpt"]),
    ("senders = *@*", [*ENVELOPE, *CONTENT, "notquit", "not_smtp"]),
    ("sender_domains = *", [*ENVELOPE, *CONTENT, "notquit", "not_smtp"]),
    ("regex = foo", [*CONTENT, "not_smtp"]),
    ("add_header = X: y", [*ENVELOPE, *CONTENT, "not_smtp"]),
    ("remove_header = x", [*ENVELOPE, *CONTENT, "not_smtp"]),
    ("delay = 0s", [*[p for p in SMTP if p != "notquit"], "not_smtp"]),
    ("logwrite = x", [*SMTP, "not_smtp"]),
    ("queue = x", [p for p in SMTP if p != "data"]),
    ("set acl_m0 = x", [*SMTP, "not_smtp"]),
    ("verify = sender", [*ENVELOPE, "data", "not_smtp"]),
    ("verify = recipient", ["rcpt"]),
    ("verify = helo", [*SMTP, "not_smtp"]),
    ("verify = header_syntax", [*CONTENT, "quit", "notquit", "not_smtp"]),
    ("verify = header_sender", [*CONTENT, "quit", "notquit", "not_smtp"]),
    ("verify = header_names_ascii", [*CONTENT, "quit", "notquit", "not_smtp"]),
    ("verify = not_blind", [*CONTENT, "quit", "notquit", "not_smtp"]),
    ("verify = certificate", [*SMTP, "not_smtp"]),
    ("control = allow_auth_unadvertised", ["connect", "helo"]),
    ("control = caseful_local_part", ["rcpt"]),
    ("control = dkim_disable_verify", [p for p in SMTP if p != "data"]),
    ("control = dscp/af41", [p for p in SMTP if p != "notquit"]),
    ("control = enforce_sync", SMTP),
    ("control = fakereject", [*ENVELOPE, *CONTENT, "not_smtp"]),
    ("control = freeze", [*ENVELOPE, *CONTENT, "not_smtp"]),
    ("control = queue", [*ENVELOPE, *CONTENT, "not_smtp"]),
    ("control = submission", [*ENVELOPE, "not_smtp"]),
    ("control = suppress_local_fixups", [*ENVELOPE, "not_smtp"]),
]


@pytest.mark.parametrize(("clause", "places"), PLACES, ids=[case[0] for case in PLACES])
def test_points(clause: str, places: list[str]) -> None:
    for point in [*SMTP, "not_smtp"]:
        made = session()
        made.scope.peer.host_lookup_done = True
        verdict = made.run(f" warn {clause}\n accept", point)
        assert (verdict.ruling is A) is (point in places), f"{clause} at {point}: {verdict.log_message}"
        if verdict.ruling is not A:
            assert WORDS[point] in (verdict.log_message or "")


def test_misplaced_finds_the_same_without_running() -> None:
    from mta.acl.lint import misplaced

    made = session()
    made.run(" accept domains = a\n acl = n\n deny !verify = recipient\nn:\n warn control = freeze\n discard")
    found = [str(error) for error in misplaced(made.acls, {"connect": "r", "rcpt": "r"})]
    assert found == [
        "CONF:11: error in ACL: domains condition is not allowed in connection ACL (acl_smtp_connect)",
        "CONF:13: error in ACL: verify = recipient is not allowed in connection ACL (acl_smtp_connect)",
        "CONF:15: error in ACL: control = freeze is not allowed in connection ACL (acl_smtp_connect)",
        'CONF:16: error in ACL: "discard" verb is not allowed in connection ACL (acl_smtp_connect)',
    ]


def test_header_lines() -> None:
    made = session()
    text = (
        " warn add_header = :at_start:foo bar\\n:after_received: X-A: b\\n:foo:X: y\\n:at_end:X: y\\nX:y\\n"
        ":at_start:X: y\n warn add_header = X: y\n warn add_header = X: y  \\n\\n cont\n"
        " warn message = X-Warn: w\n warn add_header =\n accept remove_header = a : B"
    )
    made.run(text)
    assert made.scope.message.added_headers == [
        ("at_start", "X-ACL-Warn: foo bar\n"),
        ("after_received", "X-A: b\n"),
        ("at_end", ":foo:X: y\n"),
        ("at_end", "X: y\n"),
        ("at_end", "X:y\n"),
        ("at_end", "X: y  \n"),
        ("at_end", "X-ACL-Warn: \n cont\n"),
        ("at_end", "X-Warn: w\n"),
    ]
    assert made.scope.message.removed_headers == ["a", "B"]


def test_warn_message_outside_a_message() -> None:
    made = session()
    assert made.run(" warn message = foo\n accept", "connect").ruling is A
    assert made.main == [
        'ACL "warn" with "message" setting found in a non-message (connection) ACL: '
        "cannot specify header lines here: message ignored"
    ]


def test_controls() -> None:
    made = session()
    made.run(
        " warn control = freeze/no_tell\n control = queue\n control = fakereject/no thanks\n"
        " control = submission/sender_retain/domain=d.ex/name=A / B\n control = no_enforce_sync\n"
        " control = no_pipelining\n control = dscp/ef\n queue = slow\n accept"
    )
    message, peer = made.scope.message, made.scope.peer
    assert (message.frozen, message.freeze_tell, message.no_deliver, message.queue_name) == (True, False, True, "slow")
    assert (message.fake_response, message.fake_response_text) == ("reject", "no thanks")
    assert message.submission_options == {"sender_retain": "", "domain": "d.ex", "name": "A / B"}
    assert (peer.enforce_sync, peer.controls, peer.dscp) == (False, {"no_pipelining"}, 0x2E)
    made.run(" accept control = freeze")
    assert message.freeze_tell


def test_queue_of_a_peers_choosing() -> None:
    assert session().run(" accept queue = $local_part").ruling is ERROR


def test_delay_waits_after_a_flush() -> None:
    made = session()
    done: list[object] = []
    made.scope.host_checking = False
    made.scope.flush = lambda: done.append("flush")
    made.scope.sleep = done.append
    made.run(" warn delay = 1m\n warn control = no_delay_flush\n delay = 2s\n accept")
    assert done == ["flush", 60.0, 2.0]


@pytest.fixture
def hints(tmp_path: Path) -> HintsStore:
    return HintsStore(str(tmp_path / "hints"))


RATES = [
    ("a/1h", 'error in arguments to "ratelimit" condition: "a" is not a positive number'),
    ("1/b", 'error in arguments to "ratelimit" condition: "b" is not a time value'),
    ("1/", 'error in arguments to "ratelimit" condition: "NULL" is not a time value'),
    ("1", 'error in arguments to "ratelimit" condition: "NULL" is not a time value'),
    ("", 'error in arguments to "ratelimit" condition: sender rate limit not set'),
    ("-1/1h", 'error in arguments to "ratelimit" condition: "-1" is not a positive number'),
    ("1/0s", 'error in arguments to "ratelimit" condition: "0s" is not a time value'),
    ("1/1h/per_rcpt/per_mail", 'error in arguments to "ratelimit" condition: conflicting per_* options'),
    ("1/1h/strict/leaky", 'error in arguments to "ratelimit" condition: conflicting update modes'),
    ("1/1h/count=a", 'error in arguments to "ratelimit" condition: "count=a" is not a positive number'),
]


@pytest.mark.parametrize(("argument", "log"), RATES)
def test_ratelimit_faults(argument: str, log: str, hints: HintsStore) -> None:
    made = session()
    made.scope.services.hints = hints
    verdict = made.run(f" accept ratelimit = {argument}")
    assert (verdict.ruling, verdict.log_message) == (ERROR, log)


def test_ratelimit_counts_messages(hints: HintsStore) -> None:
    made = session()
    made.scope.services.hints = hints
    text = " accept ratelimit = 2.5 / 1h / strict / key$domain\n message = over $sender_rate $sender_rate_limit\n"
    text += " accept message = $sender_rate $sender_rate_limit $sender_rate_period"
    assert made.run(text).user_message == "1.0 2.5 1h"
    assert made.run(text).user_message == "1.0 2.5 1h"  # the same message again
    for _ in range(2):
        made.scope.message = Message(sender=Tainted("good@test.ex"))
        verdict = made.run(text)
    assert (verdict.user_message or "").startswith("over ")
    assert any(line == "ratelimit condition count=1 2.5/1h/per_mail/keytest.ex" for line in made.trace)


def test_ratelimit_where_it_may_not_count(hints: HintsStore) -> None:
    made = session()
    made.scope.services.hints = hints
    verdict = made.run(" accept ratelimit = 1/1h/per_rcpt/strict", "mail")
    assert verdict.log_message == (
        'error in arguments to "ratelimit" condition: "per_rcpt" must not have /leaky or /strict option, '
        "or cannot be used in MAIL ACL"
    )
    made.run(" warn ratelimit = 1/1h\n accept", "connect")
    assert "ratelimit condition count=0 1.0/1h/per_mail/192.0.2.1" in made.trace


def test_seen(hints: HintsStore) -> None:
    made = session()
    made.scope.services.hints = hints
    ask = " accept seen = {}\n message = yes\n accept message = no"
    answers = [
        made.run(ask.format(argument)).user_message
        for argument in ("-1m / key=a", "5m/key=a/readonly", "-5m / key=a", "5m/key=b", "5m/key=b", "-0s/key=a")
    ]
    assert answers == ["no", "yes", "no", "no", "yes", "yes"]
    assert made.run(ask.format("key / 5m")).log_message == "failed to parse 'key / 5m'"
    assert made.run(ask.format("-5m / foo")).log_message == "unrecognised option 'foo' in '-5m / foo'"
