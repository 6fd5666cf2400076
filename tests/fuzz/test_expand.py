"""Any text compiles or is refused with ExpansionFailed; what compiles gives byte text or fails as an expansion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import Deferred, ExpansionFailed
from mta.expand.compiler import compile_text
from mta.expand.json_text import array_items, object_member
from tests.expand.case_files import load
from tests.expand.scopes import scope_with_message

_SAFE = [case.text for name in ("text", "conditions", "syntax_errors", "headers") for case in load(name)]
_TEXTS = [text for text in _SAFE if "run" not in text and "read" not in text and "@" not in text]
_WORDS = "${map{ ${lc: ${extract{ ${sg{ ${sort{ ${reduce{ ${filter{ ${length_1: ${hash{1}{2}{ ${tr{ ${listextract{"
_WORDS += (
    " eq{ match{ and{{ ! forany{ def: inlist{ } { }{ $ \\ \\N $h_x-a: $1 $item $value : a 1 fail {yes}{no}} json [1,"
)
_PIECES = st.sampled_from([*_WORDS.split(), "${if ", " ", "\0", "\xff", "\n", '"'])


def _settle(text: str) -> None:
    try:
        value = compile_text(text)(scope_with_message())
    except (ExpansionFailed, Deferred):
        return
    assert isinstance(value, str)
    value.encode("latin-1")


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=25))
def test_pieces_of_the_language(pieces: list[str]) -> None:
    _settle("".join(pieces))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(_TEXTS), st.integers(0, 200), st.integers(0, 200), st.sampled_from(["", "{", "}", "$", "\\", "${"])
)
def test_texts_cut_and_mended(text: str, start: int, end: int, filling: str) -> None:
    _settle(text[:start] + filling + text[end:])


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='[]{},:"\\ a1', max_size=40))
def test_json(text: str) -> None:
    for read in (array_items, lambda value: object_member(value, "a")):
        try:
            read(text)
        except ExpansionFailed:
            continue


def test_every_prefix_of_a_long_text() -> None:
    text = "${if and{{eq{$h_x-key:}{a}}{match{b}{(.)}}}{${map{a:b}{${lc:$item}}}}{${extract{1}{:}{x}{$value}fail}}}"
    compile_text(text)
    for size in range(1, len(text)):
        if text[:size].count("{") > text[:size].count("}"):
            with pytest.raises(ExpansionFailed):
                compile_text(text[:size])
