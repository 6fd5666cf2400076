"""Sieve scripts run on messages: what they decide. Cases by RFC section where a section says so."""

from __future__ import annotations

import pytest

from mta.filter.actions import Answer, Deliver, Save
from mta.filter.sieve.run import Options, run_sieve
from mta.filter.sieve.tree import SieveError
from mta.mail.recipient import Reply
from tests.filter.testing import filter_scope

HEAD = "# Sieve filter\n"
PERSONAL = "From: Bart <bart@sfld.example>\nTo: lg@here.example\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= hello\n\nbody\n"


def run(script: str, message: str = PERSONAL, **options: object) -> list[str]:
    """The actions in short; "keep" at the end when the message is kept."""
    values: dict[str, object] = {"vacation_directory": "/home/lg/vacation", **options}
    outcome = run_sieve(HEAD + script, filter_scope(message), Options(**values))  # type: ignore[arg-type]
    out = []
    for action in outcome.actions:
        if isinstance(action, Save):
            out.append(f"file {action.path}")
        elif isinstance(action, Deliver):
            out.append(f"to {action.address}")
        elif isinstance(action, Answer):
            out.append(f"answer {action.reply.to}")
    return out if outcome.seen else [*out, "keep"]


def reply_of(script: str, message: str = PERSONAL, **options: object) -> Reply:
    values: dict[str, object] = {"vacation_directory": "/home/lg/vacation", **options}
    outcome = run_sieve(HEAD + script, filter_scope(message), Options(**values))  # type: ignore[arg-type]
    (action,) = outcome.actions
    assert isinstance(action, Answer)
    return action.reply


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", ["keep"]),
        ("keep;", ["file inbox"]),
        ("discard;", []),
        ('require "fileinto"; fileinto "a"; fileinto "b"; fileinto "a";', ["file a", "file b"]),
        ('require ["fileinto", "copy"]; fileinto :copy "a";', ["file a", "keep"]),  # RFC 3894 3.1
        ('require "copy"; redirect :copy "x@y.example";', ["to x@y.example", "keep"]),
        ('redirect "x@y.example"; redirect "x@y.example"; stop; keep;', ["to x@y.example"]),
        ('if address :domain "from" "SFLD.example" { discard; }', []),
        ('if anyof (not exists "subject", size :over 1M) { discard; } elsif true { redirect "a@b.c"; }', ["to a@b.c"]),
        ('if header :contains "subject" "Gr\xc3\xbc\xc3\x9fe" { discard; }', []),
        ('if header :matches "subject" "Gr??e*" { discard; }', []),
        ('require "envelope"; if envelope :localpart "to" "lg" { discard; }', []),
        # RFC 5229
        ('require ["variables", "fileinto"]; set "A" "x"; fileinto "${a}y${none}";', ["file xy"]),
        (
            'require ["variables", "fileinto"]; if header :matches "from" "* <*@*>" { fileinto "${3}/${2}/${1}"; }',
            ["file sfld.example/bart/Bart"],
        ),
        ('require ["variables", "fileinto"]; set :upper :lowerfirst "a" "juMBlEd"; fileinto "${a}";', ["file jUMBLED"]),
        ('require ["variables", "fileinto"]; set :length "a" "\xc3\xbcx"; fileinto "${a}";', ["file 2"]),
        ('require ["variables", "fileinto"]; set :quotewildcard "a" "*?x"; fileinto "${a}";', ["file \\*\\?x"]),
        ('require "variables"; set "a" "${b"; if string "${a}" "${b" { discard; }', []),
        ('require ["variables", "fileinto"]; set "a" "in"; fileinto "${a}box";', ["file inbox"]),
        # RFC 5228 2.4.2.4
        ('require ["encoded-character", "fileinto"]; fileinto "${hex:41 42}${unicode:e9}${hex:zz}";',
         ["file AB\xc3\xa9${hex:zz}"]),
        # RFC 5233
        ('require "subaddress"; if address :detail "to" "x" { discard; }', ["keep"]),
        # RFC 5435
        ('require "enotify"; if valid_notify_method ["mailto:a@b.c", "mailto:x@y.z?subject=%41"] { discard; }', []),
        ('require "enotify"; if valid_notify_method "xmpp:a@b.c" { discard; }', ["keep"]),
        ('require "enotify"; if notify_method_capability "mailto:a@b.c" "Online" "maybe" { discard; }', []),
        ('require "enotify"; notify "mailto:a@b.c,d@e.f";', ["answer a@b.c, d@e.f", "keep"]),
        ('require "vacation"; vacation "gone";', ["answer bart@sfld.example", "keep"]),
    ],
)  # fmt: skip
def test_decisions(script: str, expected: list[str]) -> None:
    assert run(script) == expected


def test_subaddress_of_the_users_own_address() -> None:
    script = 'require "subaddress"; if allof (address :user "to" "lg", address :detail "to" "shop") { discard; }'
    assert run(script, PERSONAL.replace("lg@", "lg+shop@")) == []
    # the router's parts count for the very address that it took apart
    assert run(script, user="lg", subaddress="shop") == []


