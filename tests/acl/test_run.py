"""What ACLs come to: verdicts, texts, logs; expected values are Exim 4.96's answers to the same text in -bh."""

from __future__ import annotations

import pytest

from mta.mail.verdict import Ruling
from tests.acl.acls import Session, session

A, DENY, DEFER, DROP, DISCARD, ERROR = (
    Ruling.ACCEPT,
    Ruling.DENY,
    Ruling.DEFER,
    Ruling.DROP,
    Ruling.DISCARD,
    Ruling.ERROR,
)

# ACL, ruling, user message, log message ("" for none)
CASES: list[tuple[str, Ruling, str, str]] = [
    (" deny", DENY, "", ""),
    (" defer", DEFER, "", ""),
    (" drop", DROP, "", ""),
    (" accept", A, "", ""),
    (" discard", DISCARD, "", ""),
    ("", DENY, "", ""),
    (" require condition = no", DENY, "", ""),
    (" require condition = yes", DENY, "", ""),
    (" require !condition = yes\n message = foo", DENY, "", ""),
    (" require message = foo\n !condition = yes", DENY, "foo", "foo"),
    (" accept endpass\n condition = no\n message = x", DENY, "", ""),
    (" accept condition = yes\n endpass\n message = x\n condition = no", DENY, "x", "x"),
    (" accept condition = yes\n endpass\n message = x\n condition = yes", A, "", ""),
    (" accept condition = no\n endpass\n condition = no\n accept message = y", A, "y", "y"),
    (" discard condition = yes\n endpass\n message = xx\n condition = no", DENY, "xx", "xx"),
    (" discard message = foo\n log_message = bar", DISCARD, "foo", "bar"),
    (" deny message = l1\\nl2\n log_message = a\\nb", DENY, "l1\nl2", "a\nb"),
    (" deny message = x\n log_message = y", DENY, "x", "y"),
    (" deny message = \n log_message = ", DENY, "", ""),
    (" accept message = 251 foo", A, "251 foo", "251 foo"),
    (" accept condition = foo", DEFER, "", 'invalid "condition" value "foo"'),
    (" deny message = xx\n log_message = ll\n condition = foo", DEFER, "", 'invalid "condition" value "foo"'),
    (" deny condition = 1a", DEFER, "", 'invalid "condition" value "1a"'),
    (" deny condition = 0\n deny condition = No\n deny condition = FALSE\n deny condition =\n accept", A, "", ""),
    (" accept condition = Yes\n condition = TRUE\n condition = 12\n condition = -1", A, "", ""),
    (" deny condition = 00\n accept condition = 0x1", DEFER, "", 'invalid "condition" value "0x1"'),
    (" accept condition = ${if eq{a}{b}{x}fail}", A, "", ""),
    (" accept !condition = ${if eq{a}{b}{x}fail}", A, "", ""),
    (" accept message = ${if eq{a}{b}{x}fail}", A, "", ""),
    (" deny message = ${if eq{a}{b}{x}fail}", DENY, "", ""),
    (
        " accept condition = ${lookup{x}lsearch{/nonexist}}",
        ERROR,
        "",
        '*failed to expand ACL string "${lookup{x}lsearch{/nonexist}}": failed to open /nonexist for linear search',
    ),
    # nested
    (" accept acl = n\nn:\n accept condition = no", DENY, "", ""),
    (" deny acl = n\n message = outer\nn:\n accept message = inner", DENY, "outer", "inner"),
    (" require acl = n\nn:\n deny message = inner\n log_message = il", DENY, "inner", "il"),
    (
        " require message = outer $acl_verify_message\n acl = n\nn:\n deny message = inner\n log_message = il",
        DENY,
        "outer inner",
        "il",
    ),
    (" accept acl = n\n deny\nn:\n drop message = inner", DENY, "", ""),
    (" require acl = n\n deny\nn:\n drop message = inner", DROP, "inner", "inner"),
    (" deny !acl = n\n accept\nn:\n drop message = dm", DENY, "dm", "dm"),
    (" accept endpass\n acl = n\nn:\n drop message = dm", DROP, "dm", "dm"),
    (" accept acl = n\n deny\nn:\n discard", DISCARD, "", ""),
    (
        " deny acl = n\n accept\nn:\n discard",
        ERROR,
        "",
        'nested ACL returned "discard" for "deny" command (only allowed with "accept" or "discard")',
    ),
    (" accept acl = n\n accept\nn:\n defer message = zz\n log_message = yy", DEFER, "zz", "yy"),
    (" accept acl = n\n message = xx\n log_message = ll\nn:\n defer message = im", DEFER, "im", "im"),
    (" accept acl = r", ERROR, "", "ACL nested too deep: possible loop"),
    (" accept acl = nosuch", ERROR, "", 'unknown ACL verb "nosuch" in "nosuch"'),
    (
        " accept acl = /nonexistent/acl",
        ERROR,
        "",
        'failed to open ACL file "/nonexistent/acl": No such file or directory',
    ),
    (" accept acl = accept message = hi", A, "hi", "hi"),
    (" accept !acl = n\n message = out\nn:\n deny message = inner", A, "out", "inner"),
    (" deny acl = n\n log_message = ol\nn:\n accept log_message = il", DENY, "", "ol: il"),
    (
        " deny acl = n\n log_message = ol $acl_verify_message\n message = om $acl_verify_message\n"
        "n:\n accept log_message = il\n message = im",
        DENY,
        "om im",
        "ol il: il",
    ),
    (
        " accept condition = yes\n endpass\n message = xx\n log_message = ll\n acl = n\n"
        "n:\n deny message = im\n log_message = il",
        DENY,
        "xx",
        "ll: il",
    ),
    (" accept acl = n\n message = xx\nn:\n deny message = im\n log_message = il", DENY, "im", "il"),
    (
        " accept acl = n a b$domain c\n set acl_m1 = x\nn:\n accept set acl_m0 = $acl_narg $acl_arg2 <$acl_arg4>",
        A,
        "",
        "",
    ),
    # faults of arguments
    (" accept control = foo", ERROR, "", 'syntax error in "control=foo"'),
    (" accept control = freeze/x", ERROR, "", 'syntax error in "control=freeze/x"'),
    (" accept control = freeze_foo", ERROR, "", 'syntax error in "control=freeze_foo"'),
    (" accept control = enforce_sync/", ERROR, "", 'syntax error in "control=enforce_sync/"'),
    (" accept control = submission/foo", ERROR, "", 'syntax error in "control=submission/foo"'),
    (
        " accept control = allow_auth_unadvertised",
        ERROR,
        "",
        'cannot use "control=allow_auth_unadvertised" in RCPT ACL',
    ),
    (
        " accept delay = foo",
        ERROR,
        "",
        'syntax error in argument for "delay" modifier: "foo" is not a time value',
    ),
    (" accept queue = a/b", ERROR, "", "Directory separator not permitted in queue name: 'a/b'"),
    (" accept udpsend = 127.0.0.1", ERROR, "", 'missing destination port in "udpsend" modifier'),
    (" accept udpsend = 127.0.0.1 : x : foo", ERROR, "", 'bad destination port in "udpsend" modifier'),
]


