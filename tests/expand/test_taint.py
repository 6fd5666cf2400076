"""What a peer wrote must not name a file, a command, a socket or an expansion (manual 11, "tainted data")."""

from __future__ import annotations

import pytest

from mta.errors import ExpansionFailed
from mta.expand.compiler import compile_text
from mta.scope.expansion import Tainted, expand_with_taint
from tests.expand.case_files import DATA
from tests.expand.scopes import scope_with_message

TABLE = str(DATA / "table")
REFUSED = [
    ("${readfile{$h_x-file:}}", "Permission denied"),
    ("${readfile{${lc:$h_x-file:}}}", "Permission denied"),
    ("${readfile{${extract{1}{:}{$h_x-file:}}}}", "Permission denied"),
    ("${readfile{${filter{$h_x-file:}{eq{$item}{/nosuch/file}}}}}", "Permission denied"),
    ("${if match{$h_x-file:}{^(.*)\\$}{${readfile{$1}}}}", "Permission denied"),
    ("${map{$h_x-file:}{${readfile{$item}}}}", 'inside "map" item'),
    ("${reduce{$h_x-file:}{}{${readfile{$item}}}}", 'inside "reduce" item'),
    ("${lookup{a}lsearch{$h_x-file:}}", "Tainted filename for search: '/nosuch/file'"),
    ("${run{$h_x-cmd: a}}", "Operation not permitted"),
    ("${run,preexpand{/bin/echo $h_x-cmd:}}", "Operation not permitted"),
    ("${expand:$h_x-exp:}", "attempt to expand tainted string '$tod_log'"),
    ("${acl{$h_x-key:}}", 'ERROR from acl "key1"'),
    ("${readsocket{$h_x-file:}{x}}", "tainted"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpansionFailed, match=reason.replace("$", "\\$")):
        compile_text(text)(scope_with_message())


RESULTS = [
    ("$h_x-key:", True),
    ("a $h_x-key: b", True),
    ("$h_x-empty:", False),
    ("${if eq{$h_x-key:}{key1}{yes}{no}}", False),
    ("${if eq{$h_x-key:}{key1}{$h_x-key:}{no}}", True),
    ("${if match{$h_x-key:}{(.)}{$1}}", True),
    ("${lookup{$h_x-key:}lsearch{TABLE}}", False),
    ("${lookup{$h_x-key:}lsearch{TABLE}{$h_x-key:}}", True),
    ("${lookup{$h_x-key:}lsearch{TABLE}{x$value}}", False),
    ("${if inlist{$h_x-key:}{key1}{$value}}", False),
    ("${extract{1}{:}{$h_x-key:}{x}}", False),
    ("${extract{1}{:}{$h_x-key:}{x$value}}", True),
    ("${md5:$h_x-key:}", False),
    ("${strlen:$h_x-key:}", False),
    ("${uc:$h_x-key:}", True),
    ("${sg{$h_x-key:}{.*}{}}", False),
    ("${sg{$h_x-key:}{k}{}}", True),
    ("${run{/bin/echo $h_x-key:}}", False),
    ("${nhash{5}{$h_x-key:}}", False),
    ("${hmac{md5}{a}{$h_x-key:}}", False),
]


@pytest.mark.parametrize(("text", "tainted"), RESULTS)
def test_result(text: str, tainted: bool) -> None:
    scope = scope_with_message()
    value = expand_with_taint(compile_text(text.replace("TABLE", TABLE)), scope)
    assert isinstance(value, Tainted) is tainted
    assert scope.tainted is False


def test_the_flag_of_what_came_before_stays() -> None:
    scope = scope_with_message()
    compile_text("$h_x-key:${if eq{a}{a}{x}}${md5:$h_x-key:}${lookup{key1}lsearch{TABLE}}".replace("TABLE", TABLE))(
        scope
    )
    assert scope.tainted


def test_refusals_are_logged() -> None:
    scope = scope_with_message()
    logged: list[str] = []
    scope.services.log_panic = logged.append
    with pytest.raises(ExpansionFailed):
        compile_text("${readfile{$h_x-file:}}")(scope)
    assert logged == ["Tainted filename '/nosuch/file'"]