@pytest.mark.parametrize(
    ("change", "answers"),
    [
        (("", ""), True),
        (("To: lg@", "To: other@"), False),
        (("Subject:", "List-Id: x\nSubject:"), False),
        (("Subject:", "Precedence: bulk\nSubject:"), False),
        (("Subject:", "Auto-Submitted: auto-replied\nSubject:"), False),
        (("Subject:", "Auto-Submitted: no\nSubject:"), True),
        (("To: lg@here.example", "Cc: Me <LG@here.example>"), True),
    ],
)
def test_vacation_answers_people_only(change: tuple[str, str], answers: bool) -> None:
    """RFC 5230 4.5 and 4.6."""
    found = run('require "vacation"; vacation "gone";', PERSONAL.replace(*change))
    assert (found[0] == "keep") != answers


@pytest.mark.parametrize("sender", ["", "mailer-daemon@x.example", "owner-l@x.example", "l-request@x.example"])
def test_vacation_does_not_answer_machines(sender: str) -> None:
    outcome = run_sieve(
        HEAD + 'require "vacation"; vacation "gone";',
        filter_scope(PERSONAL, sender=sender),
        Options(vacation_directory="/v"),
    )
    assert outcome.actions == []


def test_the_vacation_reply() -> None:
    script = (
        'require "vacation"; vacation :days 3 :subject "weg \xc3\xa4" :from "me@x.example" :handle "h" '
        '"bin weg: \xc3\xa4";'
    )
    reply = reply_of(script)
    assert (reply.to, reply.from_) == ("bart@sfld.example", "me@x.example")
    assert reply.subject == "=?utf-8?Q?weg_=C3=A4?="
    assert "Content-Type: text/plain; charset=utf-8" in reply.headers
    assert reply.text == "bin weg: =C3=A4"
    assert reply.once_repeat == 3 * 86400
    assert reply.once == reply_of(script.replace("bin weg", "other")).once  # the handle says what is the same
    assert reply.once.startswith("/home/lg/vacation/")
    plain = reply_of('require "vacation"; vacation "a";')
    assert plain.once != reply_of('require "vacation"; vacation "b";').once
    assert plain.subject == "Automated reply"
    assert plain.from_ == "lg@here.example"
    assert plain.once_repeat == 7 * 86400


def test_a_mime_reason_chooses_no_recipients() -> None:
    reply = reply_of(
        'require "vacation"; vacation :mime text:\nContent-Type: text/html\nBcc: victim@x.example\n\n<b>gone</b>\n.\n;'
    )
    assert reply.headers == "MIME-Version: 1.0\nContent-Type: text/html"
    assert reply.text == "<b>gone</b>\n"


def test_a_notice_says_that_it_is_one() -> None:
    """RFC 5436 2.7."""
    reply = reply_of(
        'require "enotify"; notify :importance "1" :message "new mail" "mailto:a@b.c?body=x%0Ay&Bcc=z@z.z";'
    )
    assert reply.headers.startswith("Auto-Submitted: auto-notified; owner-email=lg@here.example\n")
    assert (reply.to, reply.bcc, reply.subject, reply.text) == ("a@b.c", "", "new mail", "x\ny")
    assert "X-Priority: 1 (High)" in reply.headers
    assert "Bcc" not in reply.headers


def test_notices_do_not_breed() -> None:
    message = PERSONAL.replace("Subject:", "Auto-Submitted: auto-notified\nSubject:")
    assert run('require "enotify"; notify "mailto:a@b.c";', message) == ["keep"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ('require ["variables", "fileinto"]; set "a" ".."; fileinto "${a}/x";', "invalid folder in line 2"),
        ('require "variables"; set "a" "x"; redirect "${a}";', "unqualified recipient address in line 2"),
        ('require "variables"; set "a.b" "x";', "invalid variable name in line 2"),
        ('require "variables"; set :lower :upper "a" "x";', "modifier of the same precedence already specified"),
        ('keep;\nfileinto "x";', 'missing previous require "fileinto"; in line 3'),
        ('require "vacation";\nvacation "a";\nvacation "b";', "trying to execute vacation more than once in line 4"),
        ('require "enotify"; notify "xmpp:a@b";', "invalid notification method in line 2"),
    ],
)  # fmt: skip
def test_errors(script: str, error: str) -> None:
    with pytest.raises(SieveError, match=error.replace(";", ".")):
        run(script)


def test_extensions_that_the_site_has_not_set_up() -> None:
    with pytest.raises(SieveError, match="vacation disabled"):
        run('require "vacation"; vacation "x";', vacation_directory=None)
    with pytest.raises(SieveError, match="enotify disabled"):
        run('require "enotify"; notify "mailto:a@b.c";', notify=False)


def test_nothing_is_done_before_the_whole_script_is_checked() -> None:
    with pytest.raises(SieveError):
        run('redirect "a@b.c"; foo;')


def test_patterns_cost_no_more_than_text_times_pattern() -> None:
    message = PERSONAL.replace("hello", "a" * 20000)
    assert run('if header :matches "subject" "' + "*a?" * 200 + '*b" { discard; }', message) == ["keep"]
