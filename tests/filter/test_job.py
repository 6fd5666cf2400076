"""Runs of users' filters as values: which need a process of the user's, what crosses between processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mta.filter.actions import Answer, Deliver, FilterError, Outcome, Pipe, Save, kind_of
from mta.filter.job import Job, is_pure, job_of, job_record, outcome_of, outcome_record, run_job, write_log
from mta.mail.recipient import Reply
from mta.scope.expansion import Tainted
from tests.filter.testing import filter_scope

HEAD = "# Exim filter\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("# Exim filter", "exim"),
        ("  \n#EXIMFilter x", "exim"),
        ("# Sieve filter\nkeep;", "sieve"),
        ("#Sieve   filter", "sieve"),
        ("# a comment\na@b", ""),
        ("a@b # Exim filter", ""),
        ("", ""),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("if $h_subject: contains x then deliver a@b endif", True),
        ('deliver "${lc:$local_part}@${domain:$h_from:}"', True),
        ('testprint "${h_subject:} ${local_part}"', True),
        ("save ${readfile{/etc/passwd}}", False),
        ("save ${lc:${readfile{/etc/passwd}}}", False),
        ("save ${lookup{x}lsearch{/etc/passwd}}", False),
        ("save ${if match_domain{x}{lsearch;/etc/passwd}{a}{b}}", False),
        ("save ${stat:/etc}", False),
        ("save ${expand:$h_x:}", False),
        ("save ${ run{/bin/true}}", False),
        ("save ${listnamed:local_domains}", False),
        ("logfile /x", False),
    ],
)
def test_what_touches_more_than_the_message_is_not_pure(text: str, pure: bool) -> None:
    assert is_pure(Job("exim", HEAD + text)) == pure
    assert is_pure(Job("sieve", text))


FORBIDDEN = [
    ("existstest", "${if exists{/x}{a}{b}}", "File existence tests are not permitted"),
    ("existstest", "${stat:/etc}", "Use of the stat() expansion is not permitted"),
    ("lookup", "${lookup{a}lsearch{/etc/aliases}}", "lookup expansions are not permitted"),
    ("readfile", "${readfile{/etc/hostname}}", "file insertions are not permitted"),
    ("readsocket", "${readsocket{/x}{y}}", "socket insertions are not permitted"),
    ("run", "${run{/bin/true}}", "running a command is not permitted"),
    ("perl", "${perl{foo}}", "Perl calls are not permitted"),
    ("dlfunc", "${dlfunc{/x}{y}}", "dynamically-loaded functions are not permitted"),
]


@pytest.mark.parametrize(("name", "text", "words"), FORBIDDEN)
def test_forbidden_expansions(name: str, text: str, words: str) -> None:
    """The words are Exim's."""
    job = Job("exim", f'{HEAD}deliver "{text}"', forbidden=[name])
    with pytest.raises(FilterError) as caught:
        run_job(job, filter_scope())
    assert caught.value.message == f'failed to expand "{text}" in deliver command: {words}'
    hidden = text.replace("{", "\\\\{").replace("}", "\\\\}").replace("$", "\\\\$")
    with pytest.raises(FilterError, match="not permitted"):
        run_job(Job("exim", f'{HEAD}deliver "${{expand:{hidden}}}"', forbidden=[name]), filter_scope())


def test_the_scope_is_left_as_it_was() -> None:
    scope = filter_scope()
    scope.vars["n1"] = "before"
    run_job(Job("exim", f"{HEAD}add 3 to n1 if a matches (a) then finish endif".replace("(a)", '"(a)"')), scope)
    assert scope.vars["n1"] == "before"
    assert scope.captures == []
    assert scope.forbidden == frozenset()


def test_a_saved_name_from_the_peer_stays_tainted() -> None:
    outcome = run_job(Job("exim", f"{HEAD}save /mail/$h_subject:\nsave /mail/x"), filter_scope())
    first, second = outcome_of(json.loads(json.dumps(outcome_record(outcome)))).actions
    assert isinstance(first, Save)
    assert isinstance(first.path, Tainted)
    assert isinstance(second, Save)
    assert not isinstance(second.path, Tainted)


@pytest.mark.parametrize("option", ["file", "log", "once"])
def test_a_peer_names_no_file_of_a_reply(option: str) -> None:
    with pytest.raises(FilterError, match="Tainted '/mail/Hello"):
        run_job(Job("exim", f'{HEAD}mail text x {option} "/mail/$h_subject:"'), filter_scope())


def test_records_carry_everything() -> None:
    outcome = Outcome(
        [
            Deliver("a@b", errors_to="c@d", noerror=True),
            Save("x", mode=0o640),
            Pipe("cmd", False, True, ["a"], [1] * 10, "t@u"),
            Answer(Reply(to="a@b", once_repeat=5.0)),
        ],
        True,
        "fail",
        "why",
        list(range(10)),
        ["note"],
    )
    assert outcome_of(json.loads(json.dumps(outcome_record(outcome)))) == outcome
    job = Job("exim", "x", allow_fail=True, forbidden=["run"], qualify_domain="q")
    assert job_of(json.loads(json.dumps(job_record(job)))) == job


@pytest.mark.parametrize("record", [{}, {"actions": [{"kind": "x"}]}, {"actions": 3}])
def test_a_bad_answer_is_an_error_of_the_filter(record: dict[str, object]) -> None:
    with pytest.raises(FilterError):
        outcome_of(record)


def test_logs_are_appended_and_links_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    assert write_log(path, 0o640, "one\n") == write_log(path, 0o640, "two") == ""
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    os.symlink(path, tmp_path / "link")
    assert "failed to open" in write_log(str(tmp_path / "link"), 0o640, "x")
    assert write_log(Tainted(path), 0o640, "x")
    assert write_log("relative", 0o640, "x")


def test_sieve_keeps_what_it_cannot_obey() -> None:
    outcome = run_job(Job("sieve", "# Sieve filter\nredirect"), filter_scope())
    assert outcome.actions == [Save("inbox")]
    assert outcome.notes == ["Sieve error: missing redirect recipient string in line 2"]
