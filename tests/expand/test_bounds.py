"""Whatever text or value, an expansion ends within a second: nesting, ten megabytes, patterns that run away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mta.cli.modes.expand import expand_once
from mta.errors import Deferred, ExpansionFailed
from mta.expand.base import operators
from mta.expand.compiler import compile_text
from mta.match.compile import address_list, domain_list, host_list, local_part_list
from mta.scope.scope import Scope
from tests.expand.scopes import empty_scope

LIMIT = 3.0  # seconds of CPU; the slowest takes 0.7 alone, and a busy second core inflates that
BIG = 10_000_000
DEEP = 10_000


@contextmanager
def within_the_limit() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < LIMIT


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    "start",
    [
        "{", "${", "${lc:", "${if eq{", "${if !{", "${if and{{", "${if and{{or{{", "${map{", "${map{a}{", "${expand:",
        "${reduce{a}{", "${sg{", "${extract{1}{:}{", "${lookup{", "${run{", "${if def:h_", "$h_", "${sort{", "${acl{",
        "${if forany{a}{", "${perl{", "${python{", "${listextract{1}{", "${tr{a}{", "${prvs{", "\\{", "\\N{",
        "${length_",
    ],
)  # fmt: skip
def test_ten_thousand_brackets(start: str, closed: bool) -> None:
    with within_the_limit():
        got = expand_once(empty_scope(), start * DEEP + ("}" * start.count("{") * DEEP if closed else ""))
    assert isinstance(got, str)


def test_ten_thousand_brackets_that_come_from_a_value() -> None:
    scope = empty_scope()
    scope.value = "${lc:" * DEEP + "}" * DEEP
    with within_the_limit():
        assert expand_once(scope, "${expand:$value}").startswith("Failed: internal expansion of")


@pytest.mark.parametrize("filling", ["x", "a:", "\\", "(", "=?", "<a@b>,", "\xff", "\n", "${", "1", '"'])
@pytest.mark.parametrize("name", [name for name in operators.names() if operators[name].pure])
def test_operators_on_a_hundred_kilobytes_of_anything(name: str, filling: str) -> None:
    suffix = {"length": "_3", "substr": "_3_3", "hash": "_3_3", "nhash": "_3"}.get(name, "")
    scope = empty_scope()
    scope.value = (filling * (100_000 // len(filling) + 1))[:100_000]
    with within_the_limit():
        assert isinstance(expand_once(scope, f"${{{name}{suffix}:$value}}"), str)


@pytest.mark.parametrize(
    "text",
    [
        "${lc:$value}", "${strlen:$value}", "${length_3:$value}", "${quote:$value}", "${rxquote:$value}",
        "${md5:$value}", "${sha256:$value}", "${base64:$value}", "${domain:$value}", "${local_part:$value}",
        "${mask:$value}", "${eval:$value}",
        "${sg{$value}{y}{z}}", "${extract{1}{:}{$value}}", "${extract{k}{$value}}", "${listextract{2}{$value}}",
        "${tr{$value}{x}{y}}", "${if match{$value}{^y}}", "${if eq{$value}{$value}{y}}", "${if isip{$value}}",
        "${if match_domain{$value}{*.y:z}}", "${if match_address{$value}{*@y:z}}", "${if match_local_part{$value}{y}}",
        "${if inlist{a}{$value}}", "${if forany{$value}{eq{$item}{y}}}", "${if bool{$value}{y}}", "${rfc2047:$value}",
        "${if >{$value}{3}}", "${hash{3}{9}{$value}}", "${listcount:$value}", "${time_eval:$value}",
        "${uc:$value$value}", "${nhash_3:$value}", "${nhash{3}{5}{$value}}",
    ],
)  # fmt: skip
def test_ten_megabytes(text: str) -> None:
    scope = empty_scope()
    scope.value = "x" * BIG
    with within_the_limit():
        assert isinstance(expand_once(scope, text), str)


def test_ten_megabytes_of_source() -> None:
    with within_the_limit():
        assert len(expand_once(empty_scope(), "x" * BIG)) == BIG
        assert expand_once(empty_scope(), "$value " * 50_000) == " " * 50_000


RUNAWAY = [
    r"^(a+)+$",
    r"^(a|aa)+$",
    r"(a*)*b",
    r"^(([a-z])+.)+[A-Z]$",
    r"(.*a){20}$",
    r"(?=(a+))\1*b",
    r"(x+x+)+y",
    r"((a?){30})*z",
]


@pytest.mark.parametrize("pattern", RUNAWAY)
@pytest.mark.parametrize(
    "text",
    ["${{if match{{$value}}{{\\N{0}\\N}}{{y}}{{n}}}}", "${{sg{{$value}}{{\\N{0}\\N}}{{}}}}",
     "${{if match_address{{$value@b}}{{\\N^{0}\\N}}{{y}}{{n}}}}"],
)  # fmt: skip
def test_patterns_that_run_away(text: str, pattern: str) -> None:
    for value in ("a" * 40 + "!", "a" * 5000 + "!", "x" * 3000):
        scope = empty_scope()
        scope.value = value
        with within_the_limit():
            assert isinstance(expand_once(scope, text.format(pattern)), str)


@pytest.mark.parametrize("make", [domain_list, address_list, local_part_list])
def test_lists_with_patterns_that_run_away(make: Callable[[str], object]) -> None:
    scope = empty_scope()
    made = make("^(a+)+$")
    with within_the_limit():
        try:
            made.match(scope, "a" * 50 + "!")  # type: ignore[attr-defined]
        except (Deferred, ExpansionFailed):
            pass


@pytest.mark.parametrize("make", [domain_list, address_list, local_part_list, host_list])
@pytest.mark.parametrize("item", ["a:", "!", ":", "*", "^(", "@@", "lsearch;", "net-", "+x:", "<;"])
def test_lists_of_thirty_thousand_characters(make: Callable[[str], object], item: str) -> None:
    with within_the_limit():
        try:
            make(item * (30_000 // len(item)))
        except (Deferred, ExpansionFailed):
            pass


def test_a_deep_text_uses_no_more_of_the_stack_than_a_scope_has() -> None:
    def inside(depth: int, scope: Scope) -> str:
        return compile_text("${lc:" * 90 + "A" + "}" * 90)(scope) if depth == 0 else inside(depth - 1, scope)

    assert inside(200, empty_scope()) == "a"
