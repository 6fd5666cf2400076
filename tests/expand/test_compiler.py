"""What the compiler promises beyond the language: constants, the cache, bounds, values of options."""

from __future__ import annotations

import pytest

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand import compiler
from mta.expand.compiler import compile_cached, compile_condition, compile_text
from tests.expand.scopes import empty_scope


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("", ""),
        ("a b", "a b"),
        ("a\\tb\\N$x\\N}", "a\tb$x}"),
        ("${lc:ABC}", "abc"),
        ("$h_x:", None),
        ("a${if eq{a}{b}}", None),
    ],
)
def test_constant(text: str, constant: str | None) -> None:
    found = compile_text(text)
    assert (found.source, found.constant) == (text, constant)


def test_expansions_do_not_share_their_attributes() -> None:
    first, second = compile_text("$value"), compile_text("${value}")
    assert (first.source, second.source) == ("$value", "${value}")


def test_names_are_checked_when_compiling_even_where_never_reached() -> None:
    with pytest.raises(ExpansionFailed, match='unknown variable name "nosuch"'):
        compile_text("${if eq{a}{a}{x}{$nosuch}}")


def test_skipped_branches_are_not_evaluated() -> None:
    assert compile_text("${if eq{a}{a}{x}{${readfile{/nosuch}}}}")(empty_scope()) == "x"
    assert compile_text("${if or{{eq{a}{a}}{={x}{1}}}{y}}")(empty_scope()) == "y"


@pytest.mark.parametrize("count", range(1, 20))
def test_rows_of_any_length(count: int) -> None:
    scope = empty_scope()
    scope.value = "v"
    assert compile_text("".join(f"{n}-$value " for n in range(count)))(scope) == "".join(
        f"{n}-v " for n in range(count)
    )
    assert compile_text("$value" * count)(scope) == "v" * count


@pytest.mark.parametrize("text", ["${lc:", "${if eq{", "${map{a}{", "${expand:", "${if !and{{or{{", "{", "${hash{1}{"])
def test_endless_nesting_is_refused_at_once(text: str) -> None:
    if text == "{":
        assert compile_text(text * 10000)(empty_scope()) == text * 10000
        return
    with pytest.raises(ExpansionFailed):
        compile_text(text * 10000)


def test_much_nesting_works() -> None:
    text = "${if eq{$value}{}{" * 40 + "A" + "}}" * 40
    assert compile_text(text)(empty_scope()) == "A"
    assert compile_text("${lc:" * 95 + "A$value" + "}" * 95)(empty_scope()) == "a"


def test_expansion_of_itself_ends() -> None:
    scope = empty_scope()
    scope.value = "${expand:$value}"
    with pytest.raises(ExpansionFailed, match="too many nested expansions"):
        compile_text("${expand:$value}")(scope)
    assert scope.depth == 0


def test_growth_is_bounded() -> None:
    digits = ":".join("12345678901234567890123456789012345678901234567890")
    with pytest.raises(ExpansionFailed, match="too long"):
        compile_text("${reduce{" + digits + "}{a}{$value$value}}")(empty_scope())


def test_ten_megabytes_are_fine() -> None:
    scope = empty_scope()
    scope.value = "x" * 10_000_000
    assert len(compile_text("${uc:$value}${sg{$value}{y}{z}}")(scope)) == 20_000_000


def test_state_is_restored() -> None:
    scope = empty_scope()
    scope.captures, scope.value, scope.item = ["k"], "v", "i"
    text = "${if match{abc}{(b)}{$1}}${map{a:b}{$item}}${reduce{a}{}{x}}${extract{1}{:}{q}{$value}}"
    text += "${if inlist{a}{a}{$value}}${filter{a}{match{$item}{(a)}}}${sg{a}{(a)}{x}}${sort{b:a}{lt}{$item}}"
    compile_text(text)(scope)
    assert (scope.captures, scope.value, scope.item) == (["k"], "v", "i")