@pytest.mark.parametrize(("text", "ruling", "user", "log"), CASES, ids=[case[0].strip() for case in CASES])
def test_case(text: str, ruling: Ruling, user: str, log: str) -> None:
    verdict = session().run(text)
    assert verdict.ruling is ruling
    assert (verdict.user_message or "") == user
    if log.startswith("*"):
        assert (verdict.log_message or "").startswith(log[1:])
    else:
        assert (verdict.log_message or "") == log


def test_option_that_fails_on_purpose_accepts() -> None:
    from mta.acl.run import run_acl
    from mta.expand.compiler import compile_text

    made = session()
    assert run_acl({}, compile_text("${if eq{a}{b}{x}fail}"), "rcpt", made.scope).ruling is A
    assert run_acl({}, compile_text("${if eq{a}{b}{x}}"), "rcpt", made.scope).ruling is DENY
    assert run_acl({}, compile_text("accept"), "rcpt", made.scope).ruling is A


def test_a_name_from_the_peer_is_no_acl() -> None:
    made = session(recipient="r@test.ex")
    verdict = made.run(" accept acl = $local_part")
    assert (verdict.ruling, verdict.log_message) == (ERROR, "internal configuration error")
    assert made.main == ['attempt to use tainted ACL text "r"'] == made.panic


def test_discard_only_where_messages_are_received() -> None:
    made = session()
    assert made.run(" discard", "helo").ruling is ERROR
    assert made.main == ['"discard" verb not allowed in EHLO or HELO ACL'] == made.panic


def test_an_acl_in_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "acl"
    file.write_text("# comment\naccept \\\n  message = from file\n")
    verdict = session().run(f" accept acl = {file}")
    assert (verdict.ruling, verdict.user_message) == (A, "from file")


