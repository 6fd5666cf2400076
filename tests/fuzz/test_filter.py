"""Invariant: any text is a filter that runs, or is refused with FilterError or SieveError; no other exception."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.filter.actions import FilterError, kind_of
from mta.filter.exim.interpreter import interpret
from mta.filter.exim.parser import SYSTEM, Allowed, parse
from mta.filter.exim.world import World
from mta.filter.sieve.run import Options, run_sieve
from mta.filter.sieve.tree import SieveError
from tests.filter.testing import filter_scope

EXIM = (
    "if then else elif endif not and or ( ) is does contain matches begins above below personal alias delivered "
    "foranyaddress error_message first_delivery seen unseen noerror deliver save pipe mail vacation to cc text file "
    "expand return message once_repeat subject extra_headers add n1 logfile logwrite testprint finish headers charset "
    'remove freeze fail defer text errors_to a@b.example "$h_to:" "${lc:$h_from:}" 640 1k "^(.*)@" "x\\ny" ${foo} '
    "# \n"
)
SIEVE = (
    'require [ ] "fileinto" "copy" "envelope" "vacation" "variables" "encoded-character" "enotify" , ; if elsif else '
    "not allof anyof ( ) { } true false header address envelope exists size string :is :contains :matches :over 10K "
    ':comparator "i;octet" :all :localpart "from" "to" "subject" "*a?b*" keep discard stop redirect "a@b.example" '
    'fileinto :copy vacation :days 3 :mime set :lower "name" "${name}${1}" notify "mailto:a@b.example" "${hex:40}" '
    "text:\na\n.\n /* */ # \n"
)


def words(table: str) -> st.SearchStrategy[str]:
    noise = st.text(st.characters(max_codepoint=255), max_size=5)
    return st.lists(st.one_of(st.sampled_from(table.split(" ")), noise), max_size=40).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(words(EXIM), st.booleans())
def test_exim_filters(text: str, system: bool) -> None:
    scope = filter_scope()
    lines: list[str] = []
    for world in (World(show=lines.append, trace=lines.append, system=system), World(system=system)):
        with suppress(FilterError):
            outcome = interpret(parse("# Exim filter\n" + text, SYSTEM if system else Allowed()), scope, world)
            assert len(outcome.numbers) == 10


@settings(max_examples=300, deadline=None)
@given(words(SIEVE))
def test_sieve_scripts(text: str) -> None:
    with suppress(SieveError):
        outcome = run_sieve("# Sieve filter\n" + text, filter_scope(), Options(vacation_directory="/nowhere"))
        assert len(outcome.actions) <= 100


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=30))
def test_kind_of(text: str) -> None:
    assert kind_of(text) in ("", "exim", "sieve")
    assert kind_of("# Sieve filter" + text) == "sieve"


def test_depth_is_bounded() -> None:
    scope = filter_scope()
    for text in ("if a is a then " * 5000, "if " + "(" * 5000, "if foranyaddress a ( " * 5000):
        with suppress(FilterError):
            interpret(parse(text, Allowed()), scope, World())
    for text in ("if true { " * 5000, "if " + "not " * 5000 + "true {}", "if " + "anyof(" * 5000, "[" * 9000):
        with suppress(SieveError):
            run_sieve(text, scope, Options())