def test_state_is_restored_after_a_failure() -> None:
    scope = empty_scope()
    scope.captures, scope.value, scope.item = ["k"], "v", "i"
    for text in [
        "${if match{a}{(a)}{${if eq{a}{b}{}fail}}}",
        "${map{a}{${if ={x}{1}}}}",
        "${extract{1}{:}{q}{${readfile{/no}}}}",
    ]:
        with pytest.raises(ExpansionFailed):
            compile_text(text)(scope)
    assert (scope.captures, scope.value, scope.item) == (["k"], "v", "i")


def test_a_forced_failure_is_its_own_kind() -> None:
    for text in ["${if eq{a}{b}{x}fail}", "${map{a}{${if eq{a}{b}{x}fail}}}", "${lookup passwd{nosuchuser}{x}fail}"]:
        with pytest.raises(ForcedFail, match='failed and "fail" requested'):
            compile_text(text)(empty_scope())


def test_the_cache_keeps_the_latest() -> None:
    scope = empty_scope()
    first = compile_cached(scope, "text 0")
    assert compile_cached(scope, "text 0") is first
    for number in range(1, compiler.CACHE_SIZE + 1):
        compile_cached(scope, f"text {number}")
    assert compile_cached(scope, "text 0") is not first
    assert len(scope.services.state["expand.cache"]._found) == compiler.CACHE_SIZE


@pytest.mark.parametrize(
    ("text", "lax", "strict"),
    [
        *[
            ("", False, False),
            ("0", False, False),
            ("no", False, False),
            ("FALSE", False, False),
            (" no ", False, False),
        ],
        *[("1", True, True), ("yes", True, True), ("true", True, True), ("00", True, False), ("-1", True, True)],
        *[("maybe", True, None), ("1x", True, None)],
    ],
)
def test_truth(text: str, lax: bool, strict: bool | None) -> None:
    assert compiler.truth_lax(text) is lax
    assert compiler.truth_acl(text) is strict


def test_conditions_of_routers_and_acls() -> None:
    scope = empty_scope()
    failing = compile_text("${if eq{a}{b}{x}fail}")
    assert compiler.condition_lax(failing, scope) is False
    assert compiler.condition_acl(compile_text("${if eq{a}{a}}"), scope) is True
    with pytest.raises(ExpansionFailed, match='invalid "condition" value "maybe"'):
        compiler.condition_acl(compile_text("maybe"), scope)
    with pytest.raises(ForcedFail):
        compiler.condition_acl(failing, scope)


def test_expanded_booleans() -> None:
    scope = empty_scope()
    assert compiler.expand_bool(compile_text("YES"), scope, default=False) is True
    assert compiler.expand_bool(compile_text("${lc:FALSE}"), scope, default=True) is False
    assert compiler.expand_bool(compile_text("${if eq{a}{b}{x}fail}"), scope, default=True) is True
    with pytest.raises(ExpansionFailed, match='"1" is not a valid boolean value'):
        compiler.expand_bool(compile_text("1"), scope, default=True)


def test_expanded_numbers() -> None:
    scope = empty_scope()
    assert compiler.expand_int(compile_text("${lc:10}K"), scope) == 10240
    assert compiler.expand_size(compile_text("1G"), scope) == 1 << 30
    assert compiler.expand_octal(compile_text("0644"), scope) == 0o644
    assert compiler.expand_time(compile_text("1h30m"), scope) == 5400.0
    for read in (compiler.expand_int, compiler.expand_size, compiler.expand_octal, compiler.expand_time):
        with pytest.raises(ExpansionFailed):
            read(compile_text("9z"), scope)


def test_a_condition_alone() -> None:
    found = compile_condition("and{{eq{$value}{v}}{match{abc}{(b)}}} ")
    scope = empty_scope()
    assert found.test(scope) is False
    scope.value = "v"
    assert found.test(scope) is True
    assert scope.captures == ["b", "b"]
    with pytest.raises(ExpansionFailed, match="unexpected text after condition"):
        compile_condition("eq{a}{b} x")