def warnings(made: Session) -> list[str]:
    return [line.removeprefix("H=(x) [192.0.2.1] ") for line in made.main]


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        (" warn log_message = a\n warn log_message = a\n warn log_message = b\n accept", ["Warning: a", "Warning: b"]),
        (" warn log_message = a\\nb\n accept", ["Warning: a\\nb"]),
        (" warn condition = no\n log_message = a\n accept", []),
        (" warn message = X-foo: a\n accept", []),
        (" warn acl = n\n accept\nn:\n accept log_message = il", []),
        (
            " warn acl = n\n log_message = lm <$acl_verify_message>\n accept\nn:\n accept log_message = il",
            ["Warning: lm <il>"],
        ),
        (
            " warn condition = foo\n accept",
            ['Warning: ACL "warn" statement skipped: condition test deferred: invalid "condition" value "foo"'],
        ),
        (
            " warn acl = n\n accept\nn:\n defer message = zz",
            ['Warning: ACL "warn" statement skipped: condition test deferred: zz'],
        ),
        (" accept logwrite = hello", ["hello"]),
        (" accept logwrite = :main,reject: bar", ["bar"]),
        (" accept logwrite = :foo: bar", ['unknown log name in ":foo: bar" in "logwrite" in RCPT ACL']),
        (" accept logwrite = ${if eq{1}{1}{\\n no\\nbar}}", ["no\\nbar"]),
        (" accept log_reject_target = foo", ['unknown log name "foo" in "log_reject_target" in RCPT ACL']),
    ],
)
def test_main_log(text: str, logged: list[str]) -> None:
    made = session()
    assert made.run(text).ruling is A
    assert warnings(made) == logged


def test_warning_is_logged_again_for_the_next_message() -> None:
    from mta.mail.message import Message

    made = session()
    made.run(" warn log_message = a\n accept")
    made.run(" warn log_message = a\n accept")
    made.scope.message = Message()
    made.run(" warn log_message = a\n accept")
    assert len(made.main) == 2


def test_log_reject_target() -> None:
    assert session().run(" deny").log_targets == {"main", "reject"}
    assert session().run(" deny log_reject_target =").log_targets == set()
    assert session().run(" deny log_reject_target = panic : reject").log_targets == {"panic", "reject"}


def test_acl_expansion_item() -> None:
    verdict = session().run(" accept message = <${acl{n}{a}{b}}>\nn:\n deny message = yes $acl_narg $acl_arg2")
    assert verdict.user_message == "<yes 2 b>"


def test_arguments_are_restored() -> None:
    made = session()
    made.run(" accept acl = n a b\n set acl_m1 = <$acl_arg1>\nn:\n accept set acl_m0 = $acl_narg$acl_arg1$acl_arg2")
    assert made.scope.message.acl_m == {"0": "2ab", "1": "<>"}


def test_set_keeps_taint() -> None:
    from mta.scope.expansion import Tainted

    made = session()
    made.run(" accept set acl_m0 = $local_part\n set acl_c_x = y")
    assert isinstance(made.scope.message.acl_m["0"], Tainted)
    assert made.scope.peer.acl_c == {"_x": "y"}
    assert not isinstance(made.scope.peer.acl_c["_x"], Tainted)


NARRATIVE = """\
using ACL "r"
processing "warn" (CONF 11)
check control = freeze
check set acl_m0 = $domain
                 = test.ex
l_message: $acl_m0
check add_header = X-Foo: $acl_m0
                 = X-Foo: test.ex
check delay = 1s
delay modifier requests 1-second delay
delay skipped in -bh checking mode
warn: condition test succeeded in ACL "r"
processing "accept" (CONF 17)
check acl = n
 using ACL "n"
 processing "accept" (CONF 22)
   message: hi
 check !condition = yes
 accept: condition test failed in ACL "n"
 end of ACL "n": implicit DENY
accept: condition test failed in ACL "r"
processing "accept" (CONF 18)
check condition = no
accept: condition test failed in ACL "r"
processing "deny" (CONF 19)
check acl = n
 using ACL "n"
 processing "accept" (CONF 22)
   message: hi
 check !condition = yes
 accept: condition test failed in ACL "n"
 end of ACL "n": implicit DENY
deny: condition test failed in ACL "r"
processing "accept" (CONF 20)
accept: condition test succeeded in ACL "r"
end of ACL "r": ACCEPT"""


def test_narrative() -> None:
    made = session()
    made.run(
        "r:\n warn control = freeze\n set acl_m0 = $domain\n log_message = $acl_m0\n add_header = X-Foo: $acl_m0\n"
        " delay = 1s\n\n accept acl = n\n accept condition = no\n deny acl = n\n accept\n"
        "n:\n accept message = hi\n !condition = yes"
    )
    assert "\n".join(made.trace) == NARRATIVE


def test_narrative_of_endpass_and_inline() -> None:
    made = session()
    made.run(" accept condition = yes\n endpass\n condition = no")
    assert made.trace[-2:] == [
        'accept: condition test failed in ACL "r"',
        "accept: endpass encountered - denying access",
    ]
    made = session()
    made.run(" accept", acl="deny condition = no\naccept")
    assert made.trace[-2:] == ["accept: condition test succeeded in inline ACL", "end of inline ACL: ACCEPT"]
