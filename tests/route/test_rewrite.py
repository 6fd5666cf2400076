"""Rewriting; rewrite_exim.json holds what ``exim4 -brw`` (4.96) printed or said of a faulty rule,
rewrite_headers_exim.json the headers that it spooled of a local submission."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mta.errors import ConfigError
from mta.mail.headers import DELETED, Header, Headers, header_type
from mta.route.rewrite import (
    Qualify,
    Rule,
    explain,
    parse_rule,
    rewrite_address,
    rewrite_envelope,
    rewrite_headers,
    rewrite_line,
    rewrite_smtp,
)
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site

HERE = Path(__file__).parent
EXPLAINED: list[list[str]] = json.loads((HERE / "rewrite_exim.json").read_text())
HEADERS: list[list[str]] = json.loads((HERE / "rewrite_headers_exim.json").read_text())
BOTH = Qualify(senders=True, recipients=True)


def make_scope(log: list[str] | None = None) -> Scope:
    options = MainOptions(primary_hostname="oracle.test", qualify_domain="qual.test", qualify_recipient="rcptqual.test")
    return Scope(Site(options), Services() if log is None else Services(log_main=log.append))


def rules_of(text: str) -> list[Rule]:
    return [parse_rule(line) for line in text.split("\n") if line]


@pytest.mark.parametrize(("rules", "address", "answer"), EXPLAINED)
def test_brw(rules: str, address: str, answer: str) -> None:
    try:
        said = explain(rules_of(rules), address, make_scope())
    except ConfigError as error:
        said = f"CONFIG {error.message}"
    assert said == answer


def test_brw_without_rules() -> None:
    assert explain([], "a@b", make_scope()) == "No rewrite rules are defined\n"


def headers_of(text: str) -> Headers:
    lines = re.findall(r"[^\n]*\n(?:[ \t][^\n]*\n)*", text)
    return Headers([Header(line, header_type(line.partition(":")[0].removeprefix("Resent-"))) for line in lines])


@pytest.mark.parametrize(("rules", "before", "after"), HEADERS)
def test_headers_of_a_message(rules: str, before: str, after: str) -> None:
    headers = headers_of(before)
    rewrite_headers(rules_of(rules), headers, make_scope(), BOTH)
    assert "".join(f"{line.type}|{line.text}" for line in headers.lines) == after


def test_unqualified_addresses_stay_unless_they_may_be_qualified() -> None:
    rules = rules_of("*@* x@y")
    assert rewrite_line(rules, "To: a, b@c\n", make_scope(), "t") == "To: a, x@y\n"
    assert rewrite_line([], "To: a\n", make_scope(), "t", Qualify(senders=True)) is None
    assert rewrite_line([], "To: a\n", make_scope(), "t", BOTH) == "To: a@rcptqual.test\n"
    assert rewrite_line([], "From: a\n", make_scope(), "f", BOTH) == "From: a@qual.test\n"


def test_lines_of_other_fields_and_deleted_ones_stay() -> None:
    headers = Headers([Header("Subject: a@b\n", " "), Header("To: a@b\n", DELETED)])
    rewrite_headers(rules_of("*@* x@y"), headers, make_scope())
    assert [line.text for line in headers.lines] == ["Subject: a@b\n", "To: a@b\n"]


def test_a_transport_keeps_no_old_lines() -> None:
    headers = headers_of("To: a@b\n")
    rewrite_headers([parse_rule("*@b $1@c", transport=True)], headers, make_scope(), keep_old=False)
    assert [(line.text, line.type) for line in headers.lines] == [("To: a@c\n", "T")]


def test_envelope() -> None:
    rules = rules_of("*@a $1@f F\n*@a $1@t T\n*@a $1@h h")
    assert rewrite_envelope(rules, "x@a", "F", make_scope()) == "x@f"
    assert rewrite_envelope(rules, "x@a", "T", make_scope()) == "x@t"
    assert rewrite_envelope(rules, "", "F", make_scope()) == ""


def test_smtp_time() -> None:
    rules = rules_of(r"\N^<(.+)!(.+)>$\N $2@$1.uucp S")
    assert rewrite_smtp(rules, make_scope(), "<host!user>") == "user@host.uucp"
    assert rewrite_address(rules, make_scope(), "host!user@x", "T") == "host!user@x"


@pytest.mark.parametrize("line", ["*@* x@y F", "*@* x@y ET", "^a x@y S"])
def test_envelope_flags_are_refused_at_transport_time(line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_rule(line, transport=True)
    reason = "rewrite rule specifies a non-header rewrite - not allowed at transport time"
    assert raised.value.message.startswith(reason)


def test_faults_are_logged_and_leave_the_address() -> None:
    log: list[str] = []
    scope = make_scope(log)
    assert rewrite_address(rules_of('*@u "no address"\n*@u x@y'), scope, "a@u", "T") == "a@u"
    assert rewrite_address(rules_of("*@q $1\n*@q x@y"), scope, "a@q", "T") == "a@q"
    assert rewrite_address(rules_of("*@r z$1@r R"), scope, "a@r", "T") == "z" * 11 + "a@r"
    assert rewrite_address(rules_of("*@e ${lookup{x}lsearch{/nowhere}}@y\n"), scope, "a@e", "T") == "a@e"
    assert log[:3] == [
        'Rewrite of a@u yielded unparseable address: missing or malformed local part (expected word or "<") '
        "in address no address",
        'Rewrite of a@q yielded unqualified address "a"',
        "rewrite rule repeat ignored after 10 times",
    ]
    assert log[3].startswith("Expansion of ${lookup{x}lsearch{/nowhere}}@y failed while rewriting: ")


def test_the_scope_is_as_it_was() -> None:
    scope = make_scope()
    scope.captures = ["kept"]
    rewrite_address(rules_of("*@* $local_part@y"), scope, "a@b", "T")
    assert (scope.captures, scope.recipient, scope.tainted) == (["kept"], None, False)


def test_partial_lookups_give_the_wild_and_the_fixed_part(tmp_path: Path) -> None:
    file = tmp_path / "domains"
    file.write_text("*.baz.example: 1\nfull.example: 2\n")
    rules = rules_of(f'*@partial-lsearch;{file} "${{quote_local_part:$1/$2/$3}}@y"')
    assert rewrite_address(rules, make_scope(), "foo@bar.baz.example", "T") == "foo/bar/baz.example@y"
    assert rewrite_address(rules, make_scope(), "foo@full.example", "T") == "foo//full.example@y"


@pytest.mark.oracle
def test_a_live_exim_agrees(tmp_path: Path) -> None:
    exim = shutil.which("exim4")
    if exim is None:
        pytest.skip("exim4 is not installed")
    rules = '*@a.test $1@b.test fT\n^(.)x@b "New <$1@c>" w\n*@b.test $local_part@d.test q\n*@*.test n@n'
    config = tmp_path / "exim.conf"
    config.write_text(
        f"primary_hostname = oracle.test\nqualify_domain = qual.test\nqualify_recipient = rcptqual.test\n"
        f"spool_directory = {tmp_path}\nkeep_environment =\nbegin rewrite\n{rules}\n"
    )
    for address in ("u@a.test", "Phrase <u@A.test> (c)", "qx@b", "local"):
        asked = subprocess.run([exim, "-C", str(config), "-brw", address], capture_output=True, check=False, text=True)
        if asked.returncode:
            pytest.skip(f"exim4 takes no configuration of ours: {asked.stderr.strip()}")
        assert explain(rules_of(rules), address, make_scope()) == asked.stdout
